"""Interval ends for one contrast on one side: a fast search with a certificate, and a slow one.

Likelihood ratio. The upper end of c'β is the largest c'β with l(β) ≥ l₀ = l(β̂) − χ²/2. The
problem is convex, so a point with l(β) = l₀ and U(β) = −λc, λ > 0, *is* the end: no bracket
is needed to know it is the right root. `lambda_step` finds that point by Newton's method on
both conditions at once (Venzon and Moolgavkar 1988, Applied Statistics 37:87–94,
doi:10.2307/2347496). With R as in `newton` and d the last step's length in standard errors,
the end is left with an error of about (R d³/6 + (R d²)²/8)/z standard errors, since the step
solves the quadratic model exactly and the nuisance part enters squared.

Score. S(b) = λ²·c'I⁻¹c at the restricted maximum, where U = −λc. `score_step` is Newton on
U = −λc and λ²·c'I⁻¹c = χ², with the derivative of c'I⁻¹c by autodiff of the row term.

`bracket` works for any statistic: outward from the estimate in growing steps until it exceeds
its limit, then secant steps on its signed root, every third step halving the bracket.
"""

from collections.abc import Callable
from typing import NamedTuple

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
    is_flat,
    newton,
    start_search,
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


class _Walk(NamedTuple):
    coef: Array
    multiplier: Array
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
) -> Bound:
    """End of the profile-likelihood interval, from a start (p,) with peak l(β̂).

    `tolerance` is the error left, in standard errors.
    """
    p = coef.shape[0]
    level = peak - 0.5 * target.cutoff

    def advance(state: _Walk) -> _Walk:
        at = evaluate(state.coef)
        factor = linalg.cholesky(at.information, p, at.score, target.contrast)
        slope, half = factor.halves
        squared = 2.0 * (at.loglik - level) + linalg.dot(slope, slope)
        multiplier = target.side * jnp.sqrt(jnp.maximum(squared, 0.0) / linalg.dot(half, half))
        move = _combine(slope, multiplier, half)
        length = jnp.sqrt(linalg.dot(move, move))
        reach, noise = curvature_reach(factor, scale)
        bend = reach * length
        error = (bend * length**2 / 6 + (bend * length) ** 2 / 8) / jnp.sqrt(target.cutoff)
        usable = jnp.isfinite(length) & (factor.smallest_pivot > 0) & (length < GIVE_UP)
        proved = (bend + noise < PROOF_LIMIT) & (error < tolerance) & (squared > 0)
        return _Walk(
            state.coef + linalg.back_solve(factor, move),
            multiplier,
            error,
            _walk_status(usable, proved),
            state.n_steps + 1,
        )

    return _walk(advance, coef, jnp.zeros((), coef.dtype), target, max_steps)


def score_step(
    evaluate: Callable[[Array], Evaluation],
    information_derivative: Callable[[Array, Array], Array],
    coef,
    multiplier,
    target: Target,
    scale: Scale,
    max_steps,
    tolerance=BOUND_ERROR,
) -> Bound:
    """End of the score interval, from a start β (p,) and its multiplier λ."""
    p = coef.shape[0]

    def advance(state: _Walk) -> _Walk:
        at = evaluate(state.coef)
        factor = linalg.cholesky(at.information, p, at.score, target.contrast)
        slope, half = factor.halves
        tangent = linalg.back_solve(factor, half)
        variance = linalg.dot(half, half)
        # variance(β) = c'I⁻¹c has gradient −∇_β(h'I(β)h) with h = I⁻¹c held fixed.
        gradient = -information_derivative(state.coef, tangent)
        old = state.multiplier
        along = linalg.dot(gradient, linalg.back_solve(factor, slope))
        numerator = target.cutoff + old**2 * variance - old**2 * along
        denominator = 2.0 * old * variance + old**2 * linalg.dot(gradient, tangent)
        new = numerator / denominator
        move = _combine(slope, new, half)
        length = jnp.sqrt(linalg.dot(move, move))
        reach, noise = curvature_reach(factor, scale)
        bend = reach * length
        change = jnp.abs(new - old) * jnp.sqrt(variance)
        error = bend * length + change * (change + bend)
        # S must rise through its limit here: dS/db = 2λ·dλ/db·v + λ²·dv/db with dλ/db = 1/v.
        rising = target.side * denominator > 0
        usable = jnp.isfinite(length) & (factor.smallest_pivot > 0) & (length < GIVE_UP)
        proved = (bend + noise < PROOF_LIMIT) & (error < tolerance) & rising
        proved = proved & (target.side * new > 0)
        return _Walk(
            state.coef + linalg.back_solve(factor, move),
            new,
            error,
            _walk_status(usable, proved),
            state.n_steps + 1,
        )

    return _walk(advance, coef, multiplier, target, max_steps)


def _combine(slope, multiplier, half):
    if isinstance(slope, list):
        return [s + multiplier * h for s, h in zip(slope, half, strict=True)]
    return slope + multiplier * half


def _walk_status(usable, proved):
    found, lost = jnp.int32(Status.CONVERGED), jnp.int32(Status.NO_BOUND_FOUND)
    return jnp.where(usable, jnp.where(proved, found, jnp.int32(RUNNING)), lost)


def _walk(advance, coef, multiplier, target: Target, max_steps) -> Bound:
    start = _Walk(
        coef,
        multiplier,
        jnp.asarray(jnp.inf, coef.dtype),
        jnp.int32(RUNNING),
        jnp.int32(0),
    )
    end = jax.lax.while_loop(
        lambda state: (state.status == RUNNING) & (state.n_steps < max_steps), advance, start
    )
    found = end.status == Status.CONVERGED
    status = jnp.where(found, end.status, jnp.int32(Status.NO_BOUND_FOUND))
    value = jnp.where(found, target.contrast @ end.coef, jnp.nan)
    return Bound(value, end.coef, end.residual, status, end.n_steps, end.multiplier)


def point_inside(evaluate: Callable[[Array], Evaluation], coef, peak, cutoff, scale: Scale):
    """A point well inside the interval, (p,): the first on Newton's way from 0 with half the drop.

    For a model without a finite maximum, where the end of the search is of no use as a start.
    """
    zero = jnp.zeros_like(coef)

    def outside(search):
        low = evaluate(search.coef).loglik < peak - 0.25 * cutoff
        going = (search.status == RUNNING) & ~is_flat(search)
        return low & going & (search.n_steps < INNER_STEPS)

    def advance(search):
        return newton(evaluate, search, scale, search.n_steps + 1, halving=True)

    return jax.lax.while_loop(outside, advance, start_search(zero)).coef


class _Bracket(NamedTuple):
    inside: Array
    inside_root: Array
    outside: Array
    outside_root: Array
    coef: Array
    width: Array
    residual: Array
    status: Array
    n_steps: Array


GROWTH = 1.5  # of the outward step: small enough not to jump over a turning point
# Of the signed root, so about as many standard errors, by the bits of a number; the second is
# for a bracket that has shrunk to neighbouring numbers.
BRACKET_ERRORS = {64: (1e-12, 1e-9), 32: (1e-6, 1e-3)}
MAX_BRACKET_STEPS = 120
INNER_STEPS = 80


def profile_statistic(
    evaluate: Callable[[Array], Evaluation],
    inside,
    peak,
    target: Target,
    scale: Scale,
    *,
    method: str,
    warm: bool,
):
    """A function from (b, β near it) to the signed root of a statistic at c'β = b.

    `method` "lr": sqrt(2(l(β̂) − l_p(b))); "score": sqrt(S(b)). Returns root, β there and
    whether the restricted maximum was reached. Each restricted search starts from the last one
    (`warm`), or always from the point `inside`: where the rest of the model may be separated,
    the last one is too far out to turn back from.
    """
    c = target.contrast
    p = c.shape[0]
    constraint = c[None, :]

    def statistic(value, near):
        # Along the tangent of the profile path; straight on where the information is singular.
        near = near if warm else inside
        factor = linalg.cholesky(evaluate(near).information, p)
        tangent = linalg.solve(factor, c)
        usable = (factor.smallest_pivot > 1e-14) & jnp.all(jnp.isfinite(tangent))
        tangent = jnp.where(usable, tangent, c)
        start = near + tangent * ((value - c @ near) / (c @ tangent))
        end = newton(
            evaluate,
            start_search(start),
            scale,
            INNER_STEPS,
            constraint=constraint,
            null=value[None],
            halving=True,
        )
        at = evaluate(end.coef)
        if method == "lr":
            square = 2.0 * (peak - at.loglik)
        else:
            (half,) = linalg.cholesky(at.information, p, at.score).halves
            square = linalg.dot(half, half)
        # A flat restricted likelihood (its nuisance separated) has reached its supremum too.
        reached = (end.status == Status.CONVERGED) | is_flat(end)
        reached = reached & jnp.isfinite(square)
        return jnp.sqrt(jnp.maximum(square, 0.0)), end.coef, reached

    return statistic


def bracket(statistic, coef, target: Target, width, wanted=True) -> Bound:
    """Interval end by bracketing, from a point (p,) inside the interval; no search if not `wanted`.

    Outward by `width`, growing each time, until the root of the statistic passes
    sqrt(cutoff); then secant steps on the root, with every third one to the middle of the
    bracket. NO_BOUND_FOUND when the statistic never gets there: the caller decides
    whether the end is infinite.
    """
    limit = jnp.sqrt(target.cutoff)
    start = target.contrast @ coef
    zero = jnp.zeros((), coef.dtype)
    begun = jnp.where(wanted, jnp.int32(RUNNING), jnp.int32(Status.NO_BOUND_FOUND))
    far = jnp.asarray(jnp.inf, coef.dtype)
    state = _Bracket(start, zero, start, zero, coef, width, far, begun, jnp.int32(0))
    error_limit, tight_limit = BRACKET_ERRORS[jnp.finfo(coef.dtype).bits]
    neighbouring = 2.0 * float(jnp.finfo(coef.dtype).eps)

    def advance(state: _Bracket) -> _Bracket:
        expanding = state.outside_root < limit
        trial = jnp.where(expanding, state.inside + target.side * state.width, _inner(state, limit))
        root, coef, reached = statistic(trial, state.coef)
        beyond = root >= limit
        inside = jnp.where(beyond, state.inside, trial)
        outside = jnp.where(beyond, trial, state.outside)
        gap = jnp.abs(outside - inside)
        residual = jnp.abs(root - limit)
        tight = ~expanding & (gap <= neighbouring * jnp.maximum(jnp.abs(inside), jnp.abs(outside)))
        done = (residual < error_limit) | (tight & (residual < tight_limit))
        n_steps = state.n_steps + 1
        moved = _Bracket(
            inside,
            jnp.where(beyond, state.inside_root, root),
            outside,
            jnp.where(beyond, root, state.outside_root),
            coef,
            jnp.where(expanding, GROWTH * state.width, state.width),
            residual,
            jnp.where(done, jnp.int32(Status.CONVERGED), jnp.int32(RUNNING)),
            n_steps,
        )
        # A restricted fit that failed says nothing: come closer and try again.
        retry = state._replace(width=0.25 * state.width, n_steps=n_steps)
        return jax.tree.map(lambda a, b: jnp.where(reached, a, b), moved, retry)

    end = jax.lax.while_loop(
        lambda s: (s.status == RUNNING) & (s.n_steps < MAX_BRACKET_STEPS), advance, state
    )
    found = end.status == Status.CONVERGED
    status = jnp.where(found, end.status, jnp.int32(Status.NO_BOUND_FOUND))
    value = jnp.where(found, target.contrast @ end.coef, jnp.nan)
    return Bound(value, end.coef, end.residual, status, end.n_steps)


def _inner(state: _Bracket, limit):
    """Secant point of the root, or the middle on every third step: the bracket must shrink."""
    rise = state.outside_root - state.inside_root
    share = (limit - state.inside_root) / jnp.where(rise > 0, rise, 1.0)
    secant = state.inside + jnp.clip(share, 0.0, 1.0) * (state.outside - state.inside)
    middle = 0.5 * (state.inside + state.outside)
    return jnp.where(state.n_steps % 3 == 2, middle, secant)
