"""What a study found: tables over the parts of a store, one (cell, method, term) at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxlogit.checks import nearest
from jaxlogit.core.status import Status
from jaxlogit.report import exports
from jaxlogit.report.page import write_report
from jaxlogit.report.protocol import protocol_text
from jaxlogit.report.warnings import warnings
from jaxlogit.study.computing.looks import settled
from jaxlogit.study.computing.shards import ranges_text
from jaxlogit.study.computing.tabulate import tabulate
from jaxlogit.study.design.cells import MAX_REPLICATES, Cell, integer
from jaxlogit.study.design.simulate import draw_again, simulate
from jaxlogit.study.design.varying import Generator
from jaxlogit.study.measures.moments import Array
from jaxlogit.study.store.parts import COLUMNS, Part, read_rows, scan
from jaxlogit.study.store.places import groups, pair_columns, pair_place, pairs, place
from jaxlogit.study.store.record import Record, read_record
from jaxlogit.study.store.stored import stored, unpaired


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The whole parts of a store and the tables made from them.

    Memory in use grows with the replicates of one method and term, not with the store.

    Attributes
    ----------
    store : path
        The store's folder.
    record : Record
        The settings, cells and truths of the study.
    parts : tuple of Part
        The files that are whole.
    damaged : tuple of (path, reason)
        Files left out of every table; running the study again replaces them.
    left : int
        Replicates that the run which gave this did not come to before its `max_time`.
    """

    store: Path
    record: Record
    parts: tuple[Part, ...]
    damaged: tuple[tuple[Path, str], ...] = ()
    left: int = 0

    @classmethod
    def from_store(cls, store: str | Path) -> "StudyResult":
        """Read a store, finished or not; nothing in it is changed.

        Raises
        ------
        FileNotFoundError, ValueError
            Not a store, or its description is damaged.
        """
        folder = Path(store)
        record = read_record(folder)
        parts, damaged = scan(folder, record)
        return cls(folder, record, tuple(parts), tuple(damaged))

    def n_replicates(self, cell: str, method: str) -> int:
        """Replicates stored of one method in one cell."""
        held = (p for p in self.parts if p.cell == cell and method in p.methods)
        return sum(part.stop - part.start for part in held)

    def which(self, cell: str, method: str) -> str:
        """The replicates stored of one method in one cell; empty if from 0 on without a gap."""
        held = [p for p in self.parts if p.cell == cell and method in p.methods]
        return ranges_text([(part.start, part.stop) for part in held])

    def settled(self, cell: str) -> bool:
        """Whether a cell was done at a look, by the study's `target_mcse`."""
        held = {self.n_replicates(cell, method) for method in self.record.methods}
        if self.record.precision is None or len(held) != 1:
            return False
        (look,) = held
        at_look = look in self.record.precision.looks
        own, methods = self.record.cell(cell), self.record.methods
        return at_look and settled(self.parts, self.record, own, methods, look)

    def summary(self) -> pd.DataFrame:
        """Every measure and its Monte Carlo standard error, by cell, method and term.

        Returns
        -------
        DataFrame
            One row per cell × method × level × term: `cell`, the grid's factors, `method`,
            `level`, `term`, `truth`, `n_replicates`, then each measure as `m`, `m_mcse` and `m_n`;
            see `jaxlogit.study.measures.performance.measure` for what each is conditional on. For
            bootstrap methods also `coverage_limit`, the coverage with infinitely many bootstrap
            replicates, see `jaxlogit.study.measures.nested`; nan for others.
        """
        names = ("coverage_limit", "coverage_limit_mcse", "coverage_limit_n")
        held, rows = stored(self.record, self.parts), []
        for cell, method, level, j in groups(self.record):
            found, limit = held.measures(cell, method, level, j)
            row = place(self.record, cell, method, level, j) | {"truth": float(cell.truth[j])}
            rows.append(row | found.to_row() | dict(zip(names, limit, strict=True)))
        return pd.DataFrame(rows)

    def statuses(self) -> pd.DataFrame:
        """How often each status occurred, by cell, method and term.

        Returns
        -------
        DataFrame
            `cell`, the grid's factors, `method`, `level`, `term`, `n_replicates`, then a count
            for every status, zeros included. A row counts by why its first missing number is
            missing (lower end, upper end, p-value where the method has one); with none missing
            as INFINITE or CONVERGED.
        """
        held, rows = stored(self.record, self.parts), []
        for cell, method, level, j in groups(self.record):
            counts = held.statuses(cell, method, level, j)
            row = place(self.record, cell, method, level, j) | {"n_replicates": int(np.sum(counts))}
            rows.append(row | {s.name.lower(): int(counts[s]) for s in Status})
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Paired differences between every two methods on the same data sets.

        Returns
        -------
        DataFrame
            One row per cell × pair × level × term × measure: `cell`, the grid's factors,
            `first`, `second`, `level`, `term`, `measure`, then the fields of
            `jaxlogit.study.measures.performance.Difference` (its n as `n_common`), and
            `sets_differ` where the methods are not defined on the same replicates. From sums
            without the pairs of methods that were not run together, see `unpaired`.
        """
        record = self.record
        held, rows = stored(record, self.parts), []
        for cell, one, other, level, j in pairs(record):
            found = held.differences(cell, one, other, level, j)
            where = pair_place(record, cell, one, other, level, j)
            for name, difference in found.items():
                apart = max(difference.n_first, difference.n_second) > difference.n
                rows.append((*where, name, *difference, apart))
        return pd.DataFrame(rows, columns=pair_columns(record))

    def unpaired(self) -> list[tuple[str, str, int, int]]:
        """Pairs of methods that sums cannot compare on all replicates; see `stored.unpaired`."""
        return unpaired(self.record, self.parts)

    def frame(self, method: str | None = None, term: str | None = None) -> pd.DataFrame:
        """The stored rows themselves, of all or of one method or term.

        All rows of a large study need memory: ask for one method and term, or read
        `parts/*.parquet` with a tool that streams.

        Raises
        ------
        ValueError
            No such method or term, or the study keeps a summary.
        """
        if self.record.keep == "summary":
            raise ValueError(
                f'store {self.store} keeps sums, not rows: run the study with keep = "all" into '
                "another folder for tables and pictures of single replicates"
            )
        tables = []
        for cell, one, level, j in groups(self.record):
            if method in (None, one) and term in (None, cell.names[j]):
                key = (cell.label, one, level, cell.names[j])
                tables.append(read_rows(self.parts, self.record, key).to_pandas())
        if not tables:
            raise ValueError(f"no rows of method {method!r} and term {term!r} in {self.store}")
        return pd.concat(tables, ignore_index=True)

    def replay(self, cell: str, replicate: int) -> "Replay":
        """Rebuild one data set and its fits; see `Study.replay`."""
        return replay(self.record, cell, replicate)

    def protocol(self) -> str:
        """The study's protocol as Markdown; see `Study.protocol`."""
        return protocol_text(self.record)

    warnings = warnings
    to_frame = exports.to_frame
    to_polars = exports.to_polars
    to_xarray = exports.to_xarray
    to_latex = exports.to_latex
    to_markdown = exports.to_markdown
    report = write_report


@dataclass(frozen=True, eq=False)
class Replay:
    """One simulated data set and its fits.

    Attributes
    ----------
    cell : str
    replicate : int
    X : (n, p) array
    y : (n,) array
        Simulated successes.
    trials, weights, offset : (n,) array or None
    names : tuple of str
    table : DataFrame
        One row per method, level and term: `method`, `level`, `term`, `truth`, `estimate`,
        `std_error`, `lower`, `upper`, `p_value`, `status` (in words).
    """

    cell: str
    replicate: int
    X: Array
    y: Array
    trials: Array | None
    weights: Array | None
    offset: Array | None
    names: tuple[str, ...]
    table: pd.DataFrame


def replay(record: Record, label: str, replicate: int) -> Replay:
    """Rebuild one data set and its fits from cell and number; see `Study.replay`."""
    labels = [cell.label for cell in record.cells]
    if label not in labels:
        raise ValueError(
            f'no cell "{label}": cells are {", ".join(labels)}{nearest(label, labels)}'
        )
    replicate = integer("replicate", replicate, 0, MAX_REPLICATES - 1)
    cell = record.cell(label)
    data = simulate(cell, record.seed, replicate, replicate + 1)
    if data.failed is not None and isinstance(cell.source, Generator):
        _say_why(cell.source, cell, record.seed, replicate)
    truth = dict(zip(cell.names, cell.truth, strict=True))
    rows = []
    for group in tabulate(record, cell, data, record.methods, replicate):
        numbers = {name: float(getattr(group.rows, name)[0]) for name in COLUMNS}
        row = {"method": group.method, "level": group.level, "term": group.term}
        row |= {"truth": truth[group.term]}
        rows.append(row | numbers | {"status": Status(int(group.status[0])).name.lower()})
    return Replay(
        cell=label,
        replicate=replicate,
        X=_own(data.X, 2),
        y=data.y[0].astype(np.float64),
        trials=_own(data.trials, 1),
        weights=_own(data.weights, 1),
        offset=_own(data.offset, 1),
        names=cell.names,
        table=pd.DataFrame(rows),
    )


def _say_why(source: Generator, cell: Cell, seed: int, replicate: int) -> None:
    """Raise what a generator raised in a replicate; nothing where it gave nan."""
    try:
        draw_again(source, cell, seed, replicate)
    except Exception as error:  # whatever a user's function raises
        raise ValueError(f"generate raised {type(error).__name__} in replicate {replicate} of cell "
                         f"{cell.label}: {error}") from error  # fmt: skip


def _own(array: Array | None, axes: int) -> Any:
    """The first data set's part of an array that all share, or that has one for each."""
    return array if array is None or array.ndim == axes else array[0]
