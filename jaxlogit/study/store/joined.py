"""One record of two: a store's own, and that of a study which is run into it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxlogit.study.design.cells import EXTRA_COLUMNS, Array, Cell
from jaxlogit.study.design.varying import words
from jaxlogit.study.store.record import ROUNDING, Record


def merged(old: Record, new: Record, store: Path) -> Record:
    """The store's record after a study is run into it: its cells, extended settings.

    Raises
    ------
    ValueError
        A key differs that stored numbers depend on; it and both values are named.
    """
    for name, here, there in _fixed_keys(old, new):
        if here != there:
            raise ValueError(
                f"store {store} holds another study: {name} is {here} there and {there} "
                "here; name another folder, or restore the old value"
            )
    kept = {cell.label: cell for cell in old.cells}
    held = [cell for cell in new.cells if cell.label in kept]
    for after in held:
        before = kept[after.label]
        differing = _first_difference(before, after)
        if differing:
            raise ValueError(
                f"store {store} holds another study: in cell {before.label} {differing}; "
                "name another folder, or restore the old design and truth"
            )
    cells = [*old.cells, *(cell for cell in new.cells if cell.label not in kept)]
    shared = {cell.address: cell.label for cell in cells}
    for cell in cells:
        if shared[cell.address] != cell.label:
            raise ValueError(f"cells {cell.label} and {shared[cell.address]} would draw the same "
                             f"random numbers: they cannot lie in one store, {store}")  # fmt: skip
    asked = {cell.label: cell for cell in new.cells}
    return replace(
        old,
        name=new.name,
        # A store has no functions: a generator comes with the study that is run into it.
        cells=tuple(
            replace(cell, source=asked[cell.label].source) if cell.label in asked else cell
            for cell in cells
        ),
        source={**old.source, **new.source} | _both_grids(old.source, new.source),
        replicates=max(old.replicates, new.replicates),
        significance=new.significance,
        bootstrap=new.bootstrap or old.bootstrap,
        precision=new.precision,
        methods=(*old.methods, *(m for m in new.methods if m not in old.methods)),
    )


def _fixed_keys(old: Record, new: Record) -> list[tuple[str, Any, Any]]:
    """Name, stored value and new value of all that must not change, cells' content apart."""
    keys: list[tuple[str, Any, Any]] = [
        ("seed", old.seed, new.seed),
        ("level", list(old.levels), list(new.levels)),
        ("null", old.null, new.null),
        ("keep", old.keep, new.keep),
    ]
    if old.keep == "summary":
        here, there = ([r.significance_at(x) for x in r.levels] for r in (old, new))
        keys.append(("significance", here, there))
    if old.bootstrap is not None and new.bootstrap is not None:
        here, there = old.bootstrap.to_dict(), new.bootstrap.to_dict()
        keys += [(f"bootstrap.{key}", here[key], there[key]) for key in here]
    if old.precision is not None and new.precision is not None:
        common = min(old.replicates, new.replicates)  # looks were set beforehand
        here, there = (list(looks.below(common)) for looks in (old.precision, new.precision))
        keys.append(("looks", here, there))
    names = {
        "implementation": "the random number implementation",
        "threefry_partitionable": "jax_threefry_partitionable",
        "fingerprint": f"the first random numbers (jax {old.versions.get('jax')} made the store)",
    }
    return keys + [(text, old.random.get(key), new.random[key]) for key, text in names.items()]


def _both_grids(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The grids of all runs, as a list where they differ."""
    grids: list[Any] = []
    for grid in (old.get("grid"), new.get("grid")):
        several = grid if isinstance(grid, list) else [] if grid is None else [grid]
        grids += [one for one in several if one not in grids]
    if not grids:
        return {}
    return {"grid": grids[0] if len(grids) == 1 else grids}


def _first_difference(old: Cell, new: Cell) -> str:
    """What differs beyond rounding between two cells, in words; empty if nothing does."""
    if dict(old.values) != dict(new.values):
        return f"the factors are {dict(old.values)} there and {dict(new.values)} here"
    if old.names != new.names:
        return f"the coefficients are {', '.join(old.names)} there and {', '.join(new.names)} here"
    sources = [None if cell.source is None else words(cell.source) for cell in (old, new)]
    if sources[0] != sources[1]:
        return f"designs are {sources[0] or 'fixed'} there and {sources[1] or 'fixed'} here"
    for name in ("X", *EXTRA_COLUMNS):
        before, after = getattr(old, name), getattr(new, name)
        if (before is None) != (after is None):
            return f"{name} is given {'here' if before is None else 'there'} only"
        if before is None:
            continue
        if before.shape != after.shape:
            return f"{name} has shape {before.shape} there and {after.shape} here"
        apart = np.argwhere(~_equal(before, after))
        if apart.size:
            place = tuple(int(i) for i in apart[0])
            return f"{name} differs first at {place}: {before[place]} there, {after[place]} here"
    apart = np.flatnonzero(~_equal(old.truth, new.truth))
    if apart.size:
        j = apart[0]
        return f"truth of {old.names[j]} is {old.truth[j]} there and {new.truth[j]} here"
    return ""


def _equal(one: Array, other: Array) -> np.ndarray:
    return np.isclose(one, other, rtol=ROUNDING, atol=1e-300)
