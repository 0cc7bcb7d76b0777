"""Progress of a run on standard error: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxlogit.study.design.cells import Cell
from jaxlogit.study.store.group import Group
from jaxlogit.study.store.parts import Task
from jaxlogit.study.store.record import Record

LINE_SECONDS = 10.0
"""Least time between two lines of a log."""

Counts = list[tuple[str, float, str, int, int, int]]
"""Of one part: method, term, intervals that held the truth, defined intervals, intervals."""

Advance = Callable[[Task, Counts], None]


def counted(cell: Cell, groups: Sequence[Group]) -> Counts:
    """What progress is told of a finished task."""
    truth = dict(zip(cell.names, cell.truth, strict=True))
    counts = []
    for group in groups:
        rows, value = group.rows, truth[group.term]
        inside = (rows.lower <= value) & (value <= rows.upper)
        defined = int(np.sum(rows.has_interval))
        shown = (group.method, group.level, group.term)
        counts.append((*shown, int(np.sum(inside)), defined, inside.size))
    return counts


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
        """Count one finished task by its rows."""
        self.count(task, counted(record.cell(task.cell), groups))

    def count(self, task: Task, counts: Counts) -> None:
        """Count one finished task."""
        self.done += task.stop - task.start
        if not self.warm_up and self.done < self.total:
            self.warm_up, self.started = self.done, time.monotonic()
        for method, level, term, inside, defined, rows in counts:
            self.rows += rows
            self.undefined += rows - defined
            key = task.cell, method, level, term
            hits, n = self.covered.get(key, (0, 0))
            self.covered[key] = hits + inside, n + defined

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
        most = "" if record.precision is None else "at most "
        left = (
            f"{most}{tally.total:,} replicates to compute" if tasks else "nothing left to compute"
        )
        print(f"{record.name}: {left}, results in {folder}", file=sys.stderr, flush=True)
    if not progress or not tasks:
        yield lambda task, counts: None
    elif sys.stderr.isatty():
        with _bar(record.name, tally) as advance:
            yield advance
    else:
        yield _lines(record.name, tally)


def _lines(name: str, tally: Tally) -> Advance:
    said = time.monotonic()

    def advance(task: Task, counts: Counts) -> None:
        nonlocal said
        tally.count(task, counts)
        if tally.done == tally.total or time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            line = f"{name}: {tally.done:,}/{tally.total:,}, {tally.text()}"
            print(line, file=sys.stderr, flush=True)

    return advance


@contextmanager
def _bar(name: str, tally: Tally) -> Iterator[Advance]:
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
        item = bar.add_task(name, total=tally.total, text="compiling")

        def advance(task: Task, counts: Counts) -> None:
            tally.count(task, counts)
            bar.update(item, completed=tally.done, text=tally.text())

        yield advance


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
