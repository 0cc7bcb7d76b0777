"""One chunk of a study, in this process or in any other: plain data in, plain data out.

A chunk goes to another process as bytes, texts and numbers: the files that describe its cell in
a store, its range and its methods. It comes back as the content of a part. Nothing but the
function `compute` must be known on both sides.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from jaxlogit import compiled
from jaxlogit.forms import hurried
from jaxlogit.study.computing.progress import Counts, counted
from jaxlogit.study.computing.tabulate import tabulate
from jaxlogit.study.design.simulate import random_record, simulate
from jaxlogit.study.design.varying import Generator
from jaxlogit.study.store.parts import Task, part_content
from jaxlogit.study.store.record import Record, read_record, write_record

Files = tuple[tuple[str, bytes], ...]
"""Names and contents of the files that describe one cell: study.json and its design."""

RECORDS = 4
"""Descriptions that a worker keeps decoded: it may meet another cell before the last one ends."""

_one_at_a_time = threading.Lock()


class Computed(NamedTuple):
    """A part's content, and the counts that progress is told."""

    content: bytes
    counts: Counts


def computed(record: Record, task: Task) -> Computed:
    """Simulate a chunk of replicates, fit it, and tabulate every method.

    A chunk comes out the same to the last bit whoever computes it, after whatever others.
    """
    cell = record.cell(task.cell)
    data = simulate(cell, record.seed, task.start, task.stop)
    with hurried(False):
        groups = list(tabulate(record, cell, data, task.methods, task.start))
    return Computed(part_content(record, task, groups), counted(cell, groups))


def described(record: Record, label: str) -> Files:
    """One cell of a study as the files that a store with this cell alone would have."""
    with tempfile.TemporaryDirectory(prefix="jaxlogit-") as name:
        folder = Path(name)
        write_record(folder, replace(record, cells=(record.cell(label),)))
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return tuple((path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths)


def compute(
    files: Files,
    start: int,
    stop: int,
    methods: Sequence[str],
    threads: int | None,
    generate: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Compute replicates start, ..., stop − 1 of the cell that the files describe.

    Chunks that meet in one process follow each other: one uses all its cores.

    Parameters
    ----------
    files : tuple of (name, content)
        See `described`.
    start, stop : int
    methods : sequence of str
    threads : int or None
        Cores that this process may use; None where it knows better itself.
    generate : function, optional
        What draws the data sets, where a user's function does: the one thing that is no plain data.

    Returns
    -------
    dict
        `content` and `counts`, or `failure`: what went wrong, in words.
    """
    try:
        _take_share(threads)
        compiled.keep()
        with _one_at_a_time:
            record = _decoded(files, generate)
            (cell,) = record.cells
            task = Task(cell.label, start, stop, tuple(methods))
            return computed(record, task)._asdict()
    except Exception as error:  # it must travel, and not every exception can
        return {"failure": f"{type(error).__name__}: {error}"}


@lru_cache(maxsize=RECORDS)
def _decoded(files: Files, generate: Callable[..., Any] | None) -> Record:
    """The record, from files that are written as a store and read as one."""
    with tempfile.TemporaryDirectory(prefix="jaxlogit-") as name:
        for path, content in files:
            place = Path(name, path)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        record = read_record(Path(name))
    if dict(record.random) != random_record():
        raise ValueError("this worker draws other random numbers than the study: install the "
                         f"version of jax that made it, {record.versions.get('jax')}")  # fmt: skip
    if generate is None:
        return record
    (cell,) = record.cells
    return replace(record, cells=(replace(cell, source=Generator(generate, cell.values)),))


def _take_share(threads: int | None) -> None:
    """Keep to a share of the cores; it counts from JAX's first use in this process."""
    if threads is not None:
        os.environ |= share(threads)
    elif "distributed" in sys.modules:
        from distributed import get_worker

        try:
            known = share(get_worker().state.nthreads)
        except ValueError:  # not a Dask worker
            return
        for name, value in known.items():
            os.environ.setdefault(name, value)


def share(threads: int) -> dict[str, str]:
    """Environment of a process that may use so many cores: ours and XLA's threads."""
    return {"JAXLOGIT_NUM_THREADS": str(threads), "NPROC": str(threads)}
