"""Rows of a study's tables, with level and factors, for whatever is written or drawn of them.

They take a result as it is, so that text, pictures and exports need nothing of the room that
makes it.
"""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult
    from jaxlogit.study.store.record import Record

Row = dict[str, Any]
PLACE = ("cell", "method", "level", "term")

_MADE: "WeakKeyDictionary[StudyResult, list[Row]]" = WeakKeyDictionary()


def levels(record: "Record") -> tuple[float, ...]:
    """The levels of a study's intervals, in their order."""
    return record.levels


def summary_rows(result: "StudyResult") -> list[Row]:
    """The measures by cell, method, level and term; made once, since a result never changes."""
    if result not in _MADE:
        _MADE[result] = with_level(result.summary(), result.record)
    return _MADE[result]


def with_level(table: Any, record: "Record") -> list[Row]:
    """Rows of a data frame, each with the level of its intervals."""
    return [{"level": levels(record)[0]} | row for row in table.to_dict("records")]


def significances(record: "Record") -> str:
    """Where tests reject, for each level."""
    return ", ".join(dict.fromkeys(f"{record.significance_at(x):g}" for x in record.levels))


def factors(record: "Record") -> dict[str, list[Any]]:
    """The factors of the cells and the levels of each, in the order in which they appear."""
    found: dict[str, list[Any]] = {}
    for cell in record.cells:
        for name, value in cell.values.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return found


def by_term(rows: list[Row]) -> list[Row]:
    """Rows of one term together, in the order in which cells, levels and terms first appear."""
    cells, levels_, terms = (
        {value: i for i, value in enumerate(dict.fromkeys(r[key] for r in rows))}
        for key in ("cell", "level", "term")
    )
    return sorted(rows, key=lambda r: (cells[r["cell"]], levels_[r["level"]], terms[r["term"]]))


def undefined(row: Row) -> int:
    """Replicates in which the method has no interval."""
    return int(row["n_replicates"] - row["coverage_n"])


def short(name: str, most: int = 24) -> str:
    """A name, its middle left out where it is long."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-(most - 1 - half) :]}"
