"""Specifications: what is accepted, and that every error names file, key, rule and value."""

import numpy as np
import pandas as pd
import pytest

from jaxlogit import fit
from jaxlogit.study import METHODS, Study, bundled

GOOD = """
name = "mini"
seed = 3
replicates = 20
[design]
data = "mini.csv"
formula = "y ~ x"
truth = [0.1, 0.2]
"""

X = np.column_stack([np.ones(6), np.arange(6.0)])


@pytest.fixture
def folder(tmp_path):
    frame = pd.DataFrame({"y": [0, 1, 0, 1, 1, 0], "x": [1.0, 2, 3, 4, 5, 6], "m": 3, "o": 0.5})
    frame.to_csv(tmp_path / "mini.csv", index=False)
    return tmp_path


def toml(folder, text=GOOD):
    path = folder / "mini.toml"
    path.write_text(text)
    return path


def study(**changes):
    arguments = {"name": "a", "seed": 1, "replicates": 5, "X": X, "truth": [0.0, 1.0]}
    return Study(**(arguments | changes))


def test_toml_becomes_a_study_with_defaults(folder):
    made = Study.from_toml(toml(folder))
    assert (made.name, made.seed, made.replicates) == ("mini", 3, 20)
    assert (made.level, made.null, made.significance) == (0.95, 0.0, 0.05)
    assert made.methods == METHODS
    (cell,) = made.cells
    assert cell.names == ("Intercept", "x")
    np.testing.assert_array_equal(cell.X[:, 1], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(cell.truth, [0.1, 0.2])
    assert (cell.trials, cell.weights, cell.offset) == (None, None, None)


def test_data_lie_beside_the_toml_file(folder, monkeypatch):
    path = toml(folder)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert Study.from_toml(path).cells[0].X.shape == (6, 2)


def test_columns_of_the_table_can_be_trials_and_offset(folder):
    text = GOOD + 'trials = "m"\noffset = "o"\nweights = "m"\n'
    cell = Study.from_toml(toml(folder, text)).cells[0]
    np.testing.assert_array_equal(cell.trials, np.full(6, 3.0))
    np.testing.assert_array_equal(cell.weights, np.full(6, 3.0))
    np.testing.assert_array_equal(cell.offset, np.full(6, 0.5))


def test_truth_by_name_in_any_order(folder):
    text = GOOD.replace("truth = [0.1, 0.2]", "truth = { x = 2, Intercept = -1 }")
    np.testing.assert_array_equal(Study.from_toml(toml(folder, text)).cells[0].truth, [-1.0, 2.0])


def test_truth_mle_is_the_fit_of_the_data(folder):
    from jaxlogit import fit

    cell = Study.from_toml(toml(folder, GOOD.replace("[0.1, 0.2]", '"mle"'))).cells[0]
    np.testing.assert_allclose(cell.truth, fit(cell.X, [0, 1, 0, 1, 1, 0]).coef, rtol=1e-10)


def test_truth_mle_of_separated_data_is_refused():
    table = pd.DataFrame({"y": [0, 0, 1, 1], "x": [1.0, 2, 3, 4]})
    made = Study(name="a", seed=1, replicates=5, data=table, formula="y ~ x")
    with pytest.raises(ValueError, match=r'truth = "mle" needs a finite estimate.*separated_com'):
        made.cells  # noqa: B018


def test_rows_with_missing_values_are_counted(folder):
    frame = pd.read_csv(folder / "mini.csv")
    frame.loc[2, "x"] = np.nan
    frame.to_csv(folder / "mini.csv", index=False)
    cell = Study.from_toml(toml(folder)).cells[0]
    assert (cell.X.shape[0], cell.n_dropped) == (5, 1)


def test_bundled_study_is_the_documented_one():
    made = Study.from_toml("birthwt")
    assert bundled() == ("birthwt",)
    assert made.formula == "low ~ age + lwt + race + smoke + ht + ui"
    (cell,) = made.cells
    assert cell.X.shape == (189, 8)
    assert made.methods == METHODS


TOML_ERRORS = {
    "unknown key": ("seed = 3", "seed = 3\nlevle = 0.9", 'unknown key "levle": allowed are name,'
                    r".*; did you mean 'level'\?"),
    "unknown design key": ('formula = "y ~ x"', 'formla = "y ~ x"',
                           'unknown key "design.formla": allowed are design.data,.*\'formula\''),
    "grid": ("[design]", "[grid]\nn = []\n[design]", r"grid.n must have .* found none"),
    "missing": ("seed = 3", "", 'key "seed" is missing'),
    "missing design key": ('data = "mini.csv"', "", 'key "design.data" is missing'),
    "not TOML": ("seed = 3", "seed = ", "is not valid TOML: .*line 3"),
    "seed type": ("seed = 3", 'seed = "x"', "seed must be an integer: found 'x'"),
    "seed range": ("seed = 3", "seed = -1", "seed must be an integer from 0 to .*: found -1"),
    "replicates": ("replicates = 20", "replicates = 0", "replicates must be .* from 1 .*found 0"),
    "boolean": ("replicates = 20", "replicates = true", "replicates must be .*: found True"),
    "level": ("seed = 3", "seed = 3\nlevel = 95", "level must .*between 0 and 1: .*95"),
    "nan": ("seed = 3", "seed = 3\nlevel = nan", "level must .*: found nan"),
    "null": ("seed = 3", "seed = 3\nnull = inf", "null must lie strictly between .*: found inf"),
    "name": ('"mini"', '"a/b"', "name must be letters, digits.*: found 'a/b'"),
    "method": ("seed = 3", 'seed = 3\nmethods = ["ml:wlad"]',
               "methods must be one of 'ml:wald', .*: found 'ml:wlad'; did you mean 'ml:wald'"),
    "method twice": ("seed = 3", 'seed = 3\nmethods = ["ml:lr", "ml:lr"]', "each once"),
    "methods type": ("seed = 3", 'seed = 3\nmethods = "ml:lr"', "methods must be a list"),
    "truth word": ("[0.1, 0.2]", '"mel"', 'truth must be "mle" or coefficients: found "mel"'),
    "formula type": ('"y ~ x"', "3", "design.formula must be text: found 3"),
    "design type": ("[design]\n", "design = 3\n[other]\n", "unknown key \"other\""),
}  # fmt: skip


@pytest.mark.parametrize("case", TOML_ERRORS)
def test_toml_errors_name_file_key_rule_and_value(folder, case):
    before, after, message = TOML_ERRORS[case]
    assert before in GOOD
    with pytest.raises((ValueError, TypeError), match=rf"(?s)mini\.toml.*{message}"):
        Study.from_toml(toml(folder, GOOD.replace(before, after)))


def test_missing_file_and_near_name():
    with pytest.raises(FileNotFoundError, match=r"no study file birthwd.*did you mean 'birthwt'"):
        Study.from_toml("birthwd")


CELL_ERRORS = {
    "truth name": ({"truth": {"x0": 0, "x2": 1}}, 'unknown coefficient "x2": the design'),
    "truth missing": ({"truth": {"x0": 0}}, "truth must give every coefficient: x1 missing"),
    "truth shape": ({"truth": [1.0]}, r"truth must be 2 coefficients \(x0, x1\): found shape"),
    "truth text": ({"truth": ["a", "b"]}, "truth must be numeric: found 'a'"),
    "truth inf": ({"truth": [0, np.inf]}, r"truth must be finite: found inf at .* 1"),
    "X nan": ({"X": [[1, np.nan]]}, r"X must be finite: found nan at row 0, column 1"),
    "X shape": ({"X": [1.0, 2.0]}, r"X must have 2 dimensions: found shape \(2,\)"),
    "X empty": ({"X": np.ones((0, 2))}, r"X must be a matrix .*found shape \(0, 2\)"),
    "X ragged": ({"X": [[1.0], [1.0, 2.0]]}, "X must be rectangular"),
    "names": ({"names": ["a", "a"]}, "names must differ: found 'a' twice"),
    "names reserved": ({"names": ["a", "(trials)"]}, r'names must not be .*: found "\(trials\)"'),
    "trials length": ({"trials": [1.0]}, "trials must have one entry per row, 6"),
    "trials sign": ({"trials": [1, 1, -2, 1, 1, 1]}, "trials must .* at least 0: .*-2.0 at row 2"),
    "trials fraction": ({"trials": [1, 1.5, 1, 1, 1, 1]}, "trials must be whole .*1.5 at row 1"),
    "trials many": ({"trials": [1e8] * 6}, "trials must sum to at most"),
    "weights": ({"weights": [1, 1, 1, 1, 1, -1]}, "weights must be at least 0: .* row 5"),
    "offset": ({"offset": "high"}, "offset must be numeric: found 'high'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CELL_ERRORS)
def test_array_errors_name_argument_rule_and_place(case):
    changes, message = CELL_ERRORS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        study(**changes).cells  # noqa: B018


def test_a_series_of_truths_goes_by_name():
    labelled = pd.Series([2.0, 1.0], index=["x1", "x0"])
    assert study(truth=labelled).cells[0].truth.tolist() == [1.0, 2.0]
    assert study(truth=pd.Series([2.0, 1.0])).cells[0].truth.tolist() == [2.0, 1.0]


CONSTRUCTOR_ERRORS = {
    "both": ({"data": "birthwt"}, "one of data .*, X, .*generate: found data and X"),
    "neither": ({"X": None}, "one of data .*, X, .*generate: found none"),
    "formula": ({"formula": "y ~ x"}, "formula goes with data"),
    "mle": ({"truth": "mle"}, "truth must be coefficients where X is given"),
    "data": ({"X": None, "data": 3}, "data must be a path"),
    "no formula": ({"X": None, "data": "birthwt"}, "formula must be text"),
    "names": ({"X": None, "data": "birthwt", "formula": "low ~ age", "names": ["a"]}, "names go"),
    "trials": ({"X": None, "data": "birthwt", "formula": "low ~ age", "trials": [1]}, "trials m"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONSTRUCTOR_ERRORS)
def test_arguments_that_do_not_go_together(case):
    changes, message = CONSTRUCTOR_ERRORS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        study(**changes)


def test_a_study_is_frozen_and_keeps_its_own_design():
    rows = X.copy()
    made = study(X=rows)
    cell = made.cells[0]
    rows[:] = 9.0
    np.testing.assert_array_equal(cell.X, X)
    with pytest.raises(AttributeError):
        made.seed = 2  # pyright: ignore[reportAttributeAccessIssue]


def test_names_are_text_and_have_the_defaults_of_fits():
    cell = study(names=None).cells[0]
    assert cell.names == ("x0", "x1") == fit(X, [0, 1] * 3).names
    assert study(names=[0, 1], truth={1: 0.5, 0: -1.0}).cells[0].names == ("0", "1")


def test_significance_is_its_own_setting():
    assert study(level=0.9).significance == 0.1
    assert study(level=0.9, significance=0.01).significance == 0.01
