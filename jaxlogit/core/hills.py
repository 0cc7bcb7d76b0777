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

Restricted far from β̂, a few rows may have all information, and hills differ by which. There
searches start far out in all directions. On a saddle between two hills none may stay.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core import linalg, penalty, tests
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Rows, across, along, columns, in_single, leverages
from jaxlogit.core.newton import approach
from jaxlogit.core.penalty import evaluate_augmented
from jaxlogit.core.working import Arrays, problem

STEPS = 25  # each leaves about a tenth of the error, near separation a third
FLAT = 1e-8  # of the largest curvature: what rounding and separation leave
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


FAR, FAR_STEPS = (8.0, 16.0), 15
FAR_SHARES = np.array([0.1, 1.0, 0.3, 1.0], np.float32)
FAR_FIRST_STEPS = np.array([12, 0, 8, 0], np.int32)
"""Restricted searches start at the point nearest 0 and so far from a first maximum, along each axis
both ways (root mean square of the linear predictors), with a share of the penalty in their first
steps. Of 100 ends on a lower hill (of 19,920, four coefficients, 15 to 60 rows) they lead past 99;
the first start alone past 56, as many random ones past 86."""
STRETCHES, STRETCH_STEPS = 9, 6
LEFT = (1.0 - 2.0 ** np.arange(1.0 - STRETCHES, 1.0)).astype(np.float32)
GROWTH = np.array([0.0, 1.0] + (STRETCHES - 2) * [2.0], np.float32)
"""The stretches of a walk: what is left of the way after each, and the length of each in units of
the last one; the first begins where it stands."""


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


class Maximum(NamedTuple):
    """What is near a restricted maximum; where no search ended, l* is −∞ or nan."""

    coef: Array
    loglik: Array
    score: Array
    """() the score statistic."""
    longest_row: Array


def near_maximum(arrays: Arrays, peak, constraint, null, near, *, unroll: bool = True) -> Maximum:
    """The restricted maximum under C β = b, (q, p) and (q,), to which a search from `near` leads.

    Good to about 1e-5; statistics are nan where none was reached, and on a saddle.
    """
    model = problem(arrays)
    constraint = constraint @ model.transform
    at = partial(penalty.evaluate, model.rows, unroll=unroll)
    rows, narrow_c, narrow_b, near = in_single((model.rows, constraint, null, near))
    roughly = partial(evaluate_augmented, rows, unroll=unroll)
    start = tests.onto(near, narrow_c, narrow_b)
    near, n_steps, _ = approach(
        roughly, start, jnp.int32(STEPS), constraint=narrow_c, null=narrow_b
    )
    near, p = tests.onto(near.astype(constraint.dtype), constraint, null), len(near)
    lr, score = tests.lr_and_score(at, peak, near)
    bent = penalty.within(penalty.curvature(model.rows, near, unroll=unroll), constraint)
    bent = linalg.pack(bent) if unroll and linalg.unrolls(p) else bent
    lost = (n_steps == STEPS) | ~(linalg.cholesky(bent, p).smallest_pivot > 0)
    loglik, score = (jnp.where(lost, jnp.nan, a) for a in (peak - 0.5 * lr, score))
    return Maximum(near, loglik, score, longest_row(model.rows, near, unroll=unroll))


def far_searches(p: int) -> int:
    """How many searches `far_maximum` makes."""
    return 2 + 2 * p * len(FAR)


def far_maximum(arrays: Arrays, coef, constraint, null, near, *, unroll: bool = True):
    """The highest of the maxima under C β = b near which searches end that start far from `near`.

    Where a few rows have all information the choice of them makes hills. One search comes from β̂
    along the profile. β (p,), good to about 1e-5, and l*, (); −∞ where no search ended.
    """
    rows, transform = problem(arrays)[:2]
    assert rows.jeffreys is not None
    constraint = constraint @ transform
    small, narrow_c, narrow_b, estimate, near = in_single((rows, constraint, null, coef, near))
    strength, p = small.jeffreys.strength, len(near)

    def climb(state, phase):
        share, n_steps = phase
        changed = small._replace(jeffreys=small.jeffreys._replace(strength=share * strength))
        coef, _, length = approach(
            partial(evaluate_augmented, changed, unroll=unroll), state[0], n_steps,
            constraint=narrow_c, null=narrow_b, share=partial(_share, small),
        )  # fmt: skip
        return (coef, length), None

    def one(start, share, n_steps):
        phases = jnp.stack([share, 1.0]), jnp.stack([n_steps, FAR_STEPS])
        (end, length), _ = jax.lax.scan(climb, (start, jnp.zeros_like(start[0])), phases)
        end = tests.onto(end.astype(constraint.dtype), constraint, null)
        height = evaluate_augmented(rows, end, unroll=unroll).loglik
        return end, jnp.where(jnp.isfinite(length) & jnp.isfinite(height), height, -jnp.inf)

    axes = jnp.eye(p, dtype=near.dtype) - penalty.projection(narrow_c)
    moved = jax.vmap(partial(along, small))(axes)
    total = jnp.ones_like(moved[0]) if small.total is None else small.total
    size = jnp.sqrt(moved**2 @ total / jnp.sum(total))
    axes = axes / jnp.maximum(size, 1e-3)[:, None]
    origin = tests.projected_start(narrow_c, narrow_b)
    walked = _along_profile(small, estimate, narrow_c, narrow_b, unroll=unroll)
    starts = [
        origin[None],
        walked[None],
        *(near[None] + far * jnp.concatenate([axes, -axes]) for far in FAR),
    ]
    many = [len(part) for part in starts]
    shares, n_steps = (np.repeat(part, many) for part in (FAR_SHARES, FAR_FIRST_STEPS))
    coefs, heights = jax.vmap(one)(jnp.concatenate(starts), shares, n_steps)
    best = jnp.argmax(heights)
    return coefs[best], heights[best]


def _along_profile(rows: Rows, coef, constraint, null, *, unroll: bool):
    """Where the path of restricted maxima from β̂ leads at C β = b, nearly, (p,).

    Each stretch is as long as all before it, and begins on the line through the last two places.
    """
    gap = null - constraint @ coef
    at, share = partial(evaluate_augmented, rows, unroll=unroll), partial(_share, rows)

    def stretch(places, step):
        before, last = places
        left, growth = step
        here = null - left * gap
        start = tests.onto(last + growth * (last - before), constraint, here)
        end, _, _ = approach(
            at, start, jnp.int32(STRETCH_STEPS), constraint=constraint, null=here, share=share
        )
        return (last, end), None

    return jax.lax.scan(stretch, (coef, coef), (LEFT, GROWTH))[0][1]


def beside_saddle(rows: Rows, coef, constraint):
    """One standard error from β where within the constraint l* curves up most; β if nowhere.

    Two maxima of one height, as data with a symmetry have them, leave a saddle between them, to
    which searches come along the symmetry and stay.
    """
    curvature = penalty.curvature(rows, coef, unroll=False)
    bends, directions = jnp.linalg.eigh(penalty.within(curvature, constraint))
    upward = directions[:, 0]
    information = penalty.evaluate_plainly(rows, coef, unroll=False).information
    step = upward / jnp.sqrt(upward @ information @ upward)
    saddle = (bends[0] < -FLAT * bends[-1]) & jnp.all(jnp.isfinite(step))
    return jnp.where(saddle, coef + step, coef)
