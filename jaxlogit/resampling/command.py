"""`jaxlogit bootstrap`: from a file and a formula to a table of the replicates."""

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from jaxlogit.data import check_choice, check_count, check_level
from jaxlogit.frame import Design, design, read_table
from jaxlogit.resampling import inference, tables
from jaxlogit.resampling.front import bootstrap, prepared
from jaxlogit.resampling.kinds import KINDS
from jaxlogit.resampling.result import Bootstrap

AT_A_TIME = 20_000
"""Replicates between two signs of progress on a terminal."""
SHOWN_AFTER = 1.0  # seconds


def run(
    source: str,
    formula: str,
    *,
    replicates: int,
    scheme: str,
    kind: str | None,
    level: float,
    clusters: str | None,
    strata: str | None,
    trials: str | None,
    weights: str | None,
    offset: str | None,
    size: int | None,
    penalty: str | None,
    seed: int,
    out: Path | None,
    csv: Path | None,
) -> None:
    """Bootstrap a data set's model, print its summary and write what was asked for.

    Parameters
    ----------
    source, formula
        As for `frame.read_table` and `frame.design`.
    clusters, strata, trials, weights, offset
        Names of columns; rows in which one is missing are left out with the others.
    kind
        None: that of `inference.usual_kind`.
    out, csv
        Where the replicates go as Parquet, and the table as CSV.
    """
    _check_paths(out, csv)
    model = design(
        formula, read_table(source), clusters=clusters, strata=strata, trials=trials,
        weights=weights, offset=offset,
    )  # fmt: skip
    options = {"scheme": scheme, "seed": seed, "penalty": penalty, "size": size}
    check_level(level)
    if kind is not None:
        check_choice("kind", kind, KINDS)
    replicates = check_count("replicates", replicates, 1)
    _, checked, _ = prepared(model.X, model.y, **_arrays(model), **options)
    kind = kind or inference.usual_kind(checked)
    inference.check_kind(checked, replicates, level, kind)
    boot = _drawn(model, replicates, options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        text = boot.summary(level, kind)
    print(f"{_about(source, formula, model)}\n{text}", end="")
    for warning in said:
        print(f"jaxlogit: {warning.message}", file=sys.stderr)
    if csv is not None:
        tables.tidy(boot, level, kind).to_csv(csv, index=False)
        print(f"table written to {csv}", file=sys.stderr)
    if out is not None:
        boot.to_parquet(out)
        print(f"{boot.n_replicates:,} replicates written to {out}", file=sys.stderr)


def _arrays(model: Design) -> dict:
    fields = ("names", "clusters", "strata", "trials", "weights", "offset")
    return {name: getattr(model, name) for name in fields}


def _drawn(model: Design, replicates: int, options: dict) -> Bootstrap:
    """The bootstrap, on a terminal in portions that are the same replicates, with a count."""
    count = min(replicates, AT_A_TIME) if sys.stderr.isatty() else replicates
    begun = time.monotonic()
    boot = bootstrap(model.X, model.y, replicates=count, **_arrays(model), **options)
    width = 0
    while options["scheme"] != "jackknife" and boot.n_replicates < replicates:
        if time.monotonic() - begun > SHOWN_AFTER:
            text = f"{boot.n_replicates:,} of {replicates:,} replicates"
            width = len(text)
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
        boot = boot.extend(min(AT_A_TIME, replicates - boot.n_replicates))
    if width:
        print(f"\r{' ' * width}\r", end="", file=sys.stderr, flush=True)
    return boot


def _check_paths(out: Path | None, csv: Path | None) -> None:
    """Refused before the work, not after it."""
    if out is not None and out.suffix.lower() != ".parquet":
        raise ValueError(f"out must end in .parquet: found {str(out)!r}")
    for path in (out, csv):
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"no folder {str(path.parent)!r} to write {path.name} to")


def _about(source: str, formula: str, model: Design) -> str:
    rows, p = model.X.shape
    shape = f"{rows:,} rows, {p} coefficients"
    if model.n_dropped:
        shape += f" ({model.n_dropped:,} rows with missing values left out)"
    successes = "" if np.any(model.y > 1) else f", {np.sum(model.y):,.0f} of them 1"
    return f"{formula}   (data {source})\n{shape}{successes}"
