"""Tables as text: aligned, within 100 columns, and saying what is undefined."""

import math

import numpy as np
import pytest

from jaxlogit.report import replay_text, status_text, study_text
from jaxlogit.study import Study
from jaxlogit.text import number, plain, share, table


@pytest.fixture(scope="module")
def result():
    study = Study(
        name="groups", seed=5, replicates=60, X=np.array([[1.0, 0.0], [1.0, 1.0]]),
        trials=[12.0, 12.0], truth=[-1.4, 0.0],
        names=("Intercept", "a_term[with.a.very.long.name.indeed]"),
    )  # fmt: skip
    return study.run(progress=False)


def test_table_aligns_numbers_right_and_words_left():
    text = table(["term", "value"], [["a", "1.5"], ["long", "-12.25 (0.1)"], ["b", "n/a"]])
    assert text.splitlines() == [
        "term         value",
        "------------------",
        "a              1.5",
        "long  -12.25 (0.1)",
        "b              n/a",
    ]


def test_markdown_table():
    text = table(["term", "value"], [["a", "1.5"]], markdown=True)
    assert text.splitlines() == ["| term | value |", "| ---- | ----: |", "| a    |   1.5 |"]


@pytest.mark.parametrize(
    ("value", "mcse", "text"),
    [
        (0.12345, 0.00345, "0.123 (0.003)"),
        (0.12345, 0.00145, "0.1235 (0.0014)"),
        (-1234.5, 31.0, "-1234 (31)"),
        (0.5, 0.0, "0.5"),
        (math.nan, math.nan, "n/a"),
        (math.inf, math.nan, "inf"),
        (1.0, 0.0999, "1.00 (0.10)"),
        (1e-7, 2e-10, "0.00000010 (0.00000000)"),
    ],
)
def test_numbers_are_as_precise_as_their_error(value, mcse, text):
    assert number(value, mcse) == text


def test_shares():
    assert share(0.95012, 0.00069) == ".9501 (.0007)"
    assert share(1.0, 0.0) == "1.0000 (.0000)"
    assert share(math.nan) == "n/a"
    assert plain(123456.0) == "1.235e+05"


def test_study_text_fits_a_terminal_and_has_all_tables(result):
    text = study_text(result, differences=True)
    assert max(len(line) for line in text.splitlines()) <= 100
    for title in (
        "Study groups, seed 5", "Cell main: 60 replicates, 2 rows, 2 coefficients",
        "Coverage of 95 % intervals", "Undefined and infinite intervals", "Estimates by ml, over",
        "Statuses (counts of replicates)", "Differences on the same data sets",
        "a_term[with…name.indeed]",
    ):  # fmt: skip
        assert title in text


def test_study_text_holds_the_numbers_of_the_summary(result):
    summary = result.summary()
    text = study_text(result)
    for row in summary.to_dict("records"):
        assert share(row["coverage"], row["coverage_mcse"]) in text
        assert number(row["bias"], row["bias_mcse"]) in text


def test_status_columns_that_never_occur_are_left_out_but_the_usual_ones_stay(result):
    text = study_text(result)
    assert "separated: quasi" in text and "no bound" in text
    assert "rank deficient" not in text


def test_markdown_is_tables(result):
    text = study_text(result, markdown=True)
    assert "| ml:wald " in text
    assert "a_term[with.a.very.long.name.indeed]" in text


def test_replay_text(result):
    text = replay_text(result.replay("main", 3))
    assert text.startswith("Cell main, replicate 3: 2 rows, ")
    assert text.count("ml:") == 6


def test_status_text(result):
    text = status_text(result)
    assert "1 parts" in text and "0 damaged" in text and "threefry2x32" in text
    assert text.splitlines()[-1].split() == ["main", "ml:score", "60", "0"]
