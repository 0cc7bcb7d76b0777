"""Interval ends of one model as whole tasks: quick for almost every end, and two for the rest.

As in `tasks`: they take `Arrays` and coefficients in working coordinates.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import bounds, bracket, higher, linalg
from jaxlogit.core.abreast import abreast
from jaxlogit.core.bounds import BOUND_ERROR, Bound, Target
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Rows, in_single, information_derivative
from jaxlogit.core.newton import Scale
from jaxlogit.core.penalty import evaluate, evaluator
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import SINGLE_STEPS
from jaxlogit.core.windows import windowed
from jaxlogit.core.working import Arrays, problem, with_absent

SIDES = (-1.0, 1.0)
NEAR_END = 1e-4  # standard errors: from there one step in double precision is certified
FAR_STEPS = 20  # of the local search from a point that is not the maximum


def quick_ends(
    arrays: Arrays,
    coef,
    contrasts,
    cutoff,
    max_steps,
    *,
    method: str,
    unroll: bool = True,
    single: bool = False,
    width: int | None = None,
) -> tuple[Bound, jax.Array]:
    """Both interval ends of each contrast (q, p), fields (q, 2, …), lower end first; and l(β̂).

    `method` is "lr", "score" or "rstar"; from the Wald end along the tangent of the profile path.
    With `single` the first steps are made in single precision; the certificate is always double.
    `width`: see `windows`.
    """
    model, absent = with_absent(arrays, problem(arrays))

    loop = windowed(width if model.rows.shared else None)

    def walk(*args):
        return WALKS[method](*args, unroll=unroll, loop=loop)

    best = evaluate(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(best.information, coef.shape[0])

    def tangent(contrast):
        half = linalg.half_solve(factor, contrast)
        return linalg.back_solve(factor, half), linalg.dot(half, half)

    def one_end(common, own):
        rows, scale, coef, (peak, log_determinant), cutoff, max_steps = common
        contrast, side, tangent, variance = own
        target = Target(contrast, side, cutoff)
        multiplier = side * jnp.sqrt(cutoff / variance)  # as `bounds.wald_start`, for both sides
        start = coef + multiplier * tangent, multiplier
        data = (rows, scale, higher.Top(peak, log_determinant, contrast @ coef), target)
        if not single:
            return walk(*data, start, max_steps, BOUND_ERROR)
        near = walk(*in_single((*data, start)), SINGLE_STEPS, NEAR_END)
        assert near.multiplier is not None
        arrived = near.status == Status.CONVERGED
        start = tuple(
            jnp.where(arrived, new.astype(old.dtype), old)
            for new, old in zip((near.coef, near.multiplier), start, strict=True)
        )
        rows, scale, top, target = data
        if scale.slow is not None and near.length is not None:
            length = near.length.astype(scale.slow.dtype)
            scale = scale._replace(slow=jnp.where(arrived, length, jnp.inf))
        end = walk(rows, scale, top, target, start, max_steps, BOUND_ERROR)
        return end._replace(n_steps=end.n_steps + near.n_steps)

    working = contrasts @ model.transform
    q = len(working)
    sides = jnp.tile(jnp.asarray(SIDES, coef.dtype), q)
    twice = (jnp.repeat(part, 2, axis=0) for part in (working, *jax.vmap(tangent)(working)))
    contrast, *path = twice
    top = best.loglik, linalg.log_determinant(factor)
    common = (model.rows, model.scale, coef, top, jnp.asarray(cutoff), max_steps)
    own = contrast, sides, *path
    if model.rows.shared:
        found = abreast(one_end, common, own)
    else:
        found = jax.vmap(partial(one_end, common))(own)
    found = jax.tree.map(lambda field: field.reshape(q, 2, *field.shape[1:]), found)
    return found, best.loglik + absent


def _lr_walk(rows: Rows, scale: Scale, top, target, start, max_steps, tolerance, *, unroll, loop):
    at = partial(evaluate, rows, unroll=unroll)
    return bounds.lambda_step(
        at, start[0], top.loglik, target, scale, max_steps, tolerance, loop=loop
    )


def _score_walk(
    rows: Rows, scale: Scale, top, target, start, max_steps, tolerance, *, unroll, loop
):
    at = partial(evaluate, rows, unroll=unroll)
    derivative = partial(information_derivative, rows)
    coef, multiplier = start
    return bounds.score_step(
        at, derivative, coef, multiplier, target, scale, max_steps, tolerance, loop=loop
    )


def _rstar_walk(
    rows: Rows, scale: Scale, top, target, start, max_steps, tolerance, *, unroll, loop
):
    data = (rows, start[0], start[1], top, target, scale)
    return higher.rstar_step(*data, max_steps, tolerance, unroll=unroll, loop=loop)


WALKS = {"lr": _lr_walk, "score": _score_walk, "rstar": _rstar_walk}


def end_from_inside(arrays: Arrays, coef, peak, contrast, side, cutoff, *, method: str) -> Bound:
    """One likelihood-ratio or score end by a local search from well inside the interval.

    For a model without a finite maximum, or where the Wald end is too far from the end. A score
    end is sought from the likelihood-ratio end.
    """
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=False)
    target = Target(contrast @ model.transform, side, cutoff)
    start = bracket.point_inside(at, coef, peak, cutoff, model.scale)
    found = bounds.lambda_step(at, start, peak, target, model.scale, FAR_STEPS)
    if method == "lr":
        return found
    derivative = partial(information_derivative, model.rows)
    start = found.coef, found.multiplier
    score = bounds.score_step(at, derivative, *start, target, model.scale, FAR_STEPS)
    known = found.status == Status.CONVERGED
    return score._replace(
        value=jnp.where(known, score.value, jnp.nan),
        status=jnp.where(known, score.status, found.status),
    )


class Bracketed(NamedTuple):
    """An interval end by bracketing, and the place."""

    end: Bound
    user_coef: Array
    loglik: Array


def bracketed_end(
    arrays: Arrays, coef, peak, contrast, side, cutoff, start, width, *, method: str, finite: bool
) -> Bracketed:
    """One interval end by bracketing, outward from `start` (p,), first by `width`.

    Without a finite maximum from a point well inside. A width of nan is half a Wald length at 0.
    """
    model = problem(arrays._replace(correction=None))
    at = partial(evaluate, model.rows, unroll=False)
    working = contrast @ model.transform
    target = Target(working, side, cutoff)
    if not finite:
        start = coef = bracket.point_inside(at, coef, peak, cutoff, model.scale)
    root = bracket.lr_root(peak) if method == "lr" else bracket.score_root
    if method == "rstar":
        factor = linalg.cholesky(at(coef).information, len(coef))
        root = higher.outward_root(higher.top(factor, coef, peak, working), target)
    within = evaluator(model.rows, working[None])
    statistic = bracket.profile_root(within, root, coef, target, model.scale, warm=finite)
    # The null curvature is right in size for any model.
    flattest = linalg.cholesky(at(jnp.zeros_like(coef)).information, len(coef))
    half = linalg.half_solve(flattest, working)
    usual = 0.5 * jnp.sqrt(cutoff * linalg.dot(half, half))
    end = bracket.bracket(statistic, start, target, jnp.where(jnp.isnan(width), usual, width))
    return Bracketed(end, model.transform @ end.coef, at(end.coef).loglik)
