"""Where chunks are computed: this process, a Dask cluster, or any executor of futures.

Whatever the engine, this process hands chunks out and writes the store. A chunk that is lost
with its worker is handed out again; its rows depend on its address, not on who computes it.
"""

import logging
import os
import pickle
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from typing import Any

import jax

from jaxlogit.cores import n_threads
from jaxlogit.study.computing.clock import Clock
from jaxlogit.study.computing.worker import Computed, compute, computed, described, share
from jaxlogit.study.design.varying import Generator
from jaxlogit.study.store.parts import Task
from jaxlogit.study.store.record import Record

CONNECT_SECONDS = 5
"""A scheduler that is there answers at once, also across networks."""

AHEAD = 2
"""Chunks per worker under way: one that is computed, and one that waits so that none idles."""

ATTEMPTS = 3
"""A chunk whose worker was killed so often is at fault itself."""

FEW_CORES = 4
"""So many and more are shared out in pairs: a second core serves a worker that copies or writes,
and half as many processes compile and hold the compiled functions."""

ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")

Engine = str | Executor | None


@dataclass
class Pool:
    """An executor that computes chunks.

    Attributes
    ----------
    executor : Executor
    workers : function
        How many processes there are now.
    threads : int or None
        Cores for each; None where they know themselves.
    renewed : function or None
        Another executor in place of one that a killed worker broke.
    """

    executor: Executor
    workers: Callable[[], int]
    threads: int | None = None
    renewed: Callable[[], Executor] | None = None

    def submit(self, task: Task, files: Any, generate: Any = None) -> Future:
        """Hand a chunk out."""
        arguments = files, task.start, task.stop, list(task.methods), self.threads, generate
        try:
            return self.executor.submit(compute, *arguments)
        except BrokenExecutor:
            if self.renewed is None:
                raise
            self.executor = self.renewed()
            return self.executor.submit(compute, *arguments)


@contextmanager
def opened(engine: Engine) -> Iterator[Pool | None]:
    """The pool that an engine names, for the length of a run; None is this process.

    Parameters
    ----------
    engine : None, str or Executor
        "dask" or "dask:N" for a local cluster (of N workers), "tcp://host:port" or "tls://…" for
        a scheduler, or an executor; see `Study.run`.

    Raises
    ------
    ValueError, TypeError
        No such engine, or one that forks.
    ConnectionError
        No scheduler answers.
    """
    if engine is None:
        yield None
    elif isinstance(engine, Executor):
        with _executor(engine) as pool:
            yield pool
    elif not isinstance(engine, str):
        raise TypeError(f"engine must be None, text or an Executor: found {engine!r}")
    elif ADDRESS.fullmatch(engine):
        with _scheduler(engine) as pool:
            yield pool
    elif found := re.fullmatch(r"dask(?::([1-9]\d*))?", engine):
        with _local_cluster(int(found[1]) if found[1] else None) as pool:
            yield pool
    else:
        raise ValueError(
            'engine must be "dask", "dask:N" for N workers, or a scheduler\'s address such as '
            f'"tcp://host:8786": found {engine!r}'
        )


@contextmanager
def _executor(executor: Executor) -> Iterator[Pool]:
    if not isinstance(executor, ProcessPoolExecutor):
        named = (getattr(executor, name, None) for name in ("_max_workers", "num_workers"))
        count = next(filter(None, named), n_threads())
        yield Pool(executor, lambda: count)
        return
    # How a pool was made can be read from nothing public.
    made: Any = executor
    if made._mp_context.get_start_method() == "fork":
        raise ValueError(
            "engine must not fork, for JAX is multithreaded: found a ProcessPoolExecutor that "
            'does; give it mp_context=multiprocessing.get_context("spawn")'
        )
    with ExitStack() as stack:

        def renewed() -> Executor:
            again = ProcessPoolExecutor(
                made._max_workers, made._mp_context, made._initializer, made._initargs
            )
            stack.callback(again.shutdown, wait=False, cancel_futures=True)
            return again

        count = made._max_workers
        yield Pool(executor, lambda: count, max(1, n_threads() // count), renewed)


@contextmanager
def _scheduler(address: str) -> Iterator[Pool]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="jaxlogit")
    except (OSError, TimeoutError) as error:
        raise ConnectionError(
            f'engine "{address}" did not answer within {CONNECT_SECONDS} s: start a Dask scheduler '
            f"there, or name another ({str(error) or type(error).__name__:.80})"
        ) from None
    cores: Any = client.nthreads  # by worker; those of an adaptive cluster come and go
    with client:
        if not cores():
            print(f"{address} has no workers yet: waiting for some", file=sys.stderr)
        yield Pool(client.get_executor(pure=False), lambda: max(1, len(cores())))


@contextmanager
def _local_cluster(count: int | None) -> Iterator[Pool]:
    from dask import config
    from distributed import Client, Nanny, Scheduler, SpecCluster

    settings = {
        "distributed.scheduler.allowed-failures": 0,  # chunks are handed out again here
        # Dask has its workers hand all memory back to the system at once, MALLOC_TRIM_THRESHOLD_:
        # to get it again costs a third of a chunk's time.
        "distributed.nanny.pre-spawn-environ": {},
    }
    quiet: dict[str, Any] = {"dashboard": False, "silence_logs": logging.CRITICAL}
    own = {"cls": Nanny, "options": {"nthreads": 1, "memory_limit": 0, **quiet}}
    workers = {
        number: {**own, "options": {**own["options"], "env": env}}
        for number, env in enumerate(environments(count))
    }
    here = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with config.set(settings), ExitStack() as stack:
        with _deaf_children():
            silent: Any = logging.CRITICAL  # a level, whatever the signature says
            scheduler = {"cls": Scheduler, "options": here}
            cluster = stack.enter_context(SpecCluster(workers, scheduler, silence_logs=silent))
        client = stack.enter_context(Client(cluster, set_as_default=False))
        yield Pool(client.get_executor(pure=False), lambda: len(workers))


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Ctrl-C is for this process, which ends its workers; a terminal sends it to all.

    Threads that are started here, and the processes that these start at any time, inherit the
    blocked signal. Where it comes in between, it is handled at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal in the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def environments(count: int | None) -> list[dict[str, str]]:
    """Environment of each worker of this machine: its share of the cores, and a GPU of its own.

    Parameters
    ----------
    count : int or None
        Workers; None for one per GPU, or as many as suit the cores.
    """
    cores = n_threads()
    gpus = 0 if jax.default_backend() == "cpu" else jax.local_device_count()
    count = count or gpus or (cores if cores < FEW_CORES else cores // 2)
    threads = max(1, cores // count)
    found = [share(threads) | {"OMP_NUM_THREADS": str(threads)} for _ in range(count)]
    if gpus:
        named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        visible = named.split(",") if named else [str(i) for i in range(gpus)]
        for number, env in enumerate(found):
            env["CUDA_VISIBLE_DEVICES"] = visible[number % len(visible)]
            # This process holds some memory of each device already.
            env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return found


def results(
    pool: Pool | None, record: Record, tasks: Sequence[Task], clock: Clock
) -> Iterator[tuple[Task, Computed]]:
    """Chunks as they are done, in no particular order; fewer where time runs out.

    A bounded number is under way, results that were not taken yet among them. What is queued
    when the caller stops is cancelled.

    Raises
    ------
    ChildProcessError
        A chunk failed `ATTEMPTS` times: naming it and what was last heard of it.
    """
    if pool is not None:
        yield from _handed_out(pool, record, tasks, clock)
        return
    for task in tasks:
        if not clock.fits():
            return
        began = time.monotonic()
        yield task, computed(record, task)
        clock.add(time.monotonic() - began)  # with the writing of it


def _check_travels(pool: Pool, record: Record) -> None:
    """A generator goes to other processes by its name, which a lambda has not."""
    for cell in record.cells:
        if isinstance(cell.source, Generator) and isinstance(pool.executor, ProcessPoolExecutor):
            try:
                pickle.dumps(cell.source.function)
            except Exception as error:
                raise ValueError(f"generate must be a function of a module to run in processes: "
                                 f"{error}") from None  # fmt: skip


def _handed_out(
    pool: Pool, record: Record, tasks: Sequence[Task], clock: Clock
) -> Iterator[tuple[Task, Computed]]:
    _check_travels(pool, record)
    files = cache(lambda label: described(record, label))
    waiting = deque((task, 1) for task in tasks)
    under_way: dict[Future, tuple[Task, int, float]] = {}
    try:
        while True:
            while waiting and len(under_way) < AHEAD * pool.workers() and clock.fits():
                task, attempt = waiting.popleft()
                source = record.cell(task.cell).source
                generate = source.function if isinstance(source, Generator) else None
                future = pool.submit(task, files(task.cell), generate)
                under_way[future] = task, attempt, time.monotonic()
            if not under_way:
                return
            done = wait_for(under_way, timeout=clock.left, return_when=FIRST_COMPLETED).done
            if not done:  # no time is left
                clock.stopped = True
                return
            for future in done:
                task, attempt, began = under_way.pop(future)
                found = _outcome(future)
                if isinstance(found, Computed):
                    clock.add(time.monotonic() - began)
                    yield task, found
                elif attempt < ATTEMPTS:
                    waiting.appendleft((task, attempt + 1))
                else:
                    which = f"replicates {task.start:,} to {task.stop - 1:,} of cell {task.cell}"
                    raise ChildProcessError(f"{which} failed {ATTEMPTS} times, last with: {found}")
    finally:
        for future in under_way:
            future.cancel()


def _outcome(future: Future) -> Computed | str:
    """What a chunk gave, or why it gave nothing."""
    try:
        found = future.result()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if "failure" in found:
        return found["failure"]
    return Computed(found["content"], [tuple(count) for count in found["counts"]])
