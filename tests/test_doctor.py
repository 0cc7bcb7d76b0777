"""`jaxlogit doctor`: what it finds is so, and what is wrong is said."""

import json
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit.cli import checkup, doctor, main

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def checks():
    return checkup.checks()


def test_every_check_is_passed(checks, capsys, monkeypatch):
    monkeypatch.setattr(checkup, "checks", lambda: checks)
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", "3")
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and [check["trouble"] for check in said["checks"]] == [None] * 4
    assert all(0 < check["warm_seconds"] < 20 for check in said["checks"])
    assert said["versions"]["jax"] == jax.__version__
    assert said["cores"] == 3 and said["devices"] == ["cpu:0 (cpu)"]
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert text.count("  ok\n") == 4 and "FAILED" not in text
    assert "3 (JAXLOGIT_NUM_THREADS)" in text


def test_a_failure_is_named_and_the_others_go_on(capsys, monkeypatch):
    def broken():
        raise RuntimeError("no\nmemory")

    wrong = (
        "wrong",
        lambda: np.array([1.0, np.nan]),
        lambda found: checkup._differs("x", found, 1.0),
        True,
    )
    works = ("works", lambda: 1, lambda found: "", False)
    monkeypatch.setattr(checkup, "CHECKS", (wrong, ("breaks", broken, str, False), works))
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "FAILED wrong: x is nan instead of 1.000000" in text
    assert "FAILED breaks: RuntimeError: no memory" in text
    assert main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [check["ok"] for check in said["checks"]] == [False, False, True]
    assert said["checks"][1]["first_seconds"] is None and not said["ok"]


def test_verdicts_tell_a_wrong_number_from_a_right_one():
    known = np.array(checkup.BIRTHS.split(), float)
    assert checkup._differs("coef", known + 4e-7, known) == ""
    assert checkup._differs("coef", known + 6e-7, known) != ""
    fitted = jl.fit([[1.0], [1.0]], [1, 1])
    assert "SEPARATED_COMPLETE instead of CONVERGED" in checkup._judge_births(fitted)


def test_the_known_numbers_are_those_of_the_references():
    folder = ROOT / "tests" / "reference"
    births = json.loads((folder / "birthwt.json").read_text())
    assert [f"{value:.6f}" for value in births["coef"]] == checkup.BIRTHS.split()
    cancer = json.loads((folder / "endometrial.json").read_text())
    (ends,) = (i for i in cancer["intervals"] if (i["method"], i["level"]) == ("lr", 0.95))
    known = round(cancer["loglik"], 6), round(ends["lower"][1], 6)
    assert known == checkup.ENDOMETRIAL


def test_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra, names in doctor.EXTRAS.items():
        listed = [line.partition(">=")[0] for line in project["optional-dependencies"][extra]]
        assert names == tuple(name for name in listed if not name.startswith("jaxlogit"))
    internal = {"docs", "test", "benchmark", "cuda", "all"}
    assert project["optional-dependencies"].keys() - internal == doctor.EXTRAS.keys()
    listed = {line.partition(">=")[0] for line in project["dependencies"]}
    assert listed == set(doctor.BASE)
