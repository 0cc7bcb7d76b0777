"""The estimates of a bootstrap's replicates: made in blocks on the device, from their numbers.

Nearly all replicates are fitted where they are drawn, from the estimate of the whole data, and
neither weights nor outcomes leave the device. What has no certificate then (a replicate may be
separated) is drawn again as data, and fitted as any other model: its coefficients may be
infinite, and stay so.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jaxlogit import batch, fitting, forms, hills, memory
from jaxlogit import covariances as errors
from jaxlogit.core import resample, sandwich
from jaxlogit.core.resample import Source
from jaxlogit.core.status import Status
from jaxlogit.core.tasks import UNDECIDED, Budget
from jaxlogit.core.working import Arrays
from jaxlogit.data import Models
from jaxlogit.model import Fit
from jaxlogit.penalties import Firth, Penalty, word
from jaxlogit.resampling import tasks
from jaxlogit.resampling.functional import Functional, derivative
from jaxlogit.resampling.sample import Sample, centred, fit_again, sample_of
from jaxlogit.resampling.scheme import Scheme
from jaxlogit.solution import FEW, Sandwich

FIRST = Budget(np.int32(3), np.int32(1))  # from the estimate: enough for nearly all
REST = Budget(np.int32(0), np.int32(12))
FIRTH_STEPS = np.int32(8)
LIGHT = 6  # as many times the models in a block, where a model is one product
NO_ERRORS = ("score", "jackknife")
"""Schemes whose replicates have no standard errors, or no distribution."""
DRAWN = 1 << 22  # numbers of drawn data in memory at a time: 32 MiB


class Estimates(NamedTuple):
    """Coefficients (k, p) of replicates, ±inf or nan where a status says so, and statuses (k,)."""

    coef: np.ndarray
    status: np.ndarray


def estimates(sample: Sample, numbers: np.ndarray) -> Estimates:
    """Coefficients and statuses of the replicates with these numbers, (k,) uint32."""
    if sample.scheme.name == "score":
        return _one_step(sample, numbers)
    count, p = len(numbers), sample.models.n_terms
    coef, status = np.full((count, p), np.nan), np.full(count, UNDECIDED, np.int32)
    quick = _has_quick_task(sample) and sample.arrays is not None
    if quick and np.all(np.isfinite(sample.start)):
        coef, status = _quickly(sample, numbers)
    left = np.flatnonzero(status == UNDECIDED)
    for part, fit in refits(sample, numbers[left]):
        coef[left[part]], status[left[part]] = fit.coef, fit.status
    return Estimates(coef, status)


def draws(sample: Sample) -> bool:
    """Whether there is something to draw from."""
    own = int(sample.fit.status)
    if sample.scheme.name in ("parametric", "score"):
        return own == Status.CONVERGED
    return own != Status.RANK_DEFICIENT  # a subset of its rows has no higher rank


def of_sample(sample: Sample, numbers: np.ndarray) -> Estimates:
    """`estimates`, or why there is nothing to draw from."""
    if not draws(sample):
        shape = (len(numbers), sample.models.n_terms)
        status = np.full(len(numbers), int(sample.fit.status), np.int32)
        return Estimates(np.full(shape, np.nan), status)
    return estimates(sample, numbers)


def refits(
    sample: Sample, numbers: np.ndarray, source: Source | None = None
) -> Iterator[tuple[slice, Fit]]:
    """The replicates as models of their own, so many at a time: which of them, and their fit."""
    step = max(1, DRAWN // sample.models.n_rows)
    for start in range(0, len(numbers), step):
        part = slice(start, min(start + step, len(numbers)))
        with forms.hurried(False):
            fit = fit_again(drawn(sample, numbers[part], source), sample.fit._penalty)
        yield part, fit


def drawn(sample: Sample, numbers: np.ndarray, source: Source | None = None) -> Models:
    """The data of replicates, each with its weights (k, n) or its outcomes."""
    draw = resample.row_weights if sample.scheme.weighs else resample.outcomes
    rows = _run(
        sample, tasks.drawn, numbers.astype(np.uint32), source or sample.source,
        row_elements=sample.models.n_rows, draw=draw,
    )  # fmt: skip
    models = replace(sample.models, n_models=len(numbers), single=False)
    if not sample.scheme.weighs:
        return replace(models, y=rows)
    return replace(models, weights=rows if models.weights is None else rows * models.weights)


def weights_by_unit(sample: Sample, numbers: np.ndarray) -> np.ndarray:
    """Weights or multipliers of the units, (k, G)."""
    return _run(
        sample, tasks.drawn, numbers.astype(np.uint32), sample.source,
        row_elements=sample.scheme.n_units, draw=resample.unit_weights,
    )  # fmt: skip


def std_errors(
    sample: Sample, numbers: np.ndarray, coef: np.ndarray, wanted: Functional
) -> np.ndarray:
    """Standard errors (k, q) of a function of the coefficients in replicates; nan where not finite.

    By the delta method, from the replicate's own information, or from its sum over clusters of
    squared scores (CR0) where clusters are the units. `coef` (k, p) are the replicates' own.
    """
    out = np.full((len(coef), wanted.size), np.nan)
    index = np.flatnonzero(np.all(np.isfinite(coef), axis=1))
    if not _has_quick_task(sample):
        for part, fit in _refits_with_errors(sample, numbers[index]):
            out[index[part]] = _delta_errors(fit, wanted)
        return out
    if not len(index):
        return out
    assert sample.arrays is not None and sample.arrays.transform is not None
    working = np.linalg.solve(sample.arrays.transform, coef[index].T).T
    out[index] = _run(
        sample, tasks.std_error, (numbers[index].astype(np.uint32), coef[index], working),
        (_penalized(sample), sample.source, wanted.contrasts), row_elements=sample.row_elements,
        weighs=sample.scheme.weighs, function=wanted.function, unroll=len(index) > FEW,
    )  # fmt: skip
    return out


def covariances(sample: Sample, numbers: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Covariances (k, p, p) of replicates' coefficients, as `std_errors`."""
    p = coef.shape[1]
    out = np.full((len(coef), p, p), np.nan)
    index = np.flatnonzero(np.all(np.isfinite(coef), axis=1))
    if not _has_quick_task(sample):
        for part, fit in _refits_with_errors(sample, numbers[index]):
            out[index[part]] = fit.covariance
    elif len(index):
        assert sample.arrays is not None and sample.arrays.transform is not None
        working = np.linalg.solve(sample.arrays.transform, coef[index].T).T
        out[index] = _run(
            sample, tasks.covariance, (numbers[index].astype(np.uint32), working),
            (_penalized(sample), sample.source), row_elements=sample.row_elements,
            weighs=sample.scheme.weighs, unroll=len(index) > FEW,
        )  # fmt: skip
    return out


def check_errors(scheme: Scheme, penalty: Penalty | None, what: str) -> None:
    """Refuse standard errors that replicates do not have."""
    if scheme.name in NO_ERRORS:
        raise ValueError(f"{what} is not defined with scheme {scheme.name!r}, which fits no "
                         "replicate with a standard error")  # fmt: skip
    if scheme.unit is None or not isinstance(penalty, Firth):
        return
    if penalty.intercept != "penalized":
        raise ValueError(f"{what} is not defined with clusters under {word(penalty)}, which "
                         "maximises twice and has no sandwich covariance")  # fmt: skip


def fit_of_data(sample: Sample) -> Fit:
    """The fit of the data with the covariance of replicates: CR0 where clusters are drawn."""
    if sample.scheme.unit is None:
        return sample.fit
    return _by_clusters(sample.own_fit, sample.scheme, np.ones((1, sample.scheme.n_units)))


def _refits_with_errors(sample: Sample, numbers: np.ndarray) -> Iterator[tuple[slice, Fit]]:
    """`refits` with the covariances of `std_errors`."""
    for part, fit in refits(sample, numbers):
        if sample.scheme.unit is not None:
            fit = _by_clusters(fit, sample.scheme, weights_by_unit(sample, numbers[part]))
        yield part, fit


def _by_clusters(fit: Fit, scheme: Scheme, weights: np.ndarray) -> Fit:
    """Fits with the CR0 covariance of clusters that were drawn so many times, (k, G).

    A cluster drawn w times is w of them: their squares add up to a w-th of its square. Pseudo-
    cases of a penalty come after the rows, and are in no cluster.
    """
    assert scheme.unit is not None
    solution = fit._solution
    codes = np.full(solution.n_rows, scheme.n_units, np.int32)
    codes[: len(scheme.unit)] = scheme.unit
    share = np.divide(1.0, weights, out=np.zeros_like(weights), where=weights > 0)
    drawn = np.sum(weights, axis=1)
    units = sandwich.Units(np.ones(len(weights), bool), share, drawn)
    found = Sandwich(units, codes, sandwich.Layout("CR0", scheme.n_units))
    return replace(fit, _solution=replace(solution, sandwich=found))


def _delta_errors(fit: Fit, wanted: Functional) -> np.ndarray:
    slopes = np.stack([derivative(wanted, coef) for coef in fit.coef])
    return np.sqrt(np.einsum("kqp,kpr,kqr->kq", slopes, fit.covariance, slopes))


def _one_step(sample: Sample, numbers: np.ndarray) -> Estimates:
    """The estimate and one Newton step on scores with random multipliers."""
    influence = sample.influence
    if sample.scheme.stratum is not None:
        influence = centred(influence, sample.scheme.stratum)
    coef = _run(
        sample, tasks.step, numbers.astype(np.uint32), (sample.source, sample.estimate, influence),
        row_elements=max(1, sample.scheme.n_units // LIGHT),
    )  # fmt: skip
    return Estimates(coef, np.zeros(len(numbers), np.int32))


def _has_quick_task(sample: Sample) -> bool:
    """Whether a replicate can be fitted where it is drawn."""
    match sample.fit._penalty:
        case None | Firth(intercept="penalized"):
            return True
    return False


def _quickly(sample: Sample, numbers: np.ndarray):
    """Coefficients and statuses, UNDECIDED without a certificate."""
    count = len(numbers)
    numbers = numbers.astype(np.uint32)
    arrays, source = _penalized(sample), sample.source
    options: dict[str, Any] = {
        "row_elements": sample.row_elements,
        "size": batch.block_size(count, sample.row_elements),
        "weighs": sample.scheme.weighs,
        "unroll": count > FEW,
        "single": fitting.SINGLE,
    }
    if sample.fit._penalty is not None:
        shared = (arrays, source, FIRTH_STEPS, np.float64(hills.ONE_HILL))
        found = _run(sample, tasks.quick_firth, numbers, shared, **options)
        return found.user_coef, found.status
    shared = (arrays, source, sample.start, FIRST)
    found = _run(sample, tasks.first_fit, numbers, shared, **options)
    left = np.flatnonzero(found.status == UNDECIDED)
    if len(left):
        lanes, shared = (numbers, found.coef), (arrays, source, REST)
        again = _run(sample, tasks.quick_fit, lanes, shared, index=left, **options)
        for name in ("coef", "user_coef", "status"):
            getattr(found, name)[left] = getattr(again, name)
    return found.user_coef, found.status


def _run(sample: Sample, task: Callable, lanes: Any, shared: Any, **options) -> Any:
    """A task over replicates: a few of them are computed as many are, to the last bit."""
    count = len(lanes[0] if isinstance(lanes, tuple) else lanes)
    with forms.hurried(False):
        return batch.run(task, count, lanes, shared, part=True, layout=sample.layout, **options)


def _penalized(sample: Sample) -> Arrays:
    assert sample.arrays is not None
    penalty = sample.fit._penalty
    if not isinstance(penalty, Firth):
        return sample.arrays
    augmented = np.float64(1) if penalty.std_error == "augmented" else None
    return sample.arrays._replace(strength=np.float64(penalty.strength), augmented=augmented)


def std_error_of_data(sample: Sample, wanted: Functional) -> np.ndarray:
    """Standard errors (q,) of a function at the estimate, as those of replicates."""
    slopes, solution = derivative(wanted, sample.estimate), fit_of_data(sample)._solution
    return errors.std_errors(solution, solution.wide(slopes))[0]


def run(
    fit: Fit, scheme: Scheme, numbers: np.ndarray, advance: Callable[[int], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (B, k, p) and statuses (B, k) of replicates by number, data set by data set."""
    count, p = fit.n_models, len(fit.names)
    memory.demand(8 * count * len(numbers) * (p + 1), f"{len(numbers):,} replicates")
    coef = np.full((count, len(numbers), p), np.nan)
    status = np.zeros((count, len(numbers)), np.int32)
    for b in range(count):
        coef[b], status[b] = of_sample(sample_of(fit, scheme, b), numbers)
        if advance is not None:
            advance(b)
    return coef, status
