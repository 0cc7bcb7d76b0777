"""What the commands share: their parser, and a stop by SIGTERM."""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


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
