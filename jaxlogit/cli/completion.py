"""`jaxlogit completion`: a script with which a shell completes commands, options and names.

The script is made from the parser, so that it is as new as the commands. What an argument takes
follows from its metavar and its option: see `_completed`.
"""

import argparse
import re
from collections.abc import Iterator, Sequence

SHELLS = ("bash", "zsh", "tcsh")
FILES = {"DATA", "FILE"}
"""Metavars, their endings and alternatives apart, for files: `FILE.parquet`, `FILE|NAME`."""
FOLDERS = {"DIR", "OUT", "STORE"}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    text = 'print a script of completions: eval "$(jaxlogit completion bash)" in ~/.bashrc'
    command = commands.add_parser("completion", help="print a shell's completions", epilog=text)
    command.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or tcsh")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print the script for the parser that read this command."""
    import shtab

    for action in _actions(options.parser):
        found = _completed(action)
        if found is not None:
            action.complete = found  # pyright: ignore[reportAttributeAccessIssue]
    print(shtab.complete(options.parser, options.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of the parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _completed(action: argparse.Action) -> dict | None:
    """What shtab is told of an argument: its bundled names or words, files and folders."""
    from jaxlogit import datasets, penalties
    from jaxlogit.model import METHODS
    from jaxlogit.resampling.kinds import KINDS
    from jaxlogit.resampling.scheme import SCHEMES
    from jaxlogit.study.toml import bundled

    option = next(iter(action.option_strings), "")
    words = {"--scheme": SCHEMES, "--kind": KINDS, "--method": METHODS, "--engine": ("dask",),
             "--penalty": penalties.WORDS}.get(option, ())  # fmt: skip
    metavars = str(action.metavar or "").split("|")
    kinds = {metavar.partition(".")[0] for metavar in metavars}
    if "NAME" in kinds:
        words = bundled()
    elif "DATA" in kinds:
        words = datasets.names()
    paths = "files" if kinds & FILES else "folders" if kinds & FOLDERS else ""
    return _pattern(words, paths) if words or paths else None


def _pattern(words: Sequence[str], paths: str) -> dict:
    """Words and paths as the shells have them; tcsh has either, not both."""
    listed = " ".join(words)
    name = "_jaxlogit_" + re.sub(r"\W", "_", "_".join((*words, paths)))
    compgen = {"files": '_shtab_compgen_files "$1"', "folders": '_shtab_compgen_dirs "$1"'}
    matched = f'compgen -W "{listed}" -- "$1"' if words else ""
    lines = "\n  ".join(filter(None, (matched, compgen.get(paths, ""))))
    shown = {"files": "_files", "folders": "_files -/"}.get(paths, "")
    bundled = f"_alternative 'names:bundled:({listed})' 'paths:path:{shown}'"
    both = bool(words and paths)
    return {
        "bash": name,
        "zsh": name if both else shown or f"({listed})",
        "tcsh": {"files": "f", "folders": "d"}.get(paths, f"({listed})"),
        "preamble": {
            "bash": f"{name}() {{\n  {lines}\n}}",
            **({"zsh": f"{name}() {{\n  {bundled}\n}}"} if both else {}),
        },
    }
