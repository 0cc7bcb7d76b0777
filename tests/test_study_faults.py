"""The real command under faults: whatever dies, what is finished stays, and the rest is redone."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxlogit.study import StudyResult

SPEC = """
name = "faults"
seed = 3
replicates = 60000
methods = ["ml:wald"]
[design]
data = "faults.csv"
formula = "y ~ x"
trials = "m"
truth = [-1.0, 0.5]
"""

PAUSE = 0.005
"""Seconds between two looks at a folder."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.csv").write_text("x,y,m\n0,2,9\n1,3,9\n2,6,9\n3,7,9\n")
    (folder / "faults.toml").write_text(SPEC)
    return folder


def words(folder, store, *more):
    spec = str(folder / "faults.toml")
    return [sys.executable, "-m", "jaxlogit", "study", "run", spec, "--store", str(store), *more]


def finish(folder, store, *more):
    return subprocess.run(words(folder, store, *more), capture_output=True, text=True)


def started(folder, store, *more):
    pipe = subprocess.PIPE
    return subprocess.Popen(words(folder, store, *more), stdout=pipe, stderr=pipe, text=True)


def part_names(store):
    """They end with digests of the parts' contents."""
    return sorted(path.name for path in (Path(store) / "parts").glob("*.parquet"))


def wait_for_parts(store, run, count=1):
    while len(part_names(store)) < count and run.poll() is None:
        time.sleep(PAUSE)


def children(number):
    """Processes that a process started, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(after_name[1]) == number and after_name[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def workers(number):
    """Spawned workers of a run: its children that are no helpers of multiprocessing."""
    return [
        child for child in children(number)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(folder):
    """What an undisturbed run writes and prints."""
    done = finish(folder, folder / "whole")
    assert done.returncode == 0, done.stderr
    return part_names(folder / "whole"), done.stdout


def kill_and_resume(folder, store, lifetimes, whole):
    """Kill a run after each of the lifetimes, counted from its first part or its start."""
    for number, lifetime in enumerate(lifetimes):
        with started(folder, store, "--no-progress") as run:
            if number % 2 == 0:
                wait_for_parts(store, run, len(part_names(store)) + 1)
            time.sleep(lifetime)
            run.kill()
        assert run.returncode in (-signal.SIGKILL, 0)
        if (store / "study.json").exists():
            assert StudyResult.from_store(store).damaged == ()
    done = finish(folder, store)
    assert (done.returncode, part_names(store), done.stdout) == (0, *whole)


def test_runs_killed_at_random_moments_give_the_same_tables(folder, whole, tmp_path):
    kill_and_resume(folder, tmp_path / "store", [0.02, 2.5, 0.1], whole)


@pytest.mark.slow
def test_runs_killed_twenty_times(folder, whole, tmp_path):
    """Moments from a fixed sequence: within the writing of parts, and anywhere in the start."""
    draws = np.random.default_rng(17)
    for number in range(4):
        lifetimes = np.where(
            np.arange(5) % 2 == 0, draws.uniform(0, 0.3, 5), draws.uniform(0, 6, 5)
        )
        kill_and_resume(folder, tmp_path / str(number), lifetimes, whole)


def kill_workers(folder, store, lifetimes):
    """Kill a worker of a run after each of the lifetimes; return the finished run and the dead."""
    dead = []
    with started(folder, store, "--engine", "dask:1", "--replicates", "60000") as run:
        for lifetime in lifetimes:
            wait_for_parts(store, run, 1)
            time.sleep(lifetime)
            while run.poll() is None and not (alive := workers(run.pid)):
                time.sleep(PAUSE)
            if run.poll() is None and alive:
                os.kill(alive[0], signal.SIGKILL)
                dead.append(alive[0])
        out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    return out, dead


def test_a_killed_worker_is_replaced_and_the_tables_are_the_same(folder, whole, tmp_path):
    out, dead = kill_workers(folder, tmp_path, [0.0])
    assert len(dead) == 1
    assert (part_names(tmp_path), out) == whole


@pytest.mark.slow
def test_workers_killed_twenty_times(folder, whole, tmp_path):
    draws = np.random.default_rng(23)
    killed = 0
    for number in range(10):
        store = tmp_path / str(number)
        out, dead = kill_workers(folder, store, draws.uniform(0, 0.05, 2))
        killed += len(dead)
        assert (part_names(store), out) == whole
    assert killed >= 10


@pytest.mark.slow
def test_a_killed_run_leaves_no_workers(folder, tmp_path):
    with started(folder, tmp_path, "--engine", "dask:1") as run:
        wait_for_parts(tmp_path, run)
        left = workers(run.pid)
        run.kill()
    assert left
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{number}").exists() for number in left):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGTERM, 143, "terminated"),
        pytest.param(signal.SIGINT, 130, "interrupted", marks=pytest.mark.slow),
    ],
)
def test_workers_stop_with_the_run(folder, tmp_path, number, code, word):
    """The signal goes to the run alone, as from a scheduler, and to its group, as by Ctrl-C."""
    command = words(folder, tmp_path, "--engine", "dask:1", "--replicates", "10000000")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as run:
        wait_for_parts(tmp_path, run)
        (os.killpg if number == signal.SIGINT else os.kill)(run.pid, number)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (code, "")
    said = err.splitlines()[-1]
    found = re.fullmatch(rf"jaxlogit: {word}: ([\d,]+) of 10,000,000 replicates are done, .*", said)
    assert found is not None, err
    assert "Traceback" not in err
    held = StudyResult.from_store(tmp_path).n_replicates("main", "ml:wald")
    assert held == int(found[1].replace(",", "")) > 0


def test_max_time_ends_with_the_tables_and_says_what_is_left(folder, tmp_path):
    done = finish(folder, tmp_path, "--max-time", "1s", "--no-progress", "--replicates", "10000000")
    assert done.returncode == 0, done.stderr
    held = StudyResult.from_store(tmp_path).n_replicates("main", "ml:wald")
    assert done.stderr == (
        f"faults: {10_000_000 - held:,} replicates are left for want of time: "
        "running again resumes\n"
    )
    assert f"Cell main: {held:,} replicates" in done.stdout
    bad = finish(folder, tmp_path, "--max-time", "soon")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert 'max-time must be a duration such as "2h30m"' in bad.stderr


@pytest.mark.slow
def test_shards_of_the_command_join_to_one_run(folder, whole, tmp_path):
    for number in (1, 2):
        done = finish(folder, tmp_path / str(number), "--shard", f"{number}/2")
        assert done.returncode == 0, done.stderr
    shards = [str(tmp_path / "1"), str(tmp_path / "2")]
    command = [*words(folder, tmp_path)[:4], "merge", *shards, "--store", str(tmp_path / "joined")]
    subprocess.run(command, check=True)
    done = finish(folder, tmp_path / "joined")
    assert "nothing left to compute" in done.stderr
    assert (part_names(tmp_path / "joined"), done.stdout) == whole


@pytest.mark.slow
def test_two_runs_on_one_store(folder, tmp_path):
    with started(folder, tmp_path, "--replicates", "100000000") as run:
        wait_for_parts(tmp_path, run)
        other = finish(folder, tmp_path)
        run.terminate()
        run.communicate(timeout=60)
    assert (other.returncode, other.stdout) == (1, "")
    assert f"is in use by another run (process {run.pid})" in other.stderr


LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
os.execv(sys.executable, sys.argv[1:])
"""
"""A program that becomes another one, for which no file grows beyond 100 kB, as under a quota."""


def test_a_part_that_cannot_be_written_is_one_line(folder, whole, tmp_path):
    command = [sys.executable, "-c", LIMITED, *words(folder, tmp_path, "--no-progress")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"jaxlogit: \[Errno {errno.EFBIG}\] .*part-.*\n", done.stderr)
    assert not list((tmp_path / "parts").iterdir())  # no half files either
    done = finish(folder, tmp_path)
    assert (part_names(tmp_path), done.stdout) == whole


@pytest.mark.slow
def test_a_full_disk_keeps_what_is_finished(folder, whole, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        done = finish(folder, tmp_path / "store", "--no-progress")
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(rf"jaxlogit: \[Errno {errno.ENOSPC}\] .*part-.*\n", done.stderr)
        kept = part_names(tmp_path / "store")
        assert kept and set(kept) < set(whole[0])
        assert StudyResult.from_store(tmp_path / "store").damaged == ()
        subprocess.run(["mount", "-o", "remount,size=64m", str(tmp_path)], check=True)
        done = finish(folder, tmp_path / "store")
        assert (part_names(tmp_path / "store"), done.stdout) == whole
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.slow
def test_damaged_parts_are_redone_by_the_command(folder, whole, tmp_path):
    store = tmp_path / "store"
    subprocess.run(["cp", "-r", str(folder / "whole"), str(store)], check=True)
    cut, flipped = [store / "parts" / name for name in whole[0][:2]]
    cut.write_bytes(cut.read_bytes()[:-100])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 16
    flipped.write_bytes(content)
    done = finish(folder, store)
    assert done.stderr.count("set aside, to be computed again") == 2
    assert (part_names(store), done.stdout) == whole


def test_a_store_of_another_study_is_refused(folder, whole):
    other = folder / "other.toml"
    other.write_text(SPEC.replace("seed = 3", "seed = 4"))
    command = [*words(folder, folder / "whole")[:5], str(other), "--store", str(folder / "whole")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "holds another study: seed is 3 there and 4 here" in done.stderr


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_one_line(folder, tmp_path):
    done = finish(folder, tmp_path / "store", "--engine", "tcp://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert 'engine "tcp://127.0.0.1:9" did not answer within 5 s' in done.stderr
    assert not (tmp_path / "store").exists()
