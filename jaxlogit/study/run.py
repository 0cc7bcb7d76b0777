"""Running a study: simulate a chunk of replicates, fit it, tabulate every method, write a part."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.model import fit
from jaxlogit.study.cells import Cell
from jaxlogit.study.measures import Array, Replicates
from jaxlogit.study.progress import shown
from jaxlogit.study.record import Record, record_of
from jaxlogit.study.result import StudyResult
from jaxlogit.study.simulate import outcomes
from jaxlogit.study.spec import Study, check_replicates
from jaxlogit.study.store import Group, missing, open_store, write_part

CHUNK = 10_000
"""Most replicates in one part: seconds of work, so that little is lost to a killed run."""

SMALL_CHUNK = 1_000
"""Enough replicates to fill the engine's blocks."""

CHUNK_OUTCOMES = 20_000_000
"""Most outcomes in one chunk; their float64 copies are 160 MB."""


def run_study(
    study: Study,
    *,
    store: str | Path | None = None,
    replicates: int | None = None,
    progress: bool = True,
    chunk: int | None = None,
) -> StudyResult:
    """Compute what a store lacks of a study; see `Study.run`.

    Parameters
    ----------
    study : Study
    store, replicates, progress
        As in `Study.run`.
    chunk : int, optional
        Replicates per part, instead of a number that suits the design. It changes no result.
    """
    wanted = study.replicates if replicates is None else check_replicates(replicates)
    record = replace(record_of(study), replicates=wanted)
    if store is not None:
        return _fill(Path(store), record, study.methods, progress, chunk)
    folder = tempfile.mkdtemp(prefix="jaxlogit-")
    try:
        result = _fill(Path(folder), record, study.methods, progress, chunk)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


def _fill(
    folder: Path, record: Record, methods: Sequence[str], progress: bool, chunk: int | None
) -> StudyResult:
    wanted = record.replicates
    rows = max(cell.X.shape[0] for cell in record.cells)
    # A tenth of a short run, so that its progress is seen.
    chunk = chunk or max(1, min(CHUNK, CHUNK_OUTCOMES // rows, max(wanted // 10, SMALL_CHUNK)))
    with open_store(folder, record) as (record, parts):
        tasks = missing(parts, record, methods, wanted, chunk)
        with shown(record, tasks, folder, progress) as advance:
            for task in tasks:
                cell = record.cell(task.cell)
                y = outcomes(cell, record.seed, task.start, task.stop)
                groups = list(tabulate(cell, y, task.methods, record.level, record.null))
                parts.append(write_part(folder, record, task, groups))
                advance(task, groups)
    parts.sort(key=lambda part: (part.cell, part.start))
    return StudyResult(folder, record, tuple(parts))


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
