"""Derivatives of what a search finds, with respect to the data, by the implicit function theorem.

A search ends where equations hold, whatever way it took: only they are differentiated. With H
the information and U the score, both at the point found,

    maximum:            U(β; D) = 0                              dβ = H⁻¹ dU,
    point on a profile: U(β; D) + λc = 0 and e(β, λ; D) = 0      dβ = H⁻¹(dU + λdc) + dλ·H⁻¹c,

where dU is the change of the score with the data D (design, successes, trials, weights, offset)
at fixed β, and dλ is what keeps e at 0. The second covers the ends of likelihood-ratio
intervals, e = l(β) − l₀, those of score intervals, e = λ²·c'H⁻¹c − χ², and maxima under c'β = b,
e = c'β − b. For the first of these c'dβ = {dl₀ − dl(β) at fixed β}/(−λ): −λ is the slope of the
profile log-likelihood. The rules are made of differentiable operations and linear in the tangents,
so that forward and reverse mode, `jit`, `vmap` and higher derivatives all work.
Source: Krantz and Parks (2013), The Implicit Function Theorem, doi:10.1007/978-1-4614-5981-1.

A model without a result must not spoil its neighbours' derivatives, not even in reverse mode
through data that they share. Its data are replaced by zeros (`known`) before anything is computed
with them, and its results by nan at the very end.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import likelihood, linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Evaluation, Rows
from jaxlogit.core.working import Arrays


class Model(NamedTuple):
    """One model's data, and coordinates in which to solve for its coefficients."""

    data: Arrays
    """In the user's units."""
    transform: Array
    """(p, p) T, held fixed: it chooses coordinates, and the results do not depend on them."""
    ok: Array
    """() bool: whether there is a result to differentiate."""


class Point(NamedTuple):
    """A point of a profile path, where U(β) = −λc."""

    coef: Array
    """(p,) working β."""
    multiplier: Array
    """() λ."""


@jax.custom_jvp
def known(ok, value, other):
    """`value` where `ok`, else the number `other`.

    The derivative of `other` is nan for any change of `value` but none: a cotangent of 0, as
    from a result that is masked out, goes back as 0.
    """
    return jnp.where(ok, value, jnp.asarray(other, value.dtype))


@known.defjvp
def _known_jvp(primals, tangents):
    return known(*primals), _nan_unless_zero(primals[0], tangents[1])


def _nan_unless_zero(ok, tangent):
    """The tangent where `ok`; else 0 for 0 and nan for the rest, forwards and backwards.

    Linear, so that JAX can transpose it: all but 0 overflows to infinity, and ∞ − ∞ is nan.
    """
    dtype = tangent.dtype
    huge = jnp.where(ok, jnp.ones((), dtype), jnp.finfo(dtype).max)
    gone = jnp.where(ok, jnp.zeros((), dtype), jnp.ones((), dtype))
    large = tangent * huge * huge
    return (large - large * gone) * huge * huge


def rows(model: Model) -> Rows:
    """The rows in working coordinates, differentiable with respect to all of the data."""
    data = model.data
    assert data.design is not None and data.y is not None
    design = data.design @ model.transform
    successes = data.y if data.weights is None else data.weights * data.y
    total = jnp.ones_like(data.y) if data.trials is None else data.trials
    total = total if data.weights is None else data.weights * total
    offset_total = None if data.offset is None else successes @ data.offset
    return Rows(
        design, successes @ design, columns=design.T, total=total,
        offset=data.offset, offset_total=offset_total,
    )  # fmt: skip


def evaluate(model: Model, coef) -> Evaluation:
    """Log-likelihood, score and (p, p) information at working β; identity without a result."""
    at = likelihood.evaluate(rows(model), coef, unroll=False)
    identity = jnp.eye(coef.shape[0], dtype=coef.dtype)
    return at._replace(information=jnp.where(model.ok, at.information, identity))


def variance(model: Model, coef, contrast):
    """c'I(β)⁻¹c for a working contrast, ()."""
    factor = linalg.cholesky(evaluate(model, coef).information, coef.shape[0])
    half = linalg.half_solve(factor, contrast)
    return linalg.dot(half, half)


@jax.custom_jvp
def maximum(model: Model, found):
    """β̂ (p,) as a function of the data: the one that a search `found`."""
    return found


@maximum.defjvp
def _maximum_jvp(primals, tangents):
    model, found = primals
    coef = maximum(model, found)
    change = jax.jvp(lambda m: evaluate(m, coef).score, (model,), (tangents[0],))[1]
    factor = linalg.cholesky(evaluate(model, coef).information, coef.shape[0])
    return coef, linalg.solve(factor, change)


Equation = Callable[[Model, Point, Array, Array], Array]


def likelihood_equation(model: Model, point: Point, contrast, limit):
    """l(β) − l₀: the end of a likelihood-ratio interval, with the limit l₀."""
    return likelihood.loglik(rows(model), point.coef) - limit


def score_equation(model: Model, point: Point, contrast, limit):
    """λ²·c'I(β)⁻¹c − χ²: the end of a score interval, with the limit χ²."""
    return point.multiplier**2 * variance(model, point.coef, contrast) - limit


def constraint_equation(model: Model, point: Point, contrast, limit):
    """c'β − b: the maximum under a hypothesis, with the limit b."""
    return contrast @ point.coef - limit


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def on_profile(equation: Equation, model: Model, contrast, limit, found: Point) -> Point:
    """The point of the profile path where an equation holds: the one that a search `found`."""
    return found


@on_profile.defjvp
def _on_profile_jvp(equation, primals, tangents):
    model, contrast, limit, found = primals
    moved = tangents[:3]
    point = on_profile(equation, model, contrast, limit, found)

    def stationary(m, c):
        return evaluate(m, point.coef).score + point.multiplier * c

    change = jax.jvp(stationary, (model, contrast), moved[:2])[1]
    factor = linalg.cholesky(evaluate(model, point.coef).information, contrast.shape[0])
    along, shift = linalg.solve(factor, contrast), linalg.solve(factor, change)
    one = jnp.ones_like(point.multiplier)
    slope = jax.jvp(lambda at: equation(model, at, contrast, limit), (point,),
                    (Point(along, one),))[1]  # fmt: skip
    drift = jax.jvp(lambda m, c, b, at: equation(m, at, c, b), (model, contrast, limit, point),
                    (*moved, Point(shift, 0.0 * one)))[1]  # fmt: skip
    turn = -drift / jnp.where(model.ok, slope, one)
    return point, Point(shift + turn * along, turn)
