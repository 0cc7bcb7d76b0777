"""Running a study from look to look: which cells are done, and what the others still lack."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import pyarrow.compute as pc

from jaxlogit.study.design.cells import Cell
from jaxlogit.study.precision import coverage_mcse_bound
from jaxlogit.study.store.parts import Part, Task, read_rows, read_sums
from jaxlogit.study.store.record import Record


def rounds(
    record: Record,
    methods: Sequence[str],
    replicates: int,
    parts: Sequence[Part],
    lacking: Callable[[int], list[Task]],
) -> Iterator[list[Task]]:
    """What to compute next, once all before is computed and among the parts.

    Parameters
    ----------
    record : Record
        The store's; without a precision there is one round.
    methods, replicates
        What is asked for now.
    parts : sequence of Part
        What the store holds; it grows from round to round.
    lacking : function
        Tasks that complete all cells up to so many replicates.
    """
    looks = () if record.precision is None else record.precision.below(replicates)
    active = {cell.label: cell for cell in record.cells}
    for limit in (*looks, replicates):
        yield [task for task in lacking(limit) if task.cell in active]
        if limit < replicates:
            active = {
                label: cell
                for label, cell in active.items()
                if not settled(parts, record, cell, methods, limit)
            }


def settled(
    parts: Sequence[Part], record: Record, cell: Cell, methods: Sequence[str], look: int
) -> bool:
    """Whether every coverage in a cell is known well enough from its first `look` replicates.

    False as long as one of these replicates is missing.
    """
    if record.precision is None:
        return False
    early = [part for part in parts if part.cell == cell.label and part.start < look]
    count = _counted if record.keep == "all" else _summed
    return all(
        coverage_mcse_bound(*counts) < record.precision.target_mcse
        for counts in count(sorted(early, key=lambda p: p.start), record, cell, methods, look)
    )


def _counted(
    parts: Sequence[Part], record: Record, cell: Cell, methods: Sequence[str], look: int
) -> Iterator[tuple[int, int]]:
    """Of each place: intervals that hold the truth, and intervals, in the first replicates."""
    for method, level in product(methods, record.levels):
        for term, truth in zip(cell.names, cell.truth, strict=True):
            yield _coverage(parts, record, (cell.label, method, level, term), truth, look)


def _summed(
    parts: Sequence[Part], record: Record, cell: Cell, methods: Sequence[str], look: int
) -> Iterator[tuple[int, int]]:
    """The same from sums; none where the look is inside a part, made when it was no look."""
    whole = [part for part in parts if part.stop <= look]
    held = [sum(p.stop - p.start for p in whole if method in p.methods) for method in methods]
    if min(held) < look:
        yield 0, 0
        return
    sums = read_sums(whole, pc.field("other").is_null() & (pc.field("quantity") == "coverage"))
    for method, level, term in product(methods, record.levels, cell.names):
        yield sums.hits((method, None, level, term), "coverage")


def _coverage(
    parts: Sequence[Part],
    record: Record,
    place: tuple[str, str, float, str],
    truth: float,
    look: int,
) -> tuple[int, int]:
    """Intervals that hold the truth, and intervals, in the first `look` replicates."""
    table = read_rows(parts, record, place, ["replicate", "lower", "upper"])
    replicate, lower, upper = (table[name].to_numpy() for name in table.column_names)
    first = replicate < look
    if np.sum(first) < look:
        return 0, 0
    defined = first & ~(np.isnan(lower) | np.isnan(upper))
    return int(np.sum(defined & (lower <= truth) & (truth <= upper))), int(np.sum(defined))
