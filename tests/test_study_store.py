"""The store: whole files only, damage seen, other studies refused, kills survived."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from jaxlogit.study import METHODS, Study, StudyResult
from jaxlogit.study.asked import record_of
from jaxlogit.study.measures.performance import Replicates
from jaxlogit.study.store.files import locked
from jaxlogit.study.store.parts import COLUMNS, Group, Task, missing, open_store, scan, write_part
from jaxlogit.study.store.record import read_record, write_record

TERMS = ("base", "effect")
WALD, LR, SCORE = METHODS


def study(**changes):
    arguments = {
        "name": "store", "seed": 5, "replicates": 60, "X": np.array([[1.0, 0.0], [1.0, 1.0]]),
        "trials": [10.0, 10.0], "truth": [-1.0, 0.5], "names": TERMS,
    }  # fmt: skip
    return Study(**(arguments | changes))


def invented(task):
    """Rows without any fit, that depend on the address alone as real ones do."""
    for method in task.methods:
        for term in TERMS:
            seed = [task.start, METHODS.index(method), TERMS.index(term)]
            numbers = np.random.default_rng(seed).normal(size=(5, task.stop - task.start))
            numbers[2:4, 0] = -np.inf, np.nan
            status = np.arange(task.stop - task.start, dtype=np.int32) % 9
            yield Group(method, 0.95, term, Replicates(*numbers), status)


def fill(folder, made=None, replicates=60, chunk=20, methods=METHODS):
    """Run a study whose rows are invented; return what had to be computed."""
    record = replace(record_of(made or study()), replicates=replicates)
    with open_store(Path(folder), record) as (record, parts):
        tasks = missing(parts, record, methods, replicates, chunk)
        for task in tasks:
            write_part(Path(folder), record, task, invented(task))
    return tasks


def ranges(tasks):
    return [(task.start, task.stop, task.methods) for task in tasks]


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "store")
    return tmp_path / "store"


def part_paths(folder):
    return sorted((folder / "parts").glob("*.parquet"))


def test_rows_come_back_as_written(folder):
    frame = StudyResult.from_store(folder).frame()
    assert len(frame) == 60 * len(METHODS) * len(TERMS)
    task = Task("main", 20, 40, METHODS)
    for group in invented(task):
        rows = frame[(frame.method == group.method) & (frame.term == group.term)]
        rows = rows[rows.replicate.between(20, 39)]
        np.testing.assert_array_equal(rows.status, group.status)
        for name in COLUMNS:
            np.testing.assert_array_equal(rows[name], getattr(group.rows, name))


def test_other_tools_read_the_parts_as_one_table(folder):
    """A folder of Parquet files: pandas reads it without knowing anything of ours."""
    frame = pd.read_parquet(folder / "parts")
    assert list(frame) == ["cell", "replicate", "method", "level", "term", *COLUMNS, "status"]
    assert len(frame) == 60 * 6
    assert set(frame.method) == set(METHODS)


def test_each_method_and_term_is_one_row_group(folder):
    for path in part_paths(folder):
        file = pq.ParquetFile(path)
        assert file.num_row_groups == 6
        for i in range(6):
            group = file.read_row_group(i)
            assert len(group) == 20
            assert (len(group["method"].unique()), len(group["term"].unique())) == (1, 1)


def test_nothing_is_left_to_do_in_a_finished_store(folder):
    before = {path: path.stat().st_mtime_ns for path in part_paths(folder)}
    assert fill(folder) == []
    assert before == {path: path.stat().st_mtime_ns for path in part_paths(folder)}


def test_more_replicates_and_methods_compute_only_what_is_new(tmp_path):
    assert ranges(fill(tmp_path, replicates=25, methods=(WALD,))) == [
        (0, 20, (WALD,)), (20, 25, (WALD,)),
    ]  # fmt: skip
    both = (WALD, LR)
    assert ranges(fill(tmp_path, study(methods=both), replicates=45, methods=both)) == [
        (0, 20, (LR,)), (20, 25, (LR,)), (25, 40, both), (40, 45, both),
    ]  # fmt: skip
    record = read_record(tmp_path)
    assert (record.replicates, record.methods) == (45, METHODS)
    # fewer keep what is there
    assert fill(tmp_path, replicates=10, methods=(LR,)) == []
    assert read_record(tmp_path).replicates == 45


def test_missing_against_brute_force():
    """Random holdings: every lacking (replicate, method) is in exactly one task, no other is."""
    rng = np.random.default_rng(3)
    record = record_of(study())
    for _ in range(50):
        cuts = np.unique(rng.integers(0, 80, 8)).tolist()
        held = []
        for start, stop in pairwise(cuts):
            methods = tuple(m for m in METHODS if rng.random() < 0.5)
            if methods:
                held.append(Task("main", start, stop, methods))
        have = {(r, m) for t in held for r in range(t.start, t.stop) for m in t.methods}
        tasks = missing(held, record, METHODS, 60, 17)
        todo = [(r, m) for t in tasks for r in range(t.start, t.stop) for m in t.methods]
        assert len(todo) == len(set(todo))
        assert set(todo) == {(r, m) for r in range(60) for m in METHODS} - have
        assert all(t.stop - t.start <= 17 for t in tasks)


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def footer_flipped(content):
    return content[:-30] + bytes([content[-30] ^ 1]) + content[-29:]


@pytest.mark.parametrize("damage", [truncated, flipped, footer_flipped, lambda content: b""])
def test_damaged_part_is_set_aside_said_and_redone(folder, damage, capsys):
    victim = part_paths(folder)[1]
    good = victim.read_bytes()
    victim.write_bytes(damage(good))
    seen = StudyResult.from_store(folder)
    assert [path for path, _ in seen.damaged] == [victim]
    assert seen.n_replicates("main", LR) == 40
    assert victim.exists()  # reading changes nothing
    assert ranges(fill(folder)) == [(20, 40, METHODS)]
    said = capsys.readouterr().err
    assert victim.name in said and "set aside" in said
    assert victim.with_name(victim.name + ".damaged").exists()
    assert victim.read_bytes() == good
    assert StudyResult.from_store(folder).damaged == ()


def test_files_of_other_origin_are_not_read(folder, tmp_path, capsys):
    copy = folder / "parts" / "copy.parquet"
    copy.write_bytes(part_paths(folder)[0].read_bytes())
    fill(tmp_path / "other", study(seed=6))
    stranger = part_paths(tmp_path / "other")[0]
    (folder / "parts" / stranger.name).write_bytes(stranger.read_bytes())
    reasons = {path.name: reason for path, reason in StudyResult.from_store(folder).damaged}
    assert reasons == {
        "copy.parquet": "not named like a part of this store",
        stranger.name: "it belongs to another study",
    }
    assert fill(folder) == []
    assert "belongs to another study" in capsys.readouterr().err


def test_the_same_replicates_twice_are_refused(folder):
    record = read_record(folder)
    task = Task("main", 30, 50, (LR,))
    write_part(folder, record, task, invented(task))
    with pytest.raises(ValueError, match="hold the same replicates: remove one"):
        StudyResult.from_store(folder)


def test_leftovers_of_killed_runs_are_removed(folder):
    leftover = folder / "parts" / ".part-1.parquet.99.tmp"
    leftover.write_bytes(b"PAR1")
    assert StudyResult.from_store(folder).damaged == ()
    fill(folder)
    assert not leftover.exists()


def test_one_run_at_a_time(folder):
    with locked(folder):
        with pytest.raises(ValueError, match=rf"in use by another run \(process {os.getpid()}\)"):
            fill(folder)
    fill(folder)


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match=r"a folder of other things: found thesis\.tex"):
        fill(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no study"):
        StudyResult.from_store(tmp_path)


OTHER_STUDIES = {
    "seed": ({"seed": 6}, "seed is 5 there and 6 here"),
    "level": ({"level": 0.9}, r"level is \[0.95\] there and \[0.9\] here"),
    "null": ({"null": 1.0}, "null is 0.0 there and 1.0 here"),
    "truth": ({"truth": [-1.0, 0.6]}, "truth of effect is 0.5 there and 0.6 here"),
    "X": ({"X": [[1.0, 0.0], [1.0, 2.0]]}, r"X differs first at \(1, 1\): 1.0 there, 2.0 here"),
    "rows": (
        {"X": np.ones((3, 2)), "trials": [1.0, 1.0, 1.0]},
        r"X has shape \(2, 2\) there and \(3, 2\) here",
    ),
    "trials": ({"trials": [10.0, 11.0]}, r"trials differs first at \(1,\): 10.0 there, 11.0 here"),
    "no trials": ({"trials": None}, "trials is given there only"),
    "offset": ({"offset": [0.0, 0.1]}, "offset is given here only"),
    "names": ({"names": ("base", "slope")}, "the coefficients are base, effect there and base, sl"),
}


@pytest.mark.parametrize("case", OTHER_STUDIES)
def test_another_study_is_refused_and_the_key_named(folder, case):
    changes, message = OTHER_STUDIES[case]
    with pytest.raises(ValueError, match=rf"holds another study: .*{message}"):
        fill(folder, study(**changes))


def test_name_and_significance_may_change_and_rounding_does_not_matter(folder):
    truth = np.array([-1.0, 0.5]) * (1 + 1e-13)
    assert fill(folder, study(name="other", significance=0.01, truth=truth)) == []
    record = read_record(folder)
    assert (record.name, record.significance) == ("other", 0.01)
    np.testing.assert_array_equal(record.cells[0].truth, [-1.0, 0.5])  # the store's own stays


def test_other_random_numbers_are_refused_but_another_version_is_not(folder):
    record = read_record(folder)
    write_record(folder, replace(record, versions=dict(record.versions) | {"jax": "0.0.1"}))
    assert fill(folder) == []
    for key, value, message in (
        ("fingerprint", ["0x0p0"] * 4, r"the first random numbers \(jax 0.0.1 made the store\)"),
        ("implementation", "rbg", "the random number implementation is rbg there"),
        ("threefry_partitionable", False, "jax_threefry_partitionable is False there and True"),
    ):
        random = dict(record.random) | {key: value}
        write_record(folder, replace(read_record(folder), random=random))
        with pytest.raises(ValueError, match=message):
            fill(folder)
        write_record(folder, replace(read_record(folder), random=record.random))


def test_edited_or_damaged_description_is_refused(folder):
    path = folder / "study.json"
    good = path.read_text()
    for bad in (good.replace('"seed": 5', '"seed": 6'), good[:100], "[]", ""):
        path.write_text(bad)
        with pytest.raises(ValueError, match=r"study\.json is damaged or was edited"):
            StudyResult.from_store(folder)
    path.write_text(good)
    content = json.loads(good)
    assert content["cells"][0]["truth"] == {"base": -1.0, "effect": 0.5}
    assert content["methods"] == list(METHODS)


@pytest.mark.parametrize("damage", [truncated, flipped, None])
def test_damaged_design_is_refused_and_restored_by_a_run(folder, damage):
    (path,) = (folder / "designs").glob("*.parquet")
    good = path.read_bytes()
    path.write_bytes(damage(good)) if damage else path.unlink()
    with pytest.raises(ValueError, match="run the study again from its specification"):
        StudyResult.from_store(folder)
    assert fill(folder) == []
    assert path.read_bytes() == good


def test_design_with_everything_survives_the_store(tmp_path):
    rng = np.random.default_rng(1)
    made = study(
        X=rng.normal(size=(5, 2)), trials=[3.0] * 5, weights=rng.uniform(size=5),
        offset=rng.normal(size=5),
    )  # fmt: skip
    cell = replace(made.cells[0], n_dropped=3)
    record = replace(record_of(made), cells=(cell,))
    write_record(tmp_path, record)
    stored = read_record(tmp_path).cells[0]
    assert stored.n_dropped == 3
    assert stored.design_hash == cell.design_hash
    for name in ("X", "truth", "trials", "weights", "offset"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(cell, name))


def test_kill_at_any_moment_leaves_whole_parts_only(tmp_path):
    """A writer of many parts, killed four times by fixed draws of its lifetime, then resumed."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_study_store as t\n"
        f"print('ready', flush=True); t.fill({str(tmp_path / 'killed')!r}, None, 4000, 10)\n"
    )
    lifetimes = np.random.default_rng(11).uniform(0.0, 0.5, size=4)
    for lifetime in lifetimes:
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout is not None and run.stdout.readline() == b"ready\n"
            time.sleep(lifetime)
            run.send_signal(signal.SIGKILL)
        if (tmp_path / "killed" / "study.json").exists():
            record = read_record(tmp_path / "killed")
            _, damaged = scan(tmp_path / "killed", record)
            assert damaged == []
    fill(tmp_path / "killed", None, 4000, 10)
    fill(tmp_path / "whole", None, 4000, 10)
    one, other = (StudyResult.from_store(tmp_path / name) for name in ("killed", "whole"))
    assert [p.path.name for p in one.parts] == [p.path.name for p in other.parts]
    pd.testing.assert_frame_equal(one.summary(), other.summary(), check_exact=True)
