"""The cores of this machine: how many may be used, and threads that use them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache


def n_threads() -> int:
    """Cores this process may use: its CPU affinity, or JAXLOGIT_NUM_THREADS if that is set.

    Raises
    ------
    ValueError
        It is set to something else than a whole number from 1 on.
    """
    asked = os.environ.get("JAXLOGIT_NUM_THREADS", "").strip()
    if asked:
        if not asked.isdecimal() or int(asked) < 1:
            raise ValueError(
                f"JAXLOGIT_NUM_THREADS must be a whole number from 1 on: found {asked!r}"
            )
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(function: Callable, items: Iterable, count: int) -> list:
    """The function's results for all items, from `count` threads.

    Where one fails the others are cancelled, and those under way are waited for. The function
    must not spread anything itself: a thread that waits for others of its kind may wait for ever.
    """
    if count < 2:
        return [function(item) for item in items]
    futures = [_threads(count).submit(function, item) for item in items]
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        wait(futures)
        raise


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them anew, with memory of their own, takes a millisecond."""
    return ThreadPoolExecutor(count, thread_name_prefix="jaxlogit")


if hasattr(os, "register_at_fork"):  # a child has its parent's record of threads, and no threads
    os.register_at_fork(after_in_child=_threads.cache_clear)
