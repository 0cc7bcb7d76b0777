"""`jaxlogit study`: run coverage studies, join their stores and read their tables."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jaxlogit.cli.shared import print_json, terminable, write_csv

if TYPE_CHECKING:
    from jaxlogit.study import ExactResult, StudyResult


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command with its own commands."""
    study = commands.add_parser("study", help="coverage studies")
    commands = study.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run or resume a study and print its tables")
    run.add_argument("study", metavar="FILE|NAME", help="a TOML file, or a bundled study: birthwt")
    run.add_argument("--store", type=Path, metavar="DIR", help="results (default ./NAME-study)")
    run.add_argument("--replicates", type=int, metavar="N", help="instead of the study's own")
    engines = 'where: this process (default), "dask" or "dask:N" workers here, or tcp://HOST:PORT'
    run.add_argument("--engine", metavar="E", help=engines)
    run.add_argument("--shard", metavar="i/N", help="one of N shares of the work, joined by merge")
    run.add_argument("--max-time", metavar="T", help='end in time, as in "2h30m"; exit status 0')
    kept = "what the store holds: all rows, or sums that give the same tables"
    run.add_argument("--keep", choices=("all", "summary"), help=kept)
    run.add_argument("--no-progress", action="store_true", help="show no progress")
    run.add_argument("--csv", type=Path, metavar="FILE", help="write every measure to a CSV file")
    run.set_defaults(command=_run)
    joined = commands.add_parser("merge", help="join stores of one study, such as shards")
    joined.add_argument("stores", type=Path, nargs="+", metavar="DIR", help="folders of results")
    joined.add_argument("--store", type=Path, required=True, metavar="OUT", help="where to")
    joined.set_defaults(command=_merge)
    status = commands.add_parser("status", help="what a store holds and what it lacks")
    summary = commands.add_parser("summary", help="print the tables of a store")
    exact = commands.add_parser("exact", help="the tables without Monte Carlo error, all outcomes")
    exact.add_argument("study", metavar="FILE|NAME", help="a TOML file, or a bundled study")
    replay = commands.add_parser("replay", help="rebuild one data set and its fits")
    report = commands.add_parser("report", help="write a store's tables and pictures as one page")
    for command in (status, summary, replay, report):
        command.add_argument("store", type=Path, metavar="DIR", help="the folder of the results")
    status.set_defaults(command=_status)
    forms = {}
    for command in (summary, exact):
        command.add_argument("--differences", action="store_true", help="add paired differences")
        form = forms[command] = command.add_mutually_exclusive_group()
        form.add_argument(
            "--csv", type=Path, metavar="FILE", help="write every measure to a CSV file"
        )
        form.add_argument("--markdown", action="store_true", help="print Markdown tables")
        form.add_argument("--json", action="store_true", help="print every measure as JSON")
    latex = "print the table of coverages in LaTeX"
    forms[summary].add_argument("--latex", action="store_true", help=latex)
    summary.set_defaults(command=_summary)
    exact.set_defaults(command=_exact)
    replay.add_argument("--replicate", type=int, required=True, metavar="N", help="from 0")
    replay.add_argument("--cell", default="main", metavar="C", help="its label (default main)")
    replay.add_argument("--csv", type=Path, metavar="FILE", help="write the data to a CSV file")
    replay.set_defaults(command=_replay)
    report.add_argument("--out", type=Path, metavar="FILE.html", help="(default ./NAME.html)")
    report.add_argument("--differences", action="store_true", help="add paired differences")
    report.add_argument("--exact", action="store_true", help="mark exact coverages too")
    report.set_defaults(command=_report)
    protocol = commands.add_parser("protocol", help="write down aims, data, methods and measures")
    protocol.add_argument(
        "study",
        metavar="FILE|NAME|STORE",
        help="a TOML file, a bundled study, or the folder of the results",
    )
    protocol.add_argument("--out", type=Path, metavar="FILE.md", help="instead of the terminal")
    protocol.set_defaults(command=_protocol)


def _run(options: argparse.Namespace) -> None:
    if options.engine:  # workers share the devices with this process
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with terminable():
        from jaxlogit.report import study_text
        from jaxlogit.study import Study
        from jaxlogit.study.computing.clock import seconds

        max_time = None if options.max_time is None else seconds(options.max_time)
        study = Study.from_toml(options.study)
        if options.keep is not None:
            study = replace(study, keep=options.keep)
        shard = "" if options.shard is None else f"-{options.shard.replace('/', '-of-')}"
        result = study.run(
            options.store or Path(f"{study.name}-study{shard}"), options.replicates,
            engine=options.engine, progress=not options.no_progress, shard=options.shard,
            max_time=max_time,
        )  # fmt: skip
    print(study_text(result), end="")
    write_csv(result.summary() if options.csv else None, options.csv, "every measure")
    if result.left:
        left = f"{result.left:,} replicates are left for want of time: running again resumes"
        print(f"{study.name}: {left}", file=sys.stderr)


def _merge(options: argparse.Namespace) -> None:
    from jaxlogit.report import status_text
    from jaxlogit.study import merge

    print(status_text(merge(options.stores, options.store)), end="")


def _status(options: argparse.Namespace) -> None:
    from jaxlogit.report import status_text

    print(status_text(_opened(options.store)), end="")


def _summary(options: argparse.Namespace) -> None:
    from jaxlogit.report import study_text

    result = _opened(options.store)
    if options.json:
        print_json(_document(result))
        return
    text = study_text(result, differences=options.differences, markdown=options.markdown)
    print(result.to_latex() if options.latex else text, end="")
    write_csv(result.summary() if options.csv else None, options.csv, "every measure")


def _exact(options: argparse.Namespace) -> None:
    from jaxlogit.report.exact import exact_text
    from jaxlogit.study import Study

    result = Study.from_toml(options.study).exact()
    if options.json:
        print_json(_document(result))
        return
    text = exact_text(result, differences=options.differences, markdown=options.markdown)
    print(text, end="")
    write_csv(result.summary() if options.csv else None, options.csv, "every measure")


def _document(result: "StudyResult | ExactResult") -> dict:
    return {
        "name": result.record.name,
        "measures": result.summary(),
        "statuses": result.statuses(),
    }


def _report(options: argparse.Namespace) -> None:
    result = _opened(options.store)
    out = options.out or Path(f"{result.record.name}.html")
    exact = None
    if options.exact:
        from jaxlogit.study.exact.result import exact_record

        exact = exact_record(result.record).summary()
    result.report(out, exact=exact, differences=options.differences)
    print(f"report written to {out}", file=sys.stderr)


def _protocol(options: argparse.Namespace) -> None:
    from jaxlogit.study import Study

    store = (Path(options.study) / "study.json").is_file()
    made = _opened(Path(options.study)) if store else Study.from_toml(options.study)
    if options.out is None:
        print(made.protocol(), end="")
    else:
        options.out.write_text(made.protocol(), encoding="utf-8")
        print(f"protocol written to {options.out}", file=sys.stderr)


def _replay(options: argparse.Namespace) -> None:
    import pandas as pd

    from jaxlogit.report import replay_text

    replay = _opened(options.store).replay(options.cell, options.replicate)
    print(replay_text(replay), end="")
    if options.csv:
        columns = dict(zip(replay.names, replay.X.T, strict=True))
        for name in ("trials", "weights", "offset"):
            if getattr(replay, name) is not None:
                columns[f"({name})"] = getattr(replay, name)
        pd.DataFrame({"(y)": replay.y, **columns}).to_csv(options.csv, index=False)
        print(f"data written to {options.csv}", file=sys.stderr)


def _opened(store: Path) -> "StudyResult":
    from jaxlogit.study import StudyResult

    result = StudyResult.from_store(store)
    for path, reason in result.damaged:
        print(f"{path}: {reason}; left out", file=sys.stderr)
    return result
