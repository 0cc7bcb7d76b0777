"""Studies against exact coverages by enumeration, and against a published study."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from jaxlogit import datasets
from jaxlogit.report.exact import exact_text
from jaxlogit.study import METHODS, Study
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.tabulate import tabulate
from jaxlogit.study.design.cells import cell_from_arrays
from jaxlogit.study.design.varying import DataSets
from jaxlogit.study.exact import enumeration, weighted
from jaxlogit.study.exact.enumeration import binomial, enumerate_outcomes, merge_rows
from jaxlogit.study.measures.performance import Replicates, compare, measure
from jaxlogit.study.store.parts import COLUMNS

REPLICATES = 100_000
MCSES = 4.0
"""Largest deviation accepted, in Monte Carlo standard errors; seeds are fixed."""

WALD, LR, SCORE = METHODS
FIRTH = ("firth:wald", "firth:lr")

# n, p: P(separated); coverage of Wald given a finite estimate, with separated as a miss, LR,
# score, Firth Wald, Firth LR. Enumeration of the n + 1 outcomes.
INTERCEPT_ONLY = {
    (10, 0.1): (0.348678, 0.980355, 0.638526, 0.987205, 0.929809, 0.929809, 0.929809),
    (20, 0.1): (0.121577, 0.950850, 0.835249, 0.867170, 0.956826, 0.956826, 0.956826),
    (50, 0.05): (0.076945, 0.959075, 0.885279, 0.911269, 0.962224, 0.962224, 0.962224),
    (50, 0.5): (0.000000, 0.967161, 0.967161, 0.935091, 0.935091, 0.967161, 0.935091),
}
# n0, n1, p0, odds ratio: the same for the slope, the log odds ratio.
TWO_GROUPS = {
    (10, 10, 0.2, 1): (0.203219, 0.995013, 0.792807, 0.912648, 0.970069, 0.995163, 0.970069),
    (20, 20, 0.1, 1): (0.228372, 0.997992, 0.770078, 0.915102, 0.961330, 0.998094, 0.961331),
    (20, 20, 0.1, 4): (0.122139, 0.973318, 0.854439, 0.923200, 0.958756, 0.976344, 0.964419),
    (30, 10, 0.3, 3): (0.003451, 0.960828, 0.957513, 0.935571, 0.953473, 0.977111, 0.953479),
}
PRINTED = 5e-7
"""Half a unit of the last digit above."""


def assert_agrees(value, exact, n):
    """A share of n replicates is within its exact Monte Carlo error of the exact value."""
    mcse = np.sqrt(max(exact * (1 - exact), 0.0) / n)
    assert abs(value - exact) <= MCSES * mcse + PRINTED


def check(study, term, exact):
    separated, wald_finite, wald_miss, lr, score, *_ = exact
    summary = study.run(progress=False).summary().query("term == @term").set_index("method")
    n = REPLICATES
    wald = summary.loc[WALD]
    assert (summary.n_replicates == n).all()
    assert_agrees(1 - wald.coverage_n / n, separated, n)
    assert_agrees(wald.coverage, wald_finite, wald.coverage_n)
    assert_agrees(wald.coverage_undefined_miss, wald_miss, n)
    assert_agrees(wald.coverage_undefined_cover, wald_miss + separated, n)
    for method, coverage in ((LR, lr), (SCORE, score)):
        row = summary.loc[method]
        # defined on every replicate: nothing to condition on
        assert row.coverage_n == n
        assert_agrees(row.coverage, coverage, n)
        assert row.coverage_mcse == pytest.approx(np.sqrt(coverage * (1 - coverage) / n), rel=0.05)


def intercept_only(n, p, methods=METHODS):
    return Study(
        name="intercept", seed=20260101, replicates=REPLICATES, X=[[1.0]], trials=[n],
        truth=[np.log(p / (1 - p))], names=["Intercept"], methods=methods,
    )  # fmt: skip


def two_groups(n0, n1, p0, odds_ratio, methods=METHODS):
    return Study(
        name="groups", seed=20260102, replicates=REPLICATES, X=[[1, 0], [1, 1]], trials=[n0, n1],
        truth=[np.log(p0 / (1 - p0)), np.log(odds_ratio)], names=["Intercept", "slope"],
        methods=methods,
    )  # fmt: skip


@pytest.mark.parametrize("n_p", INTERCEPT_ONLY, ids=str)
def test_intercept_only(n_p):
    check(intercept_only(*n_p), "Intercept", INTERCEPT_ONLY[n_p])


@pytest.mark.parametrize("groups", TWO_GROUPS, ids=str)
def test_two_groups(groups):
    check(two_groups(*groups), "slope", TWO_GROUPS[groups])


def check_exact(result, term, exact, outcomes):
    separated, _, wald_miss, *_ = exact
    summary = result.summary().query("term == @term").set_index("method")
    assert (summary.n_replicates == outcomes).all()
    wald = summary.loc[WALD]
    found = [1 - wald.coverage_probability, wald.coverage, wald.coverage_undefined_miss]
    found += list(summary.coverage[[LR, SCORE, *FIRTH]])
    np.testing.assert_allclose(found, exact, rtol=0, atol=PRINTED)
    assert wald.coverage_undefined_cover == pytest.approx(wald_miss + separated, abs=2 * PRINTED)
    assert (summary.coverage_mcse == 0).all()


def slow_after(first, cases):
    """All cases but some are slow ones: a new number of outcomes compiles anew."""
    return [c if c in first else pytest.param(c, marks=pytest.mark.slow, id=str(c)) for c in cases]


@pytest.mark.parametrize("n_p", slow_after([(20, 0.1)], INTERCEPT_ONLY), ids=str)
def test_exact_intercept_only(n_p):
    result = intercept_only(*n_p, (*METHODS, *FIRTH)).exact()
    check_exact(result, "Intercept", INTERCEPT_ONLY[n_p], n_p[0] + 1)


@pytest.mark.parametrize(
    "groups", slow_after([(20, 20, 0.1, 1), (20, 20, 0.1, 4)], TWO_GROUPS), ids=str
)
def test_exact_two_groups(groups):
    result = two_groups(*groups, (*METHODS, *FIRTH)).exact()
    n0, n1, *_ = groups
    check_exact(result, "slope", TWO_GROUPS[groups], (n0 + 1) * (n1 + 1))


ALL = (*METHODS, "ml:rstar", *FIRTH, "firth:score")
OFFSET = [0.3, 0.3, 0.0, 0.3, 0.3, 0.0, 0.3, 0.0]
WEIGHTS = [1.0, 1.0, 0.5, 0.5, 1.5, 1.5, 2.0, 2.0]


def doses(methods=("ml:lr", "firth:wald"), **changes):
    """Eight subjects at doses 0 to 7: 256 outcomes, with fewer sums of subjects and doses."""
    options = {
        "name": "doses", "seed": 1, "replicates": 20_000, "truth": [-1.0, 0.3], "null": 0.2,
        "X": np.column_stack([np.ones(8), np.arange(8.0)]), "trials": np.ones(8),
        "methods": methods, "significance": 0.1, "level": 0.9,
        "offset": OFFSET, "weights": WEIGHTS,
    }  # fmt: skip
    return Study(**options | changes)


def brute_force(study):
    """Every 0/1 outcome of the design as it stands, its probability, and the fits of each."""
    (cell,) = study.cells
    y = np.array(list(product([0, 1], repeat=len(cell.X))))
    mu = 1 / (1 + np.exp(-(cell.X @ cell.truth + (0 if cell.offset is None else cell.offset))))
    probability = np.prod(np.where(y == 1, mu, 1 - mu), axis=1)
    data = DataSets(cell.X, y, cell.trials, cell.weights, cell.offset)
    groups = list(tabulate(record_of(study), cell, data, study.methods, 0))
    return y, probability, {(group.method, group.term): group for group in groups}


PLAIN = {"offset": None, "weights": None}
SLOW = pytest.mark.slow
CASES = [
    pytest.param({}, id="weights, offset"),
    pytest.param(PLAIN | {"methods": ALL}, id="plain", marks=SLOW),
    pytest.param({"weights": None, "methods": ALL}, id="offset", marks=SLOW),
    pytest.param({"offset": None, "methods": ALL}, id="weights", marks=SLOW),
]


@pytest.mark.parametrize("changes", CASES)
def test_all_binary_outcomes_one_by_one(changes):
    """The tables equal weighted sums over 2⁸ outcomes that nothing has merged."""
    study = doses(**changes)
    y, probability, groups = brute_force(study)
    result = study.exact()
    (cell,) = study.cells
    assert_equal_sums_equal_fits(cell, y, groups)
    check_summary(study, result, probability, groups)
    check_statuses_and_differences(study, result, probability, groups)


def assert_equal_sums_equal_fits(cell, y, groups):
    """Estimates, ends, p-values and statuses of every outcome are those of its class."""
    sums = (y if cell.weights is None else y * cell.weights) @ cell.X
    _, first, member = np.unique(sums, axis=0, return_index=True, return_inverse=True)
    assert len(first) < len(y)
    member = member.reshape(-1)
    for group in groups.values():
        np.testing.assert_array_equal(group.status, group.status[first][member])
        for name in COLUMNS:
            values = getattr(group.rows, name)
            np.testing.assert_allclose(values, values[first][member], rtol=1e-7, atol=1e-7)


def check_summary(study, result, probability, groups):
    (cell,) = study.cells
    shares = ("coverage", "missed", "rejection", "bias_elim", "width_infinite")
    table = result.summary().set_index(["method", "term"])
    for (method, term), group in groups.items():
        truth = cell.truth[cell.names.index(term)]
        found, given = weighted.measure(group.rows, truth, study.significance, probability)
        row = table.loc[method, term]
        for name, value in found.to_row().items():
            if not (name.endswith("_n") or name == "n_replicates"):
                # Probabilities to rounding; what is averaged, as near as a fit is certified.
                within = 1e-12 if name.startswith(shares) else 1e-8
                expected = pytest.approx(value, rel=within, abs=within, nan_ok=True)
                assert row[name] == expected, (method, term, name)
        for name, value in given.items():
            assert row[f"{name}_probability"] == pytest.approx(value, abs=1e-12)


def check_statuses_and_differences(study, result, probability, groups):
    (cell,) = study.cells
    for row in result.statuses().to_dict("records"):
        status = groups[row["method"], row["term"]].status
        assert row["converged"] == pytest.approx(np.sum(probability[status == 0]), abs=1e-12)
        names = list(row)[list(row).index("converged") :]
        assert sum(row[name] for name in names) == pytest.approx(1, abs=1e-12)
    for row in result.differences().to_dict("records"):
        pair = [groups[row[place], row["term"]].rows for place in ("first", "second")]
        truth = cell.truth[cell.names.index(row["term"])]
        expected = weighted.compare(*pair, truth, study.significance, probability)
        found, given = expected[row["measure"]]
        for name in ("value", "own_value"):
            assert row[name] == pytest.approx(getattr(found, name), abs=1e-8, nan_ok=True)
        assert row["probability"] == pytest.approx(given, abs=1e-12)
        assert row["mcse"] == 0 or np.isnan(row["value"])


def test_classes_are_the_sums_that_differ():
    (cell,) = doses().cells
    y = np.array(list(product([0, 1], repeat=8)))
    found = enumerate_outcomes(cell)
    sums = np.unique((y * cell.weights) @ cell.X, axis=0)
    assert found.probability.size == len(sums) < found.n_outcomes == 256
    assert np.sum(found.probability) == pytest.approx(1, abs=1e-14)


def test_monte_carlo_agrees_with_exact():
    study = doses()
    table, run = study.exact(), study.run(progress=False)
    one, n = run.summary(), study.replicates
    assert run.statuses().columns.tolist() == table.statuses().columns.tolist()
    assert run.differences().columns.tolist() == table.differences().columns.tolist()[:-1]
    table = table.summary()
    assert set(one.columns) - set(table.columns) == {
        "coverage_limit", "coverage_limit_mcse", "coverage_limit_n"
    }  # fmt: skip
    for name in ("bias", "empirical_se", "mse", "model_se", "coverage", "missed_low", "missed_high",
                 "rejection", "bias_eliminated_coverage", "width"):  # fmt: skip
        defined = np.isfinite(one[f"{name}_mcse"])
        error = np.abs(one[name] - table[name])[defined]
        assert (error <= MCSES * one[f"{name}_mcse"][defined] + 1e-12).all(), name
    share = one.coverage_n / one.n_replicates
    error = np.sqrt(table.coverage_probability * (1 - table.coverage_probability) / n)
    assert (np.abs(share - table.coverage_probability) <= MCSES * error + 1e-9).all()


def exact_sums(X, trials):
    """The distinct X'y in rational arithmetic, of a table of fractions."""
    found = {(Fraction(0),) * len(X[0])}
    for row, m in zip(X, trials, strict=True):
        found = {
            tuple(s + k * x for s, x in zip(sums, row, strict=True))
            for sums in found
            for k in range(m + 1)
        }
    return found


@pytest.mark.parametrize("recoded", [False, True])
def test_decimals_and_recoded_columns_are_seen_to_be_equal(recoded):
    """0.1 + 0.2 is 0.3, and a standardised column has no more sums than the one it came from."""
    doses = [Fraction(k, 10) for k in (1, 2, 3, 5, 8)]
    group = [Fraction(k) for k in (0, 1, 0, 1, 2)]
    table = [(Fraction(1), d, g) for d, g in zip(doses, group, strict=True)]
    X = np.array(table, dtype=float)
    if recoded:
        X[:, 1] = (X[:, 1] - X[:, 1].mean()) / X[:, 1].std()
        X[:, 2] = X[:, 2] * np.pi + X[:, 1] / 7
    trials = [4, 3, 5, 2, 3]
    cell = cell_from_arrays(X, np.zeros(3), trials=trials)
    found = enumerate_outcomes(cell)
    assert found.probability.size == len(exact_sums(table, trials))
    y = found.outcomes(0, found.probability.size)
    assert ((y >= 0) & (y <= found.cell.trials)).all()
    sums = y @ found.cell.X
    order = np.lexsort(sums.T)
    assert np.abs(np.diff(sums[order], axis=0)).max(axis=1).min() > 1e-6


def test_columns_that_are_no_fractions_stay_apart():
    x = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0])
    cell = cell_from_arrays(np.column_stack([np.ones(8), x, x**3]), np.zeros(3))
    assert enumerate_outcomes(cell).probability.size == 2**8


@pytest.mark.parametrize("column", [np.zeros(4), np.full(4, 0.1), [0.1, 0.2, 0.3, 0.4]], ids=str)
def test_dependent_columns_add_no_classes(column):
    X = np.column_stack([column, 3 * np.asarray(column), np.pi * np.asarray(column)])
    sums = {
        round(float(k @ np.asarray(column)), 9) for k in np.array(list(product([0, 1], repeat=4)))
    }
    found = enumerate_outcomes(cell_from_arrays(X, np.zeros(3)))
    assert found.probability.size == len(sums)


def test_blocks_of_successes_change_nothing(monkeypatch):
    (cell,) = doses(trials=np.arange(2.0, 10.0)).cells
    whole = enumerate_outcomes(cell)
    monkeypatch.setattr(enumeration, "PIECE", 1000)
    blocks = enumerate_outcomes(cell)
    sums = [
        np.round((e.outcomes(0, e.probability.size) * e.cell.weights) @ e.cell.X, 9)
        for e in (whole, blocks)
    ]
    order = [np.lexsort(s.T) for s in sums]
    np.testing.assert_array_equal(sums[0][order[0]], sums[1][order[1]])
    np.testing.assert_allclose(
        whole.probability[order[0]], blocks.probability[order[1]], rtol=1e-12
    )


def test_like_rows_are_merged_and_unseen_ones_left_out():
    X = [[1, 0], [1, 0], [1, 1], [1, 1], [1, 2]]
    cell = cell_from_arrays(
        X, [0.0, 0.0], trials=[2, 3, 1, 0, 4], weights=[1, 1, 2, 2, 0], offset=[0, 0, 1, 1, 1]
    )
    merged = merge_rows(cell)
    np.testing.assert_array_equal(merged.X, [[1, 0], [1, 1]])
    np.testing.assert_array_equal(merged.trials, [5, 1])
    np.testing.assert_array_equal(merged.weights, [1, 2])


@pytest.mark.parametrize("m, eta", [(0, 1.0), (1, -3.0), (40, 0.7), (3000, -2.0), (50, -60.0)])
def test_binomial_probabilities(m, eta):
    from scipy import stats

    expected = stats.binom.pmf(np.arange(m + 1), m, 1 / (1 + np.exp(-eta)))
    np.testing.assert_allclose(binomial(m, eta), expected, rtol=1e-10, atol=1e-300)


def test_weighted_measures_are_those_of_repeated_replicates():
    """Probabilities that are shares of whole numbers, against each row repeated so often."""
    rng = np.random.default_rng(3)
    n, nan = 40, np.nan
    estimate = np.where(np.arange(n) % 11 == 0, np.inf, rng.normal(size=n))
    se = np.where(np.isinf(estimate), nan, rng.uniform(0.5, 2, n))
    lower, upper = estimate - 1.5 * se, estimate + 1.5 * se
    upper[7] = np.inf
    p = rng.uniform(size=n)
    rows = Replicates(estimate, se, lower, upper, p)
    other = Replicates(estimate, se, estimate - se, estimate + 2 * se, np.where(p < 0.1, nan, p))
    times = rng.integers(1, 9, n)
    again = [
        Replicates(*(np.repeat(getattr(r, name), times) for name in COLUMNS)) for r in (rows, other)
    ]
    share = times / times.sum()
    found, given = weighted.measure(rows, 0.3, 0.3, share)
    expected = measure(again[0], 0.3, 0.3)
    for name in ("bias", "mse", "model_se", "coverage", "bias_eliminated_coverage", "missed_low",
                 "missed_high", "rejection", "width"):  # fmt: skip
        assert getattr(found, name).value == pytest.approx(getattr(expected, name).value), name
        assert given[name] == pytest.approx(getattr(expected, name).n / times.sum())
    k = expected.empirical_se.n
    shrunk = expected.empirical_se.value * np.sqrt((k - 1) / k)
    assert found.empirical_se.value == pytest.approx(shrunk)
    assert found.model_se_error.value == pytest.approx(100 * (expected.model_se.value / shrunk - 1))
    assert found.coverage_bounds == pytest.approx(expected.coverage_bounds)
    assert found.width_median == pytest.approx(expected.width_median)
    assert found.width_infinite == pytest.approx(expected.width_infinite)
    paired = compare(*again, 0.3, 0.3)
    for name, (difference, _) in weighted.compare(rows, other, 0.3, 0.3, share).items():
        assert difference.value == pytest.approx(paired[name].value, abs=1e-14)
        assert difference.own_value == pytest.approx(paired[name].own_value, abs=1e-14)


def test_median_between_two_values_of_half_the_probability():
    assert weighted.median(np.array([1.0, 2.0, 5.0]), np.array([0.25, 0.25, 0.5])) == 3.5
    assert weighted.median(np.array([5.0, np.nan, 1.0]), np.array([0.3, 0.5, 0.2])) == 5.0


def test_too_many_outcomes_are_refused_before_any_fit():
    groups = Study(name="large", seed=1, replicates=1, X=[[1, 0], [1, 1]], trials=[3000, 3000],
                   truth=[0, 0])  # fmt: skip
    with pytest.raises(ValueError, match=r"cell main has more, of 9,006,001 outcomes"):
        groups.exact()
    X = np.random.default_rng(1).normal(size=(100, 3))
    cell = cell_from_arrays(X, np.zeros(3))
    with pytest.raises(ValueError, match=r"at most 1,000 outcomes .* of about 1e30 outcomes"):
        enumerate_outcomes(cell, limit=1000)
    many = cell_from_arrays([[1.0]], [0.0], trials=[5_000_000])
    with pytest.raises(ValueError, match=r"has more, of 5,000,001 outcomes"):
        enumerate_outcomes(many)


def test_methods_that_resample_are_refused():
    study = doses(methods=("ml:wald", "bootstrap:percentile"))
    with pytest.raises(ValueError, match=r"do not resample.*bootstrap:percentile"):
        study.exact()


def test_text_fits_a_terminal_and_says_how_many_outcomes():
    text = exact_text(two_groups(20, 20, 0.1, 4, (*METHODS, *FIRTH)).exact(), differences=True)
    assert "enumeration of 441 outcomes" in text
    for number in (".854439", ".958756", ".964419"):
        assert number in text
    assert max(map(len, text.splitlines())) <= 100
    assert "256 outcomes in " in exact_text(doses().exact(), markdown=True)


def test_names_mean_nothing_in_markdown():
    study = Study(name="one", seed=1, replicates=1, methods=["ml:wald"], X=[[1.0]], trials=[6],
                  truth=[0.0], names=["odds|all"])  # fmt: skip
    text = exact_text(study.exact(), markdown=True)
    assert r"| odds\|all |" in text
    assert "| odds|all |" not in text and "odds|all" in exact_text(study.exact())


def published_study(replicates, methods):
    """Birth weights of mothers without a visit to a physician in the first trimester.

    Kosmidis I, Kenne Pagui EC, Sartori N (2020). Statistics and Computing 30:43-59,
    doi:10.1007/s11222-019-09860-6: MASS birthwt, rows with ftv = 0, response 1 − low.
    """
    data = datasets.load("birthwt").columns
    rows = data["ftv"] == 0
    columns = {
        "Intercept": np.ones(rows.size), "age": data["age"], "white": data["race"] == "white",
        "smoke": data["smoke"], "ptl": data["ptl"] > 0, "ht": data["ht"],
        "loglwt": np.log(data["lwt"]),
    }  # fmt: skip
    X = np.column_stack(list(columns.values()))[rows].astype(float)
    truth = [-8.496277, -0.066932, 0.690221, -0.559537, -1.602837, -1.211440, 2.262073]
    return Study(
        name="published", seed=20260103, replicates=replicates, methods=methods, X=X,
        truth=truth, names=list(columns),
    )  # fmt: skip


PUBLISHED_REPLICATES = 10_000
PUBLISHED_COVERAGE = [0.9480, 0.9484, 0.9451, 0.9470, 0.9638, 0.9657, 0.9456]
PUBLISHED_BIAS = [-1.4174, -0.0069, 0.0868, -0.0303, -0.1969, -0.1250, 0.3389]


def test_published_truth_is_the_estimate_of_its_data():
    from jaxlogit import fit

    study = published_study(1, [WALD])
    data = datasets.load("birthwt").columns
    y = 1 - data["low"][data["ftv"] == 0]
    assert study.cells[0].X.shape == (100, 7)
    np.testing.assert_allclose(fit(study.cells[0].X, y).coef, study.cells[0].truth, atol=5e-7)


def test_published_coverage_and_bias_of_maximum_likelihood():
    """Both studies are random: the error of a difference is the root of the sum of squares."""
    summary = published_study(REPLICATES, [WALD]).run(progress=False).summary()
    enlarged = np.sqrt(1 + REPLICATES / PUBLISHED_REPLICATES)
    error = summary.coverage_mcse * enlarged
    assert (abs(summary.coverage - PUBLISHED_COVERAGE) <= MCSES * error + 5e-5).all()
    error = summary.bias_mcse * enlarged
    assert (abs(summary.bias - PUBLISHED_BIAS) <= MCSES * error + 5e-5).all()
    # conditional on a finite estimate, as published; one in a hundred is separated
    assert (summary.coverage_n < REPLICATES).all()
    assert (summary.coverage_n > 0.985 * REPLICATES).all()
