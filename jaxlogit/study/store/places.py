"""The places of a study's tables: every cell, method, level and term, and how a row names them."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

from jaxlogit.study.design.cells import Cell
from jaxlogit.study.measures.performance import Difference
from jaxlogit.study.store.record import Record


def factors(record: Record) -> tuple[str, ...]:
    """Names of the grid's factors, in the order in which cells have them."""
    return tuple(dict.fromkeys(name for cell in record.cells for name in cell.values))


def cell_columns(record: Record, cell: Cell) -> dict[str, Any]:
    """A cell's label and its levels of all factors, None where it has none, lists as text."""
    found = {name: cell.values.get(name) for name in factors(record)}
    return {"cell": cell.label} | {
        k: str(v) if isinstance(v, list) else v for k, v in found.items()
    }


def place(record: Record, cell: Cell, method: str, level: float, j: int) -> dict[str, Any]:
    """The columns that say whose measures a row of a table has."""
    own = {"method": method, "level": level, "term": cell.names[j]}
    return cell_columns(record, cell) | own


def groups(record: Record) -> Iterator[tuple[Cell, str, float, int]]:
    """Every cell, method, level and number of a term, in the order of the tables."""
    for cell in record.cells:
        for method, level in product(record.methods, record.levels):
            for j in range(len(cell.names)):
                yield cell, method, level, j


def pairs(record: Record) -> Iterator[tuple[Cell, str, str, float, int]]:
    """Every cell, pair of methods, level and number of a term."""
    for cell in record.cells:
        for one, other in combinations(record.methods, 2):
            for level, j in product(record.levels, range(len(cell.names))):
                yield cell, one, other, level, j


def pair_columns(record: Record) -> list[str]:
    """Columns of a table of differences; a factor may well be called n."""
    own = ["n_common" if name == "n" else name for name in Difference._fields]
    place = ["cell", *factors(record), "first", "second", "level", "term", "measure"]
    return [*place, *own, "sets_differ"]


def pair_place(record: Record, cell: Cell, one: str, other: str, level: float, j: int) -> tuple:
    """A row's entries in them, but for the measure."""
    return (*cell_columns(record, cell).values(), one, other, level, cell.names[j])
