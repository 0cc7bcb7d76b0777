"""Joining stores of one study: shards of it, or runs of several methods or ranges."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jaxlogit.study.design.cells import MAX_REPLICATES
from jaxlogit.study.result import StudyResult
from jaxlogit.study.store.joined import merged
from jaxlogit.study.store.parts import (
    Part,
    Task,
    content_of_tables,
    missing,
    open_store,
    save_part,
    scan,
)
from jaxlogit.study.store.record import ROUNDING, Record, read_record

Tables = Iterator[tuple[tuple, pa.Table]]
"""Tables, and what each is of."""

KEYS = ("method", "level", "term")
"""What tells the row groups of a part apart, where the column is there."""


def merge(stores: Sequence[str | Path], into: str | Path) -> StudyResult:
    """Join stores of one study into one that holds what any of them holds.

    The stores are read only. Their damaged parts are said on standard error and left out:
    running the study into the new store computes them again.

    Parameters
    ----------
    stores : sequence of path
    into : path
        A new folder, or a store of the same study that is added to.

    Returns
    -------
    StudyResult
        Over the joined store: the tables of one run.

    Raises
    ------
    FileNotFoundError, ValueError
        No store, another study (naming what differs), or two that hold different rows of the
        same replicates (naming both files).

    Examples
    --------
    >>> import tempfile
    >>> from jaxlogit.study import Study
    >>> study = Study(name="dose", seed=1, replicates=200, methods=["ml:wald"],
    ...               X=[[1, 0], [1, 1]], trials=[40, 40], truth=[-1.0, 0.5])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     halves = [f"{folder}/{i}" for i in (1, 2)]
    ...     for i, half in enumerate(halves, 1):
    ...         _ = study.run(half, shard=f"{i}/2", progress=False)
    ...     merge(halves, f"{folder}/whole").n_replicates("main", "ml:wald")
    200
    """
    if isinstance(stores, str | Path) or not stores:
        raise ValueError(f"stores must be one or more folders: found {stores!r}")
    folders, into = [Path(store) for store in stores], Path(into)
    records = [read_record(folder) for folder in folders]
    whole = records[0]
    for folder, record in zip(folders, records, strict=True):
        whole = _joined(folders[0], whole, folder, record)
    with open_store(into, whole) as (record, held):
        _joined(into, record, folders[0], whole)
        for folder, own in zip(folders, records, strict=True):
            parts, damaged = scan(folder, own)
            for path, reason in damaged:
                print(f"{path}: {reason}; left out", file=sys.stderr)
            for part in parts:
                _add(part, into, record, held)
    held.sort(key=lambda part: (part.cell, part.start))
    return StudyResult(into, record, tuple(held))


def _joined(here: Path, record: Record, there: Path, other: Record) -> Record:
    """One record for two stores; refuses what rows depend on, were it a last digit."""
    try:
        joined = merged(record, other, here)
    except ValueError as error:
        raise ValueError(f"{there} cannot be joined: {error}") from None
    for cell in other.cells:
        mine = next((own for own in record.cells if own.label == cell.label), None)
        if mine is not None and record.identity(mine, ()) != other.identity(cell, ()):
            raise ValueError(
                f"{here} and {there} differ in the last digits of the design or truth of cell "
                f"{cell.label}, as machines may round them: give both as numbers, and run again"
            )
    return joined


def _add(part: Part, into: Path, record: Record, held: list[Part]) -> None:
    """Bring one part in: whole where all of it is new, else what is new of it."""
    known = [one for one in held if one.cell == part.cell and _shared(one, part) is not None]
    if any(one.path.name == part.path.name for one in known):
        return
    for one in known:
        if record.keep == "summary":
            _check_same_range(one, part)
        _check_equal(one, part, _own_sums if record.keep == "summary" else _rows)
    if not known:
        task = Task(part.cell, part.start, part.stop, part.methods)
        held.append(save_part(into, record, task, part.path.read_bytes()))
        return
    begin = Task(part.cell, part.start, part.start, ())  # holds nothing, but cuts
    for task in missing([*known, begin], record, part.methods, part.stop, MAX_REPLICATES):
        if task.cell == part.cell and task.start >= part.start:
            rows = _sums if record.keep == "summary" else _rows
            content = content_of_tables(record, task, [table for _, table in rows(part, task)])
            held.append(save_part(into, record, task, content))


def _shared(one: Part, other: Part) -> Task | None:
    """What two parts of a cell both hold."""
    start, stop = max(one.start, other.start), min(one.stop, other.stop)
    methods = tuple(method for method in one.methods if method in other.methods)
    return Task(one.cell, start, stop, methods) if methods and start < stop else None


def _check_same_range(one: Part, other: Part) -> None:
    """Refuse two parts of sums that overlap: what both hold cannot be taken out of either."""
    if (one.start, one.stop) != (other.start, other.stop):
        ranges = [f"{part.start:,} to {part.stop - 1:,}" for part in (one, other)]
        raise ValueError(
            f"{one.path} and {other.path} are sums of replicates {ranges[0]} and {ranges[1]}, "
            "which overlap: leave one of them out"
        )


def _check_equal(one: Part, other: Part, read: Callable[[Part, Task], Tables]) -> None:
    """Refuse two parts whose rows, or sums, of the same replicates differ."""
    shared = _shared(one, other)
    assert shared is not None
    rows = dict(read(other, shared))
    for key, table in read(one, shared):
        for name in table.column_names:
            here, there = (t[name].to_numpy() for t in (table, rows[key]))
            if not _equal(here, there, rounded=name in ("mean", "m2")):
                raise ValueError(
                    f"{one.path} and {other.path} differ in {name} of {', '.join(map(str, key))} "
                    f"on replicates {shared.start:,} to {shared.stop - 1:,}: leave one of them out"
                )


def _equal(here: NDArray, there: NDArray, rounded: bool) -> bool:
    """Whether columns are the same; sums may be rounded otherwise by another processor."""
    if here.shape != there.shape:
        return False
    if rounded:
        return np.allclose(here, there, rtol=ROUNDING, atol=ROUNDING, equal_nan=True)
    return np.array_equal(here, there, equal_nan=here.dtype.kind == "f")


def _own_sums(part: Part, task: Task) -> Tables:
    """A task's sums in a part: a table for each method, without its pairs."""
    ((_, table),) = _sums(part, task)
    for method in task.methods:
        own = (pc.field("method") == method) & pc.field("other").is_null()
        yield (method,), table.filter(own)


def _sums(part: Part, task: Task) -> Tables:
    """The same with the pairs among them, in one table as a part has."""
    among = pa.array(task.methods)
    paired = pc.field("other").is_null() | pc.field("other").isin(among)
    with pq.ParquetFile(part.path, metadata=part.footer) as file:
        table = file.read().replace_schema_metadata()
    yield task.methods, table.filter(pc.field("method").isin(among) & paired)


def _rows(part: Part, task: Task) -> Tables:
    """A task's rows in a part: a table for each of its row groups, and what the group is of."""
    with pq.ParquetFile(part.path, metadata=part.footer) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).replace_schema_metadata()
            key = tuple(table[name][0].as_py() for name in KEYS if name in table.column_names)
            if key[0] in task.methods:
                yield key, table.slice(task.start - part.start, task.stop - task.start)
