"""Which maxima of many models are not the highest, under Firth's penalty."""

import numpy as np

from jaxlogit import batch
from jaxlogit.core import hills as core_hills
from jaxlogit.core.status import Status
from jaxlogit.solution import FEW, Solution

ONE_HILL, FADES, SEEN = 2.0, 0.15, 3.3
"""The search from the estimate is trusted while R·exp(FADES·r) is below ONE_HILL (R as in
`core.hills`, r the signed root of the drop). Of 14 million ends of random data sets (8 to 200 rows,
2 to 7 coefficients; columns normal, heavy-tailed, rounded, binary or with outliers; r from 0.25 to
SEEN) 7,666 were on a lower hill than the one near 0, all with R·exp(FADES·r) above 2.7; of 45,000
with 15 to 60 rows 150 below the highest of 36 starts, those of four coefficients above 2.4. Farther
out R·r, which bounds how l* changes on the way, must be below FAR: less than half of the least seen
at SEEN."""
FAR = 2.5
"""Of 2,602 fits on a lower hill, among 60,000 of data with far rows, the least R was 2.38: the
same rule serves them, with r = 0."""
FEW_ROWS = 2.5
"""R at a restricted maximum above which other hills are looked for far out: of 29 ends that only
these searches showed to be lower (of 130,000; 15 to 60 rows, levels 0.9 to 0.99) all had 2.63 and
more."""
NEAR_BLOCK, FAR_BLOCK, MANY = 144, 16, 1 << 20  # models to a block
SAME_HEIGHT, SAME_SCORE = 1e-4, 0.05  # what a search in single precision leaves is far below


def higher(solution: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Models (k,) with another free maximum above their estimate, and a place near it, (k, p)."""
    assert solution.longest_row is not None
    doubted = (solution.longest_row > ONE_HILL) & (solution.status == Status.CONVERGED)
    index = np.flatnonzero(doubted)
    if not len(index):
        return index, np.empty((0, solution.coef.shape[1]))
    every = None if len(index) == len(doubted) else index
    coef, height = solution.run(
        _elsewhere, index=every, own=(), searches=len(core_hills.ELSEWHERE[0]), with_response=True
    )
    above = height > solution.suprema[index] + SAME_HEIGHT
    return index[above], coef[above]


def lower(solution: Solution, constraints, nulls, loglik, status) -> np.ndarray:
    """Which maxima found under C β = b, (h, q, p) and (B, h, q), may not be the highest, (B, h).

    They have `loglik` and `status` (B, h).
    """
    if solution.shared.strength is None:
        return np.zeros(status.shape, bool)
    drop = np.sqrt(np.maximum(2 * (solution.loglik[:, None] - loglik), 0.0))
    doubted = doubtful(solution, constraints, drop) & (status == Status.CONVERGED)

    def compared(where, found):
        return loglik[where], found.loglik <= loglik[where] + SAME_HEIGHT

    return _confirmed_lower(solution, doubted, constraints, nulls, compared)


def short(solution: Solution, contrasts, cutoff: float, method: str, ends) -> np.ndarray:
    """Which ends of contrasts (q, p) may be on a lower hill, (B, q, 2)."""
    shape = ends.value.shape
    if solution.shared.strength is None:
        return np.zeros(shape, bool)
    constraints = np.repeat(contrasts, 2, axis=0)[:, None]
    drop = np.full((shape[0], 2 * shape[1]), np.sqrt(cutoff))
    values, known = (a.reshape(drop.shape) for a in (ends.value, ends.status == Status.CONVERGED))
    doubted = doubtful(solution, constraints, drop) & known

    def compared(where, found):
        if method == "score":
            return found.loglik, np.abs(found.score - cutoff) <= SAME_SCORE
        level = solution.loglik[where[0]] - 0.5 * cutoff
        return level, found.loglik <= level + SAME_HEIGHT

    out = _confirmed_lower(solution, doubted, constraints, values[..., None], compared)
    return out.reshape(shape)


def _confirmed_lower(solution: Solution, doubted, constraints, nulls, compared) -> np.ndarray:
    """Which of `doubted` maxima (B, h) a second search does not lead to, or a third leads past.

    `compared` takes models and hypotheses (k,) and what the second found for them; it gives the
    first search's log-likelihoods and whether both may be the same maximum.
    """
    out = np.zeros(doubted.shape, bool)
    where = np.nonzero(doubted)
    if not len(where[0]):
        return out
    found = near_maxima(solution, where[0], constraints[where[1]], nulls[where])
    known, same = compared(where, found)
    out[where] = ~same
    left = np.flatnonzero(same & (found.longest_row > FEW_ROWS))
    if len(left):
        model, term = where[0][left], where[1][left]
        rows = constraints[term], nulls[model, term], found.coef[left]
        height = _far_away(solution, model, *rows)[1]
        out[model, term] = (height > known[left] + SAME_HEIGHT) | np.isneginf(height)
    return out


def elsewhere(solution: Solution, models, constraints, nulls) -> np.ndarray:
    """Where searches from near 0 and from far out end under C β = b, (k, q, p) and (k, q).

    Of `models` (k,), under Firth's penalty: β (k, 2, p), good to about 1e-5 if they end.
    """
    near = near_maxima(solution, models, constraints, nulls).coef
    return np.stack([near, _far_away(solution, models, constraints, nulls, near)[0]], axis=1)


def near_maxima(solution: Solution, models, constraints, nulls, near=None) -> core_hills.Maximum:
    """Restricted maxima from `near` (k, p), by default 0."""
    near = np.zeros_like(solution.coef[models]) if near is None else near
    return _rows(solution, _near_maximum, models, (constraints, nulls, near), 1, NEAR_BLOCK)


def _far_away(solution: Solution, models, constraints, nulls, near):
    searches = core_hills.far_searches(constraints.shape[2])
    return _rows(solution, _far_maximum, models, (constraints, nulls, near), searches, FAR_BLOCK)


def _rows(solution: Solution, task, models, rows, searches: int, block: int):
    """As `Solution.run_rows`; of many models in blocks of one size, however many are searched."""
    elements = solution.elements(searches)
    if len(solution.status) > FEW:
        size = min(block, batch.block_size(MANY, elements, True, searches))
    else:
        size = batch.block_size(len(models), elements, True, searches, careful=True)
    return solution.run_rows(task, models, rows, searches=searches, size=size)


def doubtful(solution: Solution, constraints, drop: np.ndarray) -> np.ndarray:
    """Where l* may have several hills, (B, h), at signed roots (B, h) under C (h, q, p)."""
    if constraints.shape[1] == constraints.shape[2]:  # nothing is left to maximise
        return np.zeros(drop.shape, bool)
    assert solution.longest_row is not None
    return solution.longest_row[:, None] > trusted(drop)


def trusted(drop):
    """R up to which one hill is all there is, at signed roots of the drop."""
    return np.where(drop <= SEEN, ONE_HILL * np.exp(-FADES * drop), FAR / np.maximum(drop, SEEN))


def _elsewhere(arrays, *, unroll):
    return core_hills.highest_elsewhere(arrays, unroll=unroll)


def _near_maximum(arrays, coef, peak, constraint, null, near):
    return core_hills.near_maximum(arrays, peak, constraint, null, near)


def _far_maximum(arrays, coef, peak, constraint, null, near):
    return core_hills.far_maximum(arrays, coef, constraint, null, near)
