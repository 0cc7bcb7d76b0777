"""Fits of many models in stages: quick for all, careful for the rest.

Each stage hands on only the models that it left unproved: the quick task (undamped, no
log-likelihood on the way), the careful one (halving, separation by certificate), and at last
the linear programme, one model at a time.
"""

from typing import Any

import numpy as np

from jaxlogit import batch, coordinates, hills, separated
from jaxlogit.core import firth, linalg, tasks
from jaxlogit.core.likelihood import MANY_ROWS
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, merge
from jaxlogit.data import Models
from jaxlogit.penalties import Firth, LogF, Normal, Penalty, normal_prior, with_pseudo_cases
from jaxlogit.solution import FEW, Solution

SINGLE = True  # first steps in single precision; tests compare with what double gives
FIRST = {
    False: tasks.Budget(np.int32(0), np.int32(5)),
    True: tasks.Budget(np.int32(5), np.int32(1)),
}  # enough for all but a few models in a hundred
REST = tasks.Budget(np.int32(0), np.int32(12))  # then what has no certificate is likely separated
CAREFUL_STEPS = 120  # a separated model takes about 30, one for each e-fold of its log-likelihood
GRADIENT_STEPS = 500
FIRTH_STEPS = np.int32(8)  # after the approach; they take 3


def fit(models: Models, solver: str = "newton", penalty: Penalty | None = None) -> Solution:
    """Fit every model; `solver` "newton" or "lbfgs" is the search that all of them begin with."""
    prior = None
    match penalty:
        case Firth():
            return _fit_firth(models, penalty)
        case LogF():
            models = with_pseudo_cases(models, penalty)
        case Normal():
            prior = normal_prior(models, penalty)
    lanes, shared = coordinates.arrange(models, prior)
    if shared is None:
        return _all_deficient(models, lanes)
    count, n, p = models.n_models, models.n_rows, models.n_terms
    elements = n if linalg.unrolls(p) else n * p  # with many columns w·X is formed, model by model
    if shared.columns is None:
        elements = n * p // 2  # half of it in single precision
    if solver == "lbfgs":
        found = batch.run(
            _gradient_fit, count, lanes, (shared, np.int32(GRADIENT_STEPS)), row_elements=elements
        )
    else:
        found = _fit_quickly(lanes, shared, models, elements)
    own = lanes._replace(score_total=found.score_total, offset_total=found.offset_total)
    solution = Solution(
        own, shared, found.coef, found.user_coef, np.full(count, np.nan), found.status,
        found.n_steps, np.zeros((count, p)), np.zeros(count, np.int32),
    )  # fmt: skip
    left = np.flatnonzero(found.status == tasks.UNDECIDED)
    if len(left):
        again = batch.run(
            _careful_fit, count, lanes, (shared, np.int32(CAREFUL_STEPS)),
            row_elements=elements, index=left,
        )  # fmt: skip
        solution.suprema[left] = again.loglik
        for name in ("coef", "user_coef", "status", "n_steps", "direction", "nullity"):
            getattr(solution, name)[left] = getattr(again, name)
        separated.decide(solution, left[again.status == tasks.UNDECIDED])
        separated.take_suprema(solution)
        bad = ~solution.has_supremum
        solution.suprema[bad] = np.nan
        solution.user_coef[bad] = np.nan
    return solution


def _fit_firth(models: Models, penalty: Firth) -> Solution:
    """Fit every model under Firth's penalty; where it may have several maxima, look for higher."""
    lanes, shared = coordinates.arrange(models)
    if shared is None:
        return _all_deficient(models, lanes)
    augmented = np.float64(1) if penalty.std_error == "augmented" else None
    shared = shared._replace(strength=np.float64(penalty.strength), augmented=augmented)
    count, p = models.n_models, models.n_terms
    nowhere = np.broadcast_to(np.nan, (count, p))
    found = _find_firth(lanes, shared, models, nowhere, None)
    own = lanes._replace(
        score_total=found.score_total,
        offset_total=found.offset_total,
        correction=found.correction,
    )
    solution = Solution(
        own, shared, found.coef, found.user_coef, found.loglik, found.status,
        found.n_steps, np.zeros((count, p)), np.zeros(count, np.int32), found.longest_row,
    )  # fmt: skip
    index, coef = hills.higher(solution)
    if len(index):
        starts = nowhere.copy()
        starts[index] = coef
        again = _find_firth(lanes, shared, models, starts, index)
        again.n_steps[:] += found.n_steps[index]
        better = again.loglik > found.loglik[index]  # which nan is not
        _put(found, index[better], again, better)
    return solution


def _find_firth(
    lanes: Arrays, shared: Arrays, models: Models, starts: np.ndarray, index: np.ndarray | None
) -> firth.Found:
    """Maxima of the models in `index` from starts (B, p), from 0 where nan; quick, then careful."""
    count, p = starts.shape
    elements = models.n_rows * (1 if linalg.unrolls(p) and shared.columns is not None else p)
    some = np.arange(count) if index is None else index
    found = batch.run(
        _quick_firth, count, (lanes, starts), (shared, FIRTH_STEPS), row_elements=elements,
        unroll=len(some) > FEW, single=SINGLE, index=index,
    )  # fmt: skip
    left = np.flatnonzero(found.status == tasks.UNDECIDED)
    if len(left):
        again = batch.run(
            _careful_firth, count, (lanes, starts), (shared, np.int32(CAREFUL_STEPS)),
            row_elements=models.n_rows * p, index=some[left],
        )  # fmt: skip
        _put(found, left, again)
    for array in (found.loglik, found.user_coef):
        array[found.status != Status.CONVERGED] = np.nan
    return found


def _fit_quickly(lanes: Arrays, shared: Arrays, models: Models, elements: int) -> tasks.Found:
    """All models a few steps, then the unfinished ones from where they stand.

    A block runs as long as its slowest model.
    """
    count = models.n_models
    single = SINGLE and models.n_rows <= MANY_ROWS  # to round a long X takes more than it saves
    options = {
        "row_elements": elements,
        "size": batch.block_size(count, elements),
        "unroll": count > FEW,
        "single": single,
    }
    nowhere = np.broadcast_to(np.nan, (count, models.n_terms))
    found = batch.run(_quick_fit, count, (lanes, nowhere), (shared, FIRST[single]), **options)
    left = np.flatnonzero(found.status == tasks.UNDECIDED)
    if len(left):
        again = batch.run(
            _quick_fit, count, (lanes, found.coef), (shared, REST), index=left, **options
        )
        again.n_steps[:] += found.n_steps[left]
        _put(found, left, again)
    return found


def _put(found: tuple, index: np.ndarray, again: tuple, some: Any = slice(None)) -> None:
    """Write what some of the models found `again` over what those in `index` had found."""
    for whole, part in zip(found, again, strict=True):
        if whole is not None:
            whole[index] = part[some]


def _quick_fit(lane, shared, *, unroll: bool, single: bool):
    arrays, coef = merge(lane[0], shared[0]), lane[1]
    return tasks.quick_fit(arrays, coef, shared[1], unroll=unroll, single=single)


def _quick_firth(lane, shared, *, unroll: bool, single: bool):
    arrays, coef = merge(lane[0], shared[0]), lane[1]
    return firth.quick_fit(arrays, coef, shared[1], unroll=unroll, single=single)


def _careful_firth(lane, shared):
    return firth.careful_fit(merge(lane[0], shared[0]), lane[1], shared[1])


def _gradient_fit(lane: Arrays, shared):
    return tasks.gradient_fit(merge(lane, shared[0]), shared[1])


def _careful_fit(lane: Arrays, shared):
    return tasks.careful_fit(merge(lane, shared[0]), shared[1])


def _all_deficient(models: Models, lanes: Arrays) -> Solution:
    count, p = models.n_models, models.n_terms
    _, shared = models.split()
    nothing = np.full((count, p), np.nan)
    return Solution(
        lanes, shared, nothing, nothing, np.full(count, np.nan),
        np.full(count, int(Status.RANK_DEFICIENT), np.int32), np.zeros(count, np.int32),
        np.zeros((count, p)), np.zeros(count, np.int32),
    )  # fmt: skip
