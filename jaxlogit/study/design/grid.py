"""The points of a study's grid: each changes some settings of the design, and makes a cell."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from jaxlogit.checks import nearest
from jaxlogit.core.status import Status
from jaxlogit.study.design.build import build
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.design.settings import SETTINGS
from jaxlogit.study.measures.performance import Measures

MOST_CELLS = 10_000

RESERVED = {
    "cell", "method", "level", "term", "truth", "first", "second", "measure", "value", "mcse",
    "own_value", "sets_differ", "n_common", "n_first", "n_second", "replicate", "status",
    "probability", "coverage_limit", *Measures.__dataclass_fields__,
    *(status.name.lower() for status in Status),
}  # fmt: skip
"""Columns of tables that a factor would be taken for."""


def cells(settings: Mapping[str, Any], grid: Any, seed: int) -> tuple[Cell, ...]:
    """The cells of a study.

    Parameters
    ----------
    settings : mapping
        Of the design; the words of `SETTINGS`.
    grid : None, mapping or sequence of mappings
        Factors and their levels; see `points`.
    seed : int
        Of the study: designs drawn once depend on it.

    Raises
    ------
    ValueError, TypeError
        A setting breaks a rule; the cell is named.
    """
    if grid is None:
        return (build(settings, {}, seed),)
    made = []
    for values in points(grid):
        changed = settings
        for factor, value in values.items():
            changed = _changed(changed, factor, value)
        try:
            made.append(build(changed, values, seed))
        except (ValueError, TypeError) as error:
            label = Cell(np.empty((0, 0)), np.empty(0), (), values=values).label
            raise type(error)(f"cell {label}: {error}") from None
    return tuple(made)


def points(grid: Any) -> list[dict[str, Any]]:
    """Every combination of the factors' levels, in the order written, the last factor fastest.

    Several mappings, each a grid of its own, come one after the other: explicit cells are
    mappings of single values.

    Raises
    ------
    ValueError, TypeError
        No mapping, no levels, a level that is no number or text, a cell that occurs twice.

    Examples
    --------
    >>> points({"n": [50, 100], "event_rate": [0.1, 0.2]})[1]
    {'n': 50, 'event_rate': 0.2}
    >>> points([{"n": 50, "event_rate": 0.1}, {"n": 100, "event_rate": [0.1, 0.2]}])[2]
    {'n': 100, 'event_rate': 0.2}
    """
    several = [grid] if isinstance(grid, Mapping) else grid
    if not isinstance(several, Sequence) or isinstance(several, str) or not several:
        raise TypeError(f"grid must be a table of factors, or a list of them: found {grid!r}")
    found: list[dict[str, Any]] = []
    for one in several:
        if not isinstance(one, Mapping) or not one:
            raise TypeError(f"grid must be a table of factors and their levels: found {one!r}")
        for factor in one:
            if factor in RESERVED:
                raise ValueError(f"grid.{factor} must have another name: tables have a column "
                                 "of that name already")  # fmt: skip
        levels = [list(_levels(factor, given)) for factor, given in one.items()]
        found += [dict(zip(map(str, one), point, strict=True)) for point in product(*levels)]
        if len(found) > MOST_CELLS:
            raise ValueError(f"grid must have at most {MOST_CELLS:,} cells: found {len(found):,}")
    check_apart(found)
    return found


def check_apart(found: Sequence[Mapping[str, Any]]) -> None:
    """Refuse cells that cannot be told apart by their labels or by their random numbers.

    Raises
    ------
    ValueError
        Two cells have one label, or one address (a chance of k²/2³³ with k cells).
    """
    labels: set[str] = set()
    addresses: dict[int, str] = {}
    for values in found:
        cell = Cell(np.empty((0, 0)), np.empty(0), (), values=values)
        if cell.label in labels:
            raise ValueError(f"grid must have each cell once: found {cell.label} twice")
        labels.add(cell.label)
        other = addresses.setdefault(cell.address, cell.label)
        if other != cell.label:
            raise ValueError(f"cells {other} and {cell.label} would draw the same random numbers, "
                             "as rarely happens: rename a factor")  # fmt: skip


def _levels(factor: str, given: Any) -> Iterator[Any]:
    listed = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
    values = list(given) if listed else [given]
    if not values:
        raise ValueError(f"grid.{factor} must have one or more levels: found none")
    for value in values:
        several = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
        parts = [_plain(part) for part in value] if several else [_plain(value)]
        if not all(isinstance(part, str | int | bool) or _finite(part) for part in parts):
            raise TypeError(f"grid.{factor} must have finite numbers or texts as levels: "
                            f"found {value!r}")  # fmt: skip
        yield parts if several else parts[0]


def _plain(value: Any) -> Any:
    """A level as Python has it; 1.0 is 1, for a cell is known by how its levels are spelled."""
    plain = value.item() if isinstance(value, np.generic) else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _finite(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isfinite(value))


def _changed(settings: Mapping[str, Any], factor: str, value: Any) -> dict[str, Any]:
    """The settings with another value at a factor's place, such as n or columns.age.sd."""
    first, _, rest = factor.partition(".")
    if settings.get("generate") is not None and first not in ("truth", "names"):
        return dict(settings)  # the generator reads the cell's values itself
    if first not in SETTINGS:
        raise ValueError(
            f"grid.{factor} must be a setting of the design ({', '.join(SETTINGS)}): found "
            f"{first!r}{nearest(first, SETTINGS)}"
        )
    return {**settings, first: _within(settings.get(first), rest, value, factor)}


def _within(table: Any, rest: str, value: Any, factor: str) -> Any:
    """A nested table with one entry changed; names of entries may have dots themselves."""
    if not rest:
        return value
    if isinstance(table, str) and factor.startswith("columns."):
        table = {"distribution": table}
    if table is None and factor.startswith("truth."):
        table = {}
    if not isinstance(table, Mapping):
        raise ValueError(f"grid.{factor} must lie in a table of the design: found {table!r} there")
    for name in table:
        if rest.startswith(f"{name}."):
            inner = _within(table[name], rest[len(name) + 1 :], value, factor)
            return {**table, name: inner}
    return {**table, rest: value}
