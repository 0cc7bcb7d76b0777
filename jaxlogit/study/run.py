"""Running a study: what a store lacks is cut into chunks, computed, and written part by part."""

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from jaxlogit.study.computing.clock import Clock
from jaxlogit.study.computing.engines import Engine, opened, results
from jaxlogit.study.computing.looks import rounds
from jaxlogit.study.computing.progress import shown
from jaxlogit.study.computing.shards import Shard, of_shard
from jaxlogit.study.result import StudyResult
from jaxlogit.study.store.parts import Task, missing, n_written, open_store, save_part
from jaxlogit.study.store.record import Record

CHUNK = 10_000
"""Most replicates in one part: seconds of work, so that little is lost to a killed run."""

SMALL_CHUNK = 1_000
"""Enough replicates to fill the engine's blocks."""

CHUNK_OUTCOMES = 20_000_000
"""Most outcomes in one chunk, those of bootstrap replicates too; as float64 they are 160 MB."""

CHUNK_FITS = 20_000
"""Most bootstrap replicates in one part: seconds of work, or a minute where many are separated."""


@dataclass(frozen=True)
class Manner:
    """How a study is run; nothing of it changes a result.

    Attributes
    ----------
    engine, shard, max_time
        As in `Study.run`.
    progress : bool
    chunk : int or None
        Replicates per part, instead of a number that suits the design.
    """

    engine: Engine = None
    shard: Shard | None = None
    max_time: float | None = None
    progress: bool = True
    chunk: int | None = None


def run_record(
    record: Record,
    store: str | Path | None = None,
    *,
    progress: bool = True,
    chunk: int | None = None,
    engine: Engine = None,
    shard: Shard | None = None,
    max_time: float | None = None,
) -> StudyResult:
    """Compute what a store lacks of a study; see `Study.run`.

    Parameters
    ----------
    record : Record
        The study's settings and cells.
    store, progress, engine, shard, max_time
        As in `Study.run`.
    chunk : int, optional
        Replicates per part, instead of a number that suits the design. It changes no result.
    """
    manner = Manner(engine, shard, max_time, progress, chunk)
    if store is not None:
        return _fill(Path(store), record, manner)
    folder = tempfile.mkdtemp(prefix="jaxlogit-")
    try:
        result = _fill(Path(folder), record, manner)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


def _fill(folder: Path, asked: Record, manner: Manner) -> StudyResult:
    chunk = manner.chunk or chunk_size(asked, manner.shard)
    clock = Clock(manner.max_time)
    wanted = {cell.label for cell in asked.cells}
    with opened(manner.engine) as pool, open_store(folder, asked) as (record, parts):

        def lacking(limit: int) -> list[Task]:
            every = missing(parts, record, asked.methods, limit, chunk)
            tasks = [task for task in every if task.cell in wanted]
            return tasks if manner.shard is None else of_shard(tasks, manner.shard, asked, chunk)

        tasks = lacking(asked.replicates)
        before, total = tuple(parts), sum(task.stop - task.start for task in tasks)
        with shown(record, tasks, folder, manner.progress) as advance:
            try:
                for some in rounds(record, asked.methods, asked.replicates, parts, lacking):
                    for task, found in results(pool, record, some, clock):
                        parts.append(save_part(folder, record, task, found.content))
                        advance(task, found.counts)
                    if clock.stopped:
                        break
            except KeyboardInterrupt as stop:
                done = n_written(folder, before)  # the stop may fall between a part and its count
                stop.args = (f"{done:,} of {total:,} replicates are done, running again resumes",)
                raise
    left = total - n_written(folder, before) if clock.stopped else 0
    parts.sort(key=lambda part: (part.cell, part.start))
    return StudyResult(folder, record, tuple(parts), left=left)


def chunk_size(asked: Record, shard: Shard | None) -> int:
    """Replicates per part that suit the design; the same for every run of a specification."""
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
    if shard is not None:  # each shard has something to do
        most = min(most, ceil(asked.replicates * len(asked.cells) / shard.count))
    return max(1, most)
