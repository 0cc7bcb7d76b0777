"""Whole tasks for one model: its fit. Its tests are in `hypotheses`, its interval ends in `ends`.

Each task has a quick form, right for almost every model, and a careful one for the models
that the quick form hands back unproved. All of them take `Arrays`, and give coefficients in
working coordinates unless a name says `user`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg, separation
from jaxlogit.core.abreast import last
from jaxlogit.core.kinds import Array
from jaxlogit.core.lbfgs import lbfgs
from jaxlogit.core.likelihood import (
    across,
    in_single,
    information_derivative,
    linear_predictor,
    score_bend,
    weigh,
)
from jaxlogit.core.newton import (
    QUITE_NEAR,
    Scale,
    Search,
    approach,
    is_flat,
    newton,
    start_search,
)
from jaxlogit.core.penalty import (
    evaluate,
    loglik,
    prior_information,
    wald_information,
)
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, Problem, judged_rows, problem, with_absent

PIVOT_LIMIT = 1e-12  # squared share of a column that must be new, under a model's own weights
SINGLE_STEPS = 4  # in single precision: then what is not near goes on in double
UNDECIDED = -2  # status of a model that goes on to the next stage


class Budget(NamedTuple):
    """The most steps that a search may take in each precision."""

    single: Array
    double: Array


class Found(NamedTuple):
    """A certified maximum, or none; its log-likelihood is computed when it is needed."""

    coef: Array
    user_coef: Array
    status: Array
    n_steps: Array
    score_total: Array
    offset_total: Array | None


class Settled(NamedTuple):
    """A maximum, or where a model without one ended, and why."""

    coef: Array
    user_coef: Array
    status: Array
    n_steps: Array
    loglik: Array
    direction: Array
    nullity: Array


def quick_fit(
    arrays: Arrays, coef, budget: Budget, *, unroll: bool = True, single: bool = False
) -> Found:
    """Undamped Newton from `coef` (p,), from 0 where that is nan; UNDECIDED without a certificate.

    An unfinished search goes on where it stands when its `coef` comes back as a start. With
    `single` the first steps are made in single precision; the certificate is always double.
    """
    model, _ = with_absent(arrays, problem(arrays))
    start, n_first = first_step(model)
    begun = jnp.all(jnp.isfinite(coef))
    start, n_first = jnp.where(begun, coef, start), jnp.where(begun, 0, n_first)

    def from_start(model: Problem, start, n_first, budget: Budget) -> Search:
        at = partial(evaluate, model.rows, unroll=unroll)
        if single:
            roughly = partial(evaluate, in_single(model.rows), unroll=unroll)
            near, n_single, _ = approach(roughly, in_single(start), budget.single, near=QUITE_NEAR)
            start = jnp.where(n_single > 0, near.astype(start.dtype), start)
            n_first = n_first + n_single
        max_steps = n_first + budget.double
        search = start_search(start)._replace(n_steps=n_first)
        bend = partial(score_bend, model.rows) if single else None
        return newton(at, search, model.scale, max_steps, bend=bend, halving=False)

    arguments = model, start, n_first, budget
    end = last(from_start, *arguments) if model.rows.turned else from_start(*arguments)
    done = end.status == Status.CONVERGED
    status = jnp.where(done, end.status, jnp.int32(UNDECIDED))
    return _found(model, end.coef, status, end.n_steps)


def gradient_fit(arrays: Arrays, max_steps) -> Found:
    """L-BFGS from 0; UNDECIDED without a certificate."""
    model = problem(arrays)
    zero = jnp.zeros_like(model.rows.score_total)
    end = lbfgs(model.rows, zero, model.scale, max_steps)
    done = end.status == Status.CONVERGED
    status = jnp.where(done, end.status, jnp.int32(UNDECIDED))
    return _found(model, end.coef, status, end.n_steps)


def first_step(model: Problem):
    """Where to start: after the first Newton step from 0, free where all rows are alike.

    There I(0) = n/4·identity. With an offset: where the columns undo as much of it as they can.
    """
    rows = model.rows
    n = rows.design.shape[0]
    if rows.prior is not None:
        return jnp.zeros_like(rows.score_total), jnp.int32(0)
    if rows.offset is not None:
        return -across(rows, rows.offset) / n, jnp.int32(0)
    if rows.total is not None:
        return jnp.zeros_like(rows.score_total), jnp.int32(0)
    return 4.0 / n * (
        rows.score_total - 0.5 * across(rows, jnp.ones(n, rows.design.dtype))
    ), jnp.int32(1)


def careful_fit(arrays: Arrays, max_steps) -> Settled:
    """Newton from 0 with halving, then the question of separation, rank and finiteness."""
    return fit_carefully(problem(arrays), max_steps)


def fit_carefully(model: Problem, max_steps) -> Settled:
    """`careful_fit` of a model already in working coordinates."""
    rows = model.rows
    p = rows.score_total.shape[0]
    start = jnp.zeros_like(rows.score_total) if rows.offset is None else first_step(model)[0]
    at = partial(evaluate, rows, unroll=False)
    at_start = at(start)
    total = rows.total if rows.total is not None else jnp.ones_like(rows.design[:, 0])
    gram = weigh(rows, total, packed=False)
    if rows.prior is not None:
        gram = gram + prior_information(rows.prior)
    pivot = linalg.cholesky(gram, p).smallest_pivot
    end = newton(at, start_search(start), exact_scale(model), max_steps, halving=True)
    assert model.successes is not None and model.scale.score_error is not None
    left = total * jax.lax.logistic(linear_predictor(rows, end.coef)) - model.successes
    score = jnp.max(jnp.abs(at(end.coef).score)) + model.scale.score_error
    judged = judged_rows(rows.design, model.successes, rows.total, rows.prior)
    left = jnp.concatenate([left, jnp.zeros(judged[0].shape[0] - left.shape[0], left.dtype)])
    verdict = separation.judge(*judged, end.step, left, score)
    certain = is_flat(end) & verdict.separates & ~verdict.doubtful
    kind = jnp.where(
        verdict.complete, jnp.int32(Status.SEPARATED_COMPLETE), jnp.int32(Status.SEPARATED_QUASI)
    )
    status = jnp.where(certain, kind, jnp.int32(UNDECIDED))
    status = jnp.where(end.status == Status.CONVERGED, end.status, status)
    finite = jnp.isfinite(at_start.loglik) & jnp.all(jnp.isfinite(at_start.information))
    finite = finite & jnp.all(jnp.isfinite(rows.score_total))
    # A column without length was already set to zero; a dependent one leaves no pivot.
    deficient = (pivot < PIVOT_LIMIT) | jnp.any(jnp.sum(jnp.abs(model.transform), axis=0) == 0)
    status = jnp.where(deficient, jnp.int32(Status.RANK_DEFICIENT), status)
    status = jnp.where(finite, status, jnp.int32(Status.NONFINITE_INPUT))
    end_point = _settled(model, end, status, end.step, verdict.nullity)
    # Complete separation: every row is fitted perfectly in the limit.
    supremum = jnp.where(status == Status.SEPARATED_COMPLETE, 0.0, end_point.loglik)
    return end_point._replace(loglik=supremum)


def exact_scale(model: Problem) -> Scale:
    """The model's scale with its rows, for the exact R: it costs as much as the information."""
    return model.scale._replace(design=model.rows.design, total=model.rows.total)


def overlapping_fit(arrays: Arrays, max_steps) -> Settled:
    """The overlapping part of a separated model: its maximum is the whole model's supremum."""
    model = problem(arrays)
    zero = jnp.zeros_like(model.rows.score_total)
    at = partial(evaluate, model.rows, unroll=False)
    end = newton(at, start_search(zero), exact_scale(model), max_steps, halving=True)
    assert model.rows.free is not None
    free = jnp.trace(model.rows.free) * 4.0 / model.rows.design.shape[0]
    nullity = jnp.round(free).astype(jnp.int32)
    return _settled(model, end, end.status, arrays.direction, nullity)


def left_alone(model: Problem, contrasts):
    """Which contrasts (q, p) a separated model's overlapping rows settle alone, (q,) bool."""
    working = contrasts @ model.transform
    assert model.rows.free is not None
    free = model.rows.free * (4.0 / model.rows.design.shape[0])
    share = jnp.linalg.norm(working @ free, axis=1) / jnp.linalg.norm(working, axis=1)
    return share < separation.CLEAR_SLOPE


def _found(model: Problem, coef, status, n_steps) -> Found:
    rows = model.rows
    user_coef = model.transform @ coef
    return Found(coef, user_coef, status, n_steps, rows.score_total, rows.offset_total)


def _settled(model: Problem, end: Search, status, direction, nullity) -> Settled:
    value = loglik(model.rows, end.coef)
    user_coef = model.transform @ end.coef
    return Settled(end.coef, user_coef, status, end.n_steps, value, direction, nullity)


def loglik_at(arrays: Arrays, coef):
    """The log-likelihood at working coefficients, ()."""
    return loglik(problem(arrays).rows, coef)


def covariance(arrays: Arrays, coef, *, unroll: bool = True):
    """T I(β)⁻¹ T', the covariance of the user's coefficients, (p, p)."""
    model = problem(arrays)
    p = coef.shape[0]
    factor = linalg.cholesky(wald_information(model.rows, coef, unroll=unroll), p)
    return model.transform @ linalg.inverse(factor, p) @ model.transform.T


def std_error(arrays: Arrays, coef, contrasts, *, unroll: bool = True):
    """Standard errors sqrt(c'I⁻¹c) of contrasts (q, p) in the user's coordinates, (q,)."""
    model = problem(arrays)
    information = wald_information(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(information, coef.shape[0], *(contrasts @ model.transform))
    return jnp.sqrt(jnp.stack([linalg.dot(half, half) for half in factor.halves]))


def wald_slopes(arrays: Arrays, coef, *, unroll: bool = True):
    """How the Wald statistic b/se of each coefficient grows with b, times se, (p,).

    d(b/√v)/db·√v = 1 − b·v'/(2v) with v = c'I⁻¹c and v' = −(I⁻¹c)'(dI/db)(I⁻¹c), the others fixed.
    """
    model = problem(arrays)
    at = evaluate(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(at.expected, coef.shape[0])

    def slope(contrast, direction):
        column = linalg.solve(factor, contrast)
        change = -information_derivative(model.rows, coef, column) @ direction
        return 1.0 - 0.5 * (contrast @ coef) * change / (contrast @ column)

    # A coefficient alone moves by a column of T⁻¹ in working coordinates.
    return jax.vmap(slope)(model.transform, jnp.linalg.inv(model.transform).T)
