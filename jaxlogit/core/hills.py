"""Whether a maximum under Firth's penalty, free or restricted, is the highest one.

l* = l + τ log|I| need not be concave. With c_i = x_i'I⁻¹x_i, W = k·w, w = mu(1 − mu), and v any
direction, W''/W = 1 − 6w and the term of curvature in tr(I⁻¹ ∂I I⁻¹ ∂I) is positive, so that

    −∂²l*/∂v² ≥ Σ W_i (x_i'v)² {1 − τ c_i (1 − 6w_i)}:

l* is concave wherever τR² ≤ 1, R² = max_i c_i. Away from β̂ both change no faster than e-fold
while a row's eta moves by 1, that is, by 1/R standard errors at least. So R, and R times the
standard errors between β̂ and a point, say how far l* may be from one hill; where they are small
a search from β̂ finds the highest maximum, and elsewhere a second search starts from another end.

A free search begins at 0, where every row has its largest weight: near there is the hill on which
a far row keeps it, and pays for that with its residual. Hills on which it has lost it lie farther
out. The way to them is where the penalty counts less, or the row.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core import linalg, penalty, tests
from jaxlogit.core.bounds import Bound
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import (
    Evaluation,
    Rows,
    across,
    along,
    columns,
    in_single,
    leverages,
)
from jaxlogit.core.newton import SLACK, Scale, approach
from jaxlogit.core.penalty import evaluate_augmented
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, problem

ROUNDS = 4  # of searches outward, each on a higher hill
SEARCH_STEPS = 40  # a search near 0 takes 5 to 15; one that takes more says nothing
STEPS = 25  # each leaves about a tenth of the error, near separation a third
FARTHEST = 4.0  # of any linear predictor in one step of a search that may begin far away
ELSEWHERE = (
    np.array([0.0, 0.1, 0.4, 1.0], np.float32),
    np.array([4, 12, 12, 12], np.int32),
    np.array([1.0, 1.0, 1.0, 1e-3], np.float32),
)
"""Where else free searches start: after so many steps from 0 with a share of the penalty and a
share of the longest row. Of 244 models whose search from 0 ended on a lower hill (6 to 65 of 150
data sets with an outlier, or with lognormal or heavy-tailed columns) they led all but 3 to the
highest that any of 31 starts found."""


def longest_row(rows: Rows, coef, *, unroll: bool = True):
    """√(2τ)·R at β, (): R itself for Firth's own strength."""
    assert rows.jeffreys is not None
    information = penalty.evaluate_plainly(rows, coef, unroll=unroll).information
    p = coef.shape[0]
    inverse = linalg.packed_inverse(linalg.cholesky(information, p), p)
    lengths = leverages(rows, inverse)
    if rows.total is not None:
        lengths = jnp.where(rows.total > 0, lengths, 0.0)
    return jnp.sqrt(2.0 * rows.jeffreys.strength * jnp.max(lengths))


def highest_elsewhere(arrays: Arrays, *, unroll: bool = True):
    """The highest of the maxima near which searches end that start elsewhere: β (p,) and l*, ().

    Good to about 1e-5; l* is −∞ where none ended. `arrays` with the response.
    """
    model = problem(arrays)
    rows, successes = in_single(model.rows), in_single(model.successes)
    assert rows.jeffreys is not None
    lengths = jnp.sum(columns(rows) ** 2, axis=0)
    total = jnp.ones_like(lengths) if rows.total is None else rows.total
    longest = jnp.arange(len(lengths)) == jnp.argmax(jnp.where(total > 0, lengths, 0.0))
    strength = rows.jeffreys.strength

    def climb(changed: Rows, start, n_steps):
        at = partial(evaluate_augmented, changed, unroll=unroll)
        return approach(at, start, n_steps, share=partial(_share, rows))

    def one(penalty_share, n_steps, row_share):
        kept = jnp.where(longest, row_share, 1.0)
        changed = rows._replace(
            total=kept * total,
            score_total=across(rows, kept * successes),
            jeffreys=rows.jeffreys._replace(strength=penalty_share * strength),
        )
        start, _, _ = climb(changed, jnp.zeros_like(rows.score_total), n_steps)
        near, _, length = climb(rows, start, jnp.int32(STEPS))
        near = near.astype(model.rows.score_total.dtype)
        height = penalty.evaluate(model.rows, near, unroll=unroll).loglik
        return near, jnp.where(jnp.isfinite(length) & jnp.isfinite(height), height, -jnp.inf)

    coefs, heights = jax.vmap(one)(*ELSEWHERE)
    best = jnp.argmax(heights)
    return coefs[best], heights[best]


def _share(rows: Rows, step):
    """How much of a step moves no linear predictor by more than FARTHEST."""
    moved = jnp.max(jnp.abs(along(rows, step)))
    return jnp.minimum(1.0, FARTHEST / jnp.maximum(moved, jnp.finfo(moved.dtype).tiny))


def other_maxima(arrays: Arrays, coef, peak, nulls, constraints, *, unroll: bool = True):
    """Log-likelihoods and score statistics near restricted maxima, each (h,), from near 0.

    For hypotheses C β = b, (h, q, p) and (h, q). Good to about 1e-5; nan where none was reached.
    """
    model = problem(arrays)
    at = partial(penalty.evaluate, model.rows, unroll=unroll)
    roughly = partial(evaluate_augmented, in_single(model.rows), unroll=unroll)

    def one(constraint, null):
        start = tests.projected_start(constraint, null)
        small = in_single((start, constraint, null))
        near, n_steps, _ = approach(
            roughly, small[0], jnp.int32(STEPS), constraint=small[1], null=small[2]
        )
        restricted = tests.onto(near.astype(start.dtype), constraint, null)
        lr, score = tests.lr_and_score(at, peak, restricted)
        lost = n_steps == STEPS
        return jnp.where(lost, jnp.nan, peak - 0.5 * lr), jnp.where(lost, jnp.nan, score)

    return jax.vmap(one)(constraints @ model.transform, nulls)


def starts(rows: Rows, constraint, null):
    """Starts (2, p) under C β = b: the point nearest 0, and where careful steps lead from there.

    Newton's steps may leap to another hill; those with the augmented information are shorter.
    """
    near_zero = tests.projected_start(constraint, null)
    roughly = partial(evaluate_augmented, rows, unroll=False)
    near, _, _ = approach(roughly, near_zero, jnp.int32(STEPS), constraint=constraint, null=null)
    return jnp.stack([near_zero, near])


def uphill(
    rows: Rows,
    evaluate: Callable[[Array], Evaluation],
    search: Callable[[Array], Bound],
    coef,
    contrast,
    scale: Scale,
) -> Bound:
    """An interval end on the highest hill there, from a start (p,).

    `search` gives the end that it reaches outward from a point. Where another restricted maximum
    with c'β at the end is higher, it goes on from there.
    """
    constraint = contrast[None]

    def advance(state):
        start, _, n_rounds, _ = state
        end = search(start)
        null = linalg.rows_dot(constraint, end.coef)

        def restricted(start):
            other = tests.restricted_maximum(
                evaluate, start, constraint, null, scale, SEARCH_STEPS, halving=True
            )
            found = other.status == Status.CONVERGED
            return other.coef, jnp.where(found, evaluate(other.coef).loglik, -jnp.inf)

        coefs, heights = jax.vmap(restricted)(starts(rows, constraint, null))
        best = jnp.argmax(heights)
        height = evaluate(end.coef).loglik
        higher = heights[best] > height + SLACK * (1.0 + jnp.abs(height))
        return coefs[best], end, n_rounds + 1, (end.status == Status.CONVERGED) & higher

    def going(state):
        return state[3] & (state[2] < ROUNDS)

    zero = jnp.zeros((), coef.dtype)
    nowhere = Bound(zero, coef, zero, jnp.int32(Status.NO_BOUND_FOUND), jnp.int32(0))
    begin = (coef, nowhere, jnp.int32(0), jnp.asarray(True))
    return jax.lax.while_loop(going, advance, begin)[1]
