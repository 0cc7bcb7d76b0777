"""Bootstrap intervals of simulated data sets, one data set after the other.

All kinds of one estimator share a data set's replicates. What a replicate draws depends on the
study's seed, the cell's address, the number of the data set and its own number: a chunk of data
sets, or one of them alone, gives the same.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jaxlogit import data
from jaxlogit.data import Models
from jaxlogit.front import fit_models
from jaxlogit.penalties import check_penalty
from jaxlogit.resampling import inference, kinds, replicates
from jaxlogit.resampling.acceleration import accelerations
from jaxlogit.resampling.front import used_rows
from jaxlogit.resampling.functional import Functional, functional
from jaxlogit.resampling.sample import Sample, sample_of
from jaxlogit.resampling.scheme import Scheme, check_scheme
from jaxlogit.study.design.cells import Array, Cell, canonical_json
from jaxlogit.study.design.varying import DataSets
from jaxlogit.study.measures.nested import PARTS, holds, subsets
from jaxlogit.study.methods import PENALTIES, BootstrapSettings


@dataclass(frozen=True)
class Resampled:
    """Intervals of one kind in B data sets.

    Attributes
    ----------
    estimate, std_error : (B, p) arrays
        The estimate, and the standard deviation of its replicates (nan where one is infinite).
    lower, upper : (B, p) arrays
    lower_status, upper_status : (B, p) arrays of int32
    parts : dict of (B, p) arrays
        The columns of `PARTS`: nan where a subset's interval is undefined.
    """

    estimate: Array
    std_error: Array
    lower: Array
    upper: Array
    lower_status: NDArray[np.int32]
    upper_status: NDArray[np.int32]
    parts: dict[str, Array]


@dataclass(frozen=True)
class Plan:
    """How the data sets of a cell are resampled: `count` replicates each, intervals at `levels`."""

    scheme: Scheme
    count: int
    levels: tuple[float, ...]


def plan(cell: Cell, seed: int, settings: BootstrapSettings, levels: tuple[float, ...]) -> Plan:
    """Check the settings against the cell.

    Raises
    ------
    ValueError
        The scheme cannot use what the design has: case weights with "parametric", one row.
    """
    own = canonical_json(["bootstrap", seed, cell.address]).encode()
    # Another key than the data's: the replicates of a data set must not repeat how it was drawn.
    number = int.from_bytes(hashlib.blake2b(own, digest_size=8).digest(), "little") >> 1
    n = cell.n_rows
    # The rows of a drawn design have weights where its table has.
    drawn = cell.source is not None and cell.weights is not None
    blank = np.ones(n) if drawn else cell.weights
    models = _models(
        cell, DataSets(np.zeros((n, len(cell.names))), np.zeros((1, n)), weights=blank)
    )
    scheme = check_scheme(models, settings.scheme, number, None, None, None, None, None)
    return Plan(scheme, settings.replicates, levels)


def resample(
    plan: Plan,
    cell: Cell,
    made: DataSets,
    numbers: NDArray[np.int64],
    estimator: str,
    wanted: Sequence[str],
) -> dict[tuple[str, float], Resampled]:
    """Bootstrap data sets and give their intervals.

    Parameters
    ----------
    plan : Plan
    cell : Cell
    made : DataSets
        B of them.
    numbers : (B,) array of int
        Their numbers.
    estimator : {"bootstrap", "firth-bootstrap"}
    wanted : sequence of str
        Kinds of intervals.

    Returns
    -------
    dict[tuple, Resampled]
        By kind and level. In a data set without a finite estimate the percentile interval alone
        exists, and not where outcomes or scores would be drawn from the estimate.
    """
    fit = fit_models(_models(cell, made), check_penalty(PENALTIES[estimator]))
    shape = (len(numbers), len(cell.names))
    out = {
        (kind, level): _empty(np.array(fit.coef), shape) for kind in wanted for level in plan.levels
    }
    every = functional(None, None, cell.names)
    for b, number in enumerate(numbers):
        sample = replace(sample_of(fit, plan.scheme, b), data_set=int(number))
        _fill(out, b, sample, plan, every, cell.truth)
    return out


def _empty(estimate: Array, shape: tuple[int, int]) -> Resampled:
    std_error, lower, upper = np.full((3, *shape), np.nan)
    lower_status, upper_status = np.zeros((2, *shape), np.int32)
    parts = {name: np.full(shape, np.nan) for name in PARTS}
    return Resampled(estimate, std_error, lower, upper, lower_status, upper_status, parts)


def _fill(
    out: dict[tuple[str, float], Resampled],
    b: int,
    sample: Sample,
    plan: Plan,
    every: Functional,
    truth: Array,
) -> None:
    """All kinds of one data set."""
    own = int(sample.fit.status)
    finite = bool(np.all(np.isfinite(sample.estimate)))
    drawn = replicates.draws(sample)
    wanted = dict.fromkeys(kind for kind, _ in out)
    defined = [kind for kind in wanted if drawn and (finite or kind == "percentile")]
    for found in out.values():
        found.lower_status[b] = found.upper_status[b] = own
    if not defined:
        return
    coef, status = replicates.of_sample(sample, np.arange(plan.count, dtype=np.uint32))
    spread = inference.moments(sample, coef, status, every)[1]
    for found in out.values():
        found.std_error[b] = spread
    for kind in defined:
        ends = _ends(sample, coef, kind, every)
        for level in plan.levels:
            whole, found = ends(slice(None), level), out[kind, level]
            found.lower[b], found.upper[b] = whole
            both = inference.end_status(whole, coef, status, every)
            found.lower_status[b], found.upper_status[b] = both
            for name, slices in subsets(plan.count, level).items():
                if slices:
                    lower, upper = np.stack([ends(part, level) for part in slices], axis=1)
                    found.parts[name][b] = np.mean(holds(lower, upper, truth), axis=0)


def _ends(
    sample: Sample, coef: Array, kind: str, every: Functional
) -> Callable[[slice, float], Array]:
    """The ends (2, p) that one kind has from some of the replicates, at a level."""
    errors = error = acceleration = None
    if kind == "studentized":
        numbers = np.arange(len(coef), dtype=np.uint32)
        errors = replicates.std_errors(sample, numbers, coef, every)
        error = replicates.std_error_of_data(sample, every)
    if kind == "bca":
        acceleration = accelerations(sample, every)

    def ends(part: slice, level: float) -> Array:
        own = None if errors is None else errors[part]
        found = kinds.ends(coef[part], sample.estimate, level, kind, own, error, acceleration)
        return found.value

    return ends


def _models(cell: Cell, made: DataSets) -> Models:
    """Data sets of a cell, without the rows of weight 0: they must not be drawn."""
    models = data.collect(made.X, made.y, made.trials, made.weights, made.offset, cell.names)
    return used_rows(models)[0]
