"""Whole tasks for one model: fit it, find its interval ends, test it.

Each task has a quick form, right for almost every model, and a careful one for the models
that the quick form hands back unproved. All of them take `Arrays`, and give coefficients in
working coordinates unless a name says `user`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import bounds, linalg, separation, tests
from jaxlogit.core.bounds import BOUND_ERROR, Bound, Target
from jaxlogit.core.kinds import Array
from jaxlogit.core.lbfgs import lbfgs
from jaxlogit.core.likelihood import (
    across,
    evaluate,
    in_single,
    information_derivative,
    linear_predictor,
    loglik,
    score_bend,
    weigh,
)
from jaxlogit.core.newton import Scale, Search, approach, is_flat, newton, start_search
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, Problem, problem

PIVOT_LIMIT = 1e-12  # squared share of a column that must be new, under a model's own weights
SINGLE_STEPS = 4  # in single precision: then what is not near goes on in double
NEAR_END = 1e-4  # standard errors: from there one step in double precision is certified
FAR_STEPS = 20  # of the local search from a point that is not the maximum
SPENT = 1e-10  # squared decrement at which a failed search had nothing left to gain
UNDECIDED = -2  # status of a model that goes on to the next stage


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


def quick_fit(arrays: Arrays, max_steps, *, unroll: bool = True, single: bool = False) -> Found:
    """Undamped Newton from 0; UNDECIDED without a certificate.

    With `single` the first steps are made in single precision; the certificate is always double.
    """
    model = problem(arrays)
    start, n_first = first_step(model)
    at = partial(evaluate, model.rows, unroll=unroll)
    if single:
        roughly = partial(evaluate, in_single(model.rows), unroll=unroll)
        near, n_single = approach(roughly, in_single(start), SINGLE_STEPS)
        start, n_first = near.astype(start.dtype), n_first + n_single
    search = start_search(start)._replace(n_steps=n_first)
    bend = partial(score_bend, model.rows) if single else None
    end = newton(at, search, model.scale, max_steps + n_first, bend=bend, halving=False)
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
    if rows.offset is not None:
        return -across(rows, rows.offset) / n, jnp.int32(0)
    if rows.total is not None:
        return jnp.zeros_like(rows.score_total), jnp.int32(0)
    return 4.0 / n * (
        rows.score_total - 0.5 * across(rows, jnp.ones(n, rows.design.dtype))
    ), jnp.int32(1)


def careful_fit(arrays: Arrays, max_steps) -> Settled:
    """Newton from 0 with halving, then the question of separation, rank and finiteness."""
    model = problem(arrays)
    rows = model.rows
    p = rows.score_total.shape[0]
    start = jnp.zeros_like(rows.score_total) if rows.offset is None else first_step(model)[0]
    at = partial(evaluate, rows, unroll=False)
    at_start = at(start)
    total = rows.total if rows.total is not None else jnp.ones_like(rows.design[:, 0])
    pivot = linalg.cholesky(weigh(rows, total, packed=False), p).smallest_pivot
    end = newton(at, start_search(start), exact_scale(model), max_steps, halving=True)
    assert model.successes is not None and model.scale.score_error is not None
    left = total * jax.lax.logistic(linear_predictor(rows, end.coef)) - model.successes
    score = jnp.max(jnp.abs(at(end.coef).score)) + model.scale.score_error
    verdict = separation.judge(rows.design, model.successes, total, end.step, left, score)
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
    at = evaluate(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(at.information, p)
    return model.transform @ linalg.inverse(factor, p) @ model.transform.T


def std_error(arrays: Arrays, coef, contrasts, *, unroll: bool = True):
    """Standard errors sqrt(c'I⁻¹c) of contrasts (q, p) in the user's coordinates, (q,)."""
    model = problem(arrays)
    at = evaluate(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(at.information, coef.shape[0])
    halves = (linalg.half_solve(factor, c) for c in contrasts @ model.transform)
    return jnp.sqrt(jnp.stack([linalg.dot(half, half) for half in halves]))


def to_working(arrays: Arrays, contrasts):
    """Contrasts (q, p) of the user's coefficients as contrasts of the working ones."""
    return contrasts @ problem(arrays).transform


SIDES = (-1.0, 1.0)


def quick_ends(
    arrays: Arrays,
    coef,
    peak,
    contrasts,
    cutoff,
    max_steps,
    *,
    method: str,
    unroll: bool = True,
    single: bool = False,
) -> Bound:
    """Both interval ends of each contrast (q, p); fields (q, 2, …), lower end first.

    `method` is "lr" or "score"; from the Wald end along the tangent of the profile path.
    """
    model = problem(arrays)
    rows, scale = model.rows, model.scale
    at = partial(evaluate, rows, unroll=unroll)
    factor = linalg.cholesky(at(coef).information, coef.shape[0])
    light = in_single((rows, peak, scale))

    def search(rows, peak, scale, start, multiplier, target, max_steps, tolerance):
        at = partial(evaluate, rows, unroll=unroll)
        if method == "lr":
            return bounds.lambda_step(at, start, peak, target, scale, max_steps, tolerance)
        derivative = partial(information_derivative, rows)
        return bounds.score_step(
            at, derivative, start, multiplier, target, scale, max_steps, tolerance
        )

    def one_end(contrast, side):
        target = Target(contrast, side, cutoff)
        start, multiplier = bounds.wald_start(factor, coef, target)
        if not single:
            return search(rows, peak, scale, start, multiplier, target, max_steps, BOUND_ERROR)
        from_, target_ = in_single(((start, multiplier), target))
        near = search(*light, *from_, target_, SINGLE_STEPS, NEAR_END)
        lost = near.status != Status.CONVERGED
        start = jnp.where(lost, start, near.coef.astype(start.dtype))
        multiplier = jnp.where(lost, multiplier, near.multiplier.astype(start.dtype))
        found = search(rows, peak, scale, start, multiplier, target, max_steps, BOUND_ERROR)
        return found._replace(n_steps=found.n_steps + near.n_steps)

    # One axis of ends, not two: XLA then needs no transposition (22 µs against 17 at p = 5).
    working = contrasts @ model.transform
    q = len(working)
    sides = jnp.tile(jnp.asarray(SIDES, coef.dtype), q)
    found = jax.vmap(one_end)(jnp.repeat(working, 2, axis=0), sides)
    return jax.tree.map(lambda field: field.reshape(q, 2, *field.shape[1:]), found)


def end_from_inside(arrays: Arrays, coef, peak, contrast, side, cutoff) -> Bound:
    """One likelihood-ratio end of a model without a finite maximum, quickly."""
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=False)
    target = Target(contrast @ model.transform, side, cutoff)
    start = bounds.point_inside(at, coef, peak, cutoff, model.scale)
    return bounds.lambda_step(at, start, peak, target, model.scale, FAR_STEPS)


def probe_end(arrays: Arrays, coef, peak, contrast, side, cutoff):
    """Whether one end of a separated model is certainly finite, and certainly infinite.

    Finite: a certified crossing. Infinite: the search ran away, and where it went every row
    agrees with its direction.
    """
    model = problem(arrays)
    rows = model.rows
    found = end_from_inside(arrays, coef, peak, contrast, side, cutoff)
    total = rows.total if rows.total is not None else jnp.ones_like(rows.design[:, 0])
    args = (rows.design, model.successes, total, found.coef)
    agrees = jnp.all(separation.relative_margins(*args) >= -separation.MARGIN_ERROR)
    lower_upper = separation.unbounded_sides(found.coef, contrast @ model.transform)[::-1]
    goes = jnp.where(side > 0, lower_upper[1], lower_upper[0])
    finite = found.status == Status.CONVERGED
    return finite, agrees & goes & ~finite


def bracketed_end(
    arrays: Arrays, coef, peak, contrast, side, cutoff, *, method: str, finite: bool
) -> Bound:
    """One interval end by bracketing, from the maximum, or from a point well inside."""
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=False)
    working = contrast @ model.transform
    target = Target(working, side, cutoff)
    if not finite:
        coef = bounds.point_inside(at, coef, peak, cutoff, model.scale)
    statistic = bounds.profile_statistic(
        at, coef, peak, target, model.scale, method=method, warm=finite
    )
    p = coef.shape[0]
    # A first step of half a Wald length at the null curvature: right in size for any model.
    half = linalg.half_solve(linalg.cholesky(at(jnp.zeros_like(coef)).information, p), working)
    width = jnp.sqrt(cutoff * linalg.dot(half, half))
    return bounds.bracket(statistic, coef, target, 0.5 * width)


class Tested(NamedTuple):
    """Likelihood-ratio and score statistics of one hypothesis, and how they were reached."""

    lr: Array
    score: Array
    coef: Array
    loglik: Array
    status: Array


def quick_tests(
    arrays: Arrays, coef, peak, constraints, nulls, max_steps, *, unroll: bool = True
) -> Tested:
    """Restricted maxima of hypotheses C β = b, (h, q, p) and (h, q), from the tangent."""
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=unroll)
    factor = linalg.cholesky(at(coef).information, coef.shape[0])

    def one_test(constraint, null):
        start = tests.tangent_start(factor, coef, constraint, null)
        return _tested(at, model, peak, start, constraint, null, max_steps, halving=False)

    return jax.vmap(one_test)(constraints @ model.transform, nulls)


def careful_test(arrays: Arrays, peak, constraint, null, max_steps) -> Tested:
    """One restricted maximum, with halving, from the point of C β = b nearest to 0."""
    model = problem(arrays)
    working = constraint @ model.transform
    start = tests.projected_start(working, null)
    at = partial(evaluate, model.rows, unroll=False)
    return _tested(at, model, peak, start, working, null, max_steps, halving=True)


def _tested(at, model, peak, start, constraint, null, max_steps, *, halving) -> Tested:
    p = start.shape[0]
    if constraint.shape[0] == p:  # C fixes every coefficient: nothing is left to maximise
        end_coef, status = start, jnp.int32(Status.CONVERGED)
    else:
        end = tests.restricted_maximum(
            at, start, constraint, null, model.scale, max_steps, halving=halving
        )
        # Where the nuisance part is separated the supremum is reached in the limit.
        lost = end.status == Status.STEP_HALVING_FAILED
        spent = is_flat(end) | (lost & (end.decrement < SPENT))
        good = (end.status == Status.CONVERGED) | (spent & halving)
        status = jnp.where(good, jnp.int32(Status.CONVERGED), jnp.int32(UNDECIDED))
        end_coef = end.coef
    lr, score = tests.lr_and_score(at, peak, end_coef)
    return Tested(lr, score, end_coef, peak - 0.5 * lr, status)
