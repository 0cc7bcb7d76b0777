"""Residuals, leverage and one-step influence of the rows of one model.

With case weights a, trials m, successes y, k = a·m and s = a·y, at the maximum:

    residual   e = s − k·mu,          variance   v = k·mu(1 − mu),
    leverage   h = v·x'I(β)⁻¹x,       Cook's distance   (e²/v)·h / (p(1 − h)²),
    one-step change of β without the row   −I(β)⁻¹x·e/(1 − h).

A row without cases has e = v = h = 0, and every residual of it is 0.
Source: Pregibon (1981), Annals of Statistics 9:705–724, doi:10.1214/aos/1176345513.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy

from jaxlogit.core import linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import columns, linear_predictor, log_partition
from jaxlogit.core.penalty import evaluate, loglik
from jaxlogit.core.working import Arrays, Problem, problem

SPARE = 1e-9  # 1 − leverage below which a residual is what the search left, not what was observed
NEAR = 0.01  # relative distance of y from m·mu at which the series is as exact as the logarithms
SERIES = range(8, 1, -1)  # its terms, smallest first: the next is below rounding at NEAR


class Measures(NamedTuple):
    """Row measures (n,) of one model, and the one-step changes (n, p) where they are wanted."""

    leverage: Array
    pearson_residual: Array
    deviance_residual: Array
    standardized_pearson_residual: Array
    standardized_deviance_residual: Array
    cooks_distance: Array
    dfbeta: Array | None


def measures(arrays: Arrays, coef, *, dfbeta: bool, unroll: bool = True) -> Measures:
    """All measures at working coefficients (p,).

    A row that determines a coefficient alone has leverage 1 and is fitted exactly whatever was
    observed: what divides by 1 − h is nan there.
    """
    model = problem(arrays)
    eta = linear_predictor(model.rows, coef)
    at = evaluate(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(at.expected, coef.shape[0])
    hat = leverage(model, factor, eta)
    pearson, deviance = pearson_residual(model, eta), deviance_residual(model, eta)
    spare = jnp.where(1.0 - hat > SPARE, 1.0 - hat, jnp.nan)
    change = None
    if dfbeta:
        covariance = linalg.inverse(factor, coef.shape[0])
        share = row_residual(model, eta) / spare
        change = (model.transform @ covariance @ columns(model.rows) * share[None, :]).T
    return Measures(
        hat,
        pearson,
        deviance,
        pearson / jnp.sqrt(spare),
        deviance / jnp.sqrt(spare),
        (pearson / spare) ** 2 * hat / coef.shape[0],
        change,
    )


def row_total(model: Problem):
    """Case totals k, (n,)."""
    total = model.rows.total
    return jnp.ones_like(model.rows.design[:, 0]) if total is None else total


def row_residual(model: Problem, eta):
    """e = s(1 − mu) − (k − s)·mu, without cancellation, (n,)."""
    successes, total = _counts(model)
    return successes * jax.lax.logistic(-eta) - (total - successes) * jax.lax.logistic(eta)


def row_variance(model: Problem, eta):
    """v = k·mu(1 − mu), (n,)."""
    return row_total(model) * jax.lax.logistic(eta) * jax.lax.logistic(-eta)


def leverage(model: Problem, factor: linalg.Factor, eta):
    """h = v·x'I⁻¹x from the information's factor, (n,)."""
    halves = linalg.half_solve(factor, columns(model.rows))
    return row_variance(model, eta) * sum(halves[i] ** 2 for i in range(len(halves)))


def pearson_residual(model: Problem, eta):
    """e/√v = (s·exp(−eta/2) − (k − s)·exp(eta/2))/√k: neither part underflows, (n,)."""
    successes, total = _counts(model)
    root = jnp.sqrt(jnp.where(total > 0, total, 1.0))
    return (successes * jnp.exp(-0.5 * eta) - (total - successes) * jnp.exp(0.5 * eta)) / root


def deviance_residual(model: Problem, eta):
    """sign(e)·sqrt(2{s·log(s/(k·mu)) + (k − s)·log((k − s)/(k(1 − mu)))}), (n,).

    Where s is near k·mu the two terms cancel to second order: there the square is
    2k{mu·f(d/mu) + (1 − mu)·f(−d/(1 − mu))} with d = s/k − mu and
    f(t) = (1 + t)log(1 + t) − t = t²/2 − t³/6 + …, all of it positive.
    """
    successes, total = _counts(model)
    failures = total - successes
    share = jnp.where(total > 0, total, 1.0)
    far = (
        xlogy(successes, successes / share)
        + xlogy(failures, failures / share)
        + successes * log_partition(-eta)
        + failures * log_partition(eta)
    )
    mu, rest = jax.lax.logistic(eta), jax.lax.logistic(-eta)
    residual = row_residual(model, eta)
    up, down = residual / (share * mu), -residual / (share * rest)
    is_near = (jnp.abs(up) < NEAR) & (jnp.abs(down) < NEAR)  # not where mu underflows: nan
    up, down = jnp.where(is_near, up, 0.0), jnp.where(is_near, down, 0.0)
    near = total * (mu * _series(up) + rest * _series(down))
    half_square = jnp.where(is_near, near, jnp.maximum(far, 0.0))
    return jnp.sign(residual) * jnp.sqrt(2.0 * half_square)


def _series(t):
    """(1 + t)log(1 + t) − t for |t| below NEAR."""
    value = jnp.zeros_like(t)
    for k in SERIES:
        value = (-1.0) ** k / (k * (k - 1)) + t * value
    return t**2 * value


def _counts(model: Problem):
    assert model.successes is not None
    total = row_total(model)
    return jnp.where(total > 0, model.successes, 0.0), total


def weight_influence(arrays: Arrays, coef):
    """Derivatives of the user's coefficients with respect to the rows' weights, (p, n).

    At a maximum of l(β, w), penalised or not, dβ/dw = −(∂²l/∂β²)⁻¹ ∂²l/∂β∂w by the implicit
    function theorem, with the derivatives by autodiff. n times a row of it is the row's influence
    value (infinitesimal jackknife); without a penalty it is I⁻¹x(y − m·mu) in the user's units.
    """
    assert arrays.design is not None
    model = problem(arrays)
    dtype = arrays.design.dtype
    weights = jnp.ones(arrays.design.shape[0], dtype)
    weights = weights if arrays.weights is None else jnp.asarray(arrays.weights, dtype)

    def value(at, weights):
        rows = problem(arrays._replace(weights=weights)).rows
        return loglik(rows, at)

    def score(weights):
        return jax.grad(value)(coef, weights)

    curvature = -jax.hessian(value)(coef, weights)
    # Not solved for n right sides: LAPACK's threads would then keep a core busy, waiting for more.
    change = jnp.linalg.inv(curvature) @ jax.jacrev(score)(weights)
    return model.transform @ (change * (1.0 if arrays.weights is None else weights[None, :]))
