"""Formulas on tables of any kind: whole, by group, and on new rows."""

import json
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import jaxlogit as jl
from jaxlogit import datasets

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "tables" / "birthwt.json").read_text(encoding="utf-8")
)
BIRTHS = datasets.load("birthwt").to_frame()
FORMULA = "low ~ age + C(race) * smoke"


@pytest.fixture(scope="module")
def births() -> jl.Fit:
    return jl.fit_formula(FORMULA, BIRTHS)


# ------------------------------------------------------------------ tables of every kind


def duck(frame: pd.DataFrame) -> duckdb.DuckDBPyRelation:
    return duckdb.from_arrow(pa.Table.from_pandas(frame))


KINDS = {
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "categorical": lambda frame: pl.from_pandas(frame).with_columns(
        pl.col("race").cast(pl.Categorical)
    ),
    "pyarrow": pa.Table.from_pandas,
    "duckdb": duck,
    "mapping": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "name": lambda frame: "birthwt",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_fit(kind: str, births: jl.Fit):
    found = jl.fit_formula(FORMULA, KINDS[kind](BIRTHS))
    assert found.names == births.names
    np.testing.assert_array_equal(found.coef, births.coef)


@pytest.mark.parametrize("kind", ["polars", "lazy", "pyarrow", "duckdb"])
def test_missing_values_of_every_kind_are_dropped_and_counted(kind: str):
    holes = BIRTHS.assign(age=BIRTHS.age.where(BIRTHS.index % 10 != 3))
    found = jl.fit_formula("low ~ age", KINDS[kind](holes))
    assert found.n_dropped == 19
    assert found.n_obs == 170
    assert "19 rows with missing values left out" in found.summary()


def test_missing_values_can_be_errors():
    holes = BIRTHS.assign(age=BIRTHS.age.where(BIRTHS.index != 3))
    message = "'age' is missing at row 3, and values are in 1 of 189 rows"
    with pytest.raises(ValueError, match=message):
        jl.fit_formula("low ~ age", holes, missing="error")
    with pytest.raises(ValueError, match="missing must be one of 'drop', 'error': found 'ignore'"):
        jl.fit_formula("low ~ age", holes, missing="ignore")


def test_only_columns_in_use_are_computed():
    lazy = pl.from_pandas(BIRTHS).lazy().with_columns(
        broken=pl.col("age").map_elements(lambda value: 1 // 0, return_dtype=pl.Int64)
    )  # fmt: skip
    assert jl.fit_formula("low ~ age", lazy).n_obs == 189


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3, TypeError, "data must be a table .* found int"),
        ("birthw", FileNotFoundError, "did you mean 'birthwt'"),
        ({"low": [0, 1], "age": [1, 2, 3]}, ValueError, "data must have columns of one length"),
        (pa.table([[0], [1]], names=["low", "low"]), ValueError, "a column more than once"),
        (pd.DataFrame([[0, 1, 1]], columns=["low", "age", "age"]), ValueError, "'age' more than"),
        (BIRTHS.assign(age=None), ValueError, "no row is complete: of 189 rows, 189 lack 'age'"),
        (BIRTHS.assign(low=BIRTHS.index % 3), ValueError, "must be 0 or 1, found 2 at row 2"),
        (
            BIRTHS.assign(low=np.array(["a", "b", "c"])[BIRTHS.index % 3]),
            ValueError,
            "must have two levels, found 3: a, b, c",
        ),
        (
            BIRTHS.assign(age=BIRTHS.age.astype(str).where(BIRTHS.index != 4, "unknown")),
            ValueError,
            r"column 'age' is text because of 'unknown' among numbers: .* C\(age\)",
        ),
    ],
)
def test_tables_that_cannot_be_used_say_why(data, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        jl.fit_formula("low ~ age", data)


def test_long_labels_stay_apart_beside_a_missing_one():
    """Whole numbers with a missing value are floats in some tables, which have 53 bits."""
    base = 2**53
    ids = [base, base + 1] * 10
    ids[0] = None
    table = {"y": [0, 1, 1, 0] * 5, "x": range(20)}
    pandas = pd.DataFrame(table).assign(k=pd.array(ids, "Int64"))
    for rows in (pandas, pl.DataFrame({**table, "k": ids}), pa.table({**table, "k": ids})):
        found = jl.fit_formula("y ~ x", rows, by="k")
        assert found.groups.tolist() == [base, base + 1]
        assert found.n_dropped == 1


def test_mappings_are_taken_by_position():
    y = BIRTHS.low[::-1]  # has an index of its own
    found = jl.fit_formula("low ~ age", {"low": y, "age": BIRTHS.age})
    X = np.column_stack([np.ones(189), BIRTHS.age])
    np.testing.assert_array_equal(found.coef, jl.fit(X, y).coef)
    with pytest.raises(ValueError, match="columns of one length: found 189 for 'low', 9 for 'age'"):
        jl.fit_formula("low ~ age", {"low": y, "age": BIRTHS.age[:9]})
    with pytest.raises(ValueError, match=r"data must hold columns: found 3.0 for 'age'"):
        jl.fit_formula("low ~ age", {"low": y, "age": 3.0})


def test_levels_of_text_are_sorted_whatever_came_first():
    for race in ("white", "other"):
        rows = pl.from_pandas(BIRTHS.sort_values("race", key=lambda r, race=race: r != race))
        for kind in (pl.Categorical, pl.Enum(["white", "other", "black"])):
            table = rows.with_columns(pl.col("race").cast(kind))
            names = jl.fit_formula("low ~ race", table).names[1:]
            order = ("white", "other", "black") if kind != pl.Categorical else None
            expected = order[1:] if order else ("other", "white")
            assert names == tuple(f"race[T.{level}]" for level in expected)


def test_what_cannot_be_computed_is_refused_with_its_place():
    table = {"y": [0, 1, 1, 0, 1], "x": [1.0, 2, -1, 3, 2]}
    with pytest.raises(ValueError, match=r"must be finite, found nan at row 2"):
        jl.fit_formula("y ~ I(log(x) > 0)", table)
    with pytest.raises(ValueError, match=r"C\(sqrt\(x\)\)'?: must be finite in every row"):
        jl.fit_formula("y ~ C(sqrt(x))", table)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"weights": "w"}, "weights must be finite and not negative: column 'w' has -1 at row 3"),
        ({"trials": "w"}, "trials must be finite and not negative: column 'w' has -1 at row 3"),
        ({"trials": "m"}, r"response 'y' must lie in \[0, trials\]: found 1 of 0 at row 4"),
        ({"offset": "o"}, "offset must be finite: column 'o' has inf at row 1"),
    ],
)
def test_rows_in_errors_are_those_of_the_table(columns: dict[str, str], message: str):
    table = {
        "y": [0, 1, 1, 0, 1], "x": [None, 2.0, 1, 3, 2], "w": [1, 1, 1, -1, 1],
        "m": [1, 1, 1, 1, 0], "o": [0, np.inf, 0, 0, 0],
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        jl.fit_formula("y ~ x", table, **columns)


def test_text_in_a_numeric_term_and_unknown_functions_say_what_to_do():
    with pytest.raises(ValueError, match=r"column 'race' is text.*in C\(\), its levels are"):
        jl.fit_formula("low ~ log(race)", BIRTHS)
    with pytest.raises(ValueError, match="uses the function 'system', which is not allowed; allo"):
        jl.fit_formula("low ~ system(age)", BIRTHS)


# ------------------------------------------------------------------ new rows

NEW = {
    "age": [20, 25, 31.5],
    "lwt": [100, 130.25, 171],
    "race": ["white", "black", "other"],
    "smoke": [1, 0, 1],
}
BASIS = "low ~ poly(age, 2) + bs(lwt, df=5) + race + scale(age):smoke"


def test_new_rows_are_coded_as_the_old_ones_were():
    fit = jl.fit_formula(BASIS, BIRTHS)
    np.testing.assert_allclose(fit.predict(NEW), REFERENCE["predicted"], rtol=1e-9)
    one = [fit.predict({name: [value[i]] for name, value in NEW.items()})[0] for i in range(3)]
    np.testing.assert_allclose(one, REFERENCE["predicted"], rtol=1e-9)


def test_rows_of_the_fit_are_predicted_as_from_its_matrix(births: jl.Fit):
    np.testing.assert_array_equal(
        births.predict(pl.from_pandas(BIRTHS)), births.predict(births._models.design)
    )
    ends = births.predict(BIRTHS[:3], level=0.9)
    assert np.all((ends.lower < ends.estimate) & (ends.estimate < ends.upper))


def test_offset_of_new_rows_is_their_column():
    table = {"y": [0, 1, 1, 0, 1, 1], "x": [0, 1, 2, 3, 4, 9], "o": [0.5, 0, 0, 1, 0, 0]}
    fit = jl.fit_formula("y ~ x", table, offset="o")
    new = {"x": [1, 2], "o": [0.0, 2.0]}
    arrays = fit.predict([[1, 1], [1, 2]], offset=[0.0, 2.0])
    np.testing.assert_array_equal(fit.predict(new), arrays)
    np.testing.assert_array_equal(fit.predict({"x": [1, 2]}, offset=[0.0, 2.0]), arrays)
    with pytest.raises(ValueError, match="X_new must have the column 'o'"):
        fit.predict({"x": [1, 2]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"race": ["white", "black", "green"]},
            "has the level 'green', which was not there in the",
        ),
        ({"age": [20, None, 30]}, "X_new must be complete: found no 'age' at row 1"),
        ({"age": ["a", "b", "c"]}, "is text, where numbers are needed"),
        ({"race": [1, 2, 3]}, "column 'race' must hold text as in the fit, found numbers"),
        ({"lwt": [100, 120, 900]}, r"lie in \[80, 250\], the range of the fit: found 900 at row 2"),
    ],
)
def test_new_rows_that_cannot_be_coded_say_why(change: dict, message: str):
    fit = jl.fit_formula(BASIS, BIRTHS)
    with pytest.raises(ValueError, match=message):
        fit.predict({**NEW, **change})


@pytest.mark.parametrize("kind", ["polars", "lazy", "pyarrow", "duckdb", "mapping"])
def test_a_formula_without_columns_has_as_many_rows_as_the_table(kind: str):
    fit = jl.fit_formula("low ~ 1", BIRTHS)
    assert fit.predict(KINDS[kind](BIRTHS)).shape == (189,)


def test_columns_of_an_array_fit_go_by_name():
    fit = jl.fit(BIRTHS[["age", "lwt"]], BIRTHS.low)
    for kind in (lambda frame: frame, pl.from_pandas):
        swapped = kind(BIRTHS[["lwt", "smoke", "age"]])
        np.testing.assert_array_equal(fit.predict(swapped), fit.predict(BIRTHS[["age", "lwt"]]))


def test_new_rows_lack_a_column(births: jl.Fit):
    with pytest.raises(ValueError, match="X_new must have the column 'race' of formula"):
        births.predict({"age": [20], "smoke": [1]})


# ------------------------------------------------------------------ groups


@pytest.fixture(scope="module")
def groups() -> jl.Fit:
    return jl.fit_formula("low ~ lwt + smoke", BIRTHS, by="race")


def test_a_group_is_the_fit_of_its_rows_alone(groups: jl.Fit):
    assert groups.groups.tolist() == ["black", "other", "white"]
    assert groups.n_obs.tolist() == [26, 67, 96]
    ends = groups.confint()
    for i, label in enumerate(groups.groups):
        alone = jl.fit_formula("low ~ lwt + smoke", BIRTHS[BIRTHS.race == label])
        np.testing.assert_allclose(groups.coef[i], alone.coef, rtol=1e-9)
        np.testing.assert_allclose(ends.lower[i], alone.confint().lower, rtol=1e-7)
        np.testing.assert_allclose(groups.deviance[i], alone.deviance, rtol=1e-10)
        np.testing.assert_allclose(groups.bic[i], alone.bic, rtol=1e-10)
        assert groups.group(label).groups.tolist() == [label]
        np.testing.assert_array_equal(groups.group(label).coef, groups.coef[i])


def test_labels_go_with_the_tables(groups: jl.Fit):
    frame = groups.to_frame()
    assert list(frame.columns[:3]) == ["race", "model", "term"]
    assert frame.race.tolist() == np.repeat(["black", "other", "white"], 3).tolist()
    assert groups.glance().race.tolist() == ["black", "other", "white"]
    assert groups[1:].groups.tolist() == ["other", "white"]
    assert groups.to_xarray()["group"].values.tolist() == ["black", "other", "white"]
    assert "26 to 96 rows" in repr(groups)
    assert "race=" in groups.summary()
    np.testing.assert_allclose(
        groups.predict({"lwt": [120], "smoke": [0]})[:, 0],
        [groups.group(k).predict([[1, 120, 0]])[0] for k in groups.groups],
    )


def test_groups_keep_trials_weights_and_offset():
    rng = np.random.default_rng(5)
    table = pd.DataFrame({
        "site": rng.permutation(np.repeat([3, 1, 2], [8, 5, 9])), "x": rng.normal(size=22),
        "m": rng.integers(2, 6, 22), "w": rng.integers(1, 3, 22), "o": rng.normal(size=22) / 5,
    })  # fmt: skip
    table["y"] = rng.binomial(table.m, 0.4)
    columns = {"trials": "m", "weights": "w", "offset": "o"}
    found = jl.fit_formula("y ~ x", table, by="site", **columns)
    assert found.groups.tolist() == [1, 2, 3]
    for label in found.groups:
        alone = jl.fit_formula("y ~ x", table[table.site == label], **columns)
        np.testing.assert_allclose(found.group(label).coef, alone.coef, rtol=1e-9)
        np.testing.assert_allclose(found.group(label).loglik, alone.loglik, rtol=1e-12)


def test_a_level_in_one_group_only_is_said_and_costs_the_others_nothing():
    table = BIRTHS.assign(low=BIRTHS.index % 2, ward=np.where(BIRTHS.index < 100, "a", "b"))
    table["kind"] = np.where((BIRTHS.index < 10), "rare", np.where(BIRTHS.index % 3, "x", "y"))
    with pytest.warns(UserWarning, match="'rare' of kind does not occur in 1 of 2 groups"):
        found = jl.fit_formula("low ~ kind", table, by="ward")
    assert [jl.Status(code).name for code in found.status] == ["CONVERGED", "RANK_DEFICIENT"]
    assert np.all(np.isfinite(found.coef[0])) and np.all(np.isnan(found.coef[1]))


def test_a_prior_settles_what_a_missing_level_leaves_open():
    table = BIRTHS.assign(ward=np.where(BIRTHS.race == "black", "a", "b"))
    found = jl.fit_formula("low ~ race", table, by="ward", penalty="logf")  # and does not warn
    assert np.all(found.status == 0)


def test_labels_go_with_tests_of_terms(groups: jl.Fit):
    small = jl.fit_formula("low ~ lwt", BIRTHS, by="race")
    for frame in (groups.drop_one().to_frame(), jl.compare(small, groups).to_frame()):
        assert frame.race.tolist() == np.repeat(["black", "other", "white"], 2).tolist()
    assert "(race=other)" in groups.group("other").summary()


def test_an_empty_slice_has_a_form(groups: jl.Fit):
    assert "0 models" in repr(groups[3:])


def test_labels_that_are_not_there():
    found = jl.fit_formula("low ~ lwt", BIRTHS, by="race")
    with pytest.raises(ValueError, match="group must be a value of 'race': found 'blak'; did you"):
        found.group("blak")
    with pytest.raises(ValueError, match="group needs a fit by"):
        jl.fit_formula("low ~ lwt", BIRTHS).group("black")
    with pytest.raises(ValueError, match="by must name a column of the table, found 'rase'; did"):
        jl.fit_formula("low ~ lwt", BIRTHS, by="rase")
    with pytest.raises(ValueError, match="clusters must be None with by"):
        jl.fit_formula("low ~ lwt", BIRTHS, by="race", clusters="race")


def test_clusters_go_with_the_rows_that_stay():
    holes = BIRTHS.assign(age=BIRTHS.age.where(BIRTHS.index % 7 != 1), ward=BIRTHS.index % 12)
    kept = holes.dropna()
    found = jl.fit_formula("low ~ age", holes, clusters="ward").robust()
    alone = jl.fit_formula("low ~ age", kept).robust("CR1", clusters=kept.ward)
    np.testing.assert_array_equal(found.std_error, alone.std_error)
    rows = jl.fit_formula("low ~ age", holes, clusters="ward").robust("HC0")
    assert not np.allclose(rows.std_error, found.std_error)


# ------------------------------------------------------------------ terms and models


def test_terms_are_left_out_as_by_drop1(births: jl.Fit):
    found, expected = births.drop_one(), REFERENCE["drop_one"]
    assert found.names == ("age", "C(race):smoke")  # no part of the interaction
    assert found.df.tolist() == expected["df"]
    for name in ("statistic", "p_value", "aic"):
        np.testing.assert_allclose(getattr(found, name), expected[name], rtol=1e-8)
    assert found.to_frame().term.tolist() == ["age", "C(race):smoke"]
    wald = births.drop_one("wald")
    assert np.all(np.isnan(wald.aic)) and np.all(wald.p_value != found.p_value)


def test_arrays_have_columns_for_terms():
    X = np.column_stack([np.ones(189), BIRTHS.age, BIRTHS.lwt])
    fit = jl.fit(X, BIRTHS.low, names=["one", "age", "lwt"])
    assert fit.drop_one().names == ("age", "lwt")
    np.testing.assert_allclose(fit.drop_one().p_value, fit.test().p_value[1:], rtol=1e-9)
    with pytest.raises(ValueError, match="drop_one needs a term besides the intercept"):
        jl.fit(X[:, :1], BIRTHS.low).drop_one()


def test_nested_models_compare_as_by_anova(births: jl.Fit):
    small = jl.fit_formula("low ~ age + smoke", BIRTHS)
    found, expected = jl.compare(small, births), REFERENCE["compare"]
    assert np.isnan(found.statistic[0]) and found.df.tolist() == [0, 4]
    np.testing.assert_allclose(found.statistic[1], expected["statistic"], rtol=1e-9)
    np.testing.assert_allclose(found.p_value[1], expected["p_value"], rtol=1e-8)
    frame = found.to_frame()
    assert frame.fit.tolist() == ["low ~ age + smoke", FORMULA]
    np.testing.assert_allclose(frame.aic, [small.aic, births.aic])


def test_many_models_compare_at_once():
    rng = np.random.default_rng(2)
    Y, x = rng.binomial(1, 0.4, (5, 40)), rng.normal(size=40)
    Y[2] = x > 0  # separated by x: its supremum is compared
    small, large = jl.fit(np.ones((40, 1)), Y), jl.fit(np.column_stack([np.ones(40), x]), Y)
    found = jl.compare(small, large)
    tests = large.test(contrasts="x1")
    np.testing.assert_allclose(found.statistic[:, 1], tests.statistic[:, 0], rtol=1e-6)
    assert np.all(found.status == 0)
    np.testing.assert_allclose(
        found.statistic[2, 1], -2 * small.loglik[2], rtol=1e-6, err_msg="the supremum is 0"
    )
    assert len(found.to_frame()) == 10


@pytest.mark.parametrize(
    ("fits", "error", "message"),
    [
        (lambda a, b, c: (a,), ValueError, "two or more fits: found 1"),
        (lambda a, b, c: (a, 3), TypeError, "fits must be results of fit: found int at 1"),
        (lambda a, b, c: (b, a), ValueError, "the smaller first: found 2 coefficients at 0, 2 at"),
        (lambda a, b, c: (a, c), ValueError, "column 'age' of fit 0 is no combination"),
        (lambda a, b, c: (a, c[:0]), ValueError, "same rows"),
    ],
)
def test_fits_that_cannot_be_compared(fits, error: type[Exception], message: str):
    first, second = (jl.fit_formula(f"low ~ {x}", BIRTHS) for x in ("age", "lwt"))
    third = jl.fit_formula("low ~ lwt + smoke", BIRTHS)
    chosen = fits(first, second, third) if "same rows" not in message else (
        first, jl.fit_formula("low ~ age + lwt", BIRTHS[:150])
    )  # fmt: skip
    with pytest.raises(error, match=message):
        jl.compare(*chosen)


def test_a_column_far_from_zero_is_no_part_of_another_model():
    rng = np.random.default_rng(1)
    x, z, y = 1e9 + rng.random(90), rng.normal(size=90), rng.integers(0, 2, 90)
    far = jl.fit_formula("y ~ x", {"x": x, "y": y})
    with pytest.raises(ValueError, match="column 'x' of fit 0 is no combination"):
        jl.compare(far, jl.fit_formula("y ~ z + I(z**2)", {"z": z, "y": y}))
    both = jl.fit_formula("y ~ x + z", {"x": x, "z": z, "y": y})
    assert np.isfinite(jl.compare(far, both).p_value[1])


def test_trials_of_one_are_none(births: jl.Fit):
    small = jl.fit_formula("low ~ age", BIRTHS.assign(m=1), trials="m")
    assert jl.compare(small, births).df[1] == 5


def test_models_that_are_not_nested_have_criteria():
    first, second = (jl.fit_formula(f"low ~ {x}", BIRTHS) for x in ("age", "lwt"))
    found = jl.compare(first, second, nested=False)
    assert np.all(np.isnan(found.statistic)) and found.aic[1] < found.aic[0]


def test_penalised_and_other_responses_are_not_compared(births: jl.Fit):
    with pytest.raises(ValueError, match="found a penalised one at 1"):
        jl.compare(births, jl.fit_formula(FORMULA, BIRTHS, penalty="firth"))
    with pytest.raises(ValueError, match="found a robust one at 0"):
        jl.compare(births.robust("HC0"), births)
    other = jl.fit_formula(f"{FORMULA} + lwt", BIRTHS.assign(low=1 - BIRTHS.low))
    with pytest.raises(ValueError, match="must have the same y: fit 1 has another than fit 0"):
        jl.compare(births, other)


# ------------------------------------------------------------------ a row for each model


def test_glance_is_what_glm_says(births: jl.Fit):
    row = births.glance().iloc[0]
    for name, expected in REFERENCE["glance"].items():
        np.testing.assert_allclose(row[name], expected, rtol=1e-10, err_msg=name)
    assert row.n_obs == 189 and row.status == "converged"


def test_criteria_of_counts_lack_the_binomial_coefficients_alone():
    expected = REFERENCE["counts"]
    table = {"dose": range(6), "dead": [0, 1, 1, 1, 2, 3], "m": [3] * 6}
    fit = jl.fit_formula("dead ~ dose", table, trials="m")
    np.testing.assert_allclose(fit.aic - 2 * expected["binomial"], expected["aic"], rtol=1e-9)
    np.testing.assert_allclose(fit.glance().null_deviance[0], expected["null_deviance"], rtol=1e-10)
    assert "without binomial coefficients" in fit.summary()
    parts = jl.fit_formula("cbind(dead, m - dead) ~ dose", table)
    np.testing.assert_array_equal(parts.coef, fit.coef)


def test_without_intercept_the_null_model_is_the_offset():
    fit = jl.fit_formula("low ~ 0 + age", BIRTHS)
    row = fit.glance().iloc[0]
    np.testing.assert_allclose(row.null_deviance, 2 * 189 * np.log(2))
    assert row.df_null == 189


def test_penalised_and_deficient_fits_have_no_criteria():
    assert np.isnan(jl.fit_formula("low ~ age", BIRTHS, penalty="firth").aic)
    assert np.isnan(jl.fit_formula("low ~ age + I(2*age)", BIRTHS).bic)
    separated = jl.fit_formula("HG ~ NV + PI + EH", "endometrial")
    np.testing.assert_allclose(separated.aic, 2 * 4 - 2 * separated.loglik)
    assert "NV without a finite estimate" in separated.summary()


# ------------------------------------------------------------------ what a person sees


def test_html_is_the_summary_and_harmless(births: jl.Fit):
    page = births._repr_html_()
    assert "C(race)[T.white]:smoke" in page and "<table>" in page
    assert re.sub("<[^>]+>", "", page).count("AIC") == 1
    odd = jl.fit_formula("low ~ `<b>x`", BIRTHS.rename(columns={"age": "<b>x"}))
    assert "<b>" not in odd._repr_html_() and "&lt;b&gt;x" in odd._repr_html_()


def test_odds_ratios_are_exponentiated_estimates(births: jl.Fit):
    plain, ratios = births.to_frame(), births.to_frame(exponentiate=True)
    for name, ratio in (("estimate", "odds_ratio"), *((k, k) for k in ("conf_low", "conf_high"))):
        np.testing.assert_allclose(ratios[ratio], np.exp(plain[name]))
    np.testing.assert_array_equal(ratios.log_std_error, plain.std_error)
    assert not {"estimate", "std_error"} & set(ratios)


def test_summaries_say_what_is_modelled_and_what_is_wrong():
    table = BIRTHS.assign(weight=np.where(BIRTHS.low == 1, "low", "fine"), twice=2 * BIRTHS.age)
    fit = jl.fit_formula("weight ~ age", table, clusters="race")
    assert "(probability of weight[low])" in fit.summary()
    assert "errors take rows as independent: Fit.robust() has those" in fit.summary()
    assert "independent" not in fit.robust().summary()
    text = jl.fit_formula("low ~ age + smoke + twice", table).summary()
    assert "linearly dependent on the columns before: twice; leave it out" in text
    assert "unsafe" not in text


def test_margins_say_where_a_variable_is_in_several_columns(births: jl.Fit):
    with pytest.warns(UserWarning) as said:
        births.margins()
    assert [str(warning.message).split("'")[1] for warning in said] == ["race", "smoke"]
    jl.fit_formula("low ~ age + smoke", BIRTHS).margins()  # and nothing is said


def test_many_models_name_the_worst():
    rng = np.random.default_rng(0)
    Y = rng.binomial(1, 0.5, (30, 12))
    Y[7], Y[11] = 0, 1
    text = jl.fit(np.column_stack([np.ones(12), np.arange(12)]), Y).summary()
    assert "SEPARATED_COMPLETE: model 7, model 11" in text
    assert "largest standard errors: x0 " in text
