"""Running a study: simulate a chunk of replicates, fit it, tabulate every method, write a part."""

import shutil
import tempfile
import weakref
from pathlib import Path

from jaxlogit.study.progress import shown
from jaxlogit.study.record import Record
from jaxlogit.study.result import StudyResult
from jaxlogit.study.simulate import simulate
from jaxlogit.study.store import missing, open_store, write_part
from jaxlogit.study.tabulate import tabulate

CHUNK = 10_000
"""Most replicates in one part: seconds of work, so that little is lost to a killed run."""

SMALL_CHUNK = 1_000
"""Enough replicates to fill the engine's blocks."""

CHUNK_OUTCOMES = 20_000_000
"""Most outcomes in one chunk, those of bootstrap replicates too; as float64 they are 160 MB."""

CHUNK_FITS = 20_000
"""Most bootstrap replicates in one part: seconds of work, or a minute where many are separated."""


def run_record(
    record: Record,
    store: str | Path | None = None,
    *,
    progress: bool = True,
    chunk: int | None = None,
) -> StudyResult:
    """Compute what a store lacks of a study; see `Study.run`.

    Parameters
    ----------
    record : Record
        The study's settings and cells.
    store, progress
        As in `Study.run`.
    chunk : int, optional
        Replicates per part, instead of a number that suits the design. It changes no result.
    """
    if store is not None:
        return _fill(Path(store), record, progress, chunk)
    folder = tempfile.mkdtemp(prefix="jaxlogit-")
    try:
        result = _fill(Path(folder), record, progress, chunk)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


def _fill(folder: Path, asked: Record, progress: bool, chunk: int | None) -> StudyResult:
    # A design of its own for each data set counts with all its columns.
    rows = max(
        cell.n_rows * (1 if cell.source is None else len(cell.names)) for cell in asked.cells
    )
    # A tenth of a short run, so that its progress is seen.
    tenth = max(asked.replicates // 10, SMALL_CHUNK)
    most = min(CHUNK, CHUNK_OUTCOMES // rows, tenth)
    if asked.bootstrap is not None:
        each = asked.bootstrap.replicates
        most = min(most, CHUNK_FITS // each, CHUNK_OUTCOMES // (rows * each))
    chunk = chunk or max(1, most)
    with open_store(folder, asked) as (record, parts):
        labels = {cell.label for cell in asked.cells}
        tasks = missing(parts, record, asked.methods, asked.replicates, chunk)
        tasks = [task for task in tasks if task.cell in labels]
        with shown(record, tasks, folder, progress) as advance:
            for task in tasks:
                cell = record.cell(task.cell)
                data = simulate(cell, record.seed, task.start, task.stop)
                groups = list(tabulate(record, cell, data, task.methods, task.start))
                parts.append(write_part(folder, record, task, groups))
                advance(task, groups)
    parts.sort(key=lambda part: (part.cell, part.start))
    return StudyResult(folder, record, tuple(parts))
