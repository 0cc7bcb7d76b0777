"""Answers that are found once, whichever threads ask."""

import threading
from collections.abc import Callable
from typing import Any


class Once:
    """The last answer of each kind, and to what."""

    def __init__(self):
        self._last: dict[str, tuple[tuple, Any]] = {}
        self._locks: dict[str, threading.RLock] = {}

    def __reduce__(self):
        return Once, ()  # a copy in another process finds its own

    def __call__(self, kind: str, asked: tuple, find: Callable[[], Any]) -> Any:
        """What `find` gives, or gave when the last question of this kind was the same."""
        with self._locks.setdefault(kind, threading.RLock()):
            last = self._last.get(kind)
            if last is None or last[0] != asked:
                self._last.pop(kind, None)  # not both in memory
                last = self._last[kind] = asked, find()
            return last[1]
