"""Precision on demand: stopping depends on the first replicates alone, and is not fooled by 1."""

import numpy as np
import pytest
from scipy import stats

from jaxlogit.report import status_text, study_text
from jaxlogit.study import METHODS, Study, StudyResult
from jaxlogit.study.asked import record_of
from jaxlogit.study.measures.performance import wilson
from jaxlogit.study.precision import Precision, check_precision, coverage_mcse_bound
from jaxlogit.study.run import run_record
from jaxlogit.study.store.record import read_record

WALD, LR, _ = METHODS
LOOKS = [50, 120, 300, 700]


def groups(**changes):
    arguments = {
        "name": "groups", "seed": 5, "replicates": 1000, "X": [[1.0, 0.0], [1.0, 1.0]],
        "trials": [12.0, 12.0], "truth": [-1.4, 0.0], "names": ("base", "effect"),
        "methods": [WALD], "target_mcse": 0.02, "looks": LOOKS,
    }  # fmt: skip
    return Study(**(arguments | changes))


@pytest.fixture(scope="module")
def everything():
    """All replicates of the study, without looks."""
    return groups(target_mcse=None, looks=None).run(progress=False)


def expected_stop(everything, target, looks=LOOKS):
    """The first look where every coverage is precise enough, by hand."""
    for look in looks:
        largest = 0.0
        for term, truth in (("base", -1.4), ("effect", 0.0)):
            rows = everything.frame(WALD, term).iloc[:look]
            ends = rows.dropna(subset=["lower", "upper"])
            n = len(ends)
            share = np.mean((ends.lower <= truth) & (truth <= ends.upper))
            grid = np.linspace(*wilson(share, n), 2001)
            largest = max(largest, np.max(np.sqrt(grid * (1 - grid) / n)))
        if largest < target:
            return look
    return 1000


@pytest.mark.parametrize("target", [0.05, 0.03, 0.02, 0.012, 0.001])
def test_a_cell_stops_at_the_first_look_that_is_precise(everything, target):
    result = groups(target_mcse=target).run(progress=False)
    stop = expected_stop(everything, target)
    assert result.n_replicates("main", WALD) == stop
    summary = result.summary()
    assert (summary.n_replicates == stop).all()
    assert result.settled("main") == (stop < 1000)
    if stop < 1000:
        assert (summary.coverage_mcse < target).all()


def test_stops_differ_between_targets(everything):
    stops = {expected_stop(everything, target) for target in (0.05, 0.03, 0.02, 0.012, 0.001)}
    assert len(stops) > 2


@pytest.mark.parametrize("chunk", [33, 1000])
def test_chunks_and_interruptions_do_not_move_the_stop(everything, tmp_path, chunk):
    record = record_of(groups())
    short = run_record(record, tmp_path, progress=False, chunk=chunk, max_time=1e-4)
    assert short.n_replicates("main", WALD) <= 50
    result = run_record(record, tmp_path, progress=False, chunk=chunk)
    assert result.n_replicates("main", WALD) == expected_stop(everything, 0.02)
    again = run_record(record, tmp_path, progress=False)
    assert len(again.parts) == len(result.parts)


def test_the_store_records_looks_and_the_tables_say_so(tmp_path, capsys):
    result = groups(target_mcse=0.05).run(tmp_path)
    assert "at most 1,000 replicates to compute" in capsys.readouterr().err
    assert read_record(tmp_path).precision == Precision(0.05, tuple(LOOKS))
    text = study_text(result)
    assert "replicates (done: every coverage's error is below 0.05)" in text
    assert status_text(StudyResult.from_store(tmp_path)).splitlines()[-1].endswith(" 0")
    with pytest.raises(ValueError, match=r"looks is \[50, 120, 300, 700\] there and \[60\] here"):
        groups(looks=[60]).run(tmp_path, progress=False)
    # a closer target and more looks after the last replicate go on from what is there
    more = groups(target_mcse=0.012, looks=[*LOOKS, 1500], replicates=3000)
    assert more.run(tmp_path, progress=False).n_replicates("main", WALD) > 300


def test_a_look_before_the_store_is_enough_or_not(everything, tmp_path):
    """Rows beyond a look are not looked at."""
    groups(target_mcse=None, looks=None).run(tmp_path, replicates=200, progress=False)
    result = groups(target_mcse=0.05).run(tmp_path, progress=False)
    assert expected_stop(everything, 0.05) < 200
    assert result.n_replicates("main", WALD) == 200
    assert len(result.parts) == 1


def test_full_coverage_does_not_stop_early():
    """100 of 100 is what a coverage of .99 gives often, and its error is .0099."""
    assert stats.binom.pmf(100, 100, 0.99) > 1 / 3
    assert coverage_mcse_bound(100, 100) > 0.0099
    assert coverage_mcse_bound(0, 0) == np.inf
    needed = next(n for n in range(1, 2000) if coverage_mcse_bound(n, n) < 0.002)
    assert needed == 977  # z / (n + z²)
    for hits, n in ((0, 10), (9, 10), (475, 1000), (9500, 10_000)):
        plug_in = np.sqrt(hits / n * (1 - hits / n) / n)
        assert plug_in <= coverage_mcse_bound(hits, n) <= 0.5 / np.sqrt(n)
        assert coverage_mcse_bound(n - hits, n) == pytest.approx(coverage_mcse_bound(hits, n))
    assert coverage_mcse_bound(95_000, 100_000) == pytest.approx(0.000689, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"target_mcse": 0.5}, ValueError, r"target_mcse must lie strictly between 0 and 0\.5"),
        ({"target_mcse": "small"}, TypeError, "target_mcse must be a number: found 'small'"),
        ({"looks": [3, 3]}, ValueError, r"looks must be one or more, increasing: found \[3, 3\]"),
        ({"looks": []}, ValueError, "looks must be one or more"),
        ({"looks": "many"}, TypeError, "looks must be a list"),
        ({"looks": [0]}, ValueError, "looks must be an integer from 1"),
        ({"target_mcse": None}, ValueError, "looks must not be given without target_mcse"),
    ],
)
def test_bad_settings_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        groups(**changes)


def test_looks_double_by_default_and_shards_have_none(tmp_path):
    assert check_precision(0.01, None, 4001).looks == (1000, 2000, 4000)
    assert check_precision(0.01, None, 4001).below(4000) == (1000, 2000)
    with pytest.raises(ValueError, match="shard goes without target_mcse"):
        groups().run(tmp_path, shard="1/2", progress=False)
