"""What a study found: tables over the parts of a store, one (cell, method, term) at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.study.cells import MAX_REPLICATES, Cell, integer, nearest
from jaxlogit.study.looks import settled
from jaxlogit.study.measures import Array, Measure, Replicates, compare, measure
from jaxlogit.study.methods import RESAMPLED
from jaxlogit.study.nested import PARTS, coverage_limit
from jaxlogit.study.record import Record, read_record
from jaxlogit.study.resample import holds
from jaxlogit.study.shards import ranges_text
from jaxlogit.study.simulate import outcomes
from jaxlogit.study.store import COLUMNS, Part, read_rows, scan
from jaxlogit.study.tabulate import tabulate

SAME_LEVEL = 1e-9
"""One minus a level is a significance up to rounding."""


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
            One row per cell × method × term: `cell`, `method`, `term`, `truth`,
            `n_replicates`, then each measure as `m`, `m_mcse` and `m_n`; see
            `jaxlogit.study.measures.measure` for what each is conditional on. For bootstrap
            methods also `coverage_limit`, the coverage with infinitely many bootstrap
            replicates, see `jaxlogit.study.nested`; nan for others.
        """
        rows = []
        for cell, method, j in self._groups():
            replicates, _ = self._read(cell, method, cell.names[j])
            found = measure(replicates, cell.truth[j], self.record.significance)
            rows.append(_place(cell, method, j) | found.to_row() | self._limit(cell, method, j))
        return pd.DataFrame(rows)

    def statuses(self) -> pd.DataFrame:
        """How often each status occurred, by cell, method and term.

        Returns
        -------
        DataFrame
            `cell`, `method`, `term`, `n_replicates`, then a count for every status, zeros
            included. A row counts by why its first missing number is missing (lower end,
            upper end, p-value where the method has one); with none missing as INFINITE or
            CONVERGED.
        """
        rows = []
        for cell, method, j in self._groups():
            place = (cell.label, method, cell.names[j])
            status = read_rows(self.parts, self.record, place, ["status"])["status"].to_numpy()
            counts = np.bincount(status, minlength=len(Status))
            row = {"cell": cell.label, "method": method, "term": cell.names[j]}
            row |= {"n_replicates": status.size}
            rows.append(row | {s.name.lower(): int(counts[s]) for s in Status})
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Paired differences between every two methods on the same data sets.

        Returns
        -------
        DataFrame
            One row per cell × pair × term × measure: `cell`, `first`, `second`, `term`,
            `measure`, then the fields of `jaxlogit.study.measures.Difference`, and
            `sets_differ` where the methods are not defined on the same replicates.
        """
        columns = ["cell", "first", "second", "term", "measure", "value", "mcse", "n"]
        columns += ["own_value", "n_first", "n_second", "sets_differ"]
        rows = []
        for cell in self.record.cells:
            for one, other in combinations(self.record.methods, 2):
                for j, term in enumerate(cell.names):
                    first, second = self._read_both(cell, one, other, term)
                    found = compare(first, second, cell.truth[j], self.record.significance)
                    for name, difference in found.items():
                        apart = max(difference.n_first, difference.n_second) > difference.n
                        rows.append((cell.label, one, other, term, name, *difference, apart))
        return pd.DataFrame(rows, columns=columns)

    def frame(self, method: str | None = None, term: str | None = None) -> pd.DataFrame:
        """The stored rows themselves, of all or of one method or term.

        All rows of a large study need memory: ask for one method and term, or read
        `parts/*.parquet` with a tool that streams.
        """
        tables = []
        for cell, one, j in self._groups():
            if method in (None, one) and term in (None, cell.names[j]):
                place = (cell.label, one, cell.names[j])
                tables.append(read_rows(self.parts, self.record, place).to_pandas())
        if not tables:
            raise ValueError(f"no rows of method {method!r} and term {term!r} in {self.store}")
        return pd.concat(tables, ignore_index=True)

    def replay(self, cell: str, replicate: int) -> "Replay":
        """Rebuild one data set and its fits; see `Study.replay`."""
        return replay(self.record, cell, replicate)

    def _groups(self) -> Iterator[tuple[Cell, str, int]]:
        for cell in self.record.cells:
            for method in self.record.methods:
                for j in range(len(cell.names)):
                    yield cell, method, j

    def _read(self, cell: Cell, method: str, term: str) -> tuple[Replicates, NDArray[np.int64]]:
        """One group's numbers, and its replicates'."""
        place = (cell.label, method, term)
        table = read_rows(self.parts, self.record, place, ["replicate", *COLUMNS])
        rows = Replicates(**{name: table[name].to_numpy() for name in COLUMNS})
        if method in RESAMPLED:
            rows = replace(rows, rejects=self._rejects(rows))
        return rows, table["replicate"].to_numpy()

    def _rejects(self, rows: Replicates) -> Array:
        """Whether the null lies outside an interval; nan where the tests are at another level."""
        if abs(self.record.significance - (1.0 - self.record.level)) > SAME_LEVEL:
            return np.full(rows.lower.shape, np.nan)
        return 1.0 - holds(rows.lower, rows.upper, self.record.null)

    def _limit(self, cell: Cell, method: str, j: int) -> dict[str, float | int]:
        """Coverage with infinitely many bootstrap replicates."""
        found = Measure(np.nan, np.nan, 0)
        if method in RESAMPLED and self.record.bootstrap is not None:
            place = (cell.label, method, cell.names[j])
            table = read_rows(self.parts, self.record, place, ["lower", "upper", *PARTS])
            read = {name: table[name].to_numpy() for name in table.column_names}
            covered = holds(read["lower"], read["upper"], cell.truth[j])
            count = self.record.bootstrap.replicates
            found = coverage_limit(covered, read, count, self.record.level)
        names = ("coverage_limit", "coverage_limit_mcse", "coverage_limit_n")
        return dict(zip(names, found, strict=True))

    def _read_both(
        self, cell: Cell, one: str, other: str, term: str
    ) -> tuple[Replicates, Replicates]:
        """The rows of two methods on the same replicates, in the same order."""
        first, numbers = self._read(cell, one, term)
        second, others = self._read(cell, other, term)
        if not np.array_equal(numbers, others):  # a method was added and has not caught up yet
            _, here, there = np.intersect1d(numbers, others, True, return_indices=True)
            first, second = _take(first, here), _take(second, there)
        return first, second


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
        One row per method and term: `method`, `term`, `truth`, `estimate`, `std_error`,
        `lower`, `upper`, `p_value`, `status` (in words).
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
    y = outcomes(cell, record.seed, replicate, replicate + 1)
    truth = dict(zip(cell.names, cell.truth, strict=True))
    rows = []
    for group in tabulate(record, cell, y, record.methods, replicate):
        numbers = {name: float(getattr(group.rows, name)[0]) for name in COLUMNS}
        row = {"method": group.method, "term": group.term, "truth": truth[group.term]}
        rows.append(row | numbers | {"status": Status(int(group.status[0])).name.lower()})
    return Replay(
        cell=label,
        replicate=replicate,
        X=cell.X,
        y=y[0].astype(np.float64),
        trials=cell.trials,
        weights=cell.weights,
        offset=cell.offset,
        names=cell.names,
        table=pd.DataFrame(rows),
    )


def _place(cell: Cell, method: str, j: int) -> dict[str, object]:
    return {
        "cell": cell.label, "method": method, "term": cell.names[j], "truth": float(cell.truth[j]),
    }  # fmt: skip


def _take(rows: Replicates, where: NDArray[np.intp]) -> Replicates:
    taken = Replicates(**{name: getattr(rows, name)[where] for name in COLUMNS})
    return taken if rows.rejects is None else replace(taken, rejects=rows.rejects[where])
