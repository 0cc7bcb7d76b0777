"""What a bootstrap is given: rows that count, labels, strata; what it refuses."""

import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit.resampling import replicates

N = 30
RNG = np.random.default_rng(12)
X = np.column_stack([np.ones(N), RNG.standard_normal(N)])
Y = (RNG.random(N) < 0.5).astype(float)
GROUP = RNG.permutation(np.arange(N) % 10)


def weights_of(boot, count=20):
    return replicates.weights_by_unit(boot._sample(0), np.arange(count, dtype=np.uint32))


# -- strata ------------------------------------------------------------------------------------


def test_scores_are_centred_within_strata():
    """The generalised score statistic whose middle is the variance within strata."""
    strata = np.arange(N) % 4
    boot = jl.bootstrap(X, Y, scheme="score", replicates=99, strata=strata, seed=3)
    found = boot.test("score", contrasts="x1")
    mu = np.mean(Y)
    information = mu * (1 - mu) * X.T @ X
    z = np.linalg.solve(information, X.T)[1] * (Y - mu)
    sizes = np.bincount(strata)
    away = z - (np.bincount(strata, z) / sizes)[strata]
    away *= np.sqrt(sizes / (sizes - 1))[strata]
    observed = np.sum(z) ** 2 / np.sum(away**2)
    there = (weights_of(boot, 99) @ away) ** 2 / np.sum(away**2)
    np.testing.assert_allclose(found.statistic, [observed], rtol=1e-7)
    np.testing.assert_allclose(found.p_value, [(1 + np.sum(there >= observed)) / 100])


@pytest.mark.slow
def test_score_tests_in_strata_hold_their_level():
    """Strata of three with means of their own, which cancel over all of them."""
    stratum, rng, count = np.repeat(np.arange(24), 3), np.random.default_rng(8), 600
    place, chance = np.array([1.0, -1.0] * 12), np.repeat([0.8, 0.2], 12)
    p = []
    for _ in range(count):
        x = place[stratum] + rng.standard_normal(72)
        y = (rng.random(72) < chance[stratum]).astype(float)
        boot = jl.bootstrap(np.column_stack([np.ones(72), x]), y, scheme="score", replicates=199,
                            strata=stratum, seed=int(rng.integers(1 << 30)))  # fmt: skip
        p.append(float(boot.test("score", contrasts="x1").p_value[0]))
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 4 * np.sqrt(0.1 * 0.9 / count)


# -- rows that count, and their labels ---------------------------------------------------------


@pytest.mark.parametrize("scheme", ["pairs", "jackknife"])
def test_rows_without_trials_are_not_drawn(scheme):
    trials = 1 + (np.arange(N) % 2)
    trials[[0, 4, 29]] = 0
    strata = np.where(trials == 0, "none", "some")
    used = trials > 0
    boot = jl.bootstrap(X, Y * used, trials=trials, clusters=GROUP, strata=strata,
                        replicates=9, scheme=scheme)  # fmt: skip
    alone = jl.bootstrap(X[used], Y[used], trials=trials[used], clusters=GROUP[used],
                         replicates=9, scheme=scheme)  # fmt: skip
    assert boot._scheme.n_strata == 1 and boot._scheme.n_units == alone._scheme.n_units
    np.testing.assert_array_equal(weights_of(boot, 9), weights_of(alone, 9))


def test_weights_that_only_leave_rows_out():
    weights = (np.arange(N) > 4) * 1.0
    boot = jl.bootstrap(X, Y, weights=weights, scheme="parametric", replicates=5)
    alone = jl.bootstrap(X[5:], Y[5:], scheme="parametric", replicates=5)
    np.testing.assert_array_equal(boot.coef, alone.coef)


def test_draws_do_not_depend_on_the_type_of_labels():
    words = np.array([f"ward {9 - g}" for g in GROUP])
    found = [
        weights_of(jl.bootstrap(X, Y, replicates=1, clusters=labels))
        for labels in (GROUP, words, words.astype(object), GROUP - 5.5)
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    order = GROUP[np.sort(np.unique(GROUP, return_index=True)[1])]
    boot = jl.bootstrap(X, Y, scheme="jackknife", clusters=GROUP)
    assert np.all(boot.replay(2).weights == (GROUP != order[2]))


LATE = np.where(np.arange(N) == 2, 0.0, 1.0)
BAD = {
    "clusters must have one label for each of the 30 rows of X.*found shape \\(31,\\)": {
        "clusters": np.arange(31) % 5, "weights": LATE,
    },
    "clusters must have one label for each .*found shape \\(\\)": {"clusters": 3, "weights": LATE},
    "strata must not be missing: found nan at row 7": {
        "strata": np.where(np.arange(N) == 7, np.nan, 1.0), "weights": LATE,
    },
    "found the cluster of row 7 in strata 0 \\(row 5\\) and 1$": {
        "clusters": np.where(np.isin(np.arange(N), [5, 7]), 50, np.arange(N)),
        "strata": (np.arange(N) >= 6).astype(int), "weights": LATE,
    },
    "strata must not be given with scheme 'poisson', .*'pairs' and 'bayesian' do": {
        "scheme": "poisson", "strata": np.arange(N) % 2,
    },
    "strata must not all be of one unit": {"strata": np.arange(N)},
    "trials must not be 0 where data sets have trials of their own: found 0 at model 1, row 3": {
        "trials": np.ones((2, N)) - (np.arange(2)[:, None] * (np.arange(N) == 3)),
        "y": np.zeros((2, N)),
    },
}  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=str)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        jl.bootstrap(X, **{"y": Y, "replicates": 5, **BAD[message]})


def test_what_has_no_likelihood_is_refused():
    boot = jl.bootstrap(X, Y, replicates=5, penalty="flic")
    for method in ("lr", "score"):
        with pytest.raises(ValueError, match="leave out the intercept under penalty 'flic'"):
            boot.test(method)
    assert np.isfinite(boot.test("lr", contrasts="x1").p_value[0])


# -- defaults, single replicates, tables -------------------------------------------------------


def test_defaults_are_what_the_scheme_has():
    given = {"replicates": 99, "scheme": "score"}
    boot = jl.bootstrap(X, Y, **given)
    assert boot.confint(0.9).kind == "percentile" and boot.test().method == "score"
    assert "percentile" in boot.summary(0.9)
    assert jl.bootstrap(X, Y, replicates=99, size=20).confint(0.9).kind == "percentile"
    jackknife = jl.bootstrap(X, Y, scheme="jackknife")
    assert jackknife.confint().kind == "normal" and "mc_" not in jackknife.summary()
    assert jl.bootstrap(X, Y, replicates=99, scheme="bayesian").confint(0.9).kind == "bca"


def test_one_replicate_has_no_spread():
    boot = jl.bootstrap(X, Y, replicates=1)
    with pytest.raises(ValueError, match="replicates must be at least 2 for moments: found 1"):
        boot.moments()
    assert np.all(np.isnan(boot.test("wald").bartlett_p_value))


def test_replay_names_a_data_set():
    boot = jl.bootstrap(X, np.stack([Y, 1 - Y]), replicates=3)
    np.testing.assert_allclose(boot.replay(1, 1).coef, boot.coef[1, 1], rtol=1e-9)
    for number in (-1, 2):
        with pytest.raises(ValueError, match=r"data_set must be .*: found"):
            boot.replay(1, number)


@pytest.mark.parametrize("name", ["status", "replicate"])
def test_a_table_keeps_every_coefficient(name, tmp_path):
    boot = jl.bootstrap(X, Y, replicates=3, names=["const", name])
    for write in (boot.to_frame, lambda: boot.to_parquet(tmp_path / "boot.parquet")):
        with pytest.raises(ValueError, match=f"names must leave '{name}' to the table's own"):
            write()


def test_an_error_of_zero_is_said():
    """One of three clusters drawn three times has no scores left to estimate an error from."""
    random = np.random.default_rng(4)
    X = np.column_stack([np.ones(60), random.standard_normal(60)])
    y = (random.random(60) < 0.5).astype(float)
    boot = jl.bootstrap(X, y, clusters=np.arange(60) % 3, replicates=999)
    ends = boot.confint(kind="studentized")
    assert np.all(np.isinf(ends.upper)) and ends.n_undefined == 0
    assert ends.reason is not None and "standard error of 0" in ends.reason
