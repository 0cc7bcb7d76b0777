"""Restricted maxima and interval ends of single models, one at a time: what quick searches leave.

Under Firth's penalty on the highest of several hills.
"""

import jax
import numpy as np

from jaxlogit import hills
from jaxlogit.core import ends as core_ends
from jaxlogit.core import hypotheses as core_hypotheses
from jaxlogit.core.ends import Bracketed
from jaxlogit.core.hypotheses import Tested
from jaxlogit.core.newton import SLACK
from jaxlogit.core.status import Status
from jaxlogit.solution import Solution

STEPS = 120
SHORT_STEPS = 40  # a search near 0 takes 5 to 15; one that takes more has no other hill to show
ROUNDS = 4  # of searches outward, each on a higher hill


def maxima(
    solution: Solution, models, constraints, nulls, near=None, peaks=None, max_steps: int = STEPS
) -> Tested:
    """Restricted maxima of `models` (k,) under C β = b, (k, q, p) and (k, q): fields (k, …).

    Under Firth's penalty the highest found, from `near` (k, p) too, by default the estimates.
    """
    if solution.shared.strength is None:
        rows, n_steps = (constraints, nulls), (np.int32(max_steps),)
        return solution.run_rows(_careful_test, models, rows, n_steps, peaks=peaks, careful=True)
    near = solution.coef[models] if near is None else near
    others = hills.elsewhere(solution, models, constraints, nulls)
    places = np.concatenate([others, near[:, None]], axis=1)
    return highest_from(solution, models, constraints, nulls, places, peaks, max_steps)


def highest_from(solution: Solution, models, constraints, nulls, places, peaks, max_steps):
    """The highest restricted maxima to which searches from 0 and `places` (k, s, p) lead."""
    return solution.run_rows(
        _highest_test, models, (constraints, nulls, places), (np.int32(max_steps),),
        peaks=peaks, careful=True, searches=1 + places.shape[1],
    )  # fmt: skip


def ends(
    solution: Solution, models, contrasts, sides, cutoffs, method: str, *, finite: bool, peaks=None
) -> Bracketed:
    """Interval ends of `models` (k,) by bracketing: fields (k, …).

    For contrasts (k, p), sides and drops (k,); `finite` says whether the models have a maximum.
    Where under Firth's penalty another restricted maximum with c'β at an end is higher, the
    search goes on from there.
    """
    rows = contrasts, sides, cutoffs
    starts, default = solution.coef[models], np.full(len(models), np.nan)
    found = bracketed(solution, models, rows, starts, default, method, peaks, finite=finite)
    if solution.shared.strength is None or contrasts.shape[1] == 1:
        return found
    left = np.arange(len(models))
    for _ in range(ROUNDS - 1):
        left = left[found.end.status[left] == Status.CONVERGED]
        if not len(left):
            break
        part = take(found, left)
        higher, starts = higher_maxima(solution, models[left], contrasts[left], part, peaks)
        left, starts = left[higher], starts[higher]
        if not len(left):
            break
        data = take(rows, left)
        again = bracketed(solution, models[left], data, starts, default[left], method, peaks)
        again.end.n_steps[:] += found.end.n_steps[left]
        enter(found, left, again)
    return found


def higher_maxima(solution: Solution, models, contrasts, found: Bracketed, peaks):
    """Which ends have another maximum above them, (k,), and the highest found, (k, p)."""
    nulls, height = found.end.value[:, None], found.loglik
    others = maxima(solution, models, contrasts[:, None], nulls, found.end.coef, peaks, SHORT_STEPS)
    higher = others.loglik > height + SLACK * (1.0 + np.abs(height))
    return higher & (others.status == Status.CONVERGED), others.coef


def bracketed(
    solution: Solution, models, rows, starts, widths, method: str, peaks, *, finite=True
) -> Bracketed:
    """Ends by one search outward from `starts` (k, p), first by `widths` (k,) where not nan."""
    return solution.run_rows(
        _bracketed_end, models, (*rows, starts, widths), peaks=peaks, careful=True,
        method=method, finite=finite,
    )  # fmt: skip


def take(arrays, index):
    """Rows of all arrays."""
    return jax.tree.map(lambda a: a[index], arrays)


def enter(whole, index, part) -> None:
    """Put rows of all arrays into their places."""
    for into, new in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
        into[index] = new


def _careful_test(arrays, coef, peak, constraint, null, max_steps):
    return core_hypotheses.careful_test(arrays, peak, constraint, null, max_steps)


def _highest_test(arrays, coef, peak, constraint, null, near, max_steps):
    return core_hypotheses.highest_test(arrays, peak, constraint, null, near, max_steps)


def _bracketed_end(arrays, coef, peak, contrast, side, cutoff, start, width, *, method, finite):
    return core_ends.bracketed_end(
        arrays, coef, peak, contrast, side, cutoff, start, width, method=method, finite=finite
    )
