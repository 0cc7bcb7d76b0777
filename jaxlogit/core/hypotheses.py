"""Tests of hypotheses C β = b of one model as whole tasks: quick for almost every one, and careful.

As in `tasks`: they take `Arrays` and give coefficients in working coordinates. The statistics are
in `tests`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import hills, linalg, tests
from jaxlogit.core.abreast import abreast
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import in_single
from jaxlogit.core.newton import NEAR, VERY_NEAR, approach, is_flat
from jaxlogit.core.penalty import evaluate, evaluator
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import SINGLE_STEPS, UNDECIDED
from jaxlogit.core.windows import windowed
from jaxlogit.core.working import Arrays, problem

SPENT = 1e-10  # squared decrement at which a failed search had nothing left to gain


class Tested(NamedTuple):
    """Likelihood-ratio and score statistics of one hypothesis, and how they were reached."""

    lr: Array
    score: Array
    coef: Array
    loglik: Array
    status: Array


def quick_tests(
    arrays: Arrays,
    coef,
    peak,
    constraints,
    nulls,
    max_steps,
    *,
    unroll: bool = True,
    single: bool = False,
    height: bool = False,
    width: int | None = None,
) -> Tested:
    """Restricted maxima of hypotheses C β = b, (h, q, p) and (h, q), from the tangent.

    With `single` the first steps are made in single precision. With `height` the likelihood
    ratio alone is found, sooner. `width`: see `windows`.
    """
    model = problem(arrays)
    best = evaluate(model.rows, coef, unroll=unroll)
    loop = windowed(width if model.rows.shared else None)

    def one_test(common, own):
        rows, scale, information, coef, peak, max_steps = common
        constraint, null = own
        at = partial(evaluate, rows, unroll=unroll)
        factor = linalg.cholesky(information, coef.shape[0])
        start = tests.tangent_start(factor, coef, constraint, null)
        if single and constraint.shape[0] < coef.shape[0]:
            roughly = partial(evaluate, in_single(rows), unroll=unroll)
            small = in_single((start, constraint, null))
            near, _, length = approach(
                roughly, small[0], jnp.int32(SINGLE_STEPS), constraint=small[1], null=small[2],
                near=NEAR if scale.slow is None else VERY_NEAR, loop=loop,
            )  # fmt: skip
            start = tests.onto(near.astype(start.dtype), constraint, null)
            if scale.slow is not None:
                scale = scale._replace(slow=length.astype(start.dtype))
        return _tested(
            at, scale, peak, start, constraint, null, max_steps, halving=False, height=height,
            loop=loop,
        )  # fmt: skip

    common = (model.rows, model.scale, best.information, coef, peak, max_steps)
    own = constraints @ model.transform, nulls
    if model.rows.shared:
        return abreast(one_test, common, own)
    return jax.vmap(partial(one_test, common))(own)


def careful_test(arrays: Arrays, peak, constraint, null, max_steps) -> Tested:
    """One restricted maximum, with halving, from the point of C β = b nearest to 0."""
    model = problem(arrays)
    working = constraint @ model.transform
    at, start = partial(evaluate, model.rows, unroll=False), tests.projected_start(working, null)
    return _tested(at, model.scale, peak, start, working, null, max_steps, halving=True)


def highest_test(arrays: Arrays, peak, constraint, null, near, max_steps) -> Tested:
    """The highest restricted maximum that searches from 0 and from `near`, (s, p), lead to.

    Under Firth's penalty. They start from the points of C β = b nearest to those, none on a saddle.
    """
    model = problem(arrays._replace(correction=None))
    working = constraint @ model.transform
    at = evaluator(model.rows, working)

    def from_near(start):
        start = hills.beside_saddle(model.rows, tests.onto(start, working, null), working)
        return _tested(at, model.scale, peak, start, working, null, max_steps, halving=True)

    found = jax.vmap(from_near)(jnp.concatenate([jnp.zeros_like(near[:1]), near]))
    best = jnp.argmax(jnp.where(found.status == Status.CONVERGED, found.loglik, -jnp.inf))
    return jax.tree.map(lambda field: field[best], found)


def _tested(
    at, scale, peak, start, constraint, null, max_steps, *, halving, height=False,
    loop=jax.lax.while_loop,
) -> Tested:  # fmt: skip
    p = start.shape[0]
    if constraint.shape[0] == p:  # C fixes every coefficient: nothing is left to maximise
        end_coef, status = start, jnp.int32(Status.CONVERGED)
    else:
        end = tests.restricted_maximum(
            at, start, constraint, null, scale, max_steps, halving=halving, height=height,
            loop=loop,
        )  # fmt: skip
        # Where the nuisance part is separated the supremum is reached in the limit.
        lost = end.status == Status.STEP_HALVING_FAILED
        spent = is_flat(end) | (lost & (end.decrement < SPENT))
        good = (end.status == Status.CONVERGED) | (spent & halving)
        status = jnp.where(good, jnp.int32(Status.CONVERGED), jnp.int32(UNDECIDED))
        end_coef = end.coef
        if height:
            lr = 2.0 * (peak - end.origin_loglik)
            return Tested(lr, jnp.zeros_like(lr), end_coef, end.origin_loglik, status)
    lr, score = tests.lr_and_score(at, peak, end_coef)
    return Tested(lr, score, end_coef, peak - 0.5 * lr, status)
