"""Bootstrap and penalised methods in a study: the rows, their addresses, store, errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jaxlogit as jl
from jaxlogit.core.status import Status
from jaxlogit.report import study_text
from jaxlogit.resampling import kinds
from jaxlogit.study import METHODS, Study, StudyResult
from jaxlogit.study.asked import record_of
from jaxlogit.study.computing.resample import plan, resample
from jaxlogit.study.design.simulate import outcomes
from jaxlogit.study.design.varying import DataSets
from jaxlogit.study.measures.nested import PARTS, coverage_limit, subsets
from jaxlogit.study.methods import ALLOWED, BootstrapSettings
from jaxlogit.study.run import run_record
from jaxlogit.study.store.parts import COLUMNS

ROUNDING = 1e-7
"""What the batch that a data set is fitted in may leave in a converged answer."""

KINDS = tuple(f"bootstrap:{kind}" for kind in kinds.KINDS)
SETTINGS = {"replicates": 159, "scheme": "pairs"}
X = np.column_stack([np.ones(14), np.linspace(-1.5, 1.5, 14)])
N_SETS = 12
TERMS = ("base", "slope")


def small(**changes):
    """Few rows: separated replicates are common, and some data sets are separated."""
    arguments = {
        "name": "small", "seed": 12, "replicates": N_SETS, "X": X, "truth": [0.2, 1.5],
        "names": TERMS, "methods": ["ml:wald", *KINDS], "bootstrap": SETTINGS,
    }  # fmt: skip
    return Study(**(arguments | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "store"
    run_record(record_of(small()), folder, progress=False, chunk=5)
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return StudyResult.from_store(folder)


@pytest.fixture(scope="module")
def boot():
    """The same experiment by `bootstrap`: of many data sets, number b is data set b."""
    study = small()
    cell = study.cells[0]
    seed = plan(cell, study.seed, study.bootstrap, (0.95,)).scheme.seed
    y = outcomes(cell, study.seed, 0, N_SETS)
    return jl.bootstrap(X, y, replicates=159, scheme="pairs", seed=seed, names=TERMS)


def rows_of(result, method, name):
    """(N_SETS, 2)."""
    return np.column_stack([result.frame(method=method, term=term)[name] for term in TERMS])


@pytest.mark.parametrize("method", KINDS)
def test_rows_are_bootstrap_intervals_of_the_simulated_data(result, boot, method):
    interval = boot.confint(kind=method.partition(":")[2])
    defined = np.isfinite(boot.fit.coef).all(axis=1) | (method == "bootstrap:percentile")
    for name in ("lower", "upper"):
        expected = getattr(interval, name)
        found = rows_of(result, method, name)
        np.testing.assert_allclose(found[defined], expected[defined], ROUNDING, ROUNDING)
        assert np.isnan(found[~defined]).all()
    np.testing.assert_allclose(rows_of(result, method, "estimate"), boot.fit.coef, ROUNDING)
    spread = boot.moments().std_error
    np.testing.assert_allclose(rows_of(result, method, "std_error"), spread, ROUNDING)
    assert np.isnan(rows_of(result, method, "p_value")).all()


@pytest.mark.parametrize("method", KINDS[:3])  # those of the replicates alone
def test_shares_are_those_of_the_subsets_by_hand(result, boot, method):
    kind, truth = method.partition(":")[2], np.array([0.2, 1.5])
    for name, slices in subsets(159, 0.95).items():
        assert len(slices) == PARTS[name]
        found = rows_of(result, method, name)
        for b in range(N_SETS):
            if not np.isfinite(boot.fit.coef[b]).all() and kind != "percentile":
                assert np.isnan(found[b]).all()
                continue
            hits = []
            for part in slices:
                lower, upper = kinds.ends(boot.coef[b][part], boot.fit.coef[b], 0.95, kind).value
                missing = np.isnan(lower) | np.isnan(upper)
                hits.append(np.where(missing, np.nan, (lower <= truth) & (truth <= upper)))
            np.testing.assert_array_equal(found[b], np.mean(hits, axis=0))


def test_separated_data_keep_their_percentile_interval(result, boot):
    separated = ~np.isfinite(boot.fit.coef).all(axis=1)
    assert 0 < separated.sum() < N_SETS
    for method in KINDS:
        lower, status = rows_of(result, method, "lower"), rows_of(result, method, "status")
        if method == "bootstrap:percentile":
            assert not np.isnan(lower).any()
            assert (status[separated] == Status.INFINITE).any()
        else:
            assert np.isnan(lower[separated]).all()
            assert (status[separated] == boot.fit.status[separated, None]).all()
    # an infinite replicate leaves no variance
    some = np.isinf(boot.coef).any(axis=(1, 2)) & ~separated
    assert some.any() and np.isnan(rows_of(result, "bootstrap:normal", "lower")[some]).all()


def test_a_missing_end_always_has_a_status(result):
    frame = result.frame()
    undefined = frame.lower.isna() | frame.upper.isna()
    assert undefined.any() and (frame.status[undefined] != Status.CONVERGED).all()
    assert not frame.status[undefined].isin([Status.INFINITE]).any()


def test_rejections_are_nulls_outside_the_interval(result, folder):
    summary = result.summary().set_index(["method", "term"])
    for method in KINDS:
        rows = result.frame(method=method, term="slope")
        rows = rows[rows.lower.notna()]
        expected = ((rows.lower > 0) | (rows.upper < 0)).mean()
        assert summary.rejection[method, "slope"] == pytest.approx(expected, nan_ok=True)
        assert summary.rejection_n[method, "slope"] == len(rows)
    other = replace(result, record=replace(result.record, significance=0.01)).summary()
    rejection = other.set_index("method").rejection
    assert rejection[list(KINDS)].isna().all() and rejection["ml:wald"].notna().all()
    pairs = result.differences().query("measure == 'rejection'").set_index(["first", "second"])
    assert pairs.value["bootstrap:basic", "bootstrap:percentile"].notna().all()


def test_coverage_limit_is_for_bootstrap_methods_alone(result):
    summary = result.summary().set_index(["method", "term"])
    limits = ["coverage_limit", "coverage_limit_mcse", "coverage_limit_n"]
    assert summary.loc["ml:wald", limits[:2]].isna().all(axis=None)
    rows = result.frame(method="bootstrap:percentile", term="slope")
    covered = ((rows.lower <= 1.5) & (rows.upper >= 1.5)).to_numpy(float)
    expected = coverage_limit(covered, {p: rows[p].to_numpy() for p in PARTS}, 159, 0.95)
    found = summary.loc[("bootstrap:percentile", "slope"), limits]
    assert list(found) == pytest.approx(list(expected))
    assert found.coverage_limit_n == N_SETS


def test_text_has_a_table_of_limits(result):
    text = study_text(result)
    assert "Coverage with 159 bootstrap replicates (pairs) of each data set" in text
    assert "with 159" in text and "bootstrap methods reject 0 outside their interval" in text
    plain = run_record(record_of(small(methods=["ml:wald"], bootstrap=None)), progress=False)
    assert "bootstrap" not in study_text(plain)


def same_rows(one, other):
    keys = ["cell", "method", "term", "replicate"]
    one, other = (f.sort_values(keys, ignore_index=True) for f in (one, other))
    one, other = one.drop(columns="p_value"), other.drop(columns="p_value")
    pd.testing.assert_frame_equal(one, other, rtol=ROUNDING, atol=ROUNDING)


def test_chunks_and_other_methods_do_not_change_the_rows(result, tmp_path):
    few = ["bootstrap:bca"]
    other = run_record(record_of(small(methods=few)), tmp_path, progress=False, chunk=8)
    frame = result.frame(method="bootstrap:bca")
    same_rows(frame, other.frame())


def test_replay_is_the_stored_replicate(result):
    stored = result.frame()
    for number in (0, 7):
        table = result.replay("main", number).table
        rows = stored[stored.replicate == number].reset_index(drop=True)
        for name in ("estimate", "std_error", "lower", "upper"):
            np.testing.assert_allclose(table[name], rows[name], ROUNDING, ROUNDING)
        assert [Status[s.upper()] for s in table.status] == list(rows.status)


def test_a_store_grows_by_bootstrap_methods_and_keeps_what_it_has(tmp_path, result):
    store = tmp_path / "store"
    small(methods=["ml:wald"], bootstrap=None).run(store, progress=False)
    before = {path: path.read_bytes() for path in (store / "parts").iterdir()}
    percentile = ["bootstrap:percentile"]
    small(methods=percentile).run(store, replicates=5, progress=False)
    grown = small(methods=percentile).run(store, progress=False)
    assert before.items() <= {p: p.read_bytes() for p in (store / "parts").iterdir()}.items()
    assert grown.damaged == () and grown.record.bootstrap == BootstrapSettings(**SETTINGS)
    for method in ("ml:wald", *percentile):
        same_rows(result.frame(method=method), grown.frame(method=method))
    # without bootstrap methods nothing about them is asked
    small(methods=["ml:wald"], bootstrap=None).run(store, progress=False)
    assert StudyResult.from_store(store).record.bootstrap == BootstrapSettings(**SETTINGS)
    for settings, message in (
        ({"replicates": 99}, "bootstrap.replicates is 159 there and 99 here"),
        ({"replicates": 159, "scheme": "bayesian"}, "bootstrap.scheme is pairs there and bayes"),
    ):
        with pytest.raises(ValueError, match=message):
            small(methods=percentile, bootstrap=settings).run(store, progress=False)


def test_parts_of_mixed_methods_are_read_by_other_tools(folder, result):
    frame = pd.read_parquet(folder / "parts")
    assert list(frame) == [
        "cell",
        "replicate",
        "method",
        "level",
        "term",
        *COLUMNS,
        "status",
        *PARTS,
    ]
    assert len(frame) == N_SETS * 6 * 2
    assert frame.covered_half[frame.method == "ml:wald"].isna().all()
    assert list(result.frame(method="ml:wald"))[-1] == "status"


def test_draws_depend_on_seed_and_cell():
    study = small()
    cell, settings = study.cells[0], study.bootstrap
    other = replace(cell, values={"n": 14})
    seeds = {plan(c, seed, settings, (0.95,)).scheme.seed for c in (cell, other) for seed in (1, 2)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_rows_of_weight_0_are_not_drawn():
    study = small(weights=[0.0, *[1.0] * 13])
    drawn = plan(study.cells[0], study.seed, study.bootstrap, (0.95,)).scheme
    assert drawn.n_units == 13


@pytest.mark.parametrize(
    "methods",
    [
        ("firth:wald",),
        pytest.param(("ml:rstar", "firth:lr", "firth:score"), marks=pytest.mark.slow),
    ],
    ids=len,
)
def test_penalised_and_r_star_methods_are_those_of_fits(methods):
    study = small(methods=methods, bootstrap=None, replicates=4)
    found, y = study.run(progress=False), outcomes(study.cells[0], study.seed, 0, 4)
    for method in methods:
        estimator, _, kind = method.partition(":")
        fit = jl.fit(X, y, penalty="firth" if estimator == "firth" else None)
        interval, test = fit.confint(method=kind), fit.test(method=kind)
        np.testing.assert_allclose(rows_of(found, method, "estimate"), fit.coef, ROUNDING)
        np.testing.assert_allclose(rows_of(found, method, "lower"), interval.lower, ROUNDING)
        np.testing.assert_allclose(rows_of(found, method, "upper"), interval.upper, ROUNDING)
        np.testing.assert_allclose(rows_of(found, method, "p_value"), test.p_value, 1e-6, 1e-6)


@pytest.mark.slow
def test_firth_bootstrap_is_finite_in_separated_data():
    methods = [f"firth-bootstrap:{kind}" for kind in kinds.KINDS]
    study = small(methods=methods, replicates=4)
    found, cell = study.run(progress=False), study.cells[0]
    seed = plan(cell, study.seed, study.bootstrap, (0.95,)).scheme.seed
    y = outcomes(cell, study.seed, 0, 4)
    boot = jl.bootstrap(X, y, replicates=159, seed=seed, penalty="firth")
    for method in methods:
        interval = boot.confint(kind=method.partition(":")[2])
        assert np.isfinite(rows_of(found, method, "lower")).all()
        np.testing.assert_allclose(rows_of(found, method, "lower"), interval.lower, ROUNDING)
        np.testing.assert_allclose(rows_of(found, method, "upper"), interval.upper, ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["bayesian", "poisson", "parametric"])
def test_other_schemes(scheme):
    study = small(bootstrap={"replicates": 79, "scheme": scheme}, replicates=3, methods=KINDS)
    found, cell = study.run(progress=False), study.cells[0]
    seed = plan(cell, study.seed, study.bootstrap, (0.95,)).scheme.seed
    y = outcomes(cell, study.seed, 0, 3)
    boot = jl.bootstrap(X, y, replicates=79, seed=seed, scheme=scheme)
    for method in KINDS if scheme == "bayesian" else KINDS[2:3]:  # which separates nothing
        interval = boot.confint(kind=method.partition(":")[2])
        np.testing.assert_allclose(rows_of(found, method, "lower"), interval.lower, ROUNDING)
    assert np.isnan(rows_of(found, KINDS[2], "covered_quarter")).all()  # 19 are too few


@pytest.mark.slow
def test_the_limit_from_few_replicates_is_the_coverage_with_many():
    """On the same data sets: extrapolated from 159 replicates, and counted with 3,999."""
    design = np.column_stack([np.ones(40), np.linspace(-1.5, 1.5, 40)])
    shared = {"X": design, "truth": [0.0, 0.8], "replicates": 400, "methods": [KINDS[2]]}
    few, many = (
        small(**shared, bootstrap={"replicates": r, "scheme": "bayesian"}).run(progress=False)
        for r in (159, 3999)
    )
    for j, term in enumerate(TERMS):
        limit = few.summary().iloc[j]
        rows, truth = many.frame(term=term), shared["truth"][j]
        covered = np.mean((rows.lower <= truth) & (truth <= rows.upper))
        # Paired: what is left is the bootstrap's own noise, well below the error of either.
        assert abs(limit.coverage_limit - covered) < 2 * limit.coverage_limit_mcse


ERRORS = {
    "kind": ({"methods": ["bootstrap:bac"]}, "methods must be one of 'ml:wald', .*'bootstrap:bca'"
             ".*: found 'bootstrap:bac'; did you mean 'bootstrap:basic'"),
    "no method": ({"methods": METHODS}, "bootstrap must not be given without a bootstrap method"),
    "few": ({"bootstrap": {"replicates": 20}}, "bootstrap.replicates must be from 39 .* for "
            "'bootstrap:basic' at level 0.95: found 20"),
    "level": ({"level": 0.999, "methods": ["bootstrap:bca"]}, "from 1,999 to .*: found 159"),
    "text": ({"bootstrap": {"replicates": "x"}}, "bootstrap.replicates must be a whole number"),
    "scheme": ({"bootstrap": {"scheme": "pair"}}, "bootstrap.scheme must be one of 'pairs', .*: "
               "found 'pair'; did you mean 'pairs'"),
    "key": ({"bootstrap": {"replicate": 3}}, 'unknown key "bootstrap.replicate": allowed are '
            "bootstrap.replicates, bootstrap.scheme; did you mean 'replicates'"),
    "table": ({"bootstrap": 999}, "bootstrap must be a table of settings: found 999"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_argument_rule_and_value(case):
    changes, message = ERRORS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        small(**changes)


def test_what_a_scheme_cannot_use_is_refused_before_the_work():
    study = small(weights=[2.0] * 14, bootstrap={"scheme": "parametric"})
    with pytest.raises(ValueError, match="weights must not be given with scheme 'parametric'"):
        study.run(progress=False)


def test_settings_of_a_file(tmp_path):
    path = tmp_path / "births.toml"
    path.write_text(
        'name = "births"\nseed = 1\nreplicates = 10\nmethods = ["bootstrap:bca"]\n'
        '[bootstrap]\nreplicates = 499\nscheme = "bayesian"\n'
        '[design]\ndata = "birthwt"\nformula = "low ~ age + lwt"\n'
    )
    assert Study.from_toml(path).bootstrap == BootstrapSettings(499, "bayesian")
    path.write_text(path.read_text().replace("scheme", "schem"))
    with pytest.raises(ValueError, match=r'births\.toml: unknown key "bootstrap.schem": allowed'):
        Study.from_toml(path)


def test_defaults_are_there_and_every_word_is_a_study():
    assert small(bootstrap=None).bootstrap == BootstrapSettings(999, "pairs")
    assert small(methods=["bootstrap:normal"], bootstrap={"replicates": 2}).bootstrap is not None
    assert small(methods=ALLOWED).methods == ALLOWED


def test_separated_data_draw_no_outcomes():
    """Where nothing is drawn there is no interval, and so no hit."""
    study = small(bootstrap={"replicates": 39, "scheme": "parametric"})
    cell = study.cells[0]
    y = outcomes(cell, study.seed, 0, N_SETS)
    data = DataSets(cell.X, y, cell.trials, cell.weights, cell.offset)
    own = plan(cell, study.seed, study.bootstrap, (0.95,))
    made = resample(own, cell, data, np.arange(len(y)), "bootstrap", ["percentile"])
    found = made["percentile", 0.95]
    status = jl.fit(X, y).status
    lost = status != Status.CONVERGED
    assert 0 < np.sum(lost) < N_SETS
    assert np.all(np.isnan(found.lower[lost])) and not np.any(np.isnan(found.lower[~lost]))
    np.testing.assert_array_equal(found.upper_status[lost], np.stack([status[lost]] * 2, axis=1))
