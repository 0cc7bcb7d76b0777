"""Higher-order inference for one contrast ψ = c'β: the modified signed root r*.

    r* = r + log(q/r)/r,    r = sign(ψ̂ − b)·sqrt(2{l(β̂) − l_p(b)}),
    q = (ψ̂ − b)·{ |I(β̂)| / (|I(β̃)|·c'I(β̃)⁻¹c) }^½,

is standard normal to third order in continuous models; for any c the information of the nuisance
part has determinant |I|·c'I⁻¹c in coordinates that keep ψ, up to a constant that cancels.
Sources: Barndorff-Nielsen (1986), Biometrika 73:307–322, doi:10.1093/biomet/73.2.307; Brazzale,
Davison and Reid (2007), Applied Asymptotics, sections 2.4 and 8.6.
"""

from typing import NamedTuple

import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.bounds import (
    Bound,
    Target,
    Walk,
    combine,
    usable_step,
    walk,
    walk_status,
)
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import (
    Evaluation,
    Rows,
    across,
    evaluate,
    information_derivative,
    leverages,
    linear_predictor,
    row_third_derivative,
)
from jaxlogit.core.newton import PROOF_LIMIT, Scale, curvature_reach


class Top(NamedTuple):
    """What r* needs of the maximum."""

    loglik: Array
    log_determinant: Array
    """() log|I(β̂)|."""
    estimate: Array
    """() ψ̂."""


def top(factor: linalg.Factor, coef, peak, contrast) -> Top:
    """The maximum, from the factor of I(β̂)."""
    return Top(peak, linalg.log_determinant(factor), contrast @ coef)


def modified_root(best: Top, loglik, factor: linalg.Factor, coef, contrast):
    """r* and r at β̃ (p,) with its log-likelihood and the factor of its information."""
    half = linalg.half_solve(factor, contrast)
    gap = best.estimate - contrast @ coef
    root = jnp.sign(gap) * jnp.sqrt(jnp.maximum(2.0 * (best.loglik - loglik), 0.0))
    return root + _adjustment(best, gap, root, factor, linalg.dot(half, half)), root


def outward_root(best: Top, target: Target):
    """∓r* of a restricted maximum, which rises outward on the target's side."""

    def root(at: Evaluation, coef):
        factor = linalg.cholesky(at.information, coef.shape[0])
        value, _ = modified_root(best, at.loglik, factor, coef, target.contrast)
        return -target.side * value

    return root


def _adjustment(best: Top, gap, root, factor: linalg.Factor, variance):
    """log(q/r)/r."""
    change = best.log_determinant - linalg.log_determinant(factor) - jnp.log(variance)
    return (jnp.log(gap / root) + 0.5 * change) / root


def rstar_step(
    rows: Rows, coef, multiplier, best: Top, target: Target, scale: Scale, max_steps, tolerance,
    *, unroll: bool,
) -> Bound:  # fmt: skip
    """Where r* = ∓z: Newton's method on U(β) = −λc and on r*, from a start β and its λ.

    r* falls along the profile path; its gradient has that of log|I|, which is Firth's score.
    """
    p = coef.shape[0]
    c = target.contrast
    wanted = -target.side * jnp.sqrt(target.cutoff)

    def advance(state: Walk) -> Walk:
        at = evaluate(rows, state.coef, unroll=unroll)
        factor = linalg.cholesky(at.information, p, at.score, c)
        slope, half = factor.halves
        tangent, variance = linalg.back_solve(factor, half), linalg.dot(half, half)
        gap = best.estimate - c @ state.coef
        root = -target.side * jnp.sqrt(jnp.maximum(2.0 * (best.loglik - at.loglik), 0.0))
        adjustment = _adjustment(best, gap, root, factor, variance)
        third = row_third_derivative(linear_predictor(rows, state.coef))
        third = third if rows.total is None else rows.total * third
        spread = across(rows, third * leverages(rows, linalg.packed_inverse(factor, p)))
        turn = information_derivative(rows, state.coef, tangent) / variance
        gradient = -at.score / root * (1.0 - (1.0 / root + adjustment) / root)
        gradient = gradient + (0.5 * (turn - spread) - c / gap) / root
        fall = gradient @ tangent
        start = linalg.back_solve(factor, slope)
        new = (wanted - root - adjustment - gradient @ start) / fall
        move = combine(slope, new, half)
        length = jnp.sqrt(linalg.dot(move, move))
        reach, noise = curvature_reach(factor, scale)
        bend = reach * length
        change = jnp.abs(new - state.multiplier) * jnp.sqrt(variance)
        error = bend * length + change * (change + bend)
        proved = (bend + noise < PROOF_LIMIT) & (error < tolerance) & (fall < 0)
        proved = proved & (target.side * new > 0) & (gap * target.side < 0)
        status = walk_status(usable_step(length, factor), proved)
        return Walk(
            state.coef + start + new * tangent, new, length, error, status, state.n_steps + 1
        )

    return walk(advance, coef, multiplier, target, max_steps)
