"""Restricted maxima and interval ends of single models, one at a time: what quick searches leave.

Under Firth's penalty on the highest of several hills.
"""

from functools import partial

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
    n_steps = (np.int32(max_steps),)
    search = partial(solution.run_rows, peaks=peaks, careful=True)
    if solution.shared.strength is None:
        return search(_careful_test, models, (constraints, nulls), n_steps)
    near = solution.coef[models] if near is None else near
    others = hills.elsewhere(solution, models, constraints, nulls)
    starts = np.concatenate([others, near[:, None]], axis=1)
    rows = constraints, nulls, starts
    return search(_highest_test, models, rows, n_steps, searches=1 + starts.shape[1])


def ends(
    solution: Solution, models, contrasts, sides, cutoffs, method: str, *, finite: bool, peaks=None
) -> Bracketed:
    """Interval ends of `models` (k,) by bracketing: fields (k, …).

    For contrasts (k, p), sides and drops (k,); `finite` says whether the models have a maximum.
    Where under Firth's penalty another restricted maximum with c'β at an end is higher, the
    search goes on from there.
    """
    rows, starts = (contrasts, sides, cutoffs), solution.coef[models]
    search = partial(solution.run_rows, peaks=peaks, careful=True)
    found = search(_bracketed_end, models, (*rows, starts), method=method, finite=finite)
    if solution.shared.strength is None or contrasts.shape[1] == 1:
        return found
    left = np.arange(len(models))
    for _ in range(ROUNDS - 1):
        left = left[found.end.status[left] == Status.CONVERGED]
        if not len(left):
            break
        coef, height = found.end.coef[left], found.loglik[left]
        nulls = found.end.value[left, None]
        others = maxima(
            solution, models[left], contrasts[left, None], nulls, coef, peaks, SHORT_STEPS
        )
        higher = others.loglik > height + SLACK * (1.0 + np.abs(height))
        higher &= others.status == Status.CONVERGED
        left, starts = left[higher], others.coef[higher]
        if not len(left):
            break
        again = search(
            _bracketed_end, models[left], (*(row[left] for row in rows), starts),
            method=method, finite=True,
        )  # fmt: skip
        n_steps = found.end.n_steps[left] + again.end.n_steps
        for whole, part in zip(found.end[:5], again.end[:5], strict=True):
            whole[left] = part
        found.end.n_steps[left] = n_steps
        found.user_coef[left], found.loglik[left] = again.user_coef, again.loglik
    return found


def _careful_test(arrays, coef, peak, constraint, null, max_steps):
    return core_hypotheses.careful_test(arrays, peak, constraint, null, max_steps)


def _highest_test(arrays, coef, peak, constraint, null, near, max_steps):
    return core_hypotheses.highest_test(arrays, peak, constraint, null, near, max_steps)


def _bracketed_end(arrays, coef, peak, contrast, side, cutoff, start, *, method, finite):
    return core_ends.bracketed_end(
        arrays, coef, peak, contrast, side, cutoff, start, method=method, finite=finite
    )
