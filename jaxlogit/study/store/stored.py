"""What a store's parts say of a place of its tables: from rows, or from the sums kept instead.

A store of sums (`keep = "summary"`) gives every table of a store of rows: to rounding, but for two
measures that are no sums, the bias-eliminated coverage and the median width. They come from counts
in bins and are wrong by at most what `jaxlogit.study.measures.bins` states. Methods that were
added later have no sums in common with older ones, and no paired differences from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.measures.moments import Measure, mean_of
from jaxlogit.study.measures.nested import PARTS, coverage_limit, holds
from jaxlogit.study.measures.performance import Difference, Measures, Replicates, compare, measure
from jaxlogit.study.methods import RESAMPLED
from jaxlogit.study.store.group import tested
from jaxlogit.study.store.parts import COLUMNS, Part, read_rows, read_sums
from jaxlogit.study.store.record import Record
from jaxlogit.study.store.sums import Sums, difference_of, measures_of, status_counts

NO_LIMIT = Measure(np.nan, np.nan, 0)

OWN = pc.field("other").is_null()
PAIRED = pc.field("bin").is_null()
"""Rows of sums that tables of methods, and of pairs, are made from."""


@dataclass
class Stored:
    """Numbers for the tables, from rows.

    Attributes
    ----------
    record : Record
    parts : sequence of Part
    """

    record: Record
    parts: Sequence[Part]

    def measures(self, cell: Cell, method: str, level: float, j: int) -> tuple[Measures, Measure]:
        """Every measure, and the coverage with infinitely many bootstrap replicates."""
        rows, _ = self._read(cell, method, level, cell.names[j])
        found = measure(rows, cell.truth[j], self.record.significance_at(level))
        return found, self._limit(cell, method, level, j)

    def statuses(self, cell: Cell, method: str, level: float, j: int) -> NDArray[np.int64]:
        """How often each status occurred."""
        key = cell.label, method, level, cell.names[j]
        status = read_rows(self.parts, self.record, key, ["status"])["status"].to_numpy()
        return np.bincount(status, minlength=len(Status))

    def differences(
        self, cell: Cell, one: str, other: str, level: float, j: int
    ) -> dict[str, Difference]:
        """Paired differences over the replicates of both methods."""
        first, numbers = self._read(cell, one, level, cell.names[j])
        second, others = self._read(cell, other, level, cell.names[j])
        if not np.array_equal(numbers, others):  # a method was added and has not caught up yet
            _, here, there = np.intersect1d(numbers, others, True, return_indices=True)
            first, second = _take(first, here), _take(second, there)
        return compare(first, second, cell.truth[j], self.record.significance_at(level))

    def _read(
        self, cell: Cell, method: str, level: float, term: str
    ) -> tuple[Replicates, NDArray[np.int64]]:
        """One group's numbers, and its replicates'."""
        key = (cell.label, method, level, term)
        table = read_rows(self.parts, self.record, key, ["replicate", *COLUMNS])
        rows = Replicates(**{name: table[name].to_numpy() for name in COLUMNS})
        return tested(self.record, method, level, rows), table["replicate"].to_numpy()

    def _limit(self, cell: Cell, method: str, level: float, j: int) -> Measure:
        """Coverage with infinitely many bootstrap replicates."""
        if method not in RESAMPLED or self.record.bootstrap is None:
            return NO_LIMIT
        key = (cell.label, method, level, cell.names[j])
        table = read_rows(self.parts, self.record, key, ["lower", "upper", *PARTS])
        read = {name: table[name].to_numpy() for name in table.column_names}
        covered = holds(read["lower"], read["upper"], cell.truth[j])
        return coverage_limit(covered, read, self.record.bootstrap.replicates, level)


@dataclass
class StoredSums:
    """The same from sums. Those of the last cell are held: tables go cell by cell.

    Attributes
    ----------
    record : Record
    parts : sequence of Part
    """

    record: Record
    parts: Sequence[Part]
    _held: tuple[tuple[Path, ...], Sums] | None = field(default=None, init=False)

    def measures(self, cell: Cell, method: str, level: float, j: int) -> tuple[Measures, Measure]:
        """Every measure, and the coverage with infinitely many bootstrap replicates."""
        sums = self._sums([part for part in self.parts if part.cell == cell.label], OWN)
        term = cell.names[j]
        limit = sums.of((method, None, level, term), "coverage_limit")
        return measures_of(sums, method, level, term), mean_of(limit)

    def statuses(self, cell: Cell, method: str, level: float, j: int) -> NDArray[np.int64]:
        """How often each status occurred."""
        held = [part for part in self.parts if part.cell == cell.label]
        sums = self._sums(held, pc.field("quantity") == "status")
        return status_counts(sums, method, level, cell.names[j])

    def differences(
        self, cell: Cell, one: str, other: str, level: float, j: int
    ) -> dict[str, Difference]:
        """Paired differences over the replicates that the methods were run on together.

        Empty where they have replicates in common, but none of them together.
        """
        held = [part for part in self.parts if part.cell == cell.label]
        together = [part for part in held if one in part.methods and other in part.methods]
        if not together and n_common(held, one, other):
            return {}
        return difference_of(self._sums(together, PAIRED), one, other, level, cell.names[j])

    def _sums(self, parts: Sequence[Part], which: pc.Expression) -> Sums:
        paths = tuple(part.path for part in parts)
        if self._held is None or self._held[0] != paths:
            self._held = paths, read_sums(parts, which)
        return self._held[1]


def stored(record: Record, parts: Sequence[Part]) -> Stored | StoredSums:
    """Numbers for one table; each call makes another, of one kind of table."""
    return StoredSums(record, parts) if record.keep == "summary" else Stored(record, parts)


def n_common(parts: Sequence[Part], one: str, other: str) -> int:
    """Replicates of a cell that two methods both have."""
    ranges = [[(p.start, p.stop) for p in parts if method in p.methods] for method in (one, other)]
    return sum(
        max(0, min(stop, end) - max(start, begin))
        for start, stop in ranges[0]
        for begin, end in ranges[1]
    )


def unpaired(record: Record, parts: Sequence[Part]) -> list[tuple[str, str, int, int]]:
    """Pairs of methods that have replicates in common that sums cannot compare.

    Returns
    -------
    list of tuple
        Both methods, the replicates that both have, and those that they were run on together, in
        all cells.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    if record.keep == "all":
        return []
    for cell in record.cells:
        held = [part for part in parts if part.cell == cell.label]
        for one, other in combinations(record.methods, 2):
            n = sum(p.stop - p.start for p in held if one in p.methods and other in p.methods)
            before = found.get((one, other), (0, 0))
            found[one, other] = before[0] + n_common(held, one, other), before[1] + n
    return [(*pair, *counts) for pair, counts in found.items() if counts[0] > counts[1]]


def _take(rows: Replicates, where: NDArray[np.intp]) -> Replicates:
    taken = Replicates(**{name: getattr(rows, name)[where] for name in COLUMNS})
    return taken if rows.rejects is None else replace(taken, rejects=rows.rejects[where])
