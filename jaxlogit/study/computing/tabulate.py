"""Every method's intervals and tests on a block of simulated data sets."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.front import fit
from jaxlogit.model import Fit
from jaxlogit.once import Once
from jaxlogit.study.computing.resample import Resampled, plan, resample
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.design.varying import DataSets
from jaxlogit.study.measures.performance import Array, Replicates
from jaxlogit.study.methods import PENALTIES, RESAMPLED
from jaxlogit.study.store.group import Group
from jaxlogit.study.store.record import Record


def tabulate(
    record: Record, cell: Cell, data: DataSets, methods: Sequence[str], first: int, *,
    side_by_side: bool = False,
) -> Iterator[Group]:  # fmt: skip
    """Fit every data set once by each estimator, then give every method's intervals and tests.

    Parameters
    ----------
    record : Record
        For levels, null, and how bootstrap methods draw.
    cell : Cell
        With p coefficients.
    data : DataSets
        The data sets first, ..., first + B − 1.
    methods : sequence of str
        Methods of `record`.
    first : int
    side_by_side : bool
        A thread for each method: one compiles while another's searches are traced.

    Yields
    ------
    Group
        Method by method, level by level, term by term; arrays (B,).
    """
    numbers = first + np.arange(len(data.y))
    if data.failed is None:
        yield from _tabulate(record, cell, data, methods, numbers, side_by_side)
        return
    whole = np.flatnonzero(~data.failed)
    if len(whole):
        made = _tabulate(record, cell, data.take(whole), methods, numbers[whole], side_by_side)
        for group in made:
            yield _among(group, whole, len(numbers))
        return
    for method in methods:
        for level in record.levels:
            for term in cell.names:
                none = np.empty(0)
                rows = Replicates(none, none, none, none, none)
                group = Group(method, level, term, rows, np.empty(0, np.int32))
                yield _among(group, whole, len(numbers))


def _among(group: Group, whole: NDArray[np.intp], n: int) -> Group:
    """A group over all n data sets: nan, with the status of bad input, in those that failed."""

    def spread(values: Array) -> Array:
        out = np.full(n, np.nan)
        out[whole] = values
        return out

    names = ("estimate", "std_error", "lower", "upper", "p_value")
    rows = Replicates(**{name: spread(getattr(group.rows, name)) for name in names})
    status = np.full(n, Status.NONFINITE_INPUT, np.int32)
    status[whole] = group.status
    parts = None if group.parts is None else {k: spread(v) for k, v in group.parts.items()}
    return Group(group.method, group.level, group.term, rows, status, parts)


def _tabulate(
    record: Record, cell: Cell, data: DataSets, methods: Sequence[str],
    numbers: NDArray[np.int64], side_by_side: bool,
) -> Iterator[Group]:  # fmt: skip
    """The same of data sets none of which failed, with their numbers."""
    own, position = distinct(data)
    once = Once()

    def fitted(estimator: str) -> Fit:
        return fit(
            own.X, own.y, trials=own.trials, weights=own.weights, offset=own.offset,
            penalty=PENALTIES[estimator], names=cell.names,
        )  # fmt: skip

    def drawn(estimator: str) -> dict[tuple[str, float], Resampled]:
        parts = (method.partition(":") for method in methods if method in RESAMPLED)
        wanted = [kind for name, _, kind in parts if name == estimator]
        assert record.bootstrap is not None  # a study with such a method has settings
        how = plan(cell, record.seed, record.bootstrap, record.levels)
        return resample(how, cell, data, numbers, estimator, wanted)

    def made(method: str) -> Iterator[Group]:
        estimator, _, kind = method.partition(":")
        if method in RESAMPLED:
            found = once(f"{estimator} drawn", (), partial(drawn, estimator))
            for level in record.levels:
                yield from _resampled(cell, method, level, found[kind, level])
        else:
            found = once(f"{estimator} fitted", (), partial(fitted, estimator))
            yield from _fitted(record, cell, method, found, position)

    if not side_by_side:
        for method in methods:
            yield from made(method)
        return
    with ThreadPoolExecutor(len(methods)) as threads:
        jobs = [threads.submit(copy_context().run, lambda m: list(made(m)), m) for m in methods]
        for job in jobs:
            yield from job.result()


def _fitted(
    record: Record, cell: Cell, method: str, fitted: Fit, position: NDArray[np.intp] | slice
) -> Iterator[Group]:
    """Intervals and tests of fits; where each data set is among them."""
    kind = method.partition(":")[2]
    test = fitted.test(method=kind, null=record.null)
    for level in record.levels:
        interval = fitted.confint(level=level, method=kind)
        status = row_status(
            (interval.lower, interval.lower_status),
            (interval.upper, interval.upper_status),
            (test.p_value, test.status),
        )
        for j, term in enumerate(cell.names):
            rows = Replicates(
                estimate=fitted.coef[position, j],
                std_error=fitted.std_error[position, j],
                lower=interval.lower[position, j],
                upper=interval.upper[position, j],
                p_value=test.p_value[position, j],
            )
            yield Group(method, level, term, rows, status[position, j])


def _resampled(cell: Cell, method: str, level: float, found: Resampled) -> Iterator[Group]:
    """Bootstrap intervals, which have no p-value."""
    status = row_status((found.lower, found.lower_status), (found.upper, found.upper_status))
    for j, term in enumerate(cell.names):
        rows = Replicates(
            estimate=found.estimate[:, j],
            std_error=found.std_error[:, j],
            lower=found.lower[:, j],
            upper=found.upper[:, j],
            p_value=np.full(len(status), np.nan),
        )
        parts = {name: shares[:, j] for name, shares in found.parts.items()}
        yield Group(method, level, term, rows, status[:, j], parts)


def distinct(data: DataSets) -> tuple[DataSets, NDArray[np.intp] | slice]:
    """The distinct data sets of a block, where a small fixed design must repeat them.

    Parameters
    ----------
    data : DataSets
        B data sets.

    Returns
    -------
    tuple of DataSets and array (B,)
        D data sets, and where each of the B is among them. Equal data have equal fits; two
        groups of 20 have 441 outcomes however many replicates there are.
    """
    others = (a for a in (data.trials, data.weights, data.offset) if a is not None)
    if data.X.ndim > 2 or any(a.ndim > 1 for a in others):
        return data, slice(None)
    y = data.y
    ones = np.ones(y.shape[1])
    log_outcomes = np.sum(np.log1p(ones if data.trials is None else data.trials))
    if log_outcomes > np.log(len(y)):
        return data, slice(None)
    found, position = np.unique(y, axis=0, return_inverse=True)
    return replace(data, y=found), position.reshape(-1)


def row_status(*numbers: tuple[Array, NDArray[np.int32]]) -> NDArray[np.int32]:
    """One status for a row of the store: why its first nan is missing, else what its ends are.

    Parameters
    ----------
    *numbers : pairs of arrays (R, p)
        Lower end, upper end and, where there is one, p-value, each with its own status.

    Returns
    -------
    (R, p) array of int32
        The status of the first of them that is nan; where none is, INFINITE if an end is
        infinite, CONVERGED otherwise.
    """
    infinite = np.isinf(numbers[0][0]) | np.isinf(numbers[1][0])
    return np.select(
        [np.isnan(value) for value, _ in numbers],
        [np.broadcast_to(status, infinite.shape) for _, status in numbers],
        np.where(infinite, Status.INFINITE, Status.CONVERGED),
    ).astype(np.int32)
