"""Fits of one model under Firth's penalty: quick for almost every model, and careful.

They need no maximum-likelihood fit, which may not exist: l* has a finite maximum whenever X has
full rank. In working coordinates, as all tasks.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp

from jaxlogit.core import hills, linalg, penalty
from jaxlogit.core.abreast import last
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import in_single, weigh
from jaxlogit.core.newton import Search, approach, newton, start_search
from jaxlogit.core.penalty import evaluate, evaluate_augmented
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import PIVOT_LIMIT, UNDECIDED, first_step
from jaxlogit.core.working import Arrays, Problem, problem

APPROACH_STEPS = 10  # with the augmented information: each leaves about a tenth of the error


class Found(NamedTuple):
    """A maximum of the penalised log-likelihood, or none."""

    coef: Array
    user_coef: Array
    status: Array
    n_steps: Array
    loglik: Array
    score_total: Array
    offset_total: Array | None
    correction: Array
    """(p(p+1)/2,) see `likelihood.Jeffreys`."""
    longest_row: Array
    """() how long a row is there, in standard errors of eta: see `hills`."""


def quick_fit(
    arrays: Arrays, coef, max_steps, *, unroll: bool = True, single: bool = False
) -> Found:
    """With the augmented information, then Newton; UNDECIDED without a certificate.

    From `coef` (p,), from 0 where that is nan. With `single` the approach is made in single
    precision.
    """
    model = problem(arrays)
    start, n_first = first_step(model)
    given = jnp.all(jnp.isfinite(coef))
    start, n_first = jnp.where(given, coef, start), jnp.where(given, 0, n_first)

    def from_start(model: Problem, start, n_first, max_steps):
        rows = in_single(model.rows) if single else model.rows
        roughly = partial(evaluate_augmented, rows, unroll=unroll)
        begin = in_single(start) if single else start
        near, n_steps, _ = approach(roughly, begin, jnp.int32(APPROACH_STEPS))
        near = near.astype(start.dtype)
        kept = penalty.correction(model.rows, near, unroll=unroll)
        # Most of it is computed there.
        longest = hills.longest_row(model.rows, near, unroll=unroll)
        at = partial(evaluate, _keep(model, kept), unroll=unroll)
        begun = n_first + n_steps
        search = start_search(near)._replace(n_steps=begun)
        end = newton(at, search, model.scale, begun + max_steps, halving=False)
        return end, kept, longest

    arguments = model, start, n_first, max_steps
    found = last(from_start, *arguments) if model.rows.turned else from_start(*arguments)
    end, kept, longest = found
    done = end.status == Status.CONVERGED
    return _found(model, end, jnp.where(done, end.status, jnp.int32(UNDECIDED)), kept, longest)


def careful_fit(arrays: Arrays, coef, max_steps) -> Found:
    """Newton with halving and the exact curvature; then rank and finiteness.

    From `coef` (p,), from 0 where that is nan.
    """
    model = problem(arrays)
    rows = model.rows
    p = rows.score_total.shape[0]
    zero = jnp.zeros_like(rows.score_total) if rows.offset is None else first_step(model)[0]
    at = partial(evaluate, rows, unroll=False)
    at_start = at(zero)
    start = jnp.where(jnp.all(jnp.isfinite(coef)), coef, zero)
    end = newton(at, start_search(start), model.scale, max_steps, halving=True)
    done = end.status == Status.CONVERGED
    status = jnp.where(done, end.status, jnp.int32(Status.MAX_STEPS))
    total = jnp.ones_like(rows.design[:, 0]) if rows.total is None else rows.total
    pivot = linalg.cholesky(weigh(rows, total, packed=False), p).smallest_pivot
    # A column without length was already set to zero; a dependent one leaves no pivot.
    deficient = (pivot < PIVOT_LIMIT) | jnp.any(jnp.sum(jnp.abs(model.transform), axis=0) == 0)
    status = jnp.where(deficient, jnp.int32(Status.RANK_DEFICIENT), status)
    finite = jnp.isfinite(at_start.loglik) & jnp.all(jnp.isfinite(rows.score_total))
    bad = ~finite & ~deficient
    status = jnp.where(bad, jnp.int32(Status.NONFINITE_INPUT), status)
    kept = penalty.correction(rows, end.coef, unroll=False)
    longest = hills.longest_row(rows, end.coef, unroll=False)
    return _found(model, end, status, kept, longest)


def _keep(model: Problem, correction):
    assert model.rows.jeffreys is not None
    return model.rows._replace(jeffreys=model.rows.jeffreys._replace(correction=correction))


def _found(model: Problem, end: Search, status, correction, longest_row) -> Found:
    rows = model.rows
    value = penalty.loglik(rows, end.coef)
    return Found(
        end.coef, model.transform @ end.coef, status, end.n_steps, value,
        rows.score_total, rows.offset_total, correction, longest_row,
    )  # fmt: skip
