"""Score ends under Firth's penalty: the first passage of a statistic that need not grow.

It may turn back, and it jumps where the highest restricted maximum changes hills. A search outward
by growing steps can leave out a passage where the way back is close.
"""

from functools import partial

import numpy as np

from jaxlogit import careful, hills
from jaxlogit.careful import SHORT_STEPS, enter, take
from jaxlogit.core.ends import Bracketed
from jaxlogit.core.hypotheses import Tested
from jaxlogit.core.newton import SLACK
from jaxlogit.core.status import Status
from jaxlogit.solution import Solution

INSIDE = np.arange(1, 19) / 19
"""Shares of the way to a score end where the statistic is looked at: a search outward by growing
steps leaves out a passage and the way back where these are close, as in 17 of 25,000 ends with two
or three coefficients."""
SHARES = np.concatenate([np.arange(0.1, 1.2, 0.1), 1.2 * 1.15 ** np.arange(21)])
"""Of the way to the likelihood-ratio end: where a score end is looked for under Firth's penalty.
The statistic may be back below its cutoff a tenth of the way after it has passed it."""
PARTS = np.arange(1.0, 9.0) / 8  # of the distance of two neighbours between which it was lost
SWEEPS = 4  # from neighbour to neighbour
CLOSER, JUMP = 14, 1e-12  # rounds of such parts; how close, of the whole way, makes it a jump


def passed_inside(solution: Solution, models, contrasts, cutoff: float, values) -> np.ndarray:
    """Whether the score statistic passes its cutoff between the estimate and a score end, (k,).

    Under Firth's penalty, for ends at `values` (k,) of contrasts (k, p) of `models` (k,).
    """
    out = np.zeros(len(models), bool)
    centre, place = np.sum(contrasts * solution.user_coef[models], axis=1), solution.coef[models]
    assert solution.longest_row is not None
    left = np.flatnonzero(solution.longest_row[models] > hills.trusted(np.sqrt(cutoff)))
    for share in INSIDE:
        if not len(left):
            break
        nulls = centre[left] + share * (values - centre)[left]
        rows = models[left], contrasts[left, None], nulls[:, None]
        along = hills.near_maxima(solution, *rows, place[left])
        other = hills.near_maxima(solution, *rows)
        higher = ~(along.loglik >= other.loglik)
        place[left] = np.where(higher[:, None], other.coef, along.coef)
        score = np.where(higher, other.score, along.score)
        lost = np.flatnonzero(np.isnan(score))
        if len(lost):
            again = careful.maxima(
                solution, *take(rows, lost), near=place[left[lost]], max_steps=SHORT_STEPS
            )
            place[left[lost]], score[lost] = again.coef, again.score
        passed = score > cutoff + hills.SAME_SCORE
        out[left[passed]] = True
        left = left[~passed]
    return out


def first_passages(solution: Solution, models, contrasts, sides, cutoffs, peaks=None) -> Bracketed:
    """Score ends under Firth's penalty, as `ends`, where a search outward may have missed them.

    Of many values on the way two neighbours enclose the first passage of the statistic at the
    highest maxima. Where it jumps past its cutoff the end is there. NO_BOUND_FOUND where it never
    passes.
    """
    rows = contrasts, sides, cutoffs
    found = careful.ends(solution, models, *rows, "lr", finite=True, peaks=peaks)
    left = np.flatnonzero(found.end.status == Status.CONVERGED)
    inner = np.sum(contrasts * solution.user_coef[models], axis=1)
    whole = found.end.value - inner
    values = (inner[:, None] + SHARES * whole[:, None])[left]
    inner, places = inner[left], (solution.coef[models[left]], found.end.coef[left])
    found.end.status[:] = int(Status.NO_BOUND_FOUND)
    found.end.value[:] = found.end.residual[:] = np.nan
    for _ in range(CLOSER):
        if not len(left):
            break
        at = _maxima_at(solution, models[left], contrasts[left], values, *places, peaks)
        index, inner, outer, places = _cells(values, at, inner, places[0], cutoffs[left])
        left = left[index]
        if not len(left):
            break
        part = models[left], *take(rows, left)
        again, good = _in_cells(solution, part, inner, outer, places, whole[left], peaks)
        enter(found, left[good], take(again, good))
        left, inner, outer, places = take((left, inner, outer, places), ~good)
        values = inner[:, None] + PARTS * (outer - inner)[:, None]
    return found


def _in_cells(solution: Solution, part, inner, outer, places, whole, peaks):
    """Ends between values `inner` and `outer` (k,) with maxima at `places`; which are, (k,)."""
    models, *rows = part
    contrasts, sides, cutoffs = rows
    width = np.abs(outer - inner)
    found = careful.bracketed(solution, models, rows, places[0], width, "score", peaks)
    good = (found.end.status == Status.CONVERGED) & (sides * (outer - found.end.value) >= 0)
    if np.any(good):
        data = models[good], contrasts[good], take(found, good)
        good[good] = ~careful.higher_maxima(solution, *data, peaks)[0]
    size = width / np.abs(whole)
    jump = ~good & (size < JUMP)
    found.end.value[jump], found.end.coef[jump] = outer[jump], places[1][jump]
    found.end.residual[jump] = (size * np.sqrt(cutoffs))[jump]
    found.end.status[jump] = int(Status.CONVERGED)
    return found, good | jump


def _cells(values, at: Tested, inner, place, cutoffs):
    """Where the score statistic at values (k, v) first passes its cutoff.

    Rows (h,), the last value before it and the first beyond, and the coefficients (h, p) at both;
    what is before the first of the values is `inner` (k,), at `place` (k, p).
    """
    known = at.status == Status.CONVERGED
    passed = known & (at.score >= cutoffs[:, None])
    rows = np.flatnonzero(np.any(passed, axis=1))
    first = np.argmax(passed[rows], axis=1)
    before = known[rows] & (np.arange(values.shape[1]) < first[:, None])
    some, last = np.any(before, axis=1), values.shape[1] - 1 - np.argmax(before[:, ::-1], axis=1)
    inner = np.where(some, values[rows, last], inner[rows])
    place = np.where(some[:, None], at.coef[rows, last], place[rows])
    return rows, inner, values[rows, first], (place, at.coef[rows, first])


def _maxima_at(solution: Solution, models, contrasts, values, inner, outer, peaks) -> Tested:
    """Restricted maxima with c'β at values (k, v), in order: fields (k, v, …).

    The highest that searches find, also those from the maxima at both neighbours; `inner` and
    `outer`, (k, p), are those of the first and the last.
    """
    shape = values.shape
    repeated = partial(np.repeat, repeats=shape[1], axis=0)
    models, constraints, nulls = repeated(models), repeated(contrasts[:, None]), values.ravel()
    nulls = nulls[:, None]
    found = careful.maxima(
        solution, models, constraints, nulls, repeated(inner), peaks, SHORT_STEPS
    )
    todo = np.ones(shape, bool)
    for _ in range(SWEEPS):
        which = np.flatnonzero(todo)
        places = found.coef.reshape(*shape, -1)
        places = np.concatenate([inner[:, None], places, outer[:, None]], axis=1)
        starts = np.stack([places[:, :-2], places[:, 2:]], axis=2).reshape(-1, 2, places.shape[2])
        again = careful.highest_from(
            solution, models[which], constraints[which], nulls[which], starts[which],
            peaks, SHORT_STEPS,
        )  # fmt: skip
        old, new = found.loglik[which], again.loglik
        lost = found.status[which] != Status.CONVERGED
        better = (again.status == Status.CONVERGED) & (lost | (new > old + SLACK * (1 + abs(old))))
        if not np.any(better):
            break
        enter(found, which[better], take(again, better))
        beside = np.zeros((shape[0], shape[1] + 2), bool)
        beside[:, 1:-1].flat[which[better]] = True
        todo = beside[:, :-2] | beside[:, 2:]
    return Tested(*(a.reshape(*shape, *a.shape[1:]) for a in found))
