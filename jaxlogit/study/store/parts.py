"""The parts of a store: Parquet files that hold a range of replicates each, whole or not at all.

A part's name ends with a digest of its content, so truncation and flipped bits are seen
before anything is read from it. Within a part each (method, level, term) is one row group: a table
over a million replicates reads one group of every part at a time. Any tool that reads Parquet
can read `parts/*.parquet` as one table. A store that keeps sums has parts of the same kind, with
one row group (`jaxlogit.study.store.sums`).
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jaxlogit.study.measures.nested import PARTS
from jaxlogit.study.methods import resampled
from jaxlogit.study.store.files import (
    content_digest,
    file_digest,
    locked,
    remove_leftovers,
    write_atomic,
)
from jaxlogit.study.store.group import Group
from jaxlogit.study.store.joined import merged
from jaxlogit.study.store.record import Record, read_record, write_record
from jaxlogit.study.store.sums import SUMS_SCHEMA, Sums, looked_up, merged_sums, sums_of

COLUMNS = ("estimate", "std_error", "lower", "upper", "p_value")

SCHEMA = pa.schema(
    [
        pa.field("cell", pa.string(), nullable=False),
        pa.field("replicate", pa.int64(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("level", pa.float64(), nullable=False),
        pa.field("term", pa.string(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in COLUMNS),
        pa.field("status", pa.int32(), nullable=False),
    ]
)

RESAMPLED_SCHEMA = pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in PARTS)])
"""Of parts with a method that resamples; null for the others."""

REPEATED_ROWS = ["cell", "method", "level", "term", "status"]
REPEATED_SUMS = ["cell", "method", "other", "level", "term", "quantity", "n"]
"""Columns with few values, written with a dictionary."""

SUMS_AT_ONCE = 2_000_000
"""Rows of sums that are put together at a time: some hundred MB."""

PART_NAME = re.compile(r"part-[0-9a-f]{8}-\d{10}-\d{10}-([0-9a-f]{16})\.parquet")


@dataclass(frozen=True)
class Part:
    """One whole file: some methods on the replicates start, ..., stop − 1 of a cell."""

    path: Path
    cell: str
    start: int
    stop: int
    methods: tuple[str, ...]
    footer: pq.FileMetaData


@dataclass(frozen=True)
class Task:
    """Replicates start, ..., stop − 1 of a cell, and the methods they still lack."""

    cell: str
    start: int
    stop: int
    methods: tuple[str, ...]


@contextmanager
def open_store(folder: Path, record: Record) -> Iterator[tuple[Record, list[Part]]]:
    """Make or resume a store, hold it for this run, and list its whole parts.

    Leftovers of killed runs are removed; a damaged part is renamed to end in `.damaged` and
    said on standard error.

    Parameters
    ----------
    folder : path
    record : Record
        Of the study to be run.

    Yields
    ------
    tuple of Record and list of Part
        The store's record, extended by this study, and what need not be computed again.

    Raises
    ------
    ValueError
        The folder holds something else or another study, or another run is using it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ours = {"study.json", "parts", "designs", "lock"}
    foreign = [f.name for f in folder.iterdir() if f.name not in ours and f.name[0] != "."]
    if foreign and not (folder / "study.json").exists():
        raise ValueError(f"store {folder} is a folder of other things: found {min(foreign)}")
    with locked(folder):
        for place in (folder, folder / "parts", folder / "designs"):
            remove_leftovers(place)
        (folder / "parts").mkdir(exist_ok=True)
        if (folder / "study.json").exists():
            record = merged(read_record(folder, spare=record.cells), record, folder)
        write_record(folder, record)
        parts, damaged = scan(folder, record)
        for path, reason in damaged:
            path.rename(path.with_name(path.name + ".damaged"))
            print(f"{path}: {reason}; set aside, to be computed again", file=sys.stderr)
        yield record, parts


def scan(folder: Path, record: Record) -> tuple[list[Part], list[tuple[Path, str]]]:
    """The store's whole parts in order, and the damaged ones with the reason.

    Raises
    ------
    ValueError
        Two parts hold the same replicates of the same method.
    """
    parts, damaged = [], []
    for path in sorted((folder / "parts").glob("*.parquet")):
        if path.name.startswith("."):
            continue
        part = _read_footer(path, record)
        if isinstance(part, Part):
            parts.append(part)
        else:
            damaged.append((path, part))
    parts.sort(key=lambda part: (part.cell, part.start))
    for held in _by_cell(parts).values():
        for method in record.methods:
            for one, other in pairwise(part for part in held if method in part.methods):
                if one.stop > other.start:
                    raise ValueError(
                        f"{one.path} and {other.path} hold the same replicates: remove one"
                    )
    return parts, damaged


def _read_footer(path: Path, record: Record) -> Part | str:
    """The part, or why it cannot be used."""
    named = PART_NAME.fullmatch(path.name)
    if named is None:
        return "not named like a part of this store"
    try:
        if file_digest(path) != named[1]:
            return "damaged: its content does not match the digest in its name"
        footer = pq.read_metadata(path)
        note = json.loads(footer.metadata[b"jaxlogit"])
        cell = record.cell(note["cell"])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        return f"unreadable: {error!r:.80}"
    if note["identity"] != record.identity(cell, note["methods"]):
        return "it belongs to another study"
    part = Part(path, note["cell"], note["start"], note["stop"], tuple(note["methods"]), footer)
    rows = (part.stop - part.start) * len(part.methods) * len(record.levels) * len(cell.names)
    if record.keep == "summary":
        rows = note.get("rows")
    return part if footer.num_rows == rows else "its number of rows is wrong"


def _by_cell(parts: Iterable[Any]) -> dict[str, list[Any]]:
    """The parts or tasks of each cell, in their order."""
    found: dict[str, list[Any]] = {}
    for part in parts:
        found.setdefault(part.cell, []).append(part)
    return found


def missing(
    parts: "Iterable[Part | Task]",
    record: Record,
    methods: Sequence[str],
    replicates: int,
    chunk: int,
) -> list[Task]:
    """What is left to compute: every cell's lacking replicates and methods, in chunks.

    Parameters
    ----------
    parts : iterable of Part or Task
        What the store holds.
    record : Record
        For its cells.
    methods : sequence of str
        Methods asked for.
    replicates : int
        Replicates asked for, per cell.
    chunk : int
        Most replicates in one task.
    """
    tasks, by_cell = [], _by_cell(parts)
    for cell in record.cells:
        held = by_cell.get(cell.label, [])
        ends = {end for part in held for end in (part.start, part.stop) if end < replicates}
        for start, stop in pairwise(sorted({*range(0, replicates, chunk), replicates, *ends})):
            whole = [part for part in held if part.start <= start and stop <= part.stop]
            done = {method for part in whole for method in part.methods}
            lacking = tuple(method for method in methods if method not in done)
            if lacking:
                tasks.append(Task(cell.label, start, stop, lacking))
    return tasks


def part_content(record: Record, task: Task, groups: Iterable[Group]) -> bytes:
    """One part as the content of a Parquet file: a row group for each method, level and term.

    Parameters
    ----------
    record : Record
        For the identity of the cell, and whether rows or their sums are kept.
    task : Task
        Cell, range and methods.
    groups : iterable of Group
        Method by method, level by level, and the terms of each in the order of the cell's names.
    """
    if record.keep == "summary":
        sums = sums_of(groups, record, record.cell(task.cell))
        return content_of_tables(record, task, [sums])
    schema = RESAMPLED_SCHEMA if resampled(task.methods) else SCHEMA
    return content_of_tables(record, task, (_table(task, group, schema) for group in groups))


def content_of_tables(record: Record, task: Task, tables: Iterable[pa.Table]) -> bytes:
    """`part_content` of tables that have one schema, each a row group."""
    note = {
        "identity": record.identity(record.cell(task.cell), task.methods),
        "cell": task.cell,
        "start": task.start,
        "stop": task.stop,
        "methods": list(task.methods),
    }
    tables = iter(tables)
    first = next(tables)
    of_sums = first.schema.equals(SUMS_SCHEMA)
    if of_sums:
        note["rows"] = first.num_rows
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        first.schema.with_metadata({"jaxlogit": json.dumps(note)}),
        compression="zstd",
        use_dictionary=REPEATED_SUMS if of_sums else REPEATED_ROWS,  # pyright: ignore[reportArgumentType]
        column_encoding={"bin" if of_sums else "replicate": "DELTA_BINARY_PACKED"},
    ) as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=table.num_rows)
    return sink.getvalue().to_pybytes()


def save_part(folder: Path, record: Record, task: Task, content: bytes) -> Part:
    """Write what `part_content` gave, atomically, under a name that ends with its digest."""
    address = record.cell(task.cell).address
    name = f"part-{address:08x}-{task.start:010d}-{task.stop:010d}-{content_digest(content)}"
    path = folder / "parts" / f"{name}.parquet"
    write_atomic(path, content)
    return Part(path, task.cell, task.start, task.stop, task.methods, pq.read_metadata(path))


def n_written(folder: Path, before: Iterable[Part]) -> int:
    """Replicates in parts that a store did not have before, by the parts' names."""
    names = {part.path.name for part in before}
    new = [path.stem.split("-") for path in (folder / "parts").glob("part-*.parquet")
           if path.name not in names]  # fmt: skip
    return sum(int(stop) - int(start) for _, _, start, stop, _ in new)


def write_part(folder: Path, record: Record, task: Task, groups: Iterable[Group]) -> Part:
    """Write the rows of one part: `save_part` of its `part_content`."""
    return save_part(folder, record, task, part_content(record, task, groups))


def _table(task: Task, group: Group, schema: pa.Schema) -> pa.Table:
    n = task.stop - task.start
    floats = [np.asarray(getattr(group.rows, name), dtype=np.float64) for name in COLUMNS]
    columns = [
        pa.repeat(pa.scalar(task.cell), n),
        pa.array(np.arange(task.start, task.stop, dtype=np.int64)),
        pa.repeat(pa.scalar(group.method), n),
        pa.repeat(pa.scalar(float(group.level)), n),
        pa.repeat(pa.scalar(group.term), n),
        *(pa.array(values) for values in floats),
        pa.array(np.asarray(group.status, dtype=np.int32)),
    ]
    if len(schema) > len(columns):
        none = pa.nulls(n, pa.float64())
        columns += [none if group.parts is None else pa.array(group.parts[p]) for p in PARTS]
    return pa.Table.from_arrays(columns, schema=schema)


def read_rows(
    parts: Iterable[Part],
    record: Record,
    place: tuple[str, str, float, str],
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Every stored row of one cell, method, level and term, in the order of the replicates.

    Parameters
    ----------
    parts : iterable of Part
        In the order that `scan` gives.
    record : Record
    place : tuple
        Cell, method, level and term.
    columns : sequence of str
        Only these are read; all that the method has by default.
    """
    cell, method, level, term = place
    schema = RESAMPLED_SCHEMA if resampled([method]) else SCHEMA
    columns = schema.names if columns is None else list(columns)
    names = record.cell(cell).names
    tables = [schema.empty_table().select(columns)]
    for part in parts:
        if part.cell == cell and method in part.methods:
            of_level = part.methods.index(method) * len(record.levels) + record.levels.index(level)
            group = of_level * len(names) + names.index(term)
            with pq.ParquetFile(part.path, metadata=part.footer) as file:
                table = file.read_row_group(group, columns=columns)
                tables.append(table.replace_schema_metadata())
    return pa.concat_tables(tables)


def read_sums(parts: Iterable[Part], which: pc.Expression) -> Sums:
    """The sums over parts of one cell; rows of them for which an expression holds."""
    tables = [SUMS_SCHEMA.empty_table()]
    for part in parts:
        with pq.ParquetFile(part.path, metadata=part.footer) as file:
            tables.append(file.read().replace_schema_metadata().filter(which))
        if sum(map(len, tables)) > SUMS_AT_ONCE:
            tables = [merged_sums(pa.concat_tables(tables))]
    return looked_up(merged_sums(pa.concat_tables(tables)))
