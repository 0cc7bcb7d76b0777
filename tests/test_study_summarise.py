"""Measures of any table of estimates, against the R packages rsimsum and simhelpers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import special, stats

import jaxlogit as jl
from jaxlogit.study.measures.performance import Replicates, measure
from jaxlogit.study.measures.relative import relative_bias, relative_precision, rmse
from jaxlogit.study.measures.summarise import summarise, summary_table

FOLDER = Path(__file__).parent / "reference" / "simsum"
SAME = {"rel": 1e-10, "abs": 1e-12}

# What rsimsum calls the measures.
RSIMSUM = {
    "bias": "bias", "rbias": "relative_bias", "empse": "empirical_se", "mse": "mse",
    "modelse": "model_se", "relerror": "model_se_error", "cover": "coverage",
    "becover": "bias_eliminated_coverage", "power": "rejection", "relprec": "relative_precision",
}  # fmt: skip
ARGUMENTS = {"truth": "truth", "by": "n", "ref": "ml"}


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "estimates.csv")


@pytest.fixture(scope="module")
def reference():
    return json.loads((FOLDER / "measures.json").read_text())


def by_name(found):
    return {f"{r['method']}.{r['n']}": r for r in found.to_dict("records")}


def check(row, name, expected):
    value, mcse = (np.nan if x is None else x for x in expected)
    assert row[name] == pytest.approx(value, **SAME), name
    assert row[f"{name}_mcse"] == pytest.approx(mcse, **SAME), name


def test_measures_of_rsimsum(table, reference):
    rows = by_name(summarise(table.drop(columns=["p_value", "df"]), **ARGUMENTS))
    assert rows.keys() == reference["rsimsum"].keys()
    for place, expected in reference["rsimsum"].items():
        row = rows[place]
        assert row["bias_n"] == row["coverage_n"] == expected["nsim"][0]
        for theirs, ours in RSIMSUM.items():
            if theirs == "relprec" and place == "firth.10":
                continue  # over the common data sets here; see the next test
            check(row, ours, expected[theirs])


def test_relative_precision_is_over_the_common_data_sets(table):
    """rsimsum takes the reference's standard deviation over all of its own."""
    some = table[table.n == 10].set_index("replicate")
    ml, firth = (some[some.method == method].estimate for method in ("ml", "firth"))
    both = ml.notna()
    s = [np.std(x[both], ddof=1) for x in (ml, firth)]
    row = by_name(summarise(table, **ARGUMENTS))["firth.10"]
    assert row["relative_precision_n"] == both.sum() == 389
    assert row["relative_precision"] == pytest.approx(100 * ((s[0] / s[1]) ** 2 - 1), **SAME)
    rho = stats.pearsonr(ml[both], firth[both])[0]
    error = 200 * (s[0] / s[1]) ** 2 * np.sqrt((1 - rho**2) / 388)
    assert row["relative_precision_mcse"] == pytest.approx(error, **SAME)


def test_t_intervals_and_given_ends_of_rsimsum(table, reference):
    """Its power stays normal whatever the degrees of freedom; only coverage is compared."""
    derived = by_name(summarise(table, **ARGUMENTS, df="df"))
    ends = by_name(summarise(table, **ARGUMENTS, lower="low", upper="high"))
    for rows, key in ((derived, "rsimsum_df"), (ends, "rsimsum_ends")):
        for place, expected in reference[key].items():
            for theirs in ("cover", "becover"):
                check(rows[place], RSIMSUM[theirs], expected[theirs])


def test_measures_of_simhelpers(table, reference):
    """Its error of the MSE is by moments: equal up to one part in n. For RMSE see the next test."""
    rows = by_name(summarise(table, **ARGUMENTS, lower="low", upper="high"))
    for place, expected in reference["simhelpers"].items():
        row, n = rows[place], expected["K"]
        for name in ("bias", "coverage", "width"):
            check(row, name, expected[name])
        check(row, "rejection", expected["rej_rate"])
        relative, error = expected["rel_bias"]
        check(row, "relative_bias", [relative - 1, error])
        assert row["empirical_se"] == pytest.approx(expected["stddev"][0], **SAME)
        for name in ("mse", "rmse"):
            assert row[name] == pytest.approx(expected[name][0], **SAME)
        assert row["mse_mcse"] == pytest.approx(expected["mse"][1], rel=3 / n)
        variance = (1 + row["model_se_error"] / 100) ** 2
        assert variance == pytest.approx(expected["rel_bias_var"][0], **SAME)


def test_rmse_error_of_simhelpers_is_a_jackknife_off_centre(table, reference):
    """Ours is the jackknife's to one part in n; theirs is not, and ours is the one that is right.

    simhelpers 0.3.1 takes squared distances of leave-one-out values with the variance's
    denominator n − 2 from a full value with n. The offset, s²/(2n RMSE), does not vanish beside
    the spread: for unbiased normal estimates the error comes out √1.5 too large. Simulation decides
    below.
    """
    rows = by_name(summarise(table, **ARGUMENTS))
    for place, row in rows.items():
        method, n = place.split(".")
        some = table[(table.method == method) & (table.n == int(n))].dropna()
        d = (some.estimate - some.truth).to_numpy()
        k = d.size
        full = np.sqrt(np.mean(d**2))
        left_out = np.sqrt((np.sum(d**2) - d**2) / (k - 1))
        jackknife = np.sqrt((k - 1) * np.var(left_out))
        assert row["rmse_mcse"] == pytest.approx(jackknife, rel=3 / k)
        squares = np.sum((d - d.mean()) ** 2) - (d - d.mean()) ** 2 * k / (k - 1)
        theirs = np.sqrt(((d.sum() - d) / (k - 1)) ** 2 + squares / (k - 2))
        off = np.sqrt((k - 1) / k * np.sum((theirs - full) ** 2))
        assert reference["simhelpers"][place]["rmse"][1] == pytest.approx(off, **SAME)
        assert off > 1.1 * jackknife


def test_differences_are_paired(table):
    row = by_name(summarise(table, **ARGUMENTS))["firth.80"]
    some = table[table.n == 80]
    ml, firth = (some[some.method == m].sort_values("replicate") for m in ("ml", "firth"))
    apart = firth.estimate.to_numpy() - ml.estimate.to_numpy()
    assert row["bias_difference"] == pytest.approx(apart.mean(), **SAME)
    assert row["bias_difference_mcse"] == pytest.approx(apart.std(ddof=1) / 20, **SAME)
    assert row["bias_difference_n"] == 400
    rows = by_name(summarise(table, **ARGUMENTS))
    assert rows["ml.80"]["bias_difference"] == rows["ml.80"]["coverage_difference_mcse"] == 0
    assert rows["firth.10"]["coverage_difference_n"] == 389
    shuffled = table.sample(frac=1, random_state=1)
    again = by_name(summarise(shuffled, **ARGUMENTS))["firth.80"]
    for name, value in row.items():
        assert again[name] == (value if isinstance(value, str) else pytest.approx(value, **SAME))


def test_without_replicates_methods_count_as_independent(table):
    some = table[table.n == 80].drop(columns="replicate")
    row = by_name(summarise(some, **ARGUMENTS))["firth.80"]
    ratio = 100 + row["relative_precision"]
    assert row["relative_precision_mcse"] == pytest.approx(2 * ratio / np.sqrt(399))
    assert "bias_difference" not in row


def test_a_study_s_own_rows_give_its_own_measures():
    study = jl.Study(name="groups", seed=2, replicates=300, X=[[1, 0], [1, 1]], trials=[15, 15],
                     truth=[-1.5, 1.0], methods=["ml:wald", "ml:lr"])  # fmt: skip
    result = study.run(progress=False)
    frame = result.frame()
    frame["truth"] = frame.term.map({"x0": -1.5, "x1": 1.0})
    found = jl.summarise(frame, truth="truth", by="term").set_index(["method", "term"])
    expected = result.summary().set_index(["method", "term"]).loc[found.index]
    for name in set(expected.columns) - {"cell", "level"}:
        if not name.startswith("coverage_limit"):
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


COLUMNS = {"estimate": [0.9, 2.0, np.nan, 1.1], "std_error": [0.1, 0.2, 0.3, 0.4]}


@pytest.mark.parametrize("kind", ["dict", "pandas", "pandas nullable", "pyarrow", "polars"])
def test_kinds_of_tables(kind):
    columns = COLUMNS | {"method": ["a", "a", "b", "b"]}
    if kind == "polars":
        table = pytest.importorskip("polars").DataFrame(columns, nan_to_null=True)
    else:
        frame = pd.DataFrame(columns)
        table = {"dict": columns, "pandas": frame, "pandas nullable": frame.convert_dtypes(),
                 "pyarrow": pa.Table.from_pandas(frame)}[kind]  # fmt: skip
    found = jl.summarise(table, truth=1.0)
    assert found.method.tolist() == ["a", "b"]
    assert found.bias_n.tolist() == [2, 1]
    assert found.n_replicates.tolist() == [2, 2]
    assert found.model_se_n.tolist() == [2, 2]


def test_intervals_and_tests_are_derived_or_taken():
    z = special.ndtri(0.95)
    rows = summarise({"b": [1.0, 2.0], "se": [0.5, 0.5]}, truth=1.0, estimate="b", std_error="se",
                     level=0.9)  # fmt: skip
    assert rows.width[0] == pytest.approx(2 * z * 0.5)
    assert rows.rejection[0] == 1.0
    student = summarise(COLUMNS, truth=1.0, df=3)
    quantile = stats.t.ppf(0.975, 3)
    assert student.width[0] == pytest.approx(2 * quantile * np.mean([0.1, 0.2, 0.4]))
    ends = {"lower": [-1.0, 0.5, np.nan, -np.inf], "upper": [1.0, 2.0, np.nan, 3.0]}
    found = summarise(ends, truth=1.0)
    assert (found.coverage[0], found.coverage_n[0], found.bias_n[0]) == (1.0, 3, 0)
    assert found.rejection[0] == pytest.approx(1 / 3)
    assert found.width_infinite[0] == pytest.approx(1 / 3)
    assert summarise(ends, truth=1.0, significance=0.1).rejection_n[0] == 0
    only_p = summarise({"p_value": [0.01, 0.2]}, truth=0.0)
    assert (only_p.rejection[0], only_p.coverage_n[0]) == (0.5, 0)


def test_a_truth_that_varies_within_a_group():
    rng = np.random.default_rng(4)
    truth, error = rng.normal(5, 2, 50), rng.normal(size=50)
    table = {"estimate": truth + error, "std_error": np.ones(50), "truth": truth}
    found = jl.summarise(table, truth="truth").iloc[0]
    assert np.isnan(found.truth)
    z = special.ndtri(0.975)
    expected = measure(
        Replicates(error, np.ones(50), error - z, error + z, np.zeros(50)), 0.0, 0.05
    )
    for name in ("bias", "mse", "empirical_se", "coverage", "width"):
        assert found[name] == pytest.approx(getattr(expected, name).value), name
    assert found.relative_bias == pytest.approx(np.mean(error / truth))


def test_errors_of_rmse_and_relative_precision_by_simulation():
    """The stated errors are the spread of the values over 4,000 repeated studies."""
    rng = np.random.default_rng(8)
    n, studies = 200, 4000
    one = rng.normal(0.3, 1.0, (studies, n))
    other = 0.6 * one + rng.normal(0, 0.7, (studies, n))
    roots, gains, gains_error, roots_error = [], [], [], []
    for a, b in zip(one, other, strict=True):
        found = relative_precision(b, a)
        gains.append(found.value)
        gains_error.append(found.mcse)
        row = rmse(measure(Replicates(a, a, a, a, a), 0.0, 0.05).mse)
        roots.append(row.value)
        roots_error.append(row.mcse)
    # The standard error of a standard deviation over 4,000 studies is 1.1 %.
    assert np.std(gains) == pytest.approx(np.mean(gains_error), rel=0.06)
    assert np.std(roots) == pytest.approx(np.mean(roots_error), rel=0.06)


def test_relative_bias_of_a_truth_of_zero_is_undefined():
    assert np.isnan(relative_bias(np.ones(3), np.zeros(3)).value)
    assert np.isnan(relative_precision(np.ones(1), np.ones(1)).value)
    assert np.isnan(relative_precision(np.ones(3), np.arange(3.0)).value)


BAD = [
    ({"estimate": "estimat"}, "estimate must name a column: found 'estimat'.*estimate"),
    ({"by": "scenario"}, "by must name a column: found 'scenario'"),
    ({"truth": "true"}, "truth must name a column: found 'true'"),
    ({"truth": None}, "truth must be a number or the name of a column: found None"),
    ({"ref": "c"}, "ref must be one of the methods, a, b: found 'c'"),
    ({"level": 95}, "level must lie strictly between 0 and 1: found 95"),
    ({"level": "95 %"}, "level must be a number: found '95 %'"),
    ({"null": "zero"}, "null must be a number: found 'zero'"),
    ({"method": "some"}, "method must not be missing: found nan at row 1"),
    ({"estimate": "method"}, "estimate must be numbers: column 'method'"),
    ({"lower": "estimate"}, "lower and upper go together: found lower only"),
    ({"lower": "std_error", "upper": "estimate"}, "lower must not exceed upper: found 3 at row 2"),
    ({"p_value": "estimate"}, r"p_value must lie in \[0, 1\]: found 2 at row 1"),
    ({"std_error": "negative"}, "std_error must not be negative: found -1 at row 3"),
    ({"truth": "gap"}, "truth must not be missing: found nan at row 0"),
    ({"replicate": "twice"}, "replicate must occur once in each group and method: found 1 .*row 1"),
]


@pytest.mark.parametrize("changes, message", BAD, ids=[str(c) for c, _ in BAD])
def test_bad_input(changes, message):
    table = {
        "estimate": [0.9, 2.0, 1.0, 1.1], "std_error": [0.1, 0.2, 3.0, 0.4],
        "method": ["a", "a", "b", "b"], "negative": [1.0, 1.0, 1.0, -1.0],
        "gap": [np.nan, 1.0, 1.0, 1.0], "twice": [1, 1, 1, 2],
        "some": np.array(["a", np.nan, "b", "b"], object),
    }  # fmt: skip
    with pytest.raises((ValueError, TypeError), match=message):
        summarise(table, **{"truth": 1.0} | changes)


def test_tables_that_say_nothing():
    with pytest.raises(ValueError, match=r"must have one of estimate, std_error.*found x"):
        summarise({"x": [1.0]}, truth=0.0)
    with pytest.raises(ValueError, match="must have rows"):
        summarise({"estimate": []}, truth=0.0)
    with pytest.raises(TypeError, match="table must be a data frame or a mapping"):
        summarise([1.0], truth=0.0)
    with pytest.raises(ValueError, match="of which there are none"):
        summarise({"estimate": [1.0]}, truth=0.0, ref="a")


def test_summary_table_as_text_markdown_and_latex(table):
    found = jl.summarise(table, **ARGUMENTS)
    text = summary_table(found)
    assert text.splitlines()[0].split()[:3] == ["n", "method", "bias"]
    assert ".9537 (.0107)" in text
    assert summary_table(found, form="markdown").startswith("|  n | method |")
    latex = summary_table(found, ["coverage"], form="latex")
    assert latex.startswith("\\begin{tabular}{rlr}")
    assert "coverage (MCSE) \\\\" in latex
    with pytest.raises(ValueError, match=r"no measure 'cover'.*coverage"):
        summary_table(found, ["cover"])
    with pytest.raises(ValueError, match="form must be"):
        summary_table(found, form="html")


def test_differences_of_methods_with_truths_of_their_own():
    """Two unbiased methods that estimate different things do not differ."""
    rng = np.random.default_rng(5)
    error = rng.normal(0, 0.1, 400)
    table = {
        "replicate": np.tile(np.arange(400), 2), "method": np.repeat(["cond", "marg"], 400),
        "estimate": np.concatenate([1.0 + error, 2.0 + error]), "std_error": np.full(800, 0.1),
        "theta": np.repeat([1.0, 2.0], 400),
    }  # fmt: skip
    found = jl.summarise(table, truth="theta", ref="cond").set_index("method").loc["marg"]
    for name in ("bias", "mse", "coverage"):
        assert found[f"{name}_difference"] == pytest.approx(0, abs=1e-12)
