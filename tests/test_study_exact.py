"""Studies against exact coverages by enumeration, and against a published study."""

import numpy as np
import pytest

from jaxlogit import datasets
from jaxlogit.study import METHODS, Study

REPLICATES = 100_000
MCSES = 4.0
"""Largest deviation accepted, in Monte Carlo standard errors; seeds are fixed."""

WALD, LR, SCORE = METHODS

# n, p: P(separated); coverage of Wald given a finite estimate, with separated as a miss, LR,
# score. Enumeration of the n + 1 outcomes.
INTERCEPT_ONLY = {
    (10, 0.1): (0.348678, 0.980355, 0.638526, 0.987205, 0.929809),
    (20, 0.1): (0.121577, 0.950850, 0.835249, 0.867170, 0.956826),
    (50, 0.05): (0.076945, 0.959075, 0.885279, 0.911269, 0.962224),
    (50, 0.5): (0.000000, 0.967161, 0.967161, 0.935091, 0.935091),
}
# n0, n1, p0, odds ratio: the same for the slope, the log odds ratio.
TWO_GROUPS = {
    (10, 10, 0.2, 1): (0.203219, 0.995013, 0.792807, 0.912648, 0.970069),
    (20, 20, 0.1, 1): (0.228372, 0.997992, 0.770078, 0.915102, 0.961330),
    (20, 20, 0.1, 4): (0.122139, 0.973319, 0.854439, 0.923200, 0.958756),
    (30, 10, 0.3, 3): (0.003451, 0.960828, 0.957513, 0.935571, 0.953473),
}
PRINTED = 5e-7
"""Half a unit of the last digit above."""


def assert_agrees(value, exact, n):
    """A share of n replicates is within its exact Monte Carlo error of the exact value."""
    mcse = np.sqrt(max(exact * (1 - exact), 0.0) / n)
    assert abs(value - exact) <= MCSES * mcse + PRINTED


def check(study, term, exact):
    separated, wald_finite, wald_miss, lr, score = exact
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


@pytest.mark.parametrize("n_p", INTERCEPT_ONLY, ids=str)
def test_intercept_only(n_p):
    n, p = n_p
    study = Study(
        name="intercept", seed=20260101, replicates=REPLICATES, X=[[1.0]], trials=[n],
        truth=[np.log(p / (1 - p))], names=["Intercept"],
    )  # fmt: skip
    check(study, "Intercept", INTERCEPT_ONLY[n_p])


@pytest.mark.parametrize("groups", TWO_GROUPS, ids=str)
def test_two_groups(groups):
    n0, n1, p0, odds_ratio = groups
    study = Study(
        name="groups", seed=20260102, replicates=REPLICATES, X=[[1, 0], [1, 1]], trials=[n0, n1],
        truth=[np.log(p0 / (1 - p0)), np.log(odds_ratio)], names=["Intercept", "slope"],
    )  # fmt: skip
    check(study, "slope", TWO_GROUPS[groups])


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
