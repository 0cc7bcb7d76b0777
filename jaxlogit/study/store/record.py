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
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxlogit.study.design.cells import EXTRA_COLUMNS, Cell, canonical_json
from jaxlogit.study.design.varying import source_from
from jaxlogit.study.methods import BootstrapSettings, resampled
from jaxlogit.study.precision import Precision
from jaxlogit.study.store.files import write_atomic

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
        See `jaxlogit.study.design.simulate.random_record`.
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
        return self.by_label[label]

    @cached_property
    def by_label(self) -> dict[str, Cell]:
        """The cells by their labels."""
        return {cell.label: cell for cell in self.cells}

    def significance_at(self, level: float) -> float:
        """Where tests reject beside intervals of that level: p at most this."""
        # Rounded so that 1 − 0.95 is 0.05, not 0.050000000000000044.
        return round(1.0 - level, 12) if self.significance is None else self.significance


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
