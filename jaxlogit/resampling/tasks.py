"""What the device does for one replicate: draw it, fit it, give its standard errors."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import firth, linalg, resample, sandwich, tasks
from jaxlogit.core.abreast import last
from jaxlogit.core.likelihood import (
    across,
    columns,
    in_single,
    linear_predictor,
    row_derivatives,
    weigh,
)
from jaxlogit.core.newton import newton_step
from jaxlogit.core.resample import Layout, Source
from jaxlogit.core.working import Arrays, problem


class Found(NamedTuple):
    """Where the fit of a replicate ended; UNDECIDED without a certificate."""

    coef: Any
    user_coef: Any
    status: Any


def _replicate(arrays: Arrays, source: Source, number, layout: Layout, weighs: bool) -> Arrays:
    """The data of one replicate."""
    if not weighs:
        return arrays._replace(y=resample.outcomes(source, number, layout))
    weights = resample.row_weights(source, number, layout)
    return arrays._replace(weights=weights if arrays.weights is None else weights * arrays.weights)


def quick_fit(lane, shared, *, layout, weighs, unroll, single):
    """A fit by maximum likelihood from a start (p,), in working coordinates."""
    arrays, source, budget = shared
    number, start = lane
    found = tasks.quick_fit(
        _replicate(arrays, source, number, layout, weighs), start, budget,
        unroll=unroll, single=single,
    )  # fmt: skip
    return Found(found.coef, found.user_coef, found.status)


def first_fit(number, shared, *, layout, weighs, unroll, single):
    """A fit by maximum likelihood from the estimate of the data, which all replicates share."""
    arrays, source, start, budget = shared

    def from_estimate(replicate: Arrays):
        replicate = _with_score(replicate) if weighs else replicate
        begin = _after_a_free_step(replicate, start, unroll)
        found = tasks.quick_fit(replicate, begin, budget, unroll=unroll, single=single)
        return Found(found.coef, found.user_coef, found.status)

    return last(from_estimate, _replicate(arrays, source, number, layout, weighs))


def _with_score(replicate: Arrays) -> Arrays:
    """With X's as (X'·y)w, for replicates that share y: without an array of weighted outcomes."""
    across_rows, y = replicate.columns, replicate.y
    if across_rows is None or replicate.own is not None or replicate.offset is not None:
        return replicate
    weighed = (across_rows * jnp.asarray(y, across_rows.dtype)[None, :]) @ replicate.weights
    return replicate._replace(score_total=weighed, y=None)


def _after_a_free_step(replicate: Arrays, start, unroll: bool):
    """After one Newton step from a start (p,) that all replicates share.

    There they share the fitted probabilities too: the step takes neither exponentials nor Xβ.
    """
    rows = in_single(problem(replicate).rows)
    p = start.shape[0]
    mu, curvature = row_derivatives(linear_predictor(rows, in_single(start)))
    packed = unroll and linalg.unrolls(p)
    if rows.total is not None and rows.shared and packed:  # without a row array of the replicate
        score = rows.score_total - (columns(rows) * mu[None, :]) @ rows.total
        information = (rows.products * curvature[None, :]) @ rows.total
    else:
        total = jnp.ones_like(mu) if rows.total is None else rows.total
        score = rows.score_total - across(rows, total * mu)
        information = weigh(rows, total * curvature, packed)
    step, _ = newton_step(linalg.cholesky(information, p, score))
    moved = start + linalg.vector(step).astype(start.dtype)
    return jnp.where(jnp.all(jnp.isfinite(moved)), moved, start)


def quick_firth(number, shared, *, layout, weighs, unroll, single):
    """A fit under Firth's penalty; UNDECIDED too where it may have several maxima."""
    arrays, source, max_steps, one_hill = shared
    replicate = _replicate(arrays, source, number, layout, weighs)
    from_zero = jnp.full(arrays.transform.shape[0], jnp.nan)
    found = firth.quick_fit(replicate, from_zero, max_steps, unroll=unroll, single=single)
    several = found.longest_row > one_hill
    return Found(found.coef, found.user_coef, jnp.where(several, tasks.UNDECIDED, found.status))


def drawn(number, source, *, layout, draw):
    """What the replicate draws."""
    return draw(source, number, layout)


def step(number, shared, *, layout):
    """The estimate and one Newton step on scores with random multipliers, (p,)."""
    source, estimate, influence = shared
    multipliers = resample.unit_weights(source, number, layout)
    # Computed with replicates last, and turned once: else XLA turns the product's operands around.
    change = last(lambda drawn: jax.lax.optimization_barrier(influence @ drawn), multipliers)
    return estimate + change


def std_error(lane, shared, *, layout, weighs, function, unroll):
    """Standard errors (q,) of a function of the coefficients by the delta method."""
    number, user_coef, coef = lane
    arrays, source, contrasts = shared
    replicate = _replicate(arrays, source, number, layout, weighs)
    slopes = jax.jacfwd(function)(user_coef, contrasts)
    if source.unit is None:
        return tasks.std_error(replicate, coef, slopes, unroll=unroll)
    clustered = sandwich.Layout("CR0", layout.n_units)
    units = _clusters(source, number, layout)
    return sandwich.std_error(replicate, coef, units, slopes, layout=clustered, unroll=unroll)


def covariance(lane, shared, *, layout, weighs, unroll):
    """The covariance of the user's coefficients, (p, p)."""
    number, coef = lane
    arrays, source = shared
    replicate = _replicate(arrays, source, number, layout, weighs)
    if source.unit is None:
        return tasks.covariance(replicate, coef, unroll=unroll)
    clustered = sandwich.Layout("CR0", layout.n_units)
    units = _clusters(source, number, layout)
    return sandwich.covariance(replicate, coef, units, layout=clustered, unroll=unroll)


def _clusters(source: Source, number, layout: Layout) -> sandwich.Units:
    """A cluster drawn w times is w of them: their squares add up to a w-th of its square."""
    weights = resample.unit_weights(source, number, layout)
    copies = jnp.where(weights > 0, 1.0 / jnp.where(weights > 0, weights, 1.0), 0.0)
    one = jnp.ones(())
    return sandwich.Units(one > 0, copies, one, source.unit)
