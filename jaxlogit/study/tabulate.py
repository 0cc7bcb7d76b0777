"""Every method's intervals and tests on a block of simulated data sets."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.front import fit
from jaxlogit.study.cells import Cell
from jaxlogit.study.measures import Array, Replicates
from jaxlogit.study.store import Group


def tabulate(
    cell: Cell, y: NDArray, methods: Sequence[str], level: float, null: float
) -> Iterator[Group]:
    """Fit every data set once, then every method's intervals and tests, term by term.

    Parameters
    ----------
    cell : Cell
        Design with n rows and p coefficients.
    y : (R, n) array
        Successes of R data sets.
    methods : sequence of str
        As in `METHODS`.
    level, null : float
        Level of the intervals; the value that is tested, log-odds.

    Yields
    ------
    Group
        Method by method, term by term; arrays (R,).
    """
    y, position = distinct(cell, y)
    fitted = fit(
        cell.X, y, trials=cell.trials, weights=cell.weights, offset=cell.offset, names=cell.names
    )
    for method in methods:
        kind = method.partition(":")[2]
        interval = fitted.confint(level=level, method=kind)
        test = fitted.test(method=kind, null=null)
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
        Lower end, upper end and p-value, each with its own status.

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
