"""Interval ends: fast against slow, and each one evaluated again by other means."""

import jax.numpy as jnp
import numpy as np
import oracles
import pytest

import jaxlogit
from jaxlogit import Status
from jaxlogit.core import bounds, bracket, tails

REFERENCE = 1e-8
"""Standard errors: two solvers with certificates of 1e-11 each, seen through rounding."""

B, N, P = 200, 30, 3
LEVEL = 0.95
CUTOFF = tails.chi2_quantile(LEVEL, 1)
METHODS = ("lr", "score")


class Case:
    """B random models with weights, and their intervals by one design: shared X or X per model."""

    def __init__(self, shared: bool):
        random = np.random.default_rng(5)
        covariates = random.normal(size=(B, N, P - 1)) * [1.0, 5.0] + [0.0, 20.0]
        designs = np.concatenate([np.ones((B, N, 1)), covariates], axis=2)
        self.X = designs[0] if shared else designs
        chance = 1 / (1 + np.exp(-random.normal(0, 1, (B, 1)) - covariates[..., 0]))
        self.y = (random.uniform(size=(B, N)) < (chance[:1] if shared else chance)).astype(np.int8)
        self.fit = jaxlogit.fit(self.X, self.y)
        self.finite = np.flatnonzero(self.fit.status == Status.CONVERGED)

    def model(self, i: int) -> oracles.Model:
        return oracles.model(self.X if self.X.ndim == 2 else self.X[i], self.y[i])


@pytest.fixture(scope="module", params=["shared", "per model"])
def case(request) -> Case:
    return Case(request.param == "shared")


def test_enough_models(case):
    assert len(case.finite) > 0.9 * B


def same_ends(one, other, unit, models):
    """Two intervals agree for these models, in value and in status."""
    for a, b in ((one.lower, other.lower), (one.upper, other.upper)):
        gap = np.abs(a[models] - b[models])
        both_lost = np.isnan(a[models]) & np.isnan(b[models])
        assert np.all(both_lost | (gap <= REFERENCE * unit[models]))
    np.testing.assert_array_equal(one.lower_status[models], other.lower_status[models])
    np.testing.assert_array_equal(one.upper_status[models], other.upper_status[models])


@pytest.mark.parametrize("method", METHODS)
def test_newton_and_bisection_agree(case, method):
    fast = case.fit.confint(LEVEL, method)
    slow = case.fit.confint(LEVEL, method, solver="bisection")
    same_ends(fast, slow, case.fit.std_error, case.finite)


@pytest.mark.parametrize("method", METHODS)
def test_against_root_finding_on_refits(case, method):
    found = case.fit.confint(LEVEL, method)
    for i in case.finite[:25]:
        for j in range(P):
            for side, end in ((-1, found.lower[i, j]), (1, found.upper[i, j])):
                expected = oracles.interval_end(case.model(i), np.eye(P)[j], side, CUTOFF, method)
                if np.isnan(expected):
                    assert np.isnan(end)
                else:
                    assert abs(end - expected) <= REFERENCE * case.fit.std_error[i, j]


@pytest.mark.parametrize("method", METHODS)
def test_every_certified_end_again(case, method):
    """At the end: statistic at its cutoff, nuisance score zero, slope pointing back."""
    found = case.fit.confint(LEVEL, method)
    for i in case.finite:
        data = case.model(i)
        best = oracles.maximum(data)
        peak = oracles.loglik(data, best)
        for j in range(P):
            contrast = np.eye(P)[j]
            for side, end, status in (
                (-1, found.lower[i, j], found.lower_status[i, j]),
                (1, found.upper[i, j], found.upper_status[i, j]),
            ):
                if status != Status.CONVERGED:
                    assert np.isnan(end)
                    continue
                at = oracles.maximum(data, contrast, end)
                slope = oracles.score(data, at)
                covariance = np.linalg.inv(oracles.information(data, at))
                nuisance = slope - contrast * slope[j]
                assert nuisance @ covariance @ nuisance < 1e-18
                assert side * slope[j] < 0
                assert side * (end - best[j]) > 0
                square = 2 * (peak - oracles.loglik(data, at))
                if method == "score":
                    square = slope @ covariance @ slope
                assert abs(square - CUTOFF) < 2 * np.sqrt(CUTOFF) * REFERENCE


def test_certificates_bound_the_error(case):
    found = case.fit.confint(LEVEL, "lr")
    residual = found.residual[case.finite]
    certified = found.lower_status[case.finite] == Status.CONVERGED
    assert residual.shape == (len(case.finite), P, 2)
    assert np.all(residual[..., 0][certified] < 1e-10)


def test_ends_move_outward_with_the_level(case):
    narrow, wide = case.fit.confint(0.5), case.fit.confint(0.99)
    assert np.all(wide.lower[case.finite] < narrow.lower[case.finite])
    assert np.all(narrow.upper[case.finite] < wide.upper[case.finite])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [1e-6, 0.999999])
def test_extreme_levels(case, method, level):
    """Next to the estimate, and far out: the statistic is at its cutoff, or there is a status."""
    found = case.fit.confint(level, method)
    cutoff = tails.chi2_quantile(level, 1)
    for i in case.finite[:10]:
        data = case.model(i)
        peak = oracles.loglik(data, oracles.maximum(data))
        for j in range(P):
            for end, status in ((found.lower[i, j], found.lower_status[i, j]),
                                (found.upper[i, j], found.upper_status[i, j])):  # fmt: skip
                if status != Status.CONVERGED:
                    assert method == "score"
                    assert np.isnan(end)
                    continue
                square = oracles.statistic(data, peak, np.eye(P)[j], end, method)
                # The log-likelihood's rounding is all there is of the statistic at 1e-6.
                np.testing.assert_allclose(square, cutoff, rtol=1e-8, atol=1e-13)


# -- the bracket alone ------------------------------------------------------------------------


def bracket_of(root_of, cutoff=4.0, side=1.0, width=0.1):
    """The bracket on a signed root that is a plain function of the contrast's value."""
    target = bounds.Target(jnp.ones(1), jnp.asarray(side), jnp.asarray(cutoff))

    def statistic(value, near):
        return root_of(value), value[None], jnp.asarray(True)

    return bracket.bracket(statistic, jnp.zeros(1), target, jnp.asarray(width))


@pytest.mark.parametrize("width", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_bracket_from_any_width(width, side):
    found = bracket_of(lambda b: jnp.abs(b) ** 0.75, side=side, width=width)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, side * 2.0 ** (4 / 3), rtol=1e-11)


def test_bracket_takes_the_first_crossing():
    """A statistic that turns back: the part that contains the estimate ends at the first root."""
    found = bracket_of(lambda b: 3.0 * jnp.sin(b))
    np.testing.assert_allclose(found.value, np.arcsin(2 / 3), rtol=1e-11)


def test_no_crossing_is_a_status_and_not_a_number():
    found = bracket_of(lambda b: 1.9 * b / (1.0 + b))
    assert found.status == Status.NO_BOUND_FOUND
    assert np.isnan(found.value)


def test_a_jump_is_not_a_crossing():
    found = bracket_of(lambda b: jnp.where(b > 1.0, 3.0, 1.0))
    assert found.status == Status.NO_BOUND_FOUND
    assert np.isnan(found.value)
