"""A study's protocol: every part of ADEMP, from the record alone, of a file, a name or a store."""

import numpy as np
import pytest
from study_results import ODD, grid

from jaxlogit.cli import main
from jaxlogit.report.protocol import protocol_text
from jaxlogit.report.words import POLICY, markdown
from jaxlogit.study import Study

TITLES = ("Aims", "Data-generating mechanisms", "Estimands", "Methods", "Performance measures",
          "Number of replicates", "Failures", "Computation")  # fmt: skip


@pytest.fixture(scope="module")
def births():
    return Study.from_toml("birthwt").protocol()


def test_sections_are_those_of_ademp(births):
    found = [line[3:] for line in births.splitlines() if line.startswith("## ")]
    assert tuple(found) == TITLES


def test_numbers_are_the_study_s(births):
    for words in (
        "low ~ age + lwt + race + smoke + ht + ui", "189 rows and 8 coefficients",
        "31.2 % of the outcomes",  # 59 of 189: the fitted shares have the observed mean
        "With 20,000 replicates", "√(0.25/n) = .0035", ".0015 where the coverage is 95 %",
        "±0.30 percentage points", "seed 20260101", POLICY, "maximum-likelihood estimates of the",
    ):  # fmt: skip
        assert words in births
    assert np.sqrt(0.25 / 20_000) == pytest.approx(0.0035, abs=5e-5)
    assert np.sqrt(0.95 * 0.05 / 20_000) == pytest.approx(0.0015, abs=5e-5)


def test_grid_is_told_by_factors_and_cells(tmp_path):
    result = grid(tmp_path / "store", 10)
    text = result.protocol()
    assert "6 cells, fully factorial: every combination of n (16, 30, 60) and event" in text
    assert markdown(ODD) in text
    assert "| event_rate=0.4, n=30 |" in text
    assert text == protocol_text(result.record)


def test_bootstrap_and_offsets_are_told():
    study = Study(
        name="b", seed=1, replicates=50, methods=["ml:lr", "bootstrap:bca"], X=np.ones((8, 1)),
        truth=[0.0], offset=np.zeros(8), trials=np.full(8, 3), weights=np.ones(8),
        bootstrap={"replicates": 199, "scheme": "pairs"},
    )  # fmt: skip
    text = study.protocol()
    for words in ("resampled 199 times (scheme pairs)", "BCa", "plus the row's offset",
                  "number of trials", "Case weights enter the fits"):  # fmt: skip
        assert words in text


def test_command_takes_name_file_and_store(tmp_path, capsys, births):
    assert main(["study", "protocol", "birthwt"]) == 0
    assert capsys.readouterr().out == births
    store = grid(tmp_path / "store", 10).store
    out = tmp_path / "protocol.md"
    assert main(["study", "protocol", str(store), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("# Protocol of the simulation study grid")
    assert "protocol written to" in capsys.readouterr().err
    assert main(["study", "protocol", "birthwd"]) == 1
    assert "did you mean 'birthwt'?" in capsys.readouterr().err
