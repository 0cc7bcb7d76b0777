"""Studies with the real engine: reproducible, extensible, resumable, and never dropping."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxlogit import Status, fit
from jaxlogit.study import METHODS, Study, StudyResult
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.progress import Tally, _duration
from jaxlogit.study.computing.tabulate import row_status
from jaxlogit.study.design.simulate import outcomes
from jaxlogit.study.measures.performance import Replicates, compare, measure
from jaxlogit.study.run import run_record
from jaxlogit.study.store.parts import COLUMNS, Group, Task

ROUNDING = 1e-9
"""Largest relative difference that block sizes may leave in a converged answer."""

P_ROUNDING = 1e-6
"""The same for p-values: where a statistic is 0, its rounding of 1e-14 moves p by its root."""

WALD, LR, SCORE = METHODS


def groups(**changes):
    """Two groups of 12: separation is common, so every kind of row occurs."""
    arguments = {
        "name": "groups", "seed": 5, "replicates": 90, "X": [[1.0, 0.0], [1.0, 1.0]],
        "trials": [12.0, 12.0], "truth": [-1.4, 0.0], "names": ("base", "effect"),
    }  # fmt: skip
    return Study(**(arguments | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "store"
    run_record(record_of(groups()), folder, progress=False, chunk=30)
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return StudyResult.from_store(folder)


def assert_same_rows(one, other):
    keys = ["cell", "method", "term", "replicate"]
    one, other = (f.sort_values(keys, ignore_index=True) for f in (one, other))
    np.testing.assert_allclose(one.pop("p_value"), other.pop("p_value"), rtol=0, atol=P_ROUNDING)
    pd.testing.assert_frame_equal(one, other, rtol=ROUNDING, atol=ROUNDING)


def test_rows_are_fits_of_the_simulated_data(result):
    cell = groups().cells[0]
    y = outcomes(cell, 5, 0, 90)
    fitted = fit(cell.X, y, trials=cell.trials)
    for method in METHODS:
        interval = fitted.confint(level=0.95, method=method[3:])
        test = fitted.test(method=method[3:])
        for j, term in enumerate(cell.names):
            rows = result.frame(method=method, term=term)
            np.testing.assert_allclose(rows.estimate, fitted.coef[:, j], rtol=ROUNDING)
            np.testing.assert_allclose(rows.std_error, fitted.std_error[:, j], rtol=ROUNDING)
            np.testing.assert_allclose(rows.lower, interval.lower[:, j], rtol=ROUNDING)
            np.testing.assert_allclose(rows.upper, interval.upper[:, j], rtol=ROUNDING)
            np.testing.assert_allclose(rows.p_value, test.p_value[:, j], rtol=0, atol=P_ROUNDING)


def test_no_replicate_is_dropped_or_redrawn(result):
    frame = result.frame()
    assert len(frame) == 90 * 3 * 2
    assert set(frame.replicate) == set(range(90))
    wald, lr = (frame[(frame.method == m) & (frame.term == "effect")] for m in (WALD, LR))
    separated = ~np.isfinite(wald.estimate.to_numpy())
    assert 0 < separated.sum() < 90
    assert wald.lower[separated].isna().all() and wald.p_value[separated].isna().all()
    assert set(wald.status[separated]) <= {Status.SEPARATED_QUASI, Status.SEPARATED_COMPLETE}
    # the likelihood ratio interval is defined on every one of them
    assert not lr.lower.isna().any() and not lr.upper.isna().any()
    assert (lr.status.to_numpy()[separated] == Status.INFINITE).all()


def test_a_missing_number_always_has_a_status(result):
    frame = result.frame()
    undefined = frame.lower.isna() | frame.upper.isna() | frame.p_value.isna()
    infinite = np.isinf(frame.lower) | np.isinf(frame.upper)
    assert (frame.status[undefined] != Status.CONVERGED).all()
    assert (frame.status[~undefined & ~infinite] == Status.CONVERGED).all()
    assert (frame.status[~undefined & infinite] == Status.INFINITE).all()


def test_summary_is_measure_of_the_rows(result):
    frame, summary = result.frame(), result.summary()
    assert len(summary) == 6
    for row in summary.to_dict("records"):
        rows = frame[(frame.method == row["method"]) & (frame.term == row["term"])]
        replicates = Replicates(**{name: rows[name].to_numpy() for name in COLUMNS})
        expected = measure(replicates, row["truth"], 0.05).to_row()
        assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)
        assert row["n_replicates"] == 90


def test_differences_are_paired(result):
    frame, differences = result.frame(), result.differences()
    assert len(differences) == 3 * 2 * 7
    rows = {
        method: frame[(frame.method == method) & (frame.term == "base")] for method in (WALD, LR)
    }
    pair = [
        Replicates(**{name: rows[method][name].to_numpy() for name in COLUMNS})
        for method in (WALD, LR)
    ]
    expected = compare(*pair, -1.4, 0.05)["coverage"]
    found = differences.query("first == @WALD and second == @LR and term == 'base'")
    found = found.set_index("measure").loc["coverage"]
    assert (found.value, found.mcse, found.n_common) == pytest.approx(expected[:3])
    assert found.sets_differ  # Wald is undefined under separation


def test_statuses_count_every_replicate_and_show_zeros(result):
    statuses = result.statuses()
    counts = [status.name.lower() for status in Status]
    assert list(statuses) == ["cell", "method", "level", "term", "n_replicates", *counts]
    assert (statuses[counts].sum(axis=1) == 90).all()
    assert (statuses.rank_deficient == 0).all()


def test_chunks_do_not_change_the_tables(result, tmp_path):
    other = run_record(record_of(groups()), tmp_path, progress=False, chunk=41)
    assert_same_rows(result.frame(), other.frame())


def test_store_grows_by_replicates_and_methods_to_the_same_rows(result, tmp_path):
    store = tmp_path / "store"
    groups(methods=[LR]).run(store, replicates=20, progress=False)
    before = {path: path.read_bytes() for path in (store / "parts").iterdir()}
    groups(methods=[LR, WALD]).run(store, replicates=50, progress=False)
    grown = groups().run(store, progress=False)
    assert before.items() <= {p: p.read_bytes() for p in (store / "parts").iterdir()}.items()
    assert grown.record.methods == (LR, WALD, SCORE)
    assert_same_rows(result.frame(), grown.frame())


def test_methods_at_different_progress_are_compared_where_both_are(tmp_path):
    groups(methods=[LR]).run(tmp_path, replicates=40, progress=False)
    result = groups(methods=[WALD]).run(tmp_path, replicates=20, progress=False)
    differences = result.differences().query("measure == 'coverage'")
    assert (differences[["n_first", "n_second"]].max(axis=1) <= 20).all()


def test_replay_is_the_stored_replicate(result):
    frame = result.frame()
    for source in (result, groups()):
        replay = source.replay("main", 17)
        np.testing.assert_array_equal(replay.y, outcomes(groups().cells[0], 5, 17, 18)[0])
        stored = frame[frame.replicate == 17].reset_index(drop=True)
        for name in COLUMNS:
            tolerance = P_ROUNDING if name == "p_value" else ROUNDING
            np.testing.assert_allclose(replay.table[name], stored[name], tolerance, tolerance)
        assert [Status[s.upper()] for s in replay.table.status] == list(stored.status)


def test_replay_beyond_the_store_and_wrong_addresses(result):
    assert result.replay("main", 10_000).table.shape == (6, 10)
    with pytest.raises(ValueError, match="no cell \"mian\": cells are main; did you mean 'main'"):
        result.replay("mian", 0)
    with pytest.raises(ValueError, match=r"replicate must be an integer from 0 to .*: found -1"):
        result.replay("main", -1)
    with pytest.raises(TypeError, match=r"replicate must be an integer: found 1\.5"):
        result.replay("main", 1.5)


def test_without_a_store_the_parts_go_with_the_result():
    result = groups().run(replicates=10, progress=False)
    folder = result.store
    assert result.summary().n_replicates.eq(10).all()
    assert folder.exists()
    del result
    assert not folder.exists()


def test_frame_of_unknown_rows_is_refused(result):
    with pytest.raises(ValueError, match="no rows of method 'ml:rstar'"):
        result.frame(method="ml:rstar")


def test_null_is_the_value_tested():
    study = groups(null=-1.4, replicates=30, methods=[LR])
    frame = study.run(progress=False).frame(term="base")
    inside = (frame.lower <= -1.4) & (frame.upper >= -1.4)
    np.testing.assert_array_equal(frame.p_value > 0.05, inside)


def test_row_status_is_that_of_the_first_missing_number():
    nan, inf = np.nan, np.inf
    lower = np.array([[0.0, nan, 0.0, 0.0, -inf, -inf]])
    upper = np.array([[1.0, nan, nan, 1.0, 1.0, 1.0]])
    p_value = np.array([[0.5, nan, 0.5, nan, 0.5, nan]])
    codes = [np.full((1, 6), code, np.int32) for code in (1, 8, 2)]
    found = row_status((lower, codes[0]), (upper, codes[1]), (p_value, codes[2]))
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 1, 8, 2, 7, 2]]


def test_progress_is_lines_in_a_log(capsys):
    groups().run(replicates=10)
    said = capsys.readouterr()
    assert said.out == ""
    first, last = said.err.splitlines()
    assert first.startswith("groups: 10 replicates to compute, results in ")
    assert last.startswith("groups: 10/10, ") and "worst coverage MCSE" in last


def test_tally_tells_rate_and_time_left_once_compiled():
    study = groups()
    record = record_of(study)
    cell = record.cells[0]
    tally = Tally(total=4000, started=time.monotonic())
    rows = Replicates(*[np.array([0.0, np.nan])] * 5)
    group = Group(WALD, 0.95, "effect", rows, np.zeros(2, np.int32))
    tally.add(record, Task(cell.label, 0, 1000, (WALD,)), [group])
    assert tally.text().startswith("compiled, 50.00 % undefined, worst coverage MCSE 0.0000")
    tally.started -= 10.0
    tally.add(record, Task(cell.label, 1000, 3000, (WALD,)), [group])
    assert tally.text().startswith("200/s, 5 s left, 50.00 % undefined")
    assert (_duration(3725), _duration(65)) == ("1 h 02 min", "1 min 05 s")


def test_kill_and_resume_give_the_tables_of_an_uninterrupted_run(result, tmp_path):
    """The whole pipeline, killed amid its parts twice; then run to its end."""
    store = tmp_path / "store"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_study_run as t\n"
        "record = t.record_of(t.groups(methods=[sys.argv[1]]))\n"
        f"t.run_record(record, {str(store)!r}, progress=False, chunk=1)\n"
    )

    def n_parts():
        return len(list((store / "parts").glob("*.parquet")))

    for new, method in ((2, LR), (9, WALD)):
        enough = n_parts() + new
        with subprocess.Popen([sys.executable, "-c", code, method], env=os.environ) as run:
            while n_parts() < enough and run.poll() is None:
                time.sleep(0.002)
            run.send_signal(signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
    resumed = run_record(record_of(groups()), store, progress=False, chunk=30)
    assert resumed.damaged == ()
    assert_same_rows(result.frame(), resumed.frame())
