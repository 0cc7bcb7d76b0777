"""`jaxlogit fit`: from a file and a formula to a table of coefficients."""

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxlogit.cli.shared import add_data, check_folder, print_json, write_csv
from jaxlogit.data import check_choice, check_level

if TYPE_CHECKING:
    from jaxlogit.model import Fit

SHOWN = 12
"""Groups whose coefficients are printed one by one; of more, quantiles are."""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "fit",
        help="fit a logistic regression, or one for each group of rows",
        description="Fits by maximum likelihood, or with a penalty, and prints estimates, "
        "intervals and tests.",
        epilog='example: jaxlogit fit birthwt "low ~ age + C(race) + smoke" --odds-ratios',
    )
    add_data(command)
    methods = "intervals and tests: lr (default), wald, score or rstar"
    command.add_argument("--method", metavar="M", help=methods)
    command.add_argument("--by", metavar="COL", help="a model for each value of a column")
    robust = "sandwich errors: HC0 to HC3, or with --cluster CR0, CR1, CR1S (default CR1)"
    command.add_argument("--robust", metavar="KIND", help=robust)
    command.add_argument("--cluster", metavar="COL", help="units of the robust errors")
    missing = "rows with missing values (default drop, and say how many)"
    command.add_argument("--missing", choices=("drop", "error"), default="drop", help=missing)
    ratios = "estimates and intervals exponentiated"
    command.add_argument("--odds-ratios", action="store_true", help=ratios)
    command.add_argument("--drop-one", action="store_true", help="test each term by leaving it out")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write the table")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Fit, print the summary and write what was asked for."""
    from jaxlogit.front import fit_formula
    from jaxlogit.model import METHODS
    from jaxlogit.robust import ROW_KINDS

    check_level(options.level)
    if options.method is not None:
        check_choice("method", options.method, METHODS)
    check_folder(options.csv)
    if options.cluster and options.robust in ROW_KINDS:
        raise ValueError("--robust must be CR0, CR1 or CR1S with --cluster: "
                         f"found {options.robust!r}")  # fmt: skip
    if options.by and (options.cluster or options.robust):
        raise ValueError("--robust and --cluster are for one model: leave out --by")
    columns = {name: getattr(options, name) for name in ("by", "trials", "weights", "offset")}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        fitted = fit_formula(
            options.formula, options.data, **columns, missing=options.missing,
            penalty=options.penalty, clusters=options.cluster,
        )  # fmt: skip
        if options.robust or options.cluster:
            fitted = fitted.robust(options.robust)
        frame = fitted.to_frame(options.level, options.method, exponentiate=options.odds_ratios)
        dropped = None
        if options.drop_one and len(fitted.names) > 1:
            dropped = fitted.drop_one(options.method)
    if options.json:
        print_json(_document(options, fitted, frame, dropped))
    else:
        print(_text(options, fitted, frame, dropped), end="")
    for warning in said:
        print(f"jaxlogit: {warning.message}", file=sys.stderr)
    write_csv(frame, options.csv)


def _text(options: argparse.Namespace, fitted: "Fit", frame: Any, dropped: Any) -> str:
    from jaxlogit.tables import summary

    method = fitted._method(options.method, "wald")
    found = summary.describe(fitted, options.level, method, exponentiate=options.odds_ratios)
    parts = [found.text()]
    if 1 < fitted.n_models <= SHOWN:
        about = f"{100 * options.level:g} % intervals and tests by {summary.METHOD_NAMES[method]}"
        parts = ["\n".join([*found.head[:3], about, "", summary.every(frame), *found.foot, ""])]
    elif fitted.n_models > SHOWN and options.csv is None:
        parts.append("every group's coefficients: --csv FILE\n")
    if dropped is not None and fitted.n_models <= SHOWN:
        parts.append(f"terms left out one by one, by {summary.METHOD_NAMES[dropped.method]}\n\n"
                     f"{summary.every(dropped.to_frame())}")  # fmt: skip
    return "\n".join(parts)


def _document(options: argparse.Namespace, fitted: "Fit", frame: Any, dropped: Any) -> dict:
    found = {
        "data": options.data,
        "formula": options.formula,
        "response": fitted._origin.response if fitted._origin else None,
        "n_dropped": fitted.n_dropped,
        "method": fitted._method(options.method, "wald"),
        "level": options.level,
        "penalty": options.penalty,
        "odds_ratios": options.odds_ratios,
        "models": fitted.glance(),
        "terms": frame,
    }
    return found if dropped is None else {**found, "drop_one": dropped.to_frame()}
