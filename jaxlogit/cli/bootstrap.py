"""`jaxlogit bootstrap`: from a file and a formula to a table of the replicates."""

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.cli.shared import add_data, check_folder, print_json, write_csv
from jaxlogit.data import check_choice, check_count, check_level
from jaxlogit.resampling import inference, tables
from jaxlogit.resampling.front import bootstrap, prepared
from jaxlogit.resampling.kinds import KINDS
from jaxlogit.resampling.result import Bootstrap
from jaxlogit.results import tally

if TYPE_CHECKING:
    from jaxlogit.frame import Design

AT_A_TIME = 20_000
"""Replicates between two signs of progress on a terminal."""
SHOWN_AFTER = 1.0  # seconds


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser("bootstrap", help="bootstrap a logistic regression")
    add_data(command)
    command.add_argument("--replicates", type=int, default=10_000, metavar="N",
                         help="how many (default 10,000)")  # fmt: skip
    schemes = "pairs (default), bayesian, poisson, parametric, score, jackknife"
    command.add_argument("--scheme", default="pairs", metavar="S", help=schemes)
    kinds = "bca (default where the scheme has it), percentile, basic, studentized, normal"
    command.add_argument("--kind", metavar="K", help=kinds)
    command.add_argument("--cluster", metavar="COL", help="draw whole clusters of rows")
    command.add_argument("--strata", metavar="COL", help="draw within strata")
    command.add_argument("--size", type=int, metavar="M", help="units drawn (default all)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="(default 0)")
    command.add_argument("--out", type=Path, metavar="FILE.parquet", help="write the replicates")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write the table")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Bootstrap a data set's model, print its summary and write what was asked for.

    Rows in which a named column (cluster, strata, trials, weights, offset) is missing are left
    out with the others.
    """
    from jaxlogit.frame import design, read_table

    level, kind = options.level, options.kind
    _check_paths(options.out, options.csv)
    model = design(
        options.formula, read_table(options.data), clusters=options.cluster,
        strata=options.strata, trials=options.trials, weights=options.weights,
        offset=options.offset,
    )  # fmt: skip
    choices = {name: getattr(options, name) for name in ("scheme", "seed", "penalty", "size")}
    check_level(level)
    if kind is not None:
        check_choice("kind", kind, KINDS)
    replicates = check_count("replicates", options.replicates, 1)
    _, checked, _ = prepared(model.X, model.y, **_arrays(model), **choices)
    kind = kind or inference.usual_kind(checked)
    inference.check_kind(checked, replicates, level, kind)
    boot = _drawn(model, replicates, choices)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        text = boot.summary(level, kind)
    if options.json:
        print_json(_document(options, model, boot, kind))
    else:
        print(f"{_about(options.data, options.formula, model)}\n{text}", end="")
    for warning in said:
        print(f"jaxlogit: {warning.message}", file=sys.stderr)
    if options.csv is not None:
        write_csv(tables.tidy(boot, level, kind), options.csv)
    if options.out is not None:
        boot.to_parquet(options.out)
        print(f"{boot.n_replicates:,} replicates written to {options.out}", file=sys.stderr)


def _arrays(model: "Design") -> dict:
    fields = ("names", "clusters", "strata", "trials", "weights", "offset")
    return {name: getattr(model, name) for name in fields}


def _drawn(model: "Design", replicates: int, choices: dict) -> Bootstrap:
    """The bootstrap, on a terminal in portions that are the same replicates, with a count."""
    count = min(replicates, AT_A_TIME) if sys.stderr.isatty() else replicates
    begun = time.monotonic()
    boot = bootstrap(model.X, model.y, replicates=count, **_arrays(model), **choices)
    width = 0
    while choices["scheme"] != "jackknife" and boot.n_replicates < replicates:
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
        check_folder(path)


def _document(
    options: argparse.Namespace, model: "Design", boot: Bootstrap, kind: str
) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "data": options.data,
        "formula": options.formula,
        "n_rows": len(model.X),
        "n_dropped": model.n_dropped,
        "scheme": boot.scheme,
        "replicates": boot.n_replicates,
        "seed": boot.seed,
        "kind": kind,
        "level": options.level,
        "terms": tables.tidy(boot, options.level, kind),
        "statuses": tally(boot.status),
    }


def _about(source: str, formula: str, model: "Design") -> str:
    rows, p = model.X.shape
    shape = f"{rows:,} rows, {p} coefficients"
    if model.n_dropped:
        shape += f" ({model.n_dropped:,} rows with missing values left out)"
    successes = "" if np.any(model.y > 1) else f", {np.sum(model.y):,.0f} of them 1"
    return f"{formula}   (data {source})\n{shape}{successes}"
