"""Shards: the pieces of a study dealt out in turn, for runs that know nothing of each other."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxlogit.study.store.parts import Task
from jaxlogit.study.store.record import Record

MOST_RANGES = 3
"""Ranges of replicates that a line has room for."""


class Shard(NamedTuple):
    """Share `number` (from 1) of `count`."""

    number: int
    count: int


def read_shard(text: str) -> Shard:
    """A shard from its text.

    Raises
    ------
    ValueError
        Not "i/N" with 1 ≤ i ≤ N.

    Examples
    --------
    >>> read_shard("3/16")
    Shard(number=3, count=16)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", str(text))
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f'shard must be "i/N" with i from 1 to N, as in "3/16": found {text!r}')
    return Shard(int(found[1]), int(found[2]))


def of_shard(tasks: Iterable[Task], shard: Shard, asked: Record, chunk: int) -> list[Task]:
    """The tasks that lie in the shard's pieces.

    Pieces are ranges of `chunk` replicates, counted through all cells: they depend on the
    specification alone, so that shards run apart neither overlap nor leave gaps.

    Parameters
    ----------
    tasks : iterable of Task
        None of them across pieces.
    shard : Shard
    asked : Record
        Its cells and replicates.
    chunk : int
        Replicates in a piece.
    """
    pieces = -(-asked.replicates // chunk)
    first = {cell.label: i * pieces for i, cell in enumerate(asked.cells)}
    return [
        task
        for task in tasks
        if (first[task.cell] + task.start // chunk) % shard.count == shard.number - 1
    ]


def ranges_text(pieces: Sequence[tuple[int, int]]) -> str:
    """What pieces (start, stop) hold, in words; empty where all from 0 on.

    Examples
    --------
    >>> ranges_text([(0, 10), (10, 20)])
    ''
    >>> ranges_text([(0, 10), (10, 20), (40, 50)])
    '0-19, 40-49'
    """
    ranges: list[tuple[int, int]] = []
    for start, stop in pieces:
        joins = bool(ranges) and ranges[-1][1] == start
        ranges.append((ranges.pop()[0] if joins else start, stop))
    if not ranges or (len(ranges) == 1 and ranges[0][0] == 0):
        return ""
    texts = [f"{start}-{stop - 1}" for start, stop in ranges[:MOST_RANGES]]
    more = len(ranges) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")
