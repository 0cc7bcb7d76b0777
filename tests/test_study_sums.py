"""Stores of sums: the tables of a store of rows, whatever the parts."""

import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_study_store import LR, SCORE, WALD, part_paths, ranges, study, truncated

from jaxlogit import plots
from jaxlogit.cli import main
from jaxlogit.report import study_text
from jaxlogit.study import METHODS, Study, StudyResult, merge
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.worker import compute, described
from jaxlogit.study.measures.bins import (
    WIDTH_BITS,
    Histogram,
    bin_of,
    count_below,
    edges,
    median,
    tally,
)
from jaxlogit.study.measures.moments import joined, moments
from jaxlogit.study.measures.nested import PARTS
from jaxlogit.study.measures.performance import Replicates, contributions
from jaxlogit.study.run import run_record
from jaxlogit.study.store import parts
from jaxlogit.study.store.parts import (
    Group,
    Task,
    content_of_tables,
    missing,
    open_store,
    save_part,
    write_part,
)
from jaxlogit.study.store.record import read_record
from jaxlogit.study.store.sums import COMPARED, looked_up, merged_sums, sums_of

TERMS = ("base", "effect")
BOOT = "bootstrap:percentile"
SAME = 1e-10
BINNED = ("bias_eliminated_coverage", "bias_eliminated_coverage_mcse", "width_median")
"""Not sums; the only columns with an error."""


def kept(**changes):
    return study(keep="summary", **changes)


def drawn(task, n=2000, discrete=False):
    """Rows by replicate, whatever the part: separated, undefined and infinite ones among them."""
    for i, method in enumerate(METHODS):
        for j, term in enumerate(TERMS):
            draw = np.random.default_rng([7, j])
            error = draw.uniform(0.3, 0.7, n)
            estimate = (-1.0, 0.5)[j] + 0.05 + error * draw.standard_normal(n)
            if discrete:
                error, estimate = np.round(2 * error, 1) / 2, np.round(2 * estimate) / 2
            reach = (1.96 + 0.1 * i) * error
            lower, upper = estimate - reach, estimate + (1 + 0.2 * i) * reach
            p_value = draw.uniform(0, 0.2, n) + 0.01 * i
            status = np.zeros(n, np.int32)
            separated = draw.random(n) < 0.1
            if method == WALD:
                for numbers in (error, lower, upper, p_value):
                    numbers[separated] = np.nan
                status[separated] = 2
            else:
                upper[separated] = np.inf
                lower[separated & (draw.random(n) < 0.1)] = np.inf
            estimate[separated] = np.inf
            failed = draw.random(n) < 0.01 * i
            for numbers in (estimate, error, lower, upper, p_value):
                numbers[failed] = np.nan
            status[failed] = 5
            part = slice(task.start, task.stop)
            rows = Replicates(*(x[part] for x in (estimate, error, lower, upper, p_value)))
            if method in task.methods:
                yield Group(method, 0.95, term, rows, status[part])


def fill(folder, made, replicates=2000, chunk=300, methods=METHODS, **how):
    """Run a study whose rows are drawn; return what had to be computed."""
    record = replace(record_of(made), replicates=replicates, methods=tuple(methods))
    with open_store(folder, record) as (record, parts):
        tasks = missing(parts, record, methods, replicates, chunk)
        for task in tasks:
            write_part(folder, record, task, drawn(task, **how))
    return tasks


@pytest.fixture
def rows(tmp_path):
    fill(tmp_path / "rows", study())
    return StudyResult.from_store(tmp_path / "rows")


@pytest.fixture
def sums(tmp_path):
    fill(tmp_path / "sums", kept())
    return StudyResult.from_store(tmp_path / "sums")


def assert_same(found, expected, binned=0.0):
    """Every table; the two measures from bins to a tolerance of their own."""
    one, other = found.summary(), expected.summary()
    tables = [(one.drop(columns=list(BINNED)), other.drop(columns=list(BINNED)))]
    tables.append((found.statuses(), expected.statuses()))
    tables.append((found.differences(), expected.differences()))
    for here, there in tables:
        pd.testing.assert_frame_equal(here, there, rtol=SAME, atol=SAME)
    np.testing.assert_allclose(one.width_median, other.width_median, rtol=binned or SAME)
    for name in BINNED[:2]:
        np.testing.assert_allclose(one[name], other[name], rtol=SAME, atol=binned / 10 or SAME)


def test_the_tables_are_those_of_rows(rows, sums):
    """A bias of .05 and densities near .1: bins leave at most 2·.1·.05/128 = 10⁻⁴."""
    assert_same(sums, rows, binned=1e-3)
    table = sums.summary().set_index(["method", "term"])
    assert np.isinf(table.width[LR, "base"]) and np.isfinite(table.width[WALD, "base"])
    assert table.coverage_n[WALD, "base"] < table.coverage_n[LR, "base"] < 2000
    assert sums.warnings() == rows.warnings()
    assert sums.unpaired() == rows.unpaired() == []


def test_repeated_values_are_exact(tmp_path):
    """As in small grouped designs: no measure is interpolated."""
    fill(tmp_path / "rows", study(), discrete=True)
    fill(tmp_path / "sums", kept(), chunk=1000, discrete=True)  # more than 4 of each value
    assert_same(*(StudyResult.from_store(tmp_path / name) for name in ("sums", "rows")))


def test_far_smaller_than_rows(tmp_path):
    for name, made in (("rows", study()), ("sums", kept())):
        fill(tmp_path / name, made, 20_000, 10_000, n=20_000)
    sizes = {
        name: sum(path.stat().st_size for path in part_paths(tmp_path / name))
        for name in ("rows", "sums")
    }
    assert sizes["sums"] < sizes["rows"] / 10


def test_any_partition_merges_to_the_same():
    record = record_of(kept())
    cell = record.cells[0]
    whole = looked_up(sums_of(drawn(Task("main", 0, 500, METHODS)), record, cell))
    draw = np.random.default_rng(2)
    for _ in range(10):
        cuts = [0, *np.sort(draw.choice(np.arange(1, 500), 6, replace=False)).tolist(), 500]
        tasks = [Task("main", a, b, METHODS) for a, b in pairwise(cuts)]
        tables = [sums_of(drawn(task), record, cell) for task in tasks]
        draw.shuffle(tables)
        some = merged_sums(pa.concat_tables(tables[:3]))
        found = looked_up(merged_sums(pa.concat_tables([some, *tables[3:]])))
        assert found.moments.keys() == whole.moments.keys()
        for key, expected in whole.moments.items():
            np.testing.assert_allclose(found.moments[key], expected, rtol=SAME, atol=SAME)
        for key, counts in whole.counts.items():
            np.testing.assert_array_equal(found.counts[key].bins, counts.bins)
            np.testing.assert_array_equal(found.counts[key].n, counts.n)


def test_joined_moments_do_not_cancel():
    """A mean of 10⁸ times the spread, in the parts of a sample."""
    values = 1e8 + np.random.default_rng(1).standard_normal(1000)
    parts = [moments(part) for part in np.split(values, [3, 500, 501])]
    columns = (np.array(column, float) for column in zip(*parts, strict=True))
    n, mean, m2 = joined(np.zeros(4, int), *columns)
    assert n == 1000
    assert mean[0] == pytest.approx(np.mean(values), rel=1e-15)
    assert m2[0] == pytest.approx(np.var(values) * 1000, rel=1e-8)
    equal = joined(np.zeros(3, int), np.array([1.0, 7.0, 3.0]), np.full(3, 0.1), np.zeros(3))
    assert [float(x[0]) for x in equal] == [11.0, 0.1, 0.0]
    assert tuple(contributions(Replicates(*[np.ones(1)] * 5), 0.0, 0.05)) == COMPARED


def test_bins_are_narrow_and_ordered():
    draw = np.random.default_rng(4)
    values = np.sort(np.concatenate([draw.normal(size=500) * 10.0 ** draw.integers(-9, 9, 500),
                                     [0.0, -np.inf, np.inf, 1.0, -1.0, 1e-310]]))  # fmt: skip
    bins = bin_of(values)
    assert (np.diff(bins) >= 0).all()
    finite = np.isfinite(values)
    low, high = edges(bins[finite])
    assert ((low <= values[finite]) & (values[finite] <= high)).all()
    normal = np.abs(values[finite]) > 1e-300
    assert ((high - low)[normal] <= np.abs(values[finite])[normal] / 128).all()


@pytest.mark.parametrize("n", [1, 2, 101, 1000])
def test_counts_and_medians_against_the_values(n):
    values = np.random.default_rng(n).normal(size=n)
    bins, counts, *_ = tally(np.abs(values), WIDTH_BITS)
    made = Histogram(bins, counts, np.full(bins.size, np.nan))
    assert median(made) == pytest.approx(np.median(np.abs(values)), rel=2**-10)
    infinite = np.append(np.abs(values), np.full(2 * n, np.inf))
    bins, counts, *_ = tally(infinite, WIDTH_BITS)
    assert median(Histogram(bins, counts, np.full(bins.size, np.nan))) == np.inf
    bins, counts, *_ = tally(values)
    made = Histogram(bins, counts, np.full(bins.size, np.nan))
    for x in (-2.0, -0.013, 0.0, 0.7):
        same = np.sum(bin_of(values) == bin_of(np.array([x])))
        for inclusive in (True, False):
            assert abs(count_below(made, x, inclusive) - np.sum(values <= x)) <= same


def test_resuming_and_extending_compute_only_what_is_new(tmp_path, rows):
    folder = tmp_path / "sums"
    fill(folder, kept(), 700)
    assert ranges(fill(folder, kept(), 2000, 500))[0] == (700, 1000, METHODS)
    assert_same(StudyResult.from_store(folder), rows, binned=1e-3)
    assert fill(folder, kept()) == []
    victim = part_paths(folder)[1]
    good = victim.read_bytes()
    victim.write_bytes(truncated(good))
    seen = StudyResult.from_store(folder)
    assert [path for path, _ in seen.damaged] == [victim]
    assert seen.n_replicates("main", LR) == 1700
    assert ranges(fill(folder, kept(), 2000, 300)) == [(300, 600, METHODS)]
    assert victim.read_bytes() == good


def test_sums_are_put_together_in_batches(sums, monkeypatch):
    expected = sums.summary()
    monkeypatch.setattr(parts, "SUMS_AT_ONCE", 3000)
    pd.testing.assert_frame_equal(sums.summary(), expected, rtol=SAME, atol=SAME)


def test_an_empty_store_has_the_tables_of_an_empty_one(tmp_path):
    for name, made in (("rows", study()), ("sums", kept())):
        fill(tmp_path / name, made, methods=METHODS, replicates=300)
        part_paths(tmp_path / name)[0].unlink()
    found, expected = (StudyResult.from_store(tmp_path / name) for name in ("sums", "rows"))
    assert found.parts == ()
    assert_same(found, expected)


def test_a_wrong_number_of_rows_is_seen(tmp_path, sums):
    path = part_paths(sums.store)[0]
    table = pq.read_table(path)
    record = sums.record
    path.unlink()
    content = content_of_tables(record, Task("main", 0, 300, METHODS), [table.slice(0, 50)] * 2)
    made = save_part(sums.store, record, Task("main", 0, 300, METHODS), content)
    damaged = StudyResult.from_store(sums.store).damaged
    assert damaged == ((made.path, "its number of rows is wrong"),)


def test_methods_added_later_have_no_pairs(tmp_path, rows):
    folder = tmp_path / "sums"
    fill(folder, kept(), 900, methods=(SCORE, WALD))
    fill(folder, kept(), 900, methods=(LR,))
    result = StudyResult.from_store(folder)
    table = result.differences()
    assert set(zip(table["first"], table["second"], strict=True)) == {(SCORE, WALD)}
    assert result.unpaired() == [(SCORE, LR, 900, 0), (WALD, LR, 900, 0)]
    (said,) = [w for w in result.warnings() if "run together" in w]
    assert f"{SCORE} and {LR} were not run together" in said and "1 more pairs" in said
    fill(folder, kept(), 2000)
    result = StudyResult.from_store(folder)
    assert result.unpaired() == [(SCORE, LR, 2000, 1100), (WALD, LR, 2000, 1100)]
    assert "rest on the 1,100 of 2,000 replicates" in " ".join(result.warnings())
    # pairs that were run the other way round are those of rows, with the other sign
    found, expected = result.differences(), rows.differences()
    one = found[(found["first"] == SCORE) & (found["second"] == WALD)]
    other = expected[(expected["first"] == WALD) & (expected["second"] == SCORE)]
    assert len(one) == len(other) == 14
    np.testing.assert_allclose(one.value, -other.value, rtol=SAME, atol=SAME)
    np.testing.assert_allclose(one.mcse, other.mcse, rtol=SAME, atol=SAME)
    np.testing.assert_allclose(one.own_value, -other.own_value, rtol=SAME, atol=SAME)
    one = fill(tmp_path / "apart", kept(), 300, methods=(LR,))
    fill(tmp_path / "apart", kept(), 300, methods=(WALD,))
    text = study_text(StudyResult.from_store(tmp_path / "apart"), differences=True)
    assert len(one) == 1 and "no two methods were run together" in text


def some(folder, start, stop, methods=METHODS, **how):
    with open_store(folder, record_of(kept())) as (record, _):
        task = Task("main", start, stop, methods)
        return write_part(folder, record, task, drawn(task, **how)).path


def test_merging(tmp_path, rows):
    some(tmp_path / "a", 0, 700)
    some(tmp_path / "b", 700, 2000)
    some(tmp_path / "c", 0, 700, (LR, WALD))  # held already, in another order
    result = merge([tmp_path / name for name in "abc"], tmp_path / "joined")
    assert_same(result, rows, binned=1e-3)
    assert len(result.parts) == 2
    some(tmp_path / "d", 0, 700, (WALD,))
    result = merge([tmp_path / "d", tmp_path / "a"], tmp_path / "more")
    assert [part.methods for part in result.parts] == [(WALD,), (LR, SCORE)]
    table = result.summary()
    own = StudyResult.from_store(tmp_path / "a").summary()
    pd.testing.assert_frame_equal(table, own, check_exact=True)
    assert set(result.differences()["second"]) == {SCORE}


def test_overlapping_ranges_and_other_sums_are_refused(tmp_path):
    one = some(tmp_path / "a", 0, 700)
    other = some(tmp_path / "b", 600, 1000)
    with pytest.raises(ValueError, match="which overlap: leave one of them out") as error:
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert one.name in str(error.value) and other.name in str(error.value)
    some(tmp_path / "c", 0, 700, discrete=True)
    with pytest.raises(ValueError, match="on replicates 0 to 699: leave one of them out"):
        merge([tmp_path / "a", tmp_path / "c"], tmp_path / "more")
    fill(tmp_path / "rows", study(), 300)
    with pytest.raises(ValueError, match="keep is summary there and all here"):
        merge([tmp_path / "a", tmp_path / "rows"], tmp_path / "mixed")


def test_what_sums_depend_on_is_fixed(sums, tmp_path):
    with pytest.raises(ValueError, match=r"significance is \[0\.05\] there and \[0\.01\] here"):
        fill(sums.store, kept(significance=0.01))
    with pytest.raises(ValueError, match="keep is summary there and all here"):
        fill(sums.store, study())
    fill(tmp_path / "rows", study(), 300)
    assert "keep" not in (tmp_path / "rows" / "study.json").read_text()
    with pytest.raises(ValueError, match="keep is all there and summary here"):
        fill(tmp_path / "rows", kept())
    assert read_record(sums.store).keep == "summary"
    with pytest.raises(ValueError, match="keep must be one of 'all', 'summary': found 'sums'"):
        study(keep="sums")


def test_what_needs_rows_says_so(sums, tmp_path):
    for ask in (
        sums.frame,
        lambda: plots.zip_plot(sums, WALD, "base"),
        lambda: plots.estimates(sums, "base"),
    ):
        with pytest.raises(ValueError, match="keeps sums, not rows"):
            ask()
    page = sums.report(tmp_path / "page.html", differences=True).read_text()
    assert "there are no pictures of single estimates" in page
    assert "Zip plot" not in page and "sums of the replicates" in page
    assert "Sums over replicates are kept" in sums.protocol()
    assert "Sums over replicates" not in study().protocol()


def test_coverage_limits_come_from_sums(tmp_path):
    made = {"methods": [BOOT], "bootstrap": {"replicates": 159, "scheme": "pairs"}}
    for name, keep in (("rows", "all"), ("sums", "summary")):
        record = record_of(study(keep=keep, **made))
        with open_store(tmp_path / name, record) as (record, _):
            for start in (0, 25):
                task = Task("main", start, start + 25, (BOOT,))
                groups = []
                for group in drawn(Task("main", start, start + 25, (WALD,))):
                    draw = np.random.default_rng(start)
                    parts = {p: draw.choice([0.5, 1.0, np.nan], 25) for p in PARTS}
                    groups.append(replace(group, method=BOOT, parts=parts))
                write_part(tmp_path / name, record, task, groups)
    found, expected = (StudyResult.from_store(tmp_path / n) for n in ("sums", "rows"))
    assert_same(found, expected, binned=0.01)
    assert (found.summary().coverage_limit_n > 5).all() and (found.summary().rejection_n > 20).all()


def groups(**changes):
    arguments = {
        "name": "groups", "seed": 5, "replicates": 400, "X": [[1.0, 0.0], [1.0, 1.0]],
        "trials": [12.0, 12.0], "truth": [-1.4, 0.0], "names": TERMS, "methods": [WALD],
    }  # fmt: skip
    return Study(**(arguments | changes))


def test_a_run_of_sums_stops_at_looks_and_is_that_of_rows(tmp_path):
    looks = {"target_mcse": 0.03, "looks": [50, 120, 300]}
    expected = groups(**looks).run(progress=False)
    stop = expected.n_replicates("main", WALD)
    assert stop in looks["looks"]
    record = record_of(groups(keep="summary", **looks))
    found = run_record(record, tmp_path / "sums", progress=False, chunk=33)
    assert found.n_replicates("main", WALD) == stop
    assert found.settled("main")
    assert_same(found, expected, binned=0.01)
    # another process computes the same part, from what it is told
    sent = compute(described(found.record, "main"), 0, 33, [WALD], None)
    assert sent["content"] == found.parts[0].path.read_bytes()
    # a look inside a part made before is none
    groups(keep="summary").run(tmp_path / "late", 200, progress=False)
    late = groups(keep="summary", **looks).run(tmp_path / "late", progress=False)
    assert late.n_replicates("main", WALD) == 300
    replayed = found.replay("main", 7).table
    pd.testing.assert_frame_equal(replayed, expected.replay("main", 7).table)


def test_the_command_keeps_sums(tmp_path, capsys):
    file = tmp_path / "groups.toml"
    file.write_text(
        'name = "groups"\nseed = 5\nreplicates = 50\nmethods = ["ml:wald"]\nkeep = "all"\n'
        "[design]\ngroups = [12, 12]\nevent_rates = [0.2, 0.3]\n"
    )
    folder = tmp_path / "store"
    command = ["study", "run", str(file), "--store", str(folder), "--no-progress"]
    assert main([*command, "--keep", "summary"]) == 0
    said = capsys.readouterr().out
    assert main(["study", "summary", str(folder)]) == 0
    assert capsys.readouterr().out == said
    shutil.rmtree(folder)
    assert main(command) == 0
    assert capsys.readouterr().out == said
