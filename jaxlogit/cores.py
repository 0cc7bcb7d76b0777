"""The cores of this machine: how many may be used, and threads that use them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def n_threads() -> int:
    """Cores this process may use: its CPU affinity, or JAXLOGIT_NUM_THREADS if that is set."""
    asked = os.environ.get("JAXLOGIT_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(function: Callable, items: Iterable, count: int) -> list:
    """The function's results for all items, from `count` threads.

    It must not spread anything itself: a thread that waits for others of its kind may wait for
    ever.
    """
    if count < 2:
        return [function(item) for item in items]
    return list(_threads(count).map(function, items))


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them anew, with memory of their own, takes a millisecond."""
    return ThreadPoolExecutor(count, thread_name_prefix="jaxlogit")
