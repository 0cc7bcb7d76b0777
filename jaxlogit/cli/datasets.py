"""`jaxlogit datasets`: what is bundled."""

import argparse

from jaxlogit.cli.shared import print_json


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser("datasets", help="list the bundled data sets")
    command.add_argument("--json", action="store_true", help="print a JSON array")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """List the bundled data sets, their sizes and a formula to start from."""
    from jaxlogit import datasets
    from jaxlogit.text import table

    rows = []
    for name in datasets.names():
        data = datasets.load(name)
        rows.append([name, len(next(iter(data.columns.values()))), data.formula])
    header = ["name", "rows", "formula"]
    if options.json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        print(table(header, [[str(cell) for cell in row] for row in rows]))
