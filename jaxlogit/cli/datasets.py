"""`jaxlogit datasets`: what is bundled."""

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser("datasets", help="list the bundled data sets")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """List the bundled data sets, their sizes and a formula to start from."""
    from jaxlogit import datasets
    from jaxlogit.text import table

    rows = []
    for name in datasets.names():
        data = datasets.load(name)
        rows.append([name, str(len(next(iter(data.columns.values())))), data.formula])
    print(table(["name", "rows", "formula"], rows))
