"""Wald, likelihood-ratio and score tests of many models, and restricted maxima on a grid."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from jaxlogit import careful, hills, robust
from jaxlogit.core import higher, linalg, tails, tasks, tests
from jaxlogit.core import hypotheses as core_hypotheses
from jaxlogit.core.hypotheses import Tested
from jaxlogit.core.penalty import wald_information
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import UNDECIDED
from jaxlogit.core.working import problem
from jaxlogit.covariances import std_errors
from jaxlogit.separated import overlapping, settled_alone, unbounded
from jaxlogit.solution import FEW, SINGLE_ROWS, Solution

QUICK_STEPS = 9
FIRST_PASS = 2  # under Firth's penalty 1 or 2 in 100 models have a test with more

VANISHED = 1e-6  # a likelihood ratio above which a score statistic of 0 is not one
BEATEN = 1e-8  # relative: by more than rounding a restricted maximum cannot exceed the estimate
PORTION = 16  # values of a profile that are searched at a time


def tested(
    solution: Solution, constraints: np.ndarray, nulls: np.ndarray, method: str, joint: bool
) -> tuple:
    """Statistics, p-values, their logarithms and statuses (B, h), or (B,) of the one joint test."""
    statistic, status = statistics(solution, constraints, nulls, method)
    statistic = np.maximum(statistic, 0.0)  # rounding, where the null is the estimate
    df = constraints.shape[1]
    values = (statistic, tails.p_value(statistic, df), tails.log_p(statistic, df), status)
    return tuple(value[:, 0] for value in values) if joint else values


def statistics(solution: Solution, constraints: np.ndarray, nulls: np.ndarray, method: str):
    """Statistics (B, h) and statuses of hypotheses (h, q, p), (h, q), by a method of `Fit.test`."""
    if method == "wald":
        return wald(solution, constraints, nulls)
    if method == "rstar":
        value, status = modified_roots(solution, constraints[:, 0], nulls[:, 0])
        return value**2, status
    found, status = restricted(solution, constraints, nulls, height=method == "lr")
    if solution.sandwich is not None:
        return robust.score(solution, constraints, found.coef, status)
    if method == "lr":
        return found.lr, status
    # Where all fitted probabilities are 0 or 1 to rounding the information is 0, and says nothing.
    lost = (found.score == 0) & (found.lr > VANISHED)
    return np.where(lost, np.nan, found.score), np.where(lost, int(Status.MAX_STEPS), status)


def wald(solution: Solution, constraints: np.ndarray, nulls: np.ndarray):
    """Wald statistics (B, h) and statuses of hypotheses (h, q, p), (h, q)."""
    if solution.sandwich is not None:
        return robust.wald(solution, constraints, nulls)
    gaps = np.einsum("hqp,bp->bhq", constraints, solution.user_coef) - nulls
    if constraints.shape[1] == 1:
        errors = std_errors(solution, constraints[:, 0])
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            out = (gaps[..., 0] / errors) ** 2
        out[(gaps[..., 0] == 0) & (errors == 0)] = 0.0
    else:
        out, index = np.full(gaps.shape[:2], np.nan), solution.finite
        if len(index):
            every = None if len(index) == len(out) else index
            options = {"index": every, "own": ("coef",), "extra": (gaps,)}
            out[index] = solution.run(_wald, (constraints,), **options)
    status = np.broadcast_to(solution.status[:, None], out.shape).astype(np.int32)
    return out, status


def _wald(arrays, coef, gaps, constraints, *, unroll):
    model = problem(arrays)
    information = wald_information(model.rows, coef, unroll=unroll)
    factor = linalg.cholesky(information, coef.shape[0])
    return jnp.stack(
        [
            tests.wald_statistic(factor, constraint @ model.transform, gap)
            for constraint, gap in zip(constraints, gaps, strict=True)
        ]
    )


def restricted(
    solution: Solution, constraints: np.ndarray, nulls: np.ndarray, *, height: bool = False
) -> tuple[Tested, np.ndarray]:
    """Restricted maxima of hypotheses (h, q, p), (h, q): fields (B, h, …), and statuses.

    Under separation the suprema are compared: both statistics stay valid, and the status is
    converged. A model without a maximum of any kind keeps its status, and nan. The last
    result is kept with the solution: likelihood-ratio and score tests share it, but with
    `height`: under Firth's penalty the log-likelihoods alone are then exact.
    """
    height = height and solution.shared.strength is not None  # else one search gives both
    key = (constraints.shape, constraints.tobytes(), nulls.tobytes(), height)
    find = partial(_restricted, solution, constraints, nulls, height)
    return solution.once("restricted", key, find)


def restricted_coefs(solution: Solution, constraints: np.ndarray, nulls: np.ndarray):
    """The user's coefficients (B, h, p) at restricted maxima, and statuses (B, h)."""
    found, status = restricted(solution, constraints, nulls)
    return solution.run(_user_coefs, own=(), extra=(found.coef,)), status


def _user_coefs(arrays, coef, *, unroll):
    return coef @ problem(arrays).transform.T


def _restricted(solution: Solution, constraints: np.ndarray, nulls: np.ndarray, height: bool):
    count, h, p = len(solution.status), len(constraints), constraints.shape[2]
    found = _untested((count, h), p)
    finite = solution.finite
    if len(finite):
        for index, quick in solution.passes(
            _quick_tests, finite, (FIRST_PASS, QUICK_STEPS), _unsettled, (constraints, nulls),
            searches=h, single=solution.n_rows <= SINGLE_ROWS, height=height,
        ):  # fmt: skip
            for whole, part in zip(found, quick, strict=True):
                whole[index] = part
    _settle_separated(solution, constraints, nulls, found)
    every_null = np.broadcast_to(nulls, (count, *nulls.shape))
    lower = hills.lower(solution, constraints, every_null, found.loglik, found.status)
    found.status[lower] = UNDECIDED
    open_ = found.status != Status.CONVERGED
    model, term = np.nonzero(open_ & solution.has_supremum[:, None])
    if len(model):
        again = careful.maxima(solution, model, constraints[term], nulls[term])
        for whole, part in zip(found, again, strict=True):
            whole[model, term] = part
    return found, _decided(found, _unproved(solution)[:, None])


NEAR_ROOT = 0.01  # |r| below which log(q/r)/r loses digits, and r* is interpolated
NEIGHBOURS = np.array([-0.01, -0.005, 0.005, 0.01])  # standard errors from the estimate


def modified_roots(solution: Solution, contrasts: np.ndarray, nulls: np.ndarray):
    """r* of contrasts (q, p) at nulls (q,), and statuses: (B, q) each; nan without a maximum."""
    found, status = restricted(solution, contrasts[:, None], nulls[:, None])
    value = np.full(status.shape, np.nan)
    status = np.where((solution.status == Status.CONVERGED)[:, None], status,
                      solution.status[:, None])  # fmt: skip
    model, term = np.nonzero(status == Status.CONVERGED)
    if not len(model):
        return value, status
    rows = (found.coef[model, term], found.loglik[model, term], contrasts[term])
    roots, first = solution.run_rows(_modified_root, model, rows)
    close = np.abs(first) < NEAR_ROOT
    roots[close] = _interpolated(solution, contrasts, nulls, model[close], term[close])
    value[model, term] = roots
    lost = (status == Status.CONVERGED) & ~np.isfinite(value)
    return value, np.where(lost, int(Status.MAX_STEPS), status)


def _modified_root(arrays, coef, peak, restricted_coef, loglik, contrast):
    model = problem(arrays)
    working = contrast @ model.transform
    return higher.tested_root(model.rows, coef, peak, restricted_coef, loglik, working)


def _interpolated(solution: Solution, contrasts, nulls, model, term) -> np.ndarray:
    """r* near the estimate, where it is smooth but its formula is not: a cubic in between.

    Good to about 1e-10: see `core.higher`.
    """
    if not len(model):
        return np.zeros(0)
    count = len(NEIGHBOURS)
    part = solution.take(model)
    rows = contrasts[term]
    centre = np.sum(part.user_coef * rows, axis=1)
    error = np.sqrt(part.run_rows(_variance, np.arange(len(model)), (rows,)))
    at = np.repeat(np.arange(len(model)), count)
    values = (centre[:, None] + error[:, None] * NEIGHBOURS).reshape(-1, 1)
    tested = careful.maxima(part, at, rows[at][:, None], values)
    extra = (tested.coef, tested.loglik, rows[at])
    roots = part.run_rows(_modified_root, at, extra)[0].reshape(-1, count)
    place = (nulls[term] - centre) / error
    gaps = NEIGHBOURS[:, None] - NEIGHBOURS + np.eye(count)
    shares = place[:, None, None] - NEIGHBOURS + np.zeros((1, count, 1))
    shares = np.where(np.eye(count, dtype=bool), 1.0, shares) / gaps
    return np.sum(roots * np.prod(shares, axis=2), axis=1)


def _variance(arrays, coef, peak, contrast):
    return tasks.std_error(arrays, coef, contrast[None], unroll=False)[0] ** 2


def _decided(found: Tested, unproved: np.ndarray) -> np.ndarray:
    """Statuses; what no search settled becomes nan, with the status `unproved`."""
    undecided = (found.status == UNDECIDED) | ~np.isfinite(found.lr + found.score)
    # Higher than the estimate: under Firth's penalty that need not be the highest maximum.
    undecided |= found.lr < -BEATEN * (1.0 + np.abs(found.loglik))
    for field in found[:4]:
        field[undecided] = np.nan
    return np.where(undecided, unproved, found.status).astype(np.int32)


def _unproved(solution: Solution) -> np.ndarray:
    """(B,) statuses of hypotheses that stay open: the model's own, if it has no supremum."""
    return np.where(solution.has_supremum, int(Status.MAX_STEPS), solution.status)


def _settle_separated(solution: Solution, constraints, nulls, found: Tested) -> None:
    """Hypotheses of separated models that need no search to the limit.

    A contrast that can run to both sides costs the likelihood nothing at any value: both
    statistics are 0. Hypotheses about the overlapping rows alone are tested on these.
    """
    index = solution.separated
    if not len(index):
        return
    if constraints.shape[1] == 1:
        free = np.all(unbounded(solution, constraints[:, 0]), axis=-1)
        model, term = index[np.nonzero(free)[0]], np.nonzero(free)[1]
        found.lr[model, term] = found.score[model, term] = 0.0
        found.coef[model, term] = solution.coef[model]
        found.loglik[model, term] = solution.loglik[model]
        found.status[model, term] = int(Status.CONVERGED)
    index = np.flatnonzero(solution.status == Status.SEPARATED_QUASI)
    if not len(index):
        return
    part = overlapping(solution, index)
    h, q, p = constraints.shape
    alone = settled_alone(part, constraints.reshape(h * q, p))
    alone = np.all(alone.reshape(len(index), h, q), axis=-1)
    if not np.any(alone):
        return
    quick = part.run(
        _quick_tests, (constraints, nulls, np.int32(QUICK_STEPS)), searches=h,
        single=False, height=False,
    )  # fmt: skip
    good = alone & (quick.status == Status.CONVERGED)
    model, term = index[np.nonzero(good)[0]], np.nonzero(good)[1]
    for whole, value in zip(found, quick, strict=True):
        whole[model, term] = value[good]


def _quick_tests(
    arrays, coef, peak, constraints, nulls, max_steps, *, unroll, single, height, width=None
):
    return core_hypotheses.quick_tests(
        arrays, coef, peak, constraints, nulls, max_steps,
        unroll=unroll, single=single, height=height, width=width,
    )  # fmt: skip


def _unsettled(found) -> np.ndarray:
    return np.any(found.status != Status.CONVERGED, axis=1)


def profile(
    solution: Solution, contrast: np.ndarray, values: np.ndarray
) -> tuple[Tested, np.ndarray]:
    """Restricted maxima with c'β at values (g,), or (B, g) of each model's own; fields (B, g, …).

    Values that all models share are tried from the tangent first, where there are many models.
    """
    count, points = len(solution.status), values.shape[-1]
    found = _untested((count, points), len(contrast))
    if values.ndim == 1 and len(solution.finite) > FEW:
        _profile_quickly(solution, contrast, values, found)
    values = np.broadcast_to(values, (count, points))
    constraints = np.broadcast_to(contrast, (points, 1, len(contrast)))
    lower = hills.lower(solution, constraints, values[..., None], found.loglik, found.status)
    found.status[lower] = UNDECIDED
    open_ = (found.status != Status.CONVERGED) & solution.has_supremum[:, None]
    model, point = np.nonzero(open_ & np.isfinite(values))
    if len(model):
        nulls = values[model, point][:, None]
        constraints = np.broadcast_to(contrast, (len(nulls), 1, len(contrast)))
        again = careful.maxima(solution, model, constraints, nulls)
        for whole, part in zip(found, again, strict=True):
            whole[model, point] = part
    return found, _decided(found, _unproved(solution)[:, None])


def _profile_quickly(solution: Solution, contrast, values, found: Tested) -> None:
    """A few values at a time, always as many, so that grids of any length compile once."""
    index = solution.finite
    every = None if len(index) == len(solution.status) else index
    constraints = np.broadcast_to(contrast, (PORTION, 1, len(contrast)))
    for start in range(0, len(values), PORTION):
        part = values[start : start + PORTION]
        nulls = np.pad(part, (0, PORTION - len(part)), mode="edge")[:, None]
        quick = solution.run(
            _quick_tests, (constraints, nulls, np.int32(QUICK_STEPS)), index=every,
            searches=PORTION, single=solution.n_rows <= SINGLE_ROWS, height=False,
        )  # fmt: skip
        for whole, value in zip(found, quick, strict=True):
            whole[index, start : start + len(part)] = value[:, : len(part)]


def _untested(shape: tuple[int, ...], p: int) -> Tested:
    """Nothing but nan, undecided."""
    lr, score, loglik = (np.full(shape, np.nan) for _ in range(3))
    coef = np.full((*shape, p), np.nan)
    return Tested(lr, score, coef, loglik, np.full(shape, UNDECIDED, np.int32))


def user_coefficients(solution: Solution, working: np.ndarray) -> np.ndarray:
    """Working coefficients (B, …, p) in the user's units; nan for models without a supremum."""
    if solution.shared.transform is not None and solution.lanes.own is None:
        return working @ solution.shared.transform.T
    out = np.full(working.shape, np.nan)
    index = np.flatnonzero(solution.has_supremum)
    if len(index):
        transform = solution.run(_transform, index=index, own=())
        out[index] = np.einsum("bij,b...j->b...i", transform, working[index])
    return out


def _transform(arrays, *, unroll):
    return problem(arrays).transform
