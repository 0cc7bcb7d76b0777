"""Fits, tests and interval ends of real data sets against numbers made by R."""

import numpy as np
import pytest
from oracles import REFERENCES, Reference, array, reference
from scipy.stats import chi2

import jaxlogit
from jaxlogit import Status

REFERENCE = 1e-8
"""Standard errors: the promise. The numbers of both sides are good to about 1e-12."""

SAME_MATHEMATICS = 1e-10
"""Relative difference of statistics and log-likelihoods computed by the same formula."""

STATISTIC = 1e-8
"""Relative: of a chi-square statistic, whose root is then good to 5e-9 standard errors."""

ALONE = ("birthwt", "endometrial", "esoph")
"""Data sets fitted one by one in every run; the others as slow tests, each a few compilations."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in ALONE else pytest.mark.slow)
            for name in REFERENCES],
)  # fmt: skip
def case(request) -> tuple[Reference, jaxlogit.Fit]:
    known = reference(request.param)
    return known, jaxlogit.fit(**known.fit_arguments())


def assert_ends(found, known, unit, tolerance=REFERENCE):
    """Ends agree within `tolerance` standard errors; infinite ones exactly."""
    known = array(known)
    infinite = np.isinf(known)
    np.testing.assert_array_equal(found[infinite], known[infinite])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(known))
    finite = np.isfinite(known)
    assert np.all(np.abs(found[finite] - known[finite]) <= tolerance * unit[finite])


def test_estimates(case):
    known, fit = case
    raw, p = known.raw, len(known.unit)
    separated = "limit_std_error" in raw
    assert fit.status == (Status.SEPARATED_QUASI if separated else Status.CONVERGED)
    assert_ends(fit.coef, raw["coef"], known.unit)
    np.testing.assert_allclose(fit.loglik, raw["loglik"], rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(fit.deviance, raw["deviance"], rtol=SAME_MATHEMATICS)
    if separated:
        assert np.all(np.isnan(fit.std_error))
        assert np.all(np.isnan(fit.covariance))
        return
    np.testing.assert_allclose(fit.std_error, array(raw["std_error"]), rtol=REFERENCE)
    vcov = array(raw["vcov"])
    scale = np.outer(known.unit, known.unit)
    np.testing.assert_allclose(fit.covariance / scale, vcov / scale, atol=REFERENCE, rtol=0)
    assert fit.covariance.shape == (p, p)


@pytest.mark.parametrize("method", ["wald", "lr", "score"])
def test_tests_of_each_coefficient(case, method):
    known, fit = case
    for record in known.raw["tests"]:
        found = fit.test(method, null=array(record["null"]))
        expected = array(record[method])
        np.testing.assert_allclose(found.statistic, expected, rtol=STATISTIC, atol=1e-10)
        np.testing.assert_allclose(found.p_value, chi2.sf(expected, 1), rtol=1e-7, atol=1e-300)
        np.testing.assert_array_equal(found.status != 0, np.isnan(expected))


@pytest.mark.parametrize("method", ["wald", "lr", "score"])
def test_joint_test(case, method):
    known, fit = case
    joint = known.raw["joint"]
    found = fit.test(method, contrasts=joint["names"], joint=True)
    expected = array(joint[method])
    assert found.df == joint["df"]
    assert found.statistic.shape == ()
    np.testing.assert_allclose(found.statistic, expected, rtol=STATISTIC)
    known_log = chi2.logsf(expected, joint["df"])
    if expected > 1400:  # where SciPy's underflows with p; the tails have a test of their own
        assert found.log_p < -690
    else:
        np.testing.assert_allclose(found.log_p, known_log, rtol=STATISTIC)


@pytest.mark.parametrize("method", ["lr", "score"])
def test_interval_ends(case, method):
    known, fit = case
    records = [r for r in known.raw["intervals"] if r["method"] == method]
    assert records
    for record in records:
        found = fit.confint(record["level"], method)
        assert_ends(found.lower, record["lower"], known.unit)
        assert_ends(found.upper, record["upper"], known.unit)
        for end, status in ((found.lower, found.lower_status), (found.upper, found.upper_status)):
            expected = np.where(np.isinf(end), int(Status.INFINITE), int(Status.CONVERGED))
            np.testing.assert_array_equal(status, expected)


@pytest.mark.parametrize("method", ["lr", "score"])
@pytest.mark.parametrize("name", ["budworm_mixed", "endometrial"])
def test_interval_ends_by_bisection(name, method):
    known = reference(name)
    fit = jaxlogit.fit(**known.fit_arguments())
    for record in known.raw["intervals"]:
        if record["method"] == method:
            found = fit.confint(record["level"], method, solver="bisection")
            assert_ends(found.lower, record["lower"], known.unit)
            assert_ends(found.upper, record["upper"], known.unit)


# -- all data sets in one batch, but for esoph, whose ten columns would take long to compile ------

TERMS = 8
TOGETHER = tuple(name for name in REFERENCES if name != "esoph")


def padded(known: Reference, n: int) -> dict[str, np.ndarray]:
    """A data set with n rows and TERMS columns: the same fit, beside unrelated ones.

    A column that is missing gets two rows of its own, a success and a failure at 1: its
    coefficient is 0 and its part of the log-likelihood −2 log 2, whatever the others do. Rows
    that are then missing have weight 0.
    """
    X, y, trials, weights, offset = known.model
    rows, p = X.shape
    extra = np.repeat(np.arange(p, TERMS), 2)
    design = np.zeros((n, TERMS))
    design[:rows, :p] = X
    design[rows + np.arange(len(extra)), extra] = 1.0

    def column(values, own, empty):
        return np.concatenate([values, own, np.full(n - rows - len(extra), empty)])

    ones = np.ones(len(extra))
    return {
        "X": design,
        "y": column(y, np.arange(len(extra)) % 2, np.nan),
        "trials": column(trials, ones, 1.0),
        "weights": column(weights, ones, 0.0),
        "offset": column(offset, 0 * ones, 0.0),
    }


@pytest.fixture(scope="module")
def together() -> tuple[list[Reference], jaxlogit.Fit]:
    known = [reference(name) for name in TOGETHER]
    n = max(len(one.model.y) + 2 * (TERMS - len(one.unit)) for one in known)
    parts = [padded(one, n) for one in known]
    return known, jaxlogit.fit(**{key: np.stack([part[key] for part in parts]) for key in parts[0]})


def test_together_estimates(together):
    known, fit = together
    for i, one in enumerate(known):
        p = len(one.unit)
        assert_ends(fit.coef[i, :p], one.raw["coef"], one.unit)
        assert np.all(np.abs(fit.coef[i, p:]) < SAME_MATHEMATICS)
        apart = 2 * (TERMS - p) * np.log(2)
        np.testing.assert_allclose(fit.loglik[i] + apart, one.raw["loglik"], rtol=SAME_MATHEMATICS)
        if "limit_std_error" not in one.raw:
            np.testing.assert_allclose(fit.std_error[i, :p], one.unit, rtol=REFERENCE)


@pytest.mark.parametrize("method", ["wald", "lr", "score"])
def test_together_tests(together, method):
    known, fit = together
    each = fit.test(method)
    for i, one in enumerate(known):
        p = len(one.unit)
        expected = array(one.raw["tests"][0][method])
        assert one.raw["tests"][0]["null"] == [0] * p
        np.testing.assert_allclose(each.statistic[i, :p], expected, rtol=STATISTIC, atol=1e-10)


@pytest.mark.parametrize("method", ["lr", "score"])
def test_together_ends(together, method):
    known, fit = together
    levels = {r["level"] for one in known for r in one.raw["intervals"] if r["method"] == method}
    for level in sorted(levels):
        found = fit.confint(level, method)
        for i, one in enumerate(known):
            p = len(one.unit)
            for record in one.raw["intervals"]:
                if (record["method"], record["level"]) == (method, level):
                    assert_ends(found.lower[i, :p], record["lower"], one.unit)
                    assert_ends(found.upper[i, :p], record["upper"], one.unit)
