"""Engines: whoever computes the chunks, the parts are the same to the last bit."""

import multiprocessing
import os
import re
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import pytest

from jaxlogit.cores import n_threads
from jaxlogit.study import METHODS, Study
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.clock import Clock, seconds
from jaxlogit.study.computing.engines import AHEAD, environments, opened, results
from jaxlogit.study.computing.worker import compute, computed, described
from jaxlogit.study.design.simulate import random_record
from jaxlogit.study.run import chunk_size, run_record
from jaxlogit.study.store.parts import Task

distributed = pytest.importorskip("distributed")


WALD = METHODS[0]


def groups(**changes):
    """Two groups of 12, often separated; one method, as every process compiles its own."""
    arguments = {
        "name": "groups", "seed": 5, "replicates": 120, "X": [[1.0, 0.0], [1.0, 1.0]],
        "trials": [12.0, 12.0], "truth": [-1.4, 0.0], "names": ("base", "effect"),
        "methods": [WALD],
    }  # fmt: skip
    return Study(**(arguments | changes))


def spawned(count):
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def part_names(store):
    """They end with digests of the parts' contents."""
    return sorted(path.name for path in (store / "parts").glob("*.parquet"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    run_record(record_of(groups()), folder, progress=False, chunk=15)
    return folder


def test_two_local_workers_write_the_same_parts(alone, tmp_path, capsys):
    result = run_record(record_of(groups()), tmp_path, chunk=15, engine="dask:2")
    assert part_names(tmp_path) == part_names(alone)
    assert [part.start for part in result.parts] == list(range(0, 120, 15))
    assert re.search(r"groups: 120/120, .*worst coverage MCSE 0\.0", capsys.readouterr().err)


@pytest.mark.slow
def test_a_scheduler_that_is_there_is_used(alone, tmp_path):
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        run_record(record_of(groups()), tmp_path, progress=False, chunk=15, engine=address)
    assert part_names(tmp_path) == part_names(alone)


def test_a_killed_worker_costs_its_chunk_only(alone, tmp_path):
    """kill -9 breaks a pool of processes: another takes its place, and its work."""
    killed = []

    def kill(pool):
        while not part_names(tmp_path):
            time.sleep(0.01)
        for number in pool._processes:
            os.kill(number, signal.SIGKILL)
            killed.append(number)

    with spawned(1) as pool:
        killer = threading.Thread(target=kill, args=(pool,))
        (tmp_path / "parts").mkdir()
        killer.start()
        run_record(record_of(groups()), tmp_path, progress=False, chunk=2, engine=pool)
        killer.join()
    assert len(killed) == 1
    run_record(record_of(groups()), tmp_path / "alone", progress=False, chunk=2)
    assert part_names(tmp_path) == part_names(tmp_path / "alone")


def test_threads_are_an_engine_too(alone, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        run_record(record_of(groups()), tmp_path, progress=False, chunk=15, engine=pool)
    assert part_names(tmp_path) == part_names(alone)


def test_plain_data_goes_out_and_comes_back():
    record = record_of(groups())
    task = Task("main", 30, 45, (WALD,))
    files = described(record, "main")
    assert [name.split("/")[0] for name, _ in files] == ["designs", "study.json"]
    found = compute(files, 30, 45, [WALD], None)
    assert set(found) == {"content", "counts"}
    assert found["content"] == computed(record, task).content
    assert all(type(value) in (str, int, float) for count in found["counts"] for value in count)


def test_a_chunk_that_fails_again_and_again_is_named(tmp_path):
    record = record_of(groups())
    record = replace(record, random=dict(random_record()) | {"fingerprint": ["0x0p0"] * 4})
    message = r"replicates 0 to 59 of cell main failed 3 times.*ValueError: .*other random numbers"
    with ThreadPoolExecutor(1) as pool, pytest.raises(ChildProcessError, match=message):
        run_record(record, tmp_path, progress=False, chunk=60, engine=pool)


def test_few_chunks_are_under_way(alone):
    """Results that nobody takes hold the others back."""
    asked = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *arguments, **named):
            asked.append(1)
            return super().submit(*arguments, **named)

    record = record_of(groups())
    tasks = [Task("main", start, start + 1, (WALD,)) for start in range(60)]
    with Counting(2) as executor, opened(executor) as pool:
        for taken, _ in enumerate(results(pool, record, tasks, Clock()), 1):
            assert len(asked) <= taken + 2 * AHEAD
            if taken == 20:
                break
    assert len(asked) < 30


@pytest.mark.parametrize(
    ("engine", "error", "message"),
    [
        ("dusk", ValueError, r'engine must be "dask", "dask:N".*found \'dusk\''),
        ("dask:0", ValueError, "engine must be"),
        ("tcp://host", ValueError, "engine must be"),
        (3, TypeError, "engine must be None, text or an Executor: found 3"),
    ],
)
def test_unknown_engines_are_refused(engine, error, message, tmp_path):
    with pytest.raises(error, match=message):
        groups().run(tmp_path / "store", engine=engine, progress=False)
    assert not (tmp_path / "store").exists()


def test_a_pool_that_forks_is_refused(tmp_path):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        with pytest.raises(ValueError, match="engine must not fork, for JAX is multithreaded"):
            groups().run(tmp_path, engine=pool, progress=False)


def test_a_scheduler_that_is_not_there_is_said_in_seconds(tmp_path):
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r'engine "tcp://127\.0\.0\.1:9" did not answer'):
        groups().run(tmp_path, engine="tcp://127.0.0.1:9", progress=False)
    assert time.monotonic() - began < 15


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", "8")
    four = environments(None)
    assert len(four) == 4
    assert {env["JAXLOGIT_NUM_THREADS"] for env in four} == {env["NPROC"] for env in four} == {"2"}
    assert [env["JAXLOGIT_NUM_THREADS"] for env in environments(16)] == ["1"] * 16
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", "2")
    assert len(environments(None)) == n_threads() == 2


def test_time_that_is_left_is_kept():
    clock = Clock(max_time=100.0)
    assert clock.fits()
    for took in (500.0, 1.0, 2.0, 3.0):  # what compiled is forgotten
        clock.add(took)
    assert clock.fits()
    clock.add(101.0)
    assert not clock.fits() and clock.stopped
    assert not Clock(max_time=0.0).fits()
    assert Clock().fits() and Clock().left is None
    assert (seconds("1d2h3m4s"), seconds("1.5h"), seconds("90")) == (93784.0, 5400.0, 90.0)
    for text in ("", "soon", "5x", "3m2h", "-1"):
        with pytest.raises(ValueError, match="max-time must be a duration"):
            seconds(text)


@pytest.mark.parametrize("pool", [False, True])
def test_a_run_ends_in_time_and_resumes(alone, tmp_path, pool):
    """A tenth of a millisecond is enough for the first chunk alone to begin."""
    with ThreadPoolExecutor(1) as executor:
        engine = executor if pool else None
        manner = {"progress": False, "chunk": 15, "engine": engine}
        short = run_record(record_of(groups()), tmp_path, max_time=1e-4, **manner)
        assert short.left >= 105
        assert short.left + 15 * len(short.parts) == 120
        whole = run_record(record_of(groups()), tmp_path, max_time=1e4, **manner)
    assert whole.left == 0
    assert part_names(tmp_path) == part_names(alone)


def test_chunks_suit_the_study_and_the_shards():
    record = record_of(groups(replicates=20_000))
    assert chunk_size(record, None) == 2_000
    assert chunk_size(replace(record, replicates=10**6), None) == 10_000
    assert chunk_size(replace(record, replicates=500), None) == 1_000
