"""Wald, likelihood-ratio and score tests of C β = b for one model.

With β̂ the maximum, β̃ the maximum under C β = b and q the rows of C:

    Wald   (Cβ̂ − b)' {C I(β̂)⁻¹ C'}⁻¹ (Cβ̂ − b),
    LR     2{l(β̂) − l(β̃)},
    score  U(β̃)' I(β̃)⁻¹ U(β̃),

each compared with chi-square on q degrees of freedom.
Source: Cox and Hinkley (1974), Theoretical Statistics, section 9.3.
"""

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.newton import Scale, Search, newton, start_search


def wald_statistic(factor: linalg.Factor, constraint, gap):
    """The Wald statistic from the information's factor, C (q, p) and Cβ̂ − b (q,)."""
    inner = constraint_covariance(factor, constraint)
    half = linalg.half_solve(linalg.small_factor(inner), gap)
    return linalg.dot(half, half)


def constraint_covariance(factor: linalg.Factor, constraint):
    """C I⁻¹ C', (q, q)."""
    halves = [linalg.half_solve(factor, constraint[i]) for i in range(constraint.shape[0])]
    return jnp.stack([jnp.stack([linalg.dot(a, b) for b in halves]) for a in halves])


def tangent_start(factor: linalg.Factor, coef, constraint, null):
    """β̂ moved onto C β = b along the tangent of the profile path, (p,)."""
    columns = [linalg.solve(factor, row) for row in constraint]
    inner = jnp.stack([linalg.rows_dot(constraint, column) for column in columns])
    gap = null - linalg.rows_dot(constraint, coef)
    share = linalg.solve(linalg.small_factor(inner), gap)
    return coef + sum(share[i] * column for i, column in enumerate(columns))


def projected_start(constraint, null):
    """The point of C β = b nearest to 0, (p,)."""
    inner = constraint @ constraint.T
    return linalg.solve(linalg.small_factor(inner), null) @ constraint


def onto(coef, constraint, null):
    """The point of C β = b nearest to β, (p,)."""
    gap = null - linalg.rows_dot(constraint, coef)
    inner = jnp.stack([linalg.rows_dot(constraint, row) for row in constraint])
    share = linalg.solve(linalg.small_factor(inner), gap)
    return coef + sum(share[i] * row for i, row in enumerate(constraint))


def restricted_maximum(
    evaluate, start, constraint, null, scale: Scale, max_steps, *, halving: bool, height=False,
    loop=jax.lax.while_loop,
) -> Search:  # fmt: skip
    """β̃: the maximum under C β = b from a start that satisfies it."""
    return newton(
        evaluate, start_search(start), scale, max_steps,
        constraint=constraint, null=null, halving=halving, height=height, loop=loop,
    )  # fmt: skip


def lr_and_score(evaluate, peak, restricted):
    """The likelihood-ratio and the score statistic at β̃ (p,), given l(β̂)."""
    at = evaluate(restricted)
    if at.expected.ndim == 2:
        return 2.0 * (peak - at.loglik), linalg.pseudo_length(at.expected, at.score)
    (half,) = linalg.cholesky(at.expected, len(restricted), at.score).halves
    return 2.0 * (peak - at.loglik), linalg.dot(half, half)
