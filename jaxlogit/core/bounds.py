"""Interval ends for one contrast on one side: a fast search with a certificate, and a slow one.

Likelihood ratio. The upper end of c'β is the largest c'β with l(β) ≥ l₀ = l(β̂) − χ²/2. The
problem is convex, so a point with l(β) = l₀ and U(β) = −λc, λ > 0, *is* the end: no bracket
is needed to know it is the right root. `lambda_step` finds that point by Newton's method on
both conditions at once (Venzon and Moolgavkar 1988, Applied Statistics 37:87–94,
doi:10.2307/2347496). With R as in `newton` and d the last step's length in standard errors,
the end is left with an error of about (R d³/6 + (R d²)²/8)/z standard errors, since the step
solves the quadratic model exactly and the nuisance part enters squared. Where the curvature is
not exact, so that a step leaves the rest r of a series, r(d + r)/z takes the place of the second.

Score. S(b) = λ²·c'I⁻¹c at the restricted maximum, where U = −λc. `score_step` is Newton on
U = −λc and λ²·c'I⁻¹c = χ², with the derivative of c'I⁻¹c by autodiff of the row term.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Evaluation
from jaxlogit.core.newton import (
    PROOF_LIMIT,
    RUNNING,
    Scale,
    curvature_reach,
    series_rest,
)
from jaxlogit.core.status import Status

BOUND_ERROR = 1e-11  # standard errors of the contrast
GIVE_UP = 60.0  # a point whose step is longer than this many standard errors has run away


class Target(NamedTuple):
    """What an interval end is: a contrast, a side and a drop."""

    contrast: Array
    """(p,) c."""
    side: Array
    """() +1 for the upper end, −1 for the lower."""
    cutoff: Array
    """() the chi-square quantile."""


class Bound(NamedTuple):
    """An interval end and its certificate."""

    value: Array
    """() c'β at the end."""
    coef: Array
    """(p,) β at the end."""
    residual: Array
    """() bound on the error left, in standard errors."""
    status: Array
    n_steps: Array
    multiplier: Array | None = None
    """() λ, with U(β) = −λc, where the search follows it."""
    length: Array | None = None
    """() of the last step, in standard errors."""


class Walk(NamedTuple):
    """Where a search along the profile path stands."""

    coef: Array
    multiplier: Array
    length: Array
    residual: Array
    status: Array
    n_steps: Array


def wald_start(factor: linalg.Factor, coef, target: Target):
    """The Wald end along the tangent of the profile path, and its multiplier λ."""
    half = linalg.half_solve(factor, target.contrast)
    multiplier = target.side * jnp.sqrt(target.cutoff / linalg.dot(half, half))
    return coef + multiplier * linalg.back_solve(factor, half), multiplier


def lambda_step(
    evaluate: Callable[[Array], Evaluation],
    coef,
    peak,
    target: Target,
    scale: Scale,
    max_steps,
    tolerance=BOUND_ERROR,
    *,
    loop: Callable[..., Any] = jax.lax.while_loop,
) -> Bound:
    """End of the profile-likelihood interval, from a start (p,) with peak l(β̂).

    `tolerance` is the error left, in standard errors.
    """
    p = coef.shape[0]
    level = peak - 0.5 * target.cutoff

    def advance(state: Walk) -> Walk:
        at = evaluate(state.coef)
        factor = linalg.cholesky(at.information, p, at.score, target.contrast)
        slope, half = factor.halves
        squared = 2.0 * (at.loglik - level) + linalg.dot(slope, slope)
        multiplier = target.side * jnp.sqrt(jnp.maximum(squared, 0.0) / linalg.dot(half, half))
        move = combine(slope, multiplier, half)
        length = jnp.sqrt(linalg.dot(move, move))
        reach, noise = curvature_reach(factor, scale, at.spread)
        bend = reach * length
        error = (bend * length**2 / 6 + (bend * length) ** 2 / 8) / jnp.sqrt(target.cutoff)
        if scale.slow is not None:
            rest = _rest(state, length, scale, noise / reach)
            error = (bend * length**2 / 6 + rest * (length + rest)) / jnp.sqrt(target.cutoff)
        proved = (bend + noise < PROOF_LIMIT) & (error < tolerance) & (squared > 0)
        return Walk(
            state.coef + linalg.back_solve(factor, move),
            multiplier,
            length,
            error,
            walk_status(usable_step(length, factor), proved),
            state.n_steps + 1,
        )

    return walk(advance, coef, jnp.zeros((), coef.dtype), target, max_steps, loop)


def score_step(
    evaluate: Callable[[Array], Evaluation],
    information_derivative: Callable[[Array, Array], Array],
    coef,
    multiplier,
    target: Target,
    scale: Scale,
    max_steps,
    tolerance=BOUND_ERROR,
    *,
    loop: Callable[..., Any] = jax.lax.while_loop,
) -> Bound:
    """End of the score interval, from a start β (p,) and its multiplier λ."""
    p = coef.shape[0]

    def advance(state: Walk) -> Walk:
        at = evaluate(state.coef)
        factor = linalg.cholesky(at.information, p, at.score, target.contrast)
        slope, half = factor.halves
        tangent = linalg.back_solve(factor, half)
        weighted, variance = tangent, linalg.dot(half, half)
        if at.fisher is not None:
            weighted = linalg.solve(linalg.cholesky(at.fisher, p), target.contrast)
            variance = linalg.dot(weighted, target.contrast)
        # variance(β) = c'I⁻¹c has gradient −∇_β(h'I(β)h) with h = I⁻¹c held fixed.
        gradient = -information_derivative(state.coef, weighted)
        old = state.multiplier
        along = linalg.dot(gradient, linalg.back_solve(factor, slope))
        numerator = target.cutoff + old**2 * variance - old**2 * along
        denominator = 2.0 * old * variance + old**2 * linalg.dot(gradient, tangent)
        new = numerator / denominator
        move = combine(slope, new, half)
        length = jnp.sqrt(linalg.dot(move, move))
        reach, noise = curvature_reach(factor, scale, at.spread)
        bend = reach * length
        change = jnp.abs(new - old) * jnp.sqrt(variance)
        error = bend * length + change * (change + bend)
        if scale.slow is not None:
            error = _rest(state, length + change, scale, noise / reach)
        # S must rise through its limit here: dS/db = 2λ·dλ/db·v + λ²·dv/db with dλ/db = 1/v.
        rising = target.side * denominator > 0
        proved = (bend + noise < PROOF_LIMIT) & (error < tolerance) & rising
        proved = proved & (target.side * new > 0)
        return Walk(
            state.coef + linalg.back_solve(factor, move),
            new,
            length + change,
            error,
            walk_status(usable_step(length, factor), proved),
            state.n_steps + 1,
        )

    return walk(advance, coef, multiplier, target, max_steps, loop)


def _rest(state: Walk, length, scale: Scale, noise):
    """What a step of this length leaves, where steps shrink by a factor only."""
    assert scale.slow is not None
    before = jnp.where(state.n_steps == 0, scale.slow, state.length)
    return series_rest(length, before, noise)


def combine(slope, multiplier, half):
    """The step L⁻¹(U + λc), in the factor's form."""
    if isinstance(slope, list):
        return [s + multiplier * h for s, h in zip(slope, half, strict=True)]
    return slope + multiplier * half


def usable_step(length, factor: linalg.Factor):
    """Whether a step of this length can be trusted to lead on."""
    return jnp.isfinite(length) & (factor.smallest_pivot > 0) & (length < GIVE_UP)


def walk_status(usable, proved):
    """Status of a search after a step."""
    found, lost = jnp.int32(Status.CONVERGED), jnp.int32(Status.NO_BOUND_FOUND)
    return jnp.where(usable, jnp.where(proved, found, jnp.int32(RUNNING)), lost)


def walk(
    advance: Callable[[Walk], Walk], coef, multiplier, target: Target, max_steps, loop
) -> Bound:
    """Advance until a search is proved, lost or out of steps."""
    start = Walk(
        coef,
        multiplier,
        jnp.asarray(jnp.inf, coef.dtype),
        jnp.asarray(jnp.inf, coef.dtype),
        jnp.int32(RUNNING),
        jnp.int32(0),
    )
    end = loop(
        lambda state: (state.status == RUNNING) & (state.n_steps < max_steps), advance, start
    )
    found = end.status == Status.CONVERGED
    status = jnp.where(found, end.status, jnp.int32(Status.NO_BOUND_FOUND))
    value = jnp.where(found, target.contrast @ end.coef, jnp.nan)
    return Bound(value, end.coef, end.residual, status, end.n_steps, end.multiplier, end.length)
