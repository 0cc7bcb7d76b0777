"""Results of one model: a search with a certificate, and from there what can be differentiated.

The searches see constants (`stop_gradient`); what they found enters the computation through
`implicit`, which knows how it moves with the data. Everything is in the caller's precision.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import bounds, bracket, implicit, linalg, tests
from jaxlogit.core.bounds import BOUND_ERROR, Target
from jaxlogit.core.ends import SIDES
from jaxlogit.core.implicit import Model, Point, known
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import evaluate, information_derivative
from jaxlogit.core.newton import limits
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import UNDECIDED, fit_carefully
from jaxlogit.core.working import Arrays, Problem, problem

MAX_STEPS = 100  # a separated model takes about 30 in double precision
END_STEPS = 15  # of the local search for an interval end; most take 4


class FitResult(NamedTuple):
    """A maximum: arrays of one model."""

    coef: Array
    """(p,) coefficients, log-odds per unit; nan unless converged."""
    covariance: Array
    """(p, p) inverse information."""
    loglik: Array
    """() log-likelihood without the binomial coefficients."""
    status: Array
    """() `Status`; MAX_STEPS too where only a linear programme could tell separation."""
    n_steps: Array


class EndResult(NamedTuple):
    """One end of a confidence interval."""

    value: Array
    status: Array
    """() `Status`: the model's, or NO_BOUND_FOUND."""


class IntervalResult(NamedTuple):
    """A confidence interval."""

    lower: Array
    upper: Array
    lower_status: Array
    upper_status: Array


class TestResult(NamedTuple):
    """A test on one degree of freedom."""

    __test__ = False  # not a test case, whatever a test runner makes of the name

    statistic: Array
    """() chi-square statistic."""
    p_value: Array
    log_p: Array
    """() natural logarithm of the p-value, which does not underflow."""
    status: Array


class _Peak(NamedTuple):
    """A maximum as the search left it: constants, in working coordinates."""

    problem: Problem
    coef: Array
    loglik: Array
    status: Array
    n_steps: Array


def _search_maximum(arrays: Arrays) -> _Peak:
    still = problem(jax.lax.stop_gradient(arrays))
    found = fit_carefully(still, jnp.int32(MAX_STEPS))
    undecided = found.status == UNDECIDED
    status = jnp.where(undecided, jnp.int32(Status.MAX_STEPS), found.status)
    return _Peak(still, found.coef, found.loglik, status, found.n_steps)


def _differentiable(arrays: Arrays, peak: _Peak, ok) -> tuple[Model, Array]:
    """The model and its working maximum, where there are such; else harmless numbers."""
    data = jax.tree.map(lambda leaf: known(ok, leaf, 0.0), arrays)
    identity = jnp.eye(peak.coef.shape[0], dtype=peak.coef.dtype)
    model = Model(data, jnp.where(ok, peak.problem.transform, identity), ok)
    return model, implicit.maximum(model, jnp.where(ok, peak.coef, 0.0))


@jax.jit
def fit(arrays: Arrays) -> FitResult:
    """Maximum, covariance and log-likelihood."""
    peak = _search_maximum(arrays)
    ok = peak.status == Status.CONVERGED
    model, coef = _differentiable(arrays, peak, ok)
    at = implicit.evaluate(model, coef)
    p = coef.shape[0]
    inner = linalg.inverse(linalg.cholesky(at.information, p), p)
    covariance = model.transform @ inner @ model.transform.T
    # The search leaves rows without cases out; a nan in one still reaches the derivatives here.
    sound = jnp.all(jnp.isfinite(covariance)) & jnp.isfinite(at.loglik)
    status = jnp.where(ok & ~sound, jnp.int32(Status.NONFINITE_INPUT), peak.status)
    results = (model.transform @ coef, covariance, at.loglik)
    coef, covariance, value = (known(ok & sound, part, jnp.nan) for part in results)
    return FitResult(coef, covariance, value, status, peak.n_steps)


@partial(jax.jit, static_argnames="method")
def interval_end(arrays: Arrays, contrast, cutoff, side, *, method: str) -> EndResult:
    """One end of the interval of a contrast (p,), at a chi-square quantile, on one side."""
    return _end_of(arrays, _search_maximum(arrays), contrast, cutoff, side, method)


@partial(jax.jit, static_argnames="method")
def interval(arrays: Arrays, contrast, cutoff, *, method: str) -> EndResult:
    """Both ends, lower first; fields (2,)."""
    peak = _search_maximum(arrays)
    sides = jnp.asarray(SIDES, contrast.dtype)
    return jax.vmap(lambda side: _end_of(arrays, peak, contrast, cutoff, side, method))(sides)


def _end_of(arrays: Arrays, peak: _Peak, contrast, cutoff, side, method: str) -> EndResult:
    fitted = peak.status == Status.CONVERGED
    if method == "wald":
        status, point = peak.status, None
    else:
        target = (contrast @ peak.problem.transform, side, cutoff)
        point, reached = _search_end(peak, Target(*jax.lax.stop_gradient(target)), method)
        lost = jnp.int32(Status.NO_BOUND_FOUND)
        status = jnp.where(fitted & ~reached, lost, peak.status)
    ok = status == Status.CONVERGED
    model, coef = _differentiable(arrays, peak, ok)
    cutoff = known(ok, cutoff, 1.0)
    working = known(ok, contrast, 1.0) @ model.transform
    if point is None:
        square = cutoff * implicit.variance(model, coef, working)
        value = working @ coef + side * jnp.sqrt(square)
        return EndResult(known(ok, value, jnp.nan), status)
    point = Point(jnp.where(ok, point.coef, 0.0), jnp.where(ok, point.multiplier, 1.0))
    if method == "lr":
        limit = implicit.evaluate(model, coef).loglik - 0.5 * cutoff
        end = implicit.on_profile(implicit.likelihood_equation, model, working, limit, point)
    else:
        end = implicit.on_profile(implicit.score_equation, model, working, cutoff, point)
    return EndResult(known(ok, working @ end.coef, jnp.nan), status)


def _search_end(peak: _Peak, target: Target, method: str) -> tuple[Point, Array]:
    """Where a likelihood-ratio or score interval ends, and whether that was certified."""
    rows, _, scale, _ = peak.problem
    p = peak.coef.shape[0]
    at = partial(evaluate, rows, unroll=False)
    factor = linalg.cholesky(at(peak.coef).information, p)
    start, multiplier = bounds.wald_start(factor, peak.coef, target)
    tolerance = max(BOUND_ERROR, limits(start.dtype).error)
    steps = jnp.int32(END_STEPS)
    if method == "lr":
        quick = bounds.lambda_step(at, start, peak.loglik, target, scale, steps, tolerance)
    else:
        derivative = partial(information_derivative, rows)
        quick = bounds.score_step(
            at, derivative, start, multiplier, target, scale, steps, tolerance
        )
    arrived = quick.status == Status.CONVERGED
    root = bracket.lr_root(peak.loglik) if method == "lr" else bracket.score_root
    statistic = bracket.profile_root(at, root, peak.coef, target, scale, warm=True)
    wanted = ~arrived & (peak.status == Status.CONVERGED)
    width = 0.5 * jnp.abs(target.contrast @ (start - peak.coef))
    slow = bracket.bracket(statistic, peak.coef, target, width, wanted)
    coef = jnp.where(arrived, quick.coef, slow.coef)
    reached = arrived | (slow.status == Status.CONVERGED)
    return Point(coef, _multiplier(at(coef), target.contrast)), reached


def _multiplier(at, contrast):
    """λ of U = −λc, in the metric of the information."""
    factor = linalg.cholesky(at.information, contrast.shape[0], at.score, contrast)
    slope, half = factor.halves
    return -linalg.dot(half, slope) / linalg.dot(half, half)


@partial(jax.jit, static_argnames="method")
def test(arrays: Arrays, contrast, null, *, method: str) -> TestResult:
    """Test that a contrast (p,) has a value."""
    peak = _search_maximum(arrays)
    if method == "wald":
        status, point = peak.status, None
    else:
        asked = jax.lax.stop_gradient((contrast @ peak.problem.transform, null))
        point, reached = _search_restricted(peak, *asked)
        lost = jnp.int32(Status.MAX_STEPS)
        status = jnp.where((peak.status == Status.CONVERGED) & ~reached, lost, peak.status)
    ok = status == Status.CONVERGED
    model, coef = _differentiable(arrays, peak, ok)
    null = known(ok, null, 0.0)
    working = known(ok, contrast, 1.0) @ model.transform
    if point is None:
        statistic = (working @ coef - null) ** 2 / implicit.variance(model, coef, working)
    else:
        point = Point(jnp.where(ok, point.coef, 0.0), jnp.where(ok, point.multiplier, 1.0))
        equation = implicit.constraint_equation
        end = implicit.on_profile(equation, model, working, null, point)
        if method == "lr":
            drop = implicit.evaluate(model, coef).loglik - implicit.evaluate(model, end.coef).loglik
            statistic = 2.0 * drop
        else:
            statistic = end.multiplier**2 * implicit.variance(model, end.coef, working)
    statistic = known(ok, jnp.maximum(statistic, 0.0), jnp.nan)  # rounding, at the estimate
    root = jnp.sqrt(known(ok, statistic, 1.0))
    p_value = known(ok, jax.scipy.special.erfc(root / 2.0**0.5), jnp.nan)
    log_p = math.log(2.0) + jax.scipy.special.log_ndtr(-root)
    return TestResult(statistic, p_value, known(ok, log_p, jnp.nan), status)


def _search_restricted(peak: _Peak, contrast, null) -> tuple[Point, Array]:
    """The maximum under c'β = b, and whether it was certified."""
    rows, _, scale, _ = peak.problem
    at = partial(evaluate, rows, unroll=False)
    factor = linalg.cholesky(at(peak.coef).information, peak.coef.shape[0])
    constraint, value = contrast[None], null[None]
    start = tests.tangent_start(factor, peak.coef, constraint, value)
    found = tests.restricted_maximum(
        at, start, constraint, value, scale, jnp.int32(MAX_STEPS), halving=True
    )
    multiplier = _multiplier(at(found.coef), contrast)
    return Point(found.coef, multiplier), found.status == Status.CONVERGED
