"""What the commands share: their parser, arguments and forms of output, and a stop by SIGTERM."""

import argparse
import json
import math
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, taken as Ctrl-C is."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit status 1, as all others here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        self.exit(1, f"{self.prog}: {message} (see {self.prog} --help)\n")


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends the work inside as Ctrl-C does; without this it would end the process."""

    def stop(number: int, frame: object) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def add_data(command: argparse.ArgumentParser) -> None:
    """Arguments that name a model: a table, a formula, and columns with a part in it."""
    command.add_argument("data", metavar="DATA", help="CSV or Parquet file, or a bundled data set")
    command.add_argument("formula", metavar="FORMULA", help='for instance "low ~ age + smoke"')
    command.add_argument("--trials", metavar="COL", help="trials of each row")
    command.add_argument("--weights", metavar="COL", help="case weights")
    command.add_argument("--offset", metavar="COL", help="in log-odds")
    command.add_argument("--penalty", metavar="P", help="firth, flic, flac, logf or ridge")
    command.add_argument("--level", type=float, default=0.95, metavar="L", help="(default 0.95)")


def check_folder(path: Path | None) -> None:
    """A file that could not be written is refused before the work, not after it."""
    if path is not None and path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder, where a file is to be written")
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r} to write {path.name} to")


def write_csv(frame: Any, path: Path | None, what: str = "table") -> None:
    """Write a table and say so on standard error, if there is somewhere to."""
    if path is not None:
        frame.to_csv(path, index=False)
        print(f"{what} written to {path}", file=sys.stderr)


def print_json(found: Any) -> None:
    """Print one JSON document; what JSON has no number for is "inf", "-inf" or null."""
    print(json.dumps(_plain(found), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """Values that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "to_dict"):  # a data frame: a record for each row
        return [_plain(row) for row in value.to_dict("records")]
    if hasattr(value, "tolist"):  # an array, or a number of NumPy's
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
