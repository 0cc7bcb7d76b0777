"""The profile path of a contrast, and the boundary of the joint region of two contrasts.

The profile path β(r) is where l(β) = l(β̂) − r²/2 with U(β) = −λc: the interval end of cutoff
r² for every r > 0, on one side of β̂. It is smooth in r, also through β̂, and points evenly
spaced in r lie closest together where the profile is steep. `quick_path` follows it outward:
each point starts from the polynomial through the last ones, and `bounds.lambda_step` corrects
and certifies it.
Source of the path's equations: Venzon and Moolgavkar (1988), Applied Statistics 37:87–94,
doi:10.2307/2347496; of predicting and correcting along it: Allgower and Georg (1990),
Numerical Continuation Methods, chapter 2, doi:10.1007/978-3-642-61257-2.

The region {b: 2(l(β̂) − l_p(b)) ≤ χ²} of b = Cβ, C (2, p), is convex where l_p is concave. Its
farthest point in a direction u is where the interval of the contrast u'C with that cutoff ends:
`quick_boundary` takes directions evenly spaced in the metric of the Wald covariance of Cβ̂.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import bounds, linalg, tests
from jaxlogit.core.bounds import Bound, Target
from jaxlogit.core.ends import SIDES, end_from_inside
from jaxlogit.core.kinds import Array
from jaxlogit.core.penalty import evaluate, evaluate_plainly, wald_information
from jaxlogit.core.working import Arrays, Problem, problem

POINT_ERROR = 1e-14
"""Standard errors of c'β. The nuisance part's error R d² enters it squared, and beside R d³/6: this
leaves it below 1e-8, where an interval end's tolerance of 1e-11 would leave about 1e-7."""
PREDICTOR = (4.0, -6.0, 4.0, -1.0)
"""Weights of the last points, latest first, in the cubic through them one step on."""


class Point(NamedTuple):
    """A point of a profile path, certified where its status is CONVERGED."""

    user_coef: Array
    """(p,) β in the user's units."""
    status: Array


class Boundary(NamedTuple):
    """A point of a region's boundary, and one of the Wald ellipse, farthest in one direction."""

    value: Array
    """(2,) Cβ."""
    status: Array
    direction: Array
    """(2,) u, of length 1 in the metric of the ellipse."""
    ellipse: Array
    """(2,) the ellipse's point."""


def quick_path(
    arrays: Arrays, coef, peak, contrast, spacing, max_steps, *, points: int, unroll: bool = True
) -> Point:
    """Points at r = spacing, 2·spacing, …, on both sides of β̂; fields (2, points, …)."""
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=unroll)
    working = contrast @ model.transform
    factor = linalg.cholesky(at(coef).information, coef.shape[0])
    roots = spacing * jnp.arange(1.0, points + 1.0, dtype=coef.dtype)
    weights = jnp.asarray(PREDICTOR, coef.dtype)

    def one_side(side):
        first, _ = bounds.wald_start(factor, coef, Target(working, side, spacing**2))
        # As if the path had come along its tangent at β̂.
        back = jnp.arange(len(PREDICTOR), dtype=coef.dtype)
        latest = coef[None, :] - back[:, None] * (first - coef)[None, :]

        def advance(latest, root):
            target = Target(working, side, root**2)
            start = weights @ latest
            found = bounds.lambda_step(at, start, peak, target, model.scale, max_steps, POINT_ERROR)
            return jnp.concatenate([found.coef[None], latest[:-1]]), _point(model, found)

        return jax.lax.scan(advance, latest, roots)[1]

    return jax.vmap(one_side)(jnp.asarray(SIDES, coef.dtype))


def quick_boundary(
    arrays: Arrays, coef, peak, pair, circle, cutoff, max_steps, *, unroll: bool = True
) -> Boundary:
    """Boundary of the region of Cβ, C the `pair` (2, p); fields (points, …).

    `circle` (points, 2) are vectors w of length 1: with LL' the Wald covariance of Cβ̂ the
    directions are L⁻ᵀw, and the Wald ellipse's points farthest in them are Cβ̂ + √χ² L w. Searches
    start by the curvature, which under Firth's penalty is not the information of standard errors.
    """
    model = problem(arrays)
    at = partial(evaluate, model.rows, unroll=unroll)
    working = pair @ model.transform
    p = coef.shape[0]
    factor = linalg.cholesky(at(coef).information, p)
    wald = linalg.cholesky(wald_information(model.rows, coef, unroll=unroll), p)
    inner = tests.constraint_covariance(wald, working)
    small = linalg.cholesky(linalg.pack(inner), 2)

    def one_point(w):
        direction = linalg.back_solve(small, w)
        target = Target(direction @ working, jnp.ones((), coef.dtype), cutoff)
        start, _ = bounds.wald_start(factor, coef, target)
        found = bounds.lambda_step(at, start, peak, target, model.scale, max_steps, POINT_ERROR)
        ellipse = working @ coef + jnp.sqrt(cutoff) * (inner @ direction)
        return Boundary(working @ found.coef, found.status, direction, ellipse)

    return jax.vmap(one_point)(circle)


def null_metric(arrays: Arrays, pair, *, unroll: bool = True):
    """C I(0)⁻¹ C' for the `pair` C (2, p), with the trials and without the offset, (2, 2).

    An offset far from 0 would leave nothing of the information.
    """
    model = problem(arrays)
    start = jnp.zeros(model.transform.shape[1], model.transform.dtype)
    rows = model.rows._replace(offset=None)
    information = evaluate_plainly(rows, start, unroll=unroll).information
    factor = linalg.cholesky(information, start.shape[0])
    return tests.constraint_covariance(factor, pair @ model.transform)


def point_from_inside(arrays: Arrays, coef, peak, contrast, side, cutoff) -> Point:
    """Where c'β ends for one cutoff, of a model without a finite maximum, quickly."""
    return _point(
        problem(arrays), end_from_inside(arrays, coef, peak, contrast, side, cutoff, method="lr")
    )


def _point(model: Problem, found: Bound) -> Point:
    return Point(model.transform @ found.coef, found.status)
