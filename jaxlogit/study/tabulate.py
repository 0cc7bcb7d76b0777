"""Every method's intervals and tests on a block of simulated data sets."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.front import fit
from jaxlogit.model import Fit
from jaxlogit.study.cells import Cell
from jaxlogit.study.measures import Array, Replicates
from jaxlogit.study.methods import PENALTIES, RESAMPLED
from jaxlogit.study.record import Record
from jaxlogit.study.resample import Resampled, plan, resample
from jaxlogit.study.store import Group


def tabulate(
    record: Record, cell: Cell, y: NDArray, methods: Sequence[str], first: int
) -> Iterator[Group]:
    """Fit every data set once by each estimator, then give every method's intervals and tests.

    Parameters
    ----------
    record : Record
        For level, null, and how bootstrap methods draw.
    cell : Cell
        Design with n rows and p coefficients.
    y : (R, n) array
        Successes of the data sets first, ..., first + R − 1.
    methods : sequence of str
        Methods of `record`.
    first : int

    Yields
    ------
    Group
        Method by method, term by term; arrays (R,).
    """
    once, position = distinct(cell, y)
    fits: dict[str, Fit] = {}
    drawn: dict[str, dict[str, Resampled]] = {}
    for method in methods:
        estimator, _, kind = method.partition(":")
        if method in RESAMPLED:
            if estimator not in drawn:
                wanted = [m.partition(":")[2] for m in methods if m in RESAMPLED
                          and m.startswith(f"{estimator}:")]  # fmt: skip
                assert record.bootstrap is not None  # a study with such a method has settings
                how = plan(cell, record.seed, record.bootstrap, record.level)
                drawn[estimator] = resample(how, cell, y, first, estimator, wanted)
            yield from _resampled(cell, method, drawn[estimator][kind])
            continue
        if estimator not in fits:
            fits[estimator] = fit(
                cell.X, once, trials=cell.trials, weights=cell.weights, offset=cell.offset,
                penalty=PENALTIES[estimator], names=cell.names,
            )  # fmt: skip
        yield from _fitted(record, cell, method, fits[estimator], position)


def _fitted(
    record: Record, cell: Cell, method: str, fitted: Fit, position: NDArray[np.intp] | slice
) -> Iterator[Group]:
    """Intervals and tests of fits; where each data set is among them."""
    kind = method.partition(":")[2]
    interval = fitted.confint(level=record.level, method=kind)
    test = fitted.test(method=kind, null=record.null)
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
        yield Group(method, term, rows, status[position, j])


def _resampled(cell: Cell, method: str, found: Resampled) -> Iterator[Group]:
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
        yield Group(method, term, rows, status[:, j], parts)


def distinct(cell: Cell, y: NDArray) -> tuple[NDArray, NDArray[np.intp] | slice]:
    """The distinct data sets of a block, where a small design must repeat them.

    Parameters
    ----------
    cell : Cell
    y : (R, n) array

    Returns
    -------
    tuple of arrays (D, n) and (R,)
        Data sets, and where each of the R is among them. Equal data have equal fits; two
        groups of 20 have 441 outcomes however many replicates there are.
    """
    ones = np.ones(y.shape[1])
    log_outcomes = np.sum(np.log1p(ones if cell.trials is None else cell.trials))
    if log_outcomes > np.log(len(y)):
        return y, slice(None)
    found, position = np.unique(y, axis=0, return_inverse=True)
    return found, position.reshape(-1)


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
