"""Shards: the pieces of a study dealt out in turn, for runs that know nothing of each other."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from jaxlogit.study.record import Record
from jaxlogit.study.store import Task


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
