"""`jaxlogit fit`: what it prints, writes and refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import jaxlogit as jl
from jaxlogit import datasets
from jaxlogit.cli import main

BIRTHS = datasets.load("birthwt").to_frame()
FORMULA = "low ~ age + C(race) + smoke"


def test_prints_the_summary_and_writes_the_table(tmp_path, capsys):
    file = tmp_path / "births.parquet"
    BIRTHS.to_parquet(file)
    assert main(["fit", str(file), FORMULA, "--csv", str(tmp_path / "t.csv"), "--drop-one"]) == 0
    out, err = capsys.readouterr()
    fit = jl.fit_formula(FORMULA, BIRTHS)
    assert out.startswith(fit.summary())
    assert "terms left out one by one, by likelihood ratio" in out
    assert max(map(len, out.splitlines())) <= 100
    assert err == f"table written to {tmp_path / 't.csv'}\n"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), fit.to_frame(), rtol=1e-14)


def test_json_is_one_document_with_infinities_as_words(capsys):
    assert main(["fit", "endometrial", "HG ~ NV + PI + EH", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out, parse_constant=pytest.fail)  # no NaN or Infinity, which JSON lacks
    assert err == ""
    assert found["models"][0]["status"] == "separated_quasi"
    terms = {row["term"]: row for row in found["terms"]}
    assert terms["NV"]["estimate"] == "inf" and terms["NV"]["std_error"] is None
    np.testing.assert_allclose(terms["NV"]["conf_low"], 1.284, atol=5e-4)


def test_few_groups_are_printed_and_many_summarised(tmp_path, capsys):
    assert main(["fit", "birthwt", "low ~ lwt", "--by", "race"]) == 0
    out = capsys.readouterr().out
    assert "3 models, 26 to 96 rows" in out
    assert next(line.split()[:2] for line in out.splitlines() if "converged" in line) == [
        "black",
        "Intercept",
    ]
    file = tmp_path / "t.csv"
    pd.concat([BIRTHS.assign(site=k) for k in range(20)]).to_csv(file, index=False)
    assert main(["fit", str(file), "low ~ lwt", "--by", "site"]) == 0
    assert "every group's coefficients: --csv FILE" in capsys.readouterr().out


def test_odds_ratios_methods_and_penalties(capsys):
    words = ["--odds-ratios", "--method", "wald", "--penalty", "firth", "--level", "0.9"]
    assert main(["fit", "birthwt", FORMULA, *words]) == 0
    out = capsys.readouterr().out
    assert "odds_ratio" in out and "90 % intervals and tests by Wald" in out
    ends = jl.fit_formula(FORMULA, BIRTHS, penalty="firth").confint(0.9, "wald").odds_ratio
    assert f"{ends.upper[4]:.5g}" in out


def test_clusters_make_robust_errors(tmp_path, capsys):
    file = tmp_path / "t.csv"
    BIRTHS.assign(ward=BIRTHS.index % 12).to_csv(file, index=False)
    assert main(["fit", str(file), FORMULA, "--cluster", "ward"]) == 0
    out = capsys.readouterr().out
    robust = jl.fit_formula(FORMULA, BIRTHS).robust("CR1", clusters=BIRTHS.index % 12)
    assert "CR1 covariance" in out and f"{robust.std_error[1]:.5g}" in out


def test_warnings_are_lines_on_standard_error(capsys):
    assert main(["fit", "birthwt", "low ~ C(ftv)", "--by", "race"]) == 0
    out, err = capsys.readouterr()
    assert "rank_deficient" in out
    assert err.startswith("jaxlogit: level '6' of C(ftv) does not occur in 2 of 3 groups")
    assert all(line.startswith("jaxlogit: ") for line in err.splitlines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["birthwt", "low ~ agee"], "no column 'agee'; did you mean 'age'?"),
        (["birthw", "low ~ age"], "neither a file nor a bundled data set"),
        (["birthwt", "low ~ age", "--method", "lrt"], "found 'lrt'; did you mean 'lr'?"),
        (["birthwt", "low ~ age", "--penalty", "first"], "found 'first'; did you mean 'firth'?"),
        (
            ["birthwt", "low ~ age", "--by", "rac"],
            "by must name a column of the table, found",
        ),
        (["birthwt", "low ~ age", "--level", "95"], "level must lie in (0, 1): found 95.0"),
        (["birthwt", "low ~ age", "--by", "race", "--robust", "HC3"], "leave out --by"),
        (["birthwt", "low ~ age", "--robust", "HC9"], "HC9"),
        (["birthwt", "low ~ age", "--robust", "HC1", "--cluster", "race"], "must be CR0, CR1 or"),
        (["birthwt", "low ~ age", "--csv", "."], "'.' is a folder, where a file is to be written"),
        (["birthwt", "low ~ age", "--csv", "none/t.csv"], "no folder 'none' to write t.csv to"),
    ],
)
def test_refuses_in_one_line(words: list[str], message: str, capsys):
    assert main(["fit", *words]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert message in err
