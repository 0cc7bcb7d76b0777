"""Shards and joined stores: the tables of one run, and nothing that does not belong."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_study_store import LR, SCORE, WALD, fill, invented, part_paths, ranges, study, truncated

from jaxlogit.cli import main
from jaxlogit.study import METHODS, StudyResult, merge
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.shards import Shard, of_shard, read_shard
from jaxlogit.study.run import chunk_size
from jaxlogit.study.store.parts import Task, missing, open_store, write_part
from jaxlogit.study.store.record import read_record


def fill_shard(folder, number, count, chunk=10, **changes):
    """A shard whose rows are invented; return what had to be computed."""
    asked = record_of(study(**changes))
    with open_store(folder, asked) as (record, parts):
        tasks = missing(parts, record, asked.methods, asked.replicates, chunk)
        tasks = of_shard(tasks, Shard(number, count), asked, chunk)
        for task in tasks:
            write_part(folder, record, task, invented(task))
    return tasks


def part_names(folder):
    return [path.name for path in part_paths(folder)]


@pytest.fixture
def whole(tmp_path):
    fill(tmp_path / "whole", chunk=10)
    return tmp_path / "whole"


@pytest.fixture
def shards(tmp_path):
    folders = [tmp_path / f"shard{i}" for i in (1, 2, 3)]
    for i, folder in enumerate(folders, 1):
        fill_shard(folder, i, 3)
    return folders


def test_shards_are_every_third_piece_and_resume(tmp_path, shards):
    assert [part.start for part in StudyResult.from_store(shards[1]).parts] == [10, 40]
    part_paths(shards[1])[0].unlink()
    assert ranges(fill_shard(shards[1], 2, 3)) == [(10, 20, METHODS)]
    assert fill_shard(shards[1], 2, 3) == []


@pytest.mark.parametrize("chunk", [7, 10, 100])
def test_shards_neither_overlap_nor_leave_gaps(chunk):
    asked = record_of(study())
    held = [Task("main", 13, 33, (LR,))]
    every = missing(held, asked, METHODS, 60, chunk)
    dealt = [task for i in range(1, 6) for task in of_shard(every, Shard(i, 5), asked, chunk)]
    assert sorted(dealt, key=lambda task: task.start) == every


def test_every_shard_has_something_to_do():
    record = replace(record_of(study()), replicates=20_000)
    assert chunk_size(record, Shard(1, 10)) == chunk_size(record, None) == 2_000
    assert chunk_size(record, Shard(1, 16)) == 1_250


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/", "1/2/3", "-1/3", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match=r'shard must be "i/N" with i from 1 to N'):
        read_shard(text)


def test_merged_shards_are_one_run(shards, whole, tmp_path):
    result = merge(shards, tmp_path / "joined")
    assert part_names(tmp_path / "joined") == part_names(whole)
    expected = StudyResult.from_store(whole)
    pd.testing.assert_frame_equal(result.frame(), expected.frame(), check_exact=True)
    for table in ("summary", "statuses", "differences"):
        found = getattr(result, table)()
        pd.testing.assert_frame_equal(found, getattr(expected, table)(), check_exact=True)
    assert fill(tmp_path / "joined", chunk=10) == []


def test_merging_may_go_on_and_changes_no_source(shards, whole, tmp_path):
    before = [part_names(folder) for folder in shards]
    merge(shards[:1], tmp_path / "joined")
    merge([shards[2], shards[1], shards[0]], tmp_path / "joined")
    merge([tmp_path / "joined", shards[0]], tmp_path / "joined")
    assert part_names(tmp_path / "joined") == part_names(whole)
    assert before == [part_names(folder) for folder in shards]


def test_methods_and_replicates_are_united(tmp_path):
    fill(tmp_path / "a", study(methods=(LR,)), 40, 10, (LR,))
    fill(tmp_path / "b", study(methods=(WALD, SCORE)), 60, 10, (WALD, SCORE))
    result = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert result.record.methods == (LR, WALD, SCORE)
    assert result.record.replicates == 60
    held = [result.n_replicates("main", method) for method in (LR, WALD, SCORE)]
    assert held == [40, 60, 60]


def same_rows(task):
    """Rows by replicate, whatever the chunk."""
    for group in invented(Task(task.cell, 0, 60, task.methods)):
        part = slice(task.start, task.stop)
        rows = {name: value[part] for name, value in vars(group.rows).items() if value is not None}
        yield replace(group, rows=type(group.rows)(**rows), status=group.status[part])


def write(folder, start, stop, methods=METHODS, rows=same_rows):
    with open_store(folder, record_of(study())) as (record, _):
        task = Task("main", start, stop, methods)
        return write_part(folder, record, task, rows(task)).path


def test_equal_rows_of_the_same_replicates_count_once(tmp_path):
    write(tmp_path / "a", 0, 30)
    write(tmp_path / "b", 20, 50)
    write(tmp_path / "c", 10, 60, (SCORE, LR))
    write(tmp_path / "whole", 0, 60, (SCORE, LR))
    write(tmp_path / "whole", 0, 50, (WALD,))
    result = merge([tmp_path / name for name in "abc"], tmp_path / "joined")
    assert [(part.start, part.stop) for part in result.parts] == [(0, 30), (30, 50), (50, 60)]
    expected = StudyResult.from_store(tmp_path / "whole")
    for method in METHODS:
        pd.testing.assert_frame_equal(result.frame(method), expected.frame(method))


def test_other_rows_of_the_same_replicates_are_refused(tmp_path):
    one = write(tmp_path / "a", 0, 30)
    other = write(tmp_path / "b", 20, 50, rows=invented)
    with pytest.raises(ValueError, match="on replicates 20 to 29: leave one of them out") as error:
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert other.name in str(error.value) and one.name in str(error.value)


def test_other_studies_are_refused_and_the_key_named(shards, tmp_path):
    fill(tmp_path / "other", study(seed=6))
    with pytest.raises(ValueError, match=r"other cannot be joined: .*seed is 5 there and 6 here"):
        merge([shards[0], tmp_path / "other"], tmp_path / "joined")
    fill(tmp_path / "rounded", study(truth=np.array([-1.0, 0.5]) * (1 + 1e-13)))
    with pytest.raises(ValueError, match=r"differ in the last digits .* of cell main"):
        merge([shards[0], tmp_path / "rounded"], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()
    with pytest.raises(FileNotFoundError, match="has no study"):
        merge([shards[0], tmp_path / "gone"], tmp_path / "joined")
    with pytest.raises(ValueError, match="stores must be one or more folders"):
        merge([], tmp_path / "joined")


def test_damaged_parts_are_said_left_out_and_redone(shards, whole, tmp_path, capsys):
    victim = part_paths(shards[1])[0]
    victim.write_bytes(truncated(victim.read_bytes()))
    result = merge(shards, tmp_path / "joined")
    said = capsys.readouterr().err
    assert victim.name in said and "left out" in said
    assert result.n_replicates("main", LR) == 50
    assert ranges(fill(tmp_path / "joined", chunk=10)) == [(10, 20, METHODS)]
    assert part_names(tmp_path / "joined") == part_names(whole)


def test_the_command_merges_and_status_says_what_a_shard_holds(shards, tmp_path, capsys):
    assert main(["study", "status", str(shards[1])]) == 0
    said = capsys.readouterr().out
    assert "10-19, 40-49" in said
    command = ["study", "merge", *map(str, shards), "--store", str(tmp_path / "joined")]
    assert main(command) == 0
    assert " 60     0" in capsys.readouterr().out
    shutil.rmtree(shards[0] / "parts")
    assert read_record(shards[0]).replicates == 60
