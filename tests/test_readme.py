"""The README's Python runs and shows what it says."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 18
    namespace: dict = {}
    with contextlib.chdir(tmp_path_factory.mktemp("readme")):  # pictures are saved
        for block in blocks:
            exec(block, namespace)
    return namespace


def test_shapes(names: dict):
    assert names["ends"].lower.shape == (4,)
    assert names["fits"].coef.shape == (1000, 4)
    assert names["screen"].test(contrasts="candidate").p_value.shape == (1000, 1)
    assert len(names["model"].names) == 9
    assert names["races"].groups.tolist() == ["black", "other", "white"]


def test_endometrial_numbers(names: dict):
    fit = names["fit"]
    assert names["jl"].Status(int(fit.status)).name == "SEPARATED_QUASI"
    shown = {"atol": 5e-4, "rtol": 0}
    np.testing.assert_allclose(fit.coef, [4.305, np.inf, -0.042, -2.903], **shown)
    np.testing.assert_allclose(fit.confint().lower, [1.433, 1.284, -0.137, -4.786], **shown)
    np.testing.assert_allclose(fit.confint().upper, [7.955, np.inf, 0.038, -1.436], **shown)
    residual = fit.confint().residual
    assert np.nanmax(residual) < 1e-8
    assert np.argwhere(np.isnan(residual)).tolist() == [[1, 1]]


def test_bootstrap(names: dict):
    assert names["boot"].coef.shape == (10_000, 4)
    assert names["more"].n_replicates == 10_000
    np.testing.assert_array_equal(names["more"].coef[:2000], names["wards"].coef)


def test_own_likelihood(names: dict):
    job = (names["poisson"], [0, 0], names["counts"])
    np.testing.assert_allclose(names["jl"].maximize(*job).coef, [1.209, 0.42], atol=5e-4)
    lower = names["jl"].profile_interval(*job).lower
    np.testing.assert_allclose(lower, [0.318, 0.075], atol=5e-4)


def test_summarised_table(names: dict):
    measures = names["measures"]
    assert measures.method.tolist() == ["mean", "median"]
    assert measures.relative_precision[0] == 0
    assert -40 < measures.relative_precision[1] < -28


def test_direction_is_a_proof(names: dict):
    success = names["endometrial"]["HG"] == 1
    along = names["X"] @ names["d"]
    assert np.all(along[success] >= -1e-12) and np.all(along[~success] <= 1e-12)
    assert np.any(along != 0)


def test_commands_are_single_lines():
    text = README.read_text(encoding="utf-8")
    for mark in ("study-command", "test-command"):
        (command,) = re.findall(rf"<!-- {mark} -->\n```sh\n(.*?)\n```", text, re.DOTALL)
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && ")
