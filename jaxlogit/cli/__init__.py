"""The command line: `jaxlogit fit`, `bootstrap`, `study run|merge|…`, `doctor` and others.

A command is a module with `add(commands)`, which adds its parser and says what it runs. It
imports what it needs itself, so that help and errors of usage wait for nothing beyond the
package and the JAX that it imports.
"""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence

from jaxlogit import compiled
from jaxlogit.cli import bootstrap, completion, datasets, doctor, fit, study
from jaxlogit.cli.shared import Parser, Terminated

COMMANDS = (
    fit,
    bootstrap,
    study,
    datasets,
    doctor,
    completion,
)
"""In the order of the help."""

INTERRUPTED = 130
"""128 + SIGINT, what shells report for a command stopped by Ctrl-C."""

TERMINATED = 143
"""128 + SIGTERM: what schedulers of batch jobs send before they kill."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; those of the process by default.

    Returns
    -------
    int
        0, or what the command says; 1 after bad input, with one line on standard error; 130
        when interrupted, 143 when terminated.
    """
    options = parser().parse_args(arguments)
    compiled.keep()
    try:
        status = options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        ended = isinstance(stop, Terminated)
        kept = f": {stop}" if str(stop) else ""
        print(f"jaxlogit: {'terminated' if ended else 'interrupted'}{kept}", file=sys.stderr)
        return TERMINATED if ended else INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ModuleNotFoundError as error:
        extra = "cluster" if error.name in ("dask", "distributed") else "study"
        needs = f"{error.name} is not installed: pip install 'jaxlogit-inference[{extra}]'"
        print(f"jaxlogit: {needs}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        # One line, whatever the message of a library below looks like.
        print(f"jaxlogit: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    else:
        return status or 0
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = Parser(prog="jaxlogit", description="Logistic regressions with trustworthy inference.")
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    top.set_defaults(parser=top)  # which a command may describe
    return top


def _version() -> str:
    try:
        return f"jaxlogit {importlib.metadata.version('jaxlogit-inference')}"
    except importlib.metadata.PackageNotFoundError:
        return "jaxlogit (not installed)"
