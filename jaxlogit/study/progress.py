"""Progress of a run on standard error: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxlogit.study.record import Record
from jaxlogit.study.store import Group, Task

LINE_SECONDS = 10.0
"""Least time between two lines of a log."""

Advance = Callable[[Task, Sequence[Group]], None]


@dataclass
class Tally:
    """Running counts of this run, for the one line that tells how it goes.

    Attributes
    ----------
    total : int
        Replicates to compute.
    done : int
        Replicates computed.
    warm_up : int
        Those of the first task, whose time went into compiling; `started` is then its end.
    rows, undefined : int
        Intervals tabulated, and those without two ends.
    covered : dict
        By cell, method, level and term: intervals that held the truth, and defined intervals.
    """

    total: int
    started: float
    done: int = 0
    warm_up: int = 0
    rows: int = 0
    undefined: int = 0
    covered: dict[tuple[str, str, float, str], tuple[int, int]] = field(default_factory=dict)

    def add(self, record: Record, task: Task, groups: Sequence[Group]) -> None:
        """Count one finished task."""
        self.done += task.stop - task.start
        if not self.warm_up and self.done < self.total:
            self.warm_up, self.started = self.done, time.monotonic()
        cell = record.cell(task.cell)
        truth = dict(zip(cell.names, cell.truth, strict=True))
        for group in groups:
            defined = int(np.sum(group.rows.has_interval))
            inside = (group.rows.lower <= truth[group.term]) & (
                truth[group.term] <= group.rows.upper
            )
            self.rows += inside.size
            self.undefined += inside.size - defined
            key = task.cell, group.method, group.level, group.term
            hits, n = self.covered.get(key, (0, 0))
            self.covered[key] = hits + int(np.sum(inside)), n + defined

    def text(self) -> str:
        """Rate, time left, share of undefined intervals, worst coverage error."""
        timed = self.done - self.warm_up
        pace = "compiled"
        if timed:
            rate = timed / max(time.monotonic() - self.started, 1e-9)
            pace = f"{rate:,.0f}/s, {_duration((self.total - self.done) / rate)} left"
        shares = [(hits / n, n) for hits, n in self.covered.values() if n]
        worst = max((float(np.sqrt(c * (1 - c) / n)) for c, n in shares), default=np.nan)
        undefined = 100 * self.undefined / max(self.rows, 1)
        return f"{pace}, {undefined:.2f} % undefined, worst coverage MCSE {worst:.4f}"


@contextmanager
def shown(record: Record, tasks: Sequence[Task], folder: Path, progress: bool) -> Iterator[Advance]:
    """Show a run's progress; the function yielded is called after every task.

    Parameters
    ----------
    record : Record
        Names the study.
    tasks : sequence of Task
        What will be computed.
    folder : path
        Where the parts go.
    progress : bool
        Show nothing where false.
    """
    tally = Tally(sum(task.stop - task.start for task in tasks), time.monotonic())
    if progress:
        left = f"{tally.total:,} replicates to compute" if tasks else "nothing left to compute"
        print(f"{record.name}: {left}, results in {folder}", file=sys.stderr, flush=True)
    if not progress or not tasks:
        yield lambda task, groups: None
    elif sys.stderr.isatty():
        with _bar(record, tally) as advance:
            yield advance
    else:
        yield _lines(record, tally)


def _lines(record: Record, tally: Tally) -> Advance:
    said = time.monotonic()

    def advance(task: Task, groups: Sequence[Group]) -> None:
        nonlocal said
        tally.add(record, task, groups)
        if tally.done == tally.total or time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            line = f"{record.name}: {tally.done:,}/{tally.total:,}, {tally.text()}"
            print(line, file=sys.stderr, flush=True)

    return advance


@contextmanager
def _bar(record: Record, tally: Tally) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        item = bar.add_task(record.name, total=tally.total, text="compiling")

        def advance(task: Task, groups: Sequence[Group]) -> None:
            tally.add(record, task, groups)
            bar.update(item, completed=tally.done, text=tally.text())

        yield advance


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
