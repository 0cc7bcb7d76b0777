"""Interval ends of many models: the fast search, then the bracket, with proofs of infinity."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy

from jaxlogit import careful, hills, memory, passages
from jaxlogit.core import ends as core_ends
from jaxlogit.core import tails
from jaxlogit.core.status import Status
from jaxlogit.covariances import std_errors
from jaxlogit.separated import overlapping, settled_alone, unbounded
from jaxlogit.solution import SINGLE_ROWS, Solution

PORTION = 1 << 17  # models whose ends are in memory twice: as found, and in their place
KEPT_ENDS = 1 << 12  # of few models: many would be a second copy of large results
QUICK_STEPS = 8  # ends take 3 to 5; more means the start was too far for a local search
FIRST_PASS = 4  # under Firth's penalty 3 in 100 models have an end with more


class Ends(NamedTuple):
    """Interval ends of contrasts: arrays (B, q, 2), lower end first."""

    value: np.ndarray
    status: np.ndarray
    n_steps: np.ndarray
    residual: np.ndarray
    """Bound on the error left, in standard errors."""


def estimates(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    """C β̂, (B, q): ±inf where separation sends a contrast there, nan where it may go both ways."""
    value = solution.user_coef @ contrasts.T
    index = solution.separated
    if len(index):
        lower, upper = np.moveaxis(unbounded(solution, contrasts), -1, 0)
        part = np.where(upper, np.inf, np.where(lower, -np.inf, value[index]))
        # Under complete separation directions of every kind exist: no contrast stays finite.
        complete = (solution.status[index] == Status.SEPARATED_COMPLETE)[:, None]
        open_ = (upper & lower) | (complete & ~upper & ~lower & np.any(contrasts != 0, axis=1))
        value[index] = np.where(open_, np.nan, part)
    return value


def wald_ends(solution: Solution, contrasts: np.ndarray, level: float) -> Ends:
    """Estimate ± z standard errors; nan with the model's status without a finite maximum.

    RANK_DEFICIENT where a robust fit's units say nothing about a contrast.
    """
    reach = -scipy.special.ndtri(0.5 * (1 - level)) * std_errors(solution, contrasts)
    centre = solution.user_coef @ contrasts.T
    value = np.stack([centre - reach, centre + reach], axis=-1)
    status = np.broadcast_to(solution.status[:, None, None], value.shape).astype(np.int32)
    status[(status == Status.CONVERGED) & np.isnan(value)] = int(Status.RANK_DEFICIENT)
    value[status != Status.CONVERGED] = np.nan
    return Ends(value, status, np.zeros_like(status), np.zeros_like(value))


def search(
    solution: Solution, contrasts: np.ndarray, level: float, method: str, solver: str = "newton"
) -> Ends:
    """Interval ends of contrasts (q, p) by a method of `Fit.confint`."""
    if method == "wald":
        return wald_ends(solution, contrasts, level)
    return inverted_ends(solution, contrasts, tails.chi2_quantile(level, 1), method, solver)


def inverted_ends(
    solution: Solution,
    contrasts: np.ndarray,
    cutoff: float,
    method: str,
    solver: str,
    wanted: np.ndarray | None = None,
) -> Ends:
    """Ends where the likelihood-ratio, score or r* statistic reaches `cutoff`.

    `wanted` (B, q) names the ends worth a careful search; all of them by default.
    """
    find = partial(_inverted_ends, solution, contrasts, cutoff, method, solver, wanted)
    if wanted is None and len(solution.status) * len(contrasts) <= KEPT_ENDS:
        # A summary has intervals, and a diagnosis of the same ends.
        key = (contrasts.shape, contrasts.tobytes(), cutoff, method, solver)
        return solution.once("ends", key, find)
    return find()


def _inverted_ends(
    solution: Solution,
    contrasts: np.ndarray,
    cutoff: float,
    method: str,
    solver: str,
    wanted: np.ndarray | None,
) -> Ends:
    shape = (len(solution.status), len(contrasts), 2)
    memory.demand(24 * math.prod(shape), f"interval ends of {shape[0]:,} models")
    status = np.empty(shape, np.int32)
    status[:] = solution.status[:, None, None]
    status[solution.finite] = int(Status.NO_BOUND_FOUND)
    ends = Ends(np.full(shape, np.nan), status, np.zeros(shape, np.int32), np.full(shape, np.nan))
    todo, peaks = np.zeros(shape, bool), None
    todo[solution.finite] = True if wanted is None else wanted[solution.finite][..., None]
    local = solver != "bisection"
    if len(solution.finite) and local:
        peaks = _search_quickly(solution, contrasts, cutoff, method, ends)
        _search_from_inside(solution, contrasts, cutoff, method, ends, todo, peaks)
        lower = hills.short(solution, contrasts, cutoff, method, ends)
        ends.status[lower] = int(Status.NO_BOUND_FOUND)
    _search_carefully(solution, contrasts, cutoff, method, ends, todo, peaks, finite=True)
    if method == "score" and solution.shared.strength is not None and contrasts.shape[1] > 1:
        _search_first_passages(solution, contrasts, cutoff, ends, todo, peaks)
    index = solution.separated
    if len(index) and method != "rstar":  # which needs a finite estimate
        infinite = unbounded(solution, contrasts)
        ends.value[index] = np.where(infinite, [-np.inf, np.inf], np.nan)
        ends.status[index] = np.where(infinite, int(Status.INFINITE), int(Status.NO_BOUND_FOUND))
        todo = np.zeros(shape, bool)
        todo[index] = ~infinite
        _take_from_overlap(solution, contrasts, cutoff, method, solver, ends)
        if local:
            _search_from_inside(solution, contrasts, cutoff, method, ends, todo, peaks)
        _search_carefully(solution, contrasts, cutoff, method, ends, todo, peaks, finite=False)
    return ends


def _search_quickly(solution: Solution, contrasts, cutoff, method, ends: Ends) -> np.ndarray:
    """Enter the ends that a local search finds; the log-likelihoods (B,) it began at.

    They stay in this search: in their last digit they need not be what other forms compute.
    """
    peaks, finite = solution.suprema.copy(), solution.finite
    options = {"method": method, "single": solution.n_rows <= SINGLE_ROWS}
    for start in range(0, len(finite), PORTION):
        for index, (found, peak) in solution.passes(
            _quick_ends, finite[start : start + PORTION], (FIRST_PASS, QUICK_STEPS), _unsettled,
            (contrasts, np.float64(cutoff)), searches=2 * len(contrasts), own=("coef",), **options,
        ):  # fmt: skip
            peaks[index] = peak
            ends.value[index], ends.status[index] = found.value, found.status
            ends.n_steps[index], ends.residual[index] = found.n_steps, found.residual
    return peaks


def _unsettled(found) -> np.ndarray:
    return np.any(found[0].status != Status.CONVERGED, axis=(1, 2))


def _quick_ends(arrays, coef, contrasts, cutoff, max_steps, *, method, unroll, single, width):
    found, peak = core_ends.quick_ends(
        arrays, coef, contrasts, cutoff, max_steps, method=method, unroll=unroll, single=single,
        width=width,
    )  # fmt: skip
    return found._replace(coef=None, multiplier=None, length=None), peak


def _take_from_overlap(solution: Solution, contrasts, cutoff, method, solver, ends: Ends) -> None:
    """Ends that a quasi-separated model's overlapping rows settle alone."""
    index = np.flatnonzero(solution.status == Status.SEPARATED_QUASI)
    if not len(index):
        return
    part = overlapping(solution, index)
    alone = settled_alone(part, contrasts)
    keep = np.any(alone, axis=1)
    if not np.any(keep):
        return
    index, alone = index[keep], alone[keep]
    found = inverted_ends(part.take(keep), contrasts, cutoff, method, solver, alone)
    for whole, value in zip(ends, found, strict=True):
        whole[index] = np.where(alone[..., None], value, whole[index])


def _search_from_inside(
    solution: Solution, contrasts, cutoff, method, ends: Ends, todo, peaks
) -> None:
    """Ends of `todo` that are not found yet, by a local search that begins well inside.

    Not under Firth's penalty: what the quick search lost there may be on any of several hills.
    """
    if method == "rstar" or solution.shared.strength is not None:
        return
    where, extra = _rows(contrasts, todo & (ends.status != Status.CONVERGED))
    if len(where[0]):
        found = solution.run_rows(
            _end_from_inside, where[0], extra, (np.float64(cutoff),), peaks=peaks, careful=True,
            method=method,
        )  # fmt: skip
        _enter(ends, where, found)


def _end_from_inside(arrays, coef, peak, contrast, side, cutoff, *, method):
    found = core_ends.end_from_inside(arrays, coef, peak, contrast, side, cutoff, method=method)
    return found._replace(coef=None, multiplier=None, length=None)


def _search_carefully(
    solution: Solution, contrasts, cutoff, method, ends, todo, peaks, *, finite: bool
) -> None:
    where, extra = _rows(contrasts, todo & (ends.status != Status.CONVERGED))
    if len(where[0]):
        cutoffs = np.full(len(where[0]), cutoff)
        found = careful.ends(
            solution, where[0], *extra, cutoffs, method, finite=finite, peaks=peaks
        )
        _enter(ends, where, found.end)


def _search_first_passages(solution: Solution, contrasts, cutoff, ends: Ends, todo, peaks) -> None:
    """Score ends under Firth's penalty that are not found yet, or beyond another."""
    missed = todo & (ends.status != Status.CONVERGED)
    where, (rows, _) = _rows(contrasts, todo & ~missed)
    missed[where] = passages.passed_inside(solution, where[0], rows, cutoff, ends.value[where])
    where, extra = _rows(contrasts, missed)
    if len(where[0]):
        cutoffs = np.full(len(where[0]), cutoff)
        found = passages.first_passages(solution, where[0], *extra, cutoffs, peaks)
        _enter(ends, where, found.end)


def _rows(contrasts: np.ndarray, todo: np.ndarray):
    """Ends to search as rows: (model, contrast, side) numbers, and contrasts with sides."""
    model, term, side = np.nonzero(todo)
    return (model, term, side), (contrasts[term], np.asarray(core_ends.SIDES)[side])


def _enter(ends: Ends, where, found) -> None:
    ends.value[where], ends.status[where] = found.value, found.status
    ends.n_steps[where], ends.residual[where] = found.n_steps, found.residual
