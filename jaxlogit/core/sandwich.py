"""The sandwich covariance of one model, and the tests that stand on it.

With A = I(β)⁻¹ the bread and u_g the scores of G independent units (rows, or clusters of rows),

    V = A M A,     M = f·Σ u_g u_g',     C V C' = f·Z Z',  Z = (C A u_1, …, C A u_G),

f a factor for the number of units. Only Z, (q, G), is ever formed: a contrast about which no
unit says anything then keeps its 0 where a difference of products would leave rounding.

    Wald    (Cβ̂ − b)' {C V C'}⁻¹ (Cβ̂ − b) at the maximum β̂,
    score   U'A C' {C V C'}⁻¹ C A U, all of it at the maximum β̃ under Cβ = b.

The score statistic is the Wald statistic of the one Newton step β̃ + A U from β̃, where Cβ̃ = b:
it is the same for C and for every KC with K invertible, and for C a part of the coefficients
it is Boos's generalised score statistic, since U vanishes in the others.
Source: White (1982), Econometrica 50:1–25, doi:10.2307/1912526; Boos (1992), The American
Statistician 46:327–333, doi:10.1080/00031305.1992.10475921.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import influence, linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import columns, linear_predictor
from jaxlogit.core.penalty import evaluate
from jaxlogit.core.tasks import PIVOT_LIMIT
from jaxlogit.core.tests import constraint_covariance
from jaxlogit.core.working import Arrays, Problem, problem

VANISHED = 1e-18  # of the model-based variance: what is below is what the search left of a 0
SPARE_POWER = {"HC2": 1, "HC3": 2}
"""By which power of 1 − leverage a row's squared residual is divided."""


class Units(NamedTuple):
    """What makes up the independent units of one model."""

    frequency: Array
    """() bool: whether a row of weight a stands for a equal rows."""
    factor: Array
    """() f, or (G,) a factor for each cluster; nan where there are too few units."""
    count: Array
    """() how many units there are."""
    codes: Array | None = None
    """(n,) the cluster of each row, from 0."""


class Layout(NamedTuple):
    """What is compiled in: the kind, and room for so many clusters."""

    kind: str
    n_clusters: int


class Compared(NamedTuple):
    """Statistics (h,) of hypotheses, and where their covariance is singular."""

    statistic: Array
    singular: Array


def covariance(arrays: Arrays, coef, units: Units, *, layout: Layout, unroll=True):
    """V of the user's coefficients, (p, p); nan for those about which no unit says anything."""
    every = jnp.eye(coef.shape[0], dtype=coef.dtype)
    parts = _parts(arrays, coef, units, every, layout=layout, unroll=unroll)
    known = parts.known[:, None] & parts.known[None, :]
    return jnp.where(known, parts.scores @ parts.scores.T, jnp.nan)


def std_error(arrays: Arrays, coef, units: Units, contrasts, *, layout: Layout, unroll=True):
    """sqrt(c'Vc) of contrasts (q, p), (q,); nan where no unit says anything."""
    parts = _parts(arrays, coef, units, contrasts, layout=layout, unroll=unroll)
    variance = jnp.sum(parts.scores**2, axis=1)
    return jnp.where(parts.known, jnp.sqrt(variance), jnp.nan)


def wald(
    arrays: Arrays, coef, units: Units, constraints, nulls, *, layout: Layout, unroll=True
) -> Compared:
    """Wald tests of hypotheses (h, q, p) at values (h, q)."""
    h, q, p = constraints.shape
    rows = constraints.reshape(h * q, p)
    parts = _parts(arrays, coef, units, rows, layout=layout, unroll=unroll)
    gaps = nulls - (parts.contrasts @ coef).reshape(h, q)

    def one(contrasts, scores, gap):
        return _compare(parts.factor, contrasts, scores, gap, units)

    shaped = parts.contrasts.reshape(h, q, p), parts.scores.reshape(h, q, -1)
    return jax.vmap(one)(*shaped, gaps)


def score(
    arrays: Arrays, units: Units, restricted, constraints, *, layout: Layout, unroll=True
) -> Compared:
    """Generalised score tests of hypotheses (h, q, p) from their restricted maxima (h, p)."""
    model = problem(arrays)

    def one(constraint, coef):
        at = evaluate(model.rows, coef, unroll=unroll)
        factor = linalg.cholesky(at.expected, coef.shape[0])
        directions = jnp.stack([linalg.solve(factor, row) for row in constraint])
        spread = _unit_scores(arrays, model, coef, factor, directions, units, layout)
        return _compare(factor, constraint, spread, directions @ at.score, units)

    return jax.vmap(one)(constraints @ model.transform, restricted)


class _Parts(NamedTuple):
    factor: linalg.Factor
    contrasts: Array
    """(q, p) in working coordinates."""
    scores: Array
    """(q, G) √f·Z."""
    known: Array
    """(q,) whether the units say anything about the contrast."""


def _parts(arrays, coef, units, contrasts, *, layout: Layout, unroll) -> _Parts:
    """What covariances and Wald tests at a maximum are made of."""
    model = problem(arrays)
    at = evaluate(model.rows, coef, unroll=unroll)
    working = contrasts @ model.transform
    factor = linalg.cholesky(at.expected, coef.shape[0], *working)
    directions = jnp.stack([linalg.back_solve(factor, half) for half in factor.halves])
    scores = _unit_scores(arrays, model, coef, factor, directions, units, layout)
    model_based = jnp.stack([linalg.dot(half, half) for half in factor.halves])
    known = jnp.sum(scores**2, axis=1) > VANISHED * model_based
    return _Parts(factor, working, scores, known)


def _unit_scores(arrays, model: Problem, coef, factor, directions, units, layout):
    """√f·d'u_g for directions (q, p): (q, G), or (q, n) where the rows are the units.

    A row of frequency a is a equal units: the squares of its a residuals e/a add up to e²/a, and
    each has a share 1/a of its leverage. A row of leverage 1 has residual 0 whatever was
    observed, and adds nothing to any kind (the Moore–Penrose inverse of 1 − h).
    """
    eta = linear_predictor(model.rows, coef)
    residual = influence.row_residual(model, eta)
    along = directions @ columns(model.rows)
    root = jnp.sqrt(units.factor)
    if units.codes is not None:
        summed = jax.ops.segment_sum((along * residual[None, :]).T, units.codes, layout.n_clusters)
        return jnp.atleast_1d(root)[None, :] * summed.T
    copies = jnp.ones_like(residual)
    if arrays.weights is not None:
        weights = jnp.asarray(arrays.weights, residual.dtype)
        copies = jnp.where(units.frequency & (weights > 0), weights, 1.0)
    square_scale = 1.0 / copies
    if layout.kind in SPARE_POWER:
        spare = 1.0 - influence.leverage(model, factor, eta) / copies
        kept = spare > influence.SPARE
        divisor = jnp.where(kept, spare, 1.0) ** SPARE_POWER[layout.kind]
        square_scale = jnp.where(kept, square_scale / divisor, 0.0)
    return root * along * (residual * jnp.sqrt(square_scale))[None, :]


def _compare(factor, contrasts, scores, gap, units: Units) -> Compared:
    """gap'{ZZ'}⁻¹gap, in contrasts whose model-based covariance C A C' is the identity.

    There a number below VANISHED is a 0, whatever the units of C. With no more units than
    constraints the statistic would not depend on the data.
    """
    model_based = linalg.small_factor(constraint_covariance(factor, contrasts))
    spread = linalg.vector(linalg.half_solve(model_based, scores))
    middle = linalg.small_factor(spread @ spread.T)
    half = linalg.half_solve(middle, linalg.half_solve(model_based, gap))
    enough = jnp.min(jnp.sum(spread**2, axis=1)) > VANISHED
    regular = enough & (middle.smallest_pivot > PIVOT_LIMIT)
    regular = regular & (units.count > gap.shape[0])
    return Compared(linalg.dot(half, half), ~regular)
