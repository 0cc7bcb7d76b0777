"""Interval ends by bracketing: slow, and independent of any local model of the likelihood.

Works for any statistic: outward from the estimate in growing steps until it exceeds its limit,
then secant steps on its signed root, every third step halving the bracket.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.bounds import Bound, Target
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Evaluation
from jaxlogit.core.newton import RUNNING, Scale, is_flat, newton, start_search
from jaxlogit.core.status import Status

GROWTH = 1.5  # of the outward step: small enough not to jump over a turning point
# Of the signed root, so about as many standard errors, by the bits of a number; the second is
# for a bracket that has shrunk to neighbouring numbers.
BRACKET_ERRORS = {64: (1e-12, 1e-9), 32: (1e-6, 1e-3)}
MAX_BRACKET_STEPS = 120
JUMP, JUMP_GAP = 1e-3, 1e-9  # of the root, over so many first steps
INNER_STEPS = 200


def point_inside(evaluate: Callable[[Array], Evaluation], coef, peak, cutoff, scale: Scale):
    """A point well inside the interval, (p,): the first on Newton's way from 0 with half the drop.

    For a model whose maximum is infinite or far away, and of no use as a start.
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
    inside_coef: Array
    outside: Array
    outside_root: Array
    coef: Array
    width: Array
    residual: Array
    status: Array
    n_steps: Array


def profile_root(
    evaluate: Callable[[Array], Evaluation],
    root: Callable[[Evaluation, Array], Array],
    inside,
    target: Target,
    scale: Scale,
    *,
    warm: bool,
):
    """A function from (b, β near it) to the root of a statistic at c'β = b.

    `root` takes the evaluation at the restricted maximum, and the maximum. Returns root, β there
    and whether the restricted maximum was reached. Each restricted search starts from the last
    one (`warm`), or always from the point `inside`: where the rest of the model may be separated,
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
        value_there = root(evaluate(end.coef), end.coef)
        # A flat restricted likelihood (its nuisance separated) has reached its supremum too.
        reached = (end.status == Status.CONVERGED) | is_flat(end)
        return value_there, end.coef, reached & jnp.isfinite(value_there)

    return statistic


def lr_root(peak):
    """The likelihood-ratio statistic's root, sqrt(2(l(β̂) − l))."""

    def root(at: Evaluation, coef):
        return jnp.sqrt(jnp.maximum(2.0 * (peak - at.loglik), 0.0))

    return root


def score_root(at: Evaluation, coef):
    """The score statistic's root, sqrt(U'I⁻¹U)."""
    (half,) = linalg.cholesky(at.expected, coef.shape[0], at.score).halves
    return jnp.sqrt(jnp.maximum(linalg.dot(half, half), 0.0))


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
    state = _Bracket(start, zero, coef, start, zero, coef, width, far, begun, jnp.int32(0))
    error_limit, tight_limit = BRACKET_ERRORS[jnp.finfo(coef.dtype).bits]
    neighbouring = 2.0 * float(jnp.finfo(coef.dtype).eps)

    def advance(state: _Bracket) -> _Bracket:
        expanding = state.outside_root < limit
        trial = jnp.where(expanding, state.inside + target.side * state.width, _inner(state, limit))
        root, coef, reached = statistic(trial, state.inside_coef)
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
            jnp.where(beyond, state.inside_coef, coef),
            outside,
            jnp.where(beyond, root, state.outside_root),
            coef,
            jnp.where(expanding, GROWTH * state.width, state.width),
            residual,
            jnp.where(done, jnp.int32(Status.CONVERGED), jnp.int32(RUNNING)),
            n_steps,
        )
        # A root that jumps: the point outside is on another, lower hill. Outward again from inside.
        jumped = ~expanding & ~done & (gap <= JUMP_GAP * width)
        jumped = jumped & (moved.outside_root - moved.inside_root > JUMP)
        outward = moved._replace(
            outside=moved.inside, outside_root=moved.inside_root, width=0.25 * moved.width
        )
        moved = jax.tree.map(lambda a, b: jnp.where(jumped, a, b), outward, moved)
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
