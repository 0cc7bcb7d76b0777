"""A store's own description: study.json and the design of every cell.

A store is complete in itself. Designs and truth lie in it to the last bit, so that it can be
resumed, read and replayed without the original data, and rounding that differs between
machines (a logarithm's last bit, the maximum-likelihood estimate's) never splits a study.
"""

import hashlib
import importlib.metadata
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxlogit.study.cells import EXTRA_COLUMNS, Array, Cell, canonical_json
from jaxlogit.study.designs import source_from, words
from jaxlogit.study.files import write_atomic
from jaxlogit.study.methods import BootstrapSettings, resampled
from jaxlogit.study.precision import Precision

FORMAT = 2
"""Counts up when older code could misread newer stores."""

ROUNDING = 1e-9
"""Relative difference up to which designs and truths count as equal: far above what machines
and library versions differ by, far below what a Monte Carlo study can see."""


@dataclass(frozen=True, eq=False)
class Record:
    """What a store holds: the settings that its numbers depend on, and those that they do not.

    Attributes
    ----------
    name : str
    seed : int
    levels : tuple of float
    null : float
        With the seed, the cells and the random numbers these fix every stored number.
    replicates : int
        Most replicates asked for so far.
    significance : float or None
        Used when the tables are made; None: one minus the level.
    methods : tuple of str
        Every method asked for so far.
    cells : tuple of Cell
    source : dict
        Where the design and truth came from, in the words of the specification.
    random : dict
        See `jaxlogit.study.simulate.random_record`.
    bootstrap : BootstrapSettings or None
        Of the methods that resample; None before there is one.
    precision : Precision or None
        When cells are done before their last replicate; it changes no row.
    versions : dict
        Software that made the store first.
    keep : str
        "all" rows, or their "summary": sums, which also depend on the significance.
    """

    name: str
    seed: int
    levels: tuple[float, ...]
    null: float
    replicates: int
    significance: float | None
    methods: tuple[str, ...]
    cells: tuple[Cell, ...]
    source: Mapping[str, Any]
    random: Mapping[str, Any]
    versions: Mapping[str, str]
    bootstrap: BootstrapSettings | None = None
    precision: Precision | None = None
    keep: str = "all"

    def identity(self, cell: Cell, methods: Sequence[str]) -> str:
        """Hash of all that rows of these methods in one cell depend on; every part carries it."""
        content = {
            "format": FORMAT,
            "seed": self.seed,
            "levels": list(self.levels),
            "null": self.null,
            "cell": dict(cell.values),
            "truth": cell.truth.tolist(),
            "design": cell.design_hash,
            "random": dict(self.random),
        }
        if self.bootstrap is not None and resampled(methods):
            content["bootstrap"] = self.bootstrap.to_dict()
        if self.keep == "summary":
            content["sums"] = [self.significance_at(level) for level in self.levels]
        return _hash(content)

    def cell(self, label: str) -> Cell:
        """The cell of that label."""
        return next(cell for cell in self.cells if cell.label == label)

    def significance_at(self, level: float) -> float:
        """Where tests reject beside intervals of that level: p at most this."""
        # Rounded so that 1 − 0.95 is 0.05, not 0.050000000000000044.
        return round(1.0 - level, 12) if self.significance is None else self.significance


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
    asked = {cell.label: cell for cell in new.cells}
    return replace(
        old,
        name=new.name,
        # A store has no functions: a generator comes with the study that is run into it.
        cells=tuple(
            replace(cell, source=asked[cell.label].source) if cell.label in asked else cell
            for cell in cells
        ),
        source=new.source,
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


def _first_difference(old: Cell, new: Cell) -> str:
    """What differs beyond rounding between two cells, in words; empty if nothing does."""
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


def write_record(folder: Path, record: Record) -> None:
    """Write designs (where they are not there yet), then study.json, each atomically."""
    (folder / "designs").mkdir(exist_ok=True)
    cells = []
    for cell in record.cells:
        path = f"designs/{cell.address:08x}.parquet"
        if not (folder / path).exists():
            write_atomic(folder / path, _design_bytes(cell))
        cells.append({
            "label": cell.label,
            "values": dict(cell.values),
            "rows": cell.n_rows,
            "rows_dropped": cell.n_dropped,
            "truth": dict(zip(cell.names, cell.truth.tolist(), strict=True)),
            "design": path,
            "design_hash": cell.design_hash,
            **({} if cell.source is None else {"drawn": cell.source.to_dict()}),
            "identity": record.identity(cell, ()),
        })  # fmt: skip
    content = {
        "format": FORMAT,
        "name": record.name,
        "seed": record.seed,
        "replicates": record.replicates,
        "levels": list(record.levels),
        "null": record.null,
        "significance": record.significance,
        "methods": list(record.methods),
        **({} if record.bootstrap is None else {"bootstrap": record.bootstrap.to_dict()}),
        **({} if record.precision is None else asdict(record.precision)),
        **({} if record.keep == "all" else {"keep": record.keep}),
        "source": dict(record.source),
        "cells": cells,
        "random": dict(record.random),
        "versions": dict(record.versions),
    }
    content["hash"] = _hash(content)
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    write_atomic(folder / "study.json", text.encode() + b"\n")


def read_record(folder: Path, spare: Sequence[Cell] = ()) -> Record:
    """Read and verify a store's description.

    Parameters
    ----------
    folder : path
    spare : sequence of Cell
        Cells that a damaged or missing design file is rewritten from, where they are equal
        to the last bit.

    Raises
    ------
    FileNotFoundError
        There is no study.json.
    ValueError
        It, or a design, is not what was written, or a newer version wrote it.
    """
    path = folder / "study.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not a study's store: it has no study.json")
    try:
        content = json.loads(path.read_bytes())
        whole = content.pop("hash") == _hash(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        content, whole = {}, False
    if not whole:
        raise ValueError(f"{path} is damaged or was edited: its content does not match its hash")
    if content["format"] != FORMAT:
        raise ValueError(f"{path} has format {content['format']}; this version reads {FORMAT}")
    keys = ("name", "seed", "null", "replicates", "significance", "source", "random")
    settings = content.get("bootstrap")
    looks = content.get("looks")
    return Record(
        **{key: content[key] for key in keys},
        versions=content["versions"],
        keep=content.get("keep", "all"),
        levels=tuple(content["levels"]),
        methods=tuple(content["methods"]),
        bootstrap=None if settings is None else BootstrapSettings(**settings),
        precision=None if looks is None else Precision(content["target_mcse"], tuple(looks)),
        cells=tuple(_read_cell(folder, entry, spare) for entry in content["cells"]),
    )


def _read_cell(folder: Path, entry: Mapping[str, Any], spare: Sequence[Cell]) -> Cell:
    path = folder / entry["design"]
    truth = np.array(list(entry["truth"].values()), dtype=np.float64)
    names = tuple(entry["truth"])
    try:
        with pq.ParquetFile(path) as file:  # not a dataset: its folders' names are no columns
            table = file.read()
        columns = {name: table[name].to_numpy() for name in table.column_names}
        cell = Cell(
            X=np.column_stack([columns[name] for name in names]),
            truth=truth,
            names=names,
            values=entry["values"],
            n_dropped=entry["rows_dropped"],
            source=source_from(entry.get("drawn")),
            **{name: columns.get(f"({name})") for name in EXTRA_COLUMNS},
        )
        if cell.design_hash == entry["design_hash"]:
            return cell
        reason = "it does not match the hash in study.json"
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error)
    for cell in spare:
        if cell.design_hash == entry["design_hash"]:
            write_atomic(path, _design_bytes(cell))
            return replace(cell, truth=truth)
    raise ValueError(
        f"{path} is damaged ({reason}): run the study again from its specification to restore it"
    )


def _design_bytes(cell: Cell) -> memoryview:
    columns = dict(zip(cell.names, cell.X.T, strict=True))
    for name in EXTRA_COLUMNS:
        if getattr(cell, name) is not None:
            columns[f"({name})"] = getattr(cell, name)
    buffer = io.BytesIO()
    pq.write_table(pa.table({k: pa.array(v) for k, v in columns.items()}), buffer)
    return buffer.getbuffer()


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.blake2b(canonical_json(content).encode(), digest_size=16).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the software that a store is made with."""
    found = {"python": platform.python_version()}
    for package in ("jaxlogit-inference", "jax", "numpy", "pyarrow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
