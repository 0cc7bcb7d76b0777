"""Replicates of a bootstrap: what they draw, that they are fitted right, and where none exists."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxlogit as jl
from jaxlogit import batch, datasets
from jaxlogit.resampling import replicates
from jaxlogit.resampling.sample import sample_of

BIRTHS = datasets.load("birthwt").columns
NAMES = ["const", "age", "lwt", "smoke"]
X = np.column_stack([np.ones(189), BIRTHS["age"], BIRTHS["lwt"], BIRTHS["smoke"]]).astype(float)
Y = np.asarray(BIRTHS["low"], float)
REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "bootstrap" / "birthwt.json").read_text()
)
WARD = np.arange(189) % 17
RACE = np.asarray(BIRTHS["race"])
GOLDEN = 0.6180339887498949


def counts_of_reference() -> np.ndarray:
    """The weights of make_bootstrap.R, (R, n)."""
    n, count = len(Y), REFERENCE["n_replicates"]
    k = np.arange(count * n, dtype=np.float64).reshape(count, n)
    rows = np.floor(n * ((k * GOLDEN + (k * k) % 1021 / 1021) % 1)).astype(int)
    return np.stack([np.bincount(row, minlength=n) for row in rows])


def explicit(boot, numbers):
    """Coefficients and statuses of replicates, each fitted as a model of its own."""
    sample = boot._sample(0)
    (_, fit), *rest = replicates.refits(sample, np.asarray(numbers, np.uint32))
    assert not rest
    return fit.coef, fit.status


def separable(n=12):
    """A small data set whose resamples are often separated."""
    x = np.linspace(-1, 1, n)
    return np.column_stack([np.ones(n), x]), (x + 0.6 * np.cos(7 * x) > 0).astype(float)


# -- against R ---------------------------------------------------------------------------------


def test_replicates_as_r_has_them():
    fit = jl.fit(X, Y, weights=counts_of_reference())
    expected, variance = np.array(REFERENCE["t"]), np.array(REFERENCE["variance"])
    np.testing.assert_array_less(np.abs(fit.coef - expected) / np.sqrt(variance), 1e-8)
    np.testing.assert_allclose(fit.std_error**2, variance, rtol=1e-8)


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("kind", ["normal", "basic", "percentile", "studentized", "bca"])
def test_ends_as_r_boot_has_them(kind, level, monkeypatch):
    boot = jl.bootstrap(X, Y, replicates=199, names=NAMES)
    counts = counts_of_reference()
    fit = jl.fit(X, Y, weights=counts)
    monkeypatch.setattr(
        replicates, "std_errors", lambda sample, numbers, coef, wanted: fit.std_error
    )
    same = jl.Bootstrap(boot.fit, boot._scheme, fit.coef[None], fit.status[None])
    found = same.confint(level, kind)
    expected = np.array([term[kind] for term in REFERENCE["ends"][str(level)]])
    error = boot.fit.std_error
    np.testing.assert_array_less(np.abs(found.lower - expected[:, 0]) / error, 1e-8)
    np.testing.assert_array_less(np.abs(found.upper - expected[:, 1]) / error, 1e-8)


def test_influence_values():
    sample = jl.bootstrap(X, Y, replicates=1)._sample(0)
    fit = sample.fit
    mu = 1 / (1 + np.exp(-X @ fit.coef))
    closed = fit.covariance @ X.T * (Y - mu)
    np.testing.assert_allclose(sample.influence, closed, rtol=1e-9, atol=1e-12)
    by_r = np.array(REFERENCE["influence"]).T / len(Y)  # empinf differentiates numerically
    np.testing.assert_array_less(np.abs(sample.influence - by_r) / fit.std_error[:, None], 1e-5)


# -- replicates are what they claim to be ------------------------------------------------------

CASES = {
    "pairs": {},
    "strata": {"strata": RACE},
    "clusters": {"clusters": WARD},
    "both": {"clusters": WARD, "strata": WARD % 3},
    "bayesian": {"scheme": "bayesian", "strata": RACE},
    "poisson": {"scheme": "poisson", "clusters": WARD},
    "m of n": {"size": 120},
    "poisson m of n": {"scheme": "poisson", "size": 150},
    "parametric": {"scheme": "parametric"},
    "jackknife": {"scheme": "jackknife"},
    "leave a cluster out": {"scheme": "jackknife", "clusters": WARD},
    "case weights": {"weights": 0.5 + np.arange(189) % 3},
    "offset": {"offset": np.linspace(-0.5, 0.5, 189)},
    "firth": {"penalty": "firth"},
}


MORE = ("both", "poisson m of n", "leave a cluster out", "case weights", "offset")
"""Cases that share their code with others; each compiles for some seconds."""


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow if c in MORE else ()) for c in CASES], ids=str
)
def test_fitted_where_drawn_is_fitted_as_data(case):
    boot = jl.bootstrap(X, Y, replicates=150, seed=3, **CASES[case])
    coef, status = explicit(boot, np.arange(boot.n_replicates))
    np.testing.assert_array_equal(boot.status, status)
    assert np.max(np.abs(boot.coef - coef) / boot.fit.std_error) < 1e-8


@pytest.mark.parametrize("trials", [None, 1 + np.arange(189) % 4])
def test_parametric_outcomes(trials):
    y = Y if trials is None else np.minimum(Y * trials, trials)
    boot = jl.bootstrap(X, y, trials=trials, scheme="parametric", replicates=4000, seed=1)
    drawn = replicates.drawn(boot._sample(0), np.arange(4000, dtype=np.uint32)).y
    size = np.ones(189) if trials is None else trials
    assert np.all(drawn == np.rint(drawn)) and np.all((drawn >= 0) & (drawn <= size))
    mu = boot.fit.predict(X)
    error = np.sqrt(size * mu * (1 - mu) / 4000)
    assert np.max(np.abs(np.mean(drawn, axis=0) - size * mu) / error) < 5
    spread = np.var(drawn, axis=0) / (size * mu * (1 - mu))
    assert abs(np.mean(spread) - 1) < 0.01


def test_draws_have_their_distributions():
    numbers = np.arange(20_000, dtype=np.uint32)

    def weights(**options):
        return replicates.weights_by_unit(
            jl.bootstrap(X[:30], Y[:30] * (np.arange(30) < 29), replicates=1, **options)._sample(0),
            numbers,
        )

    counts = weights()
    assert np.all(np.sum(counts, axis=1) == 30)
    assert abs(np.mean(counts**2) - (1 + 29 / 30)) < 0.01
    np.testing.assert_allclose(np.mean(counts, axis=0), 1, atol=5 * math.sqrt(1 / 20_000))
    poisson = weights(scheme="poisson")
    frequency = np.bincount(poisson.astype(int).ravel(), minlength=8)[:6] / poisson.size
    np.testing.assert_allclose(frequency, stats.poisson.pmf(np.arange(6), 1), atol=0.003)
    dirichlet = weights(scheme="bayesian") / 30
    assert np.min(dirichlet) > 0
    np.testing.assert_allclose(np.sum(dirichlet, axis=1), 1, rtol=1e-12)
    assert stats.kstest(dirichlet[:, 7], stats.beta(1, 29).cdf).pvalue > 1e-4
    for name in ("rademacher", "webb"):
        signs = weights(scheme="score", multiplier=name)
        assert len(np.unique(signs)) == (2 if name == "rademacher" else 6)
        assert abs(np.mean(signs)) < 0.01 and abs(np.mean(signs**2) - 1) < 0.01
        pairs = np.corrcoef(signs[:, :10].T) - np.eye(10)
        assert np.max(np.abs(pairs)) < 5 / math.sqrt(20_000)


def test_strata_keep_their_sizes():
    boot = jl.bootstrap(X, Y, replicates=1, strata=RACE)
    counts = replicates.weights_by_unit(boot._sample(0), np.arange(500, dtype=np.uint32))
    for race in np.unique(RACE):
        assert np.all(np.sum(counts[:, RACE == race], axis=1) == np.sum(RACE == race))
    fewer = jl.bootstrap(X, Y, replicates=1, strata=RACE, size=100)
    counts = replicates.weights_by_unit(fewer._sample(0), np.arange(50, dtype=np.uint32))
    assert np.all(np.sum(counts, axis=1) == 100)


def test_blocks_change_nothing(monkeypatch):
    whole = jl.bootstrap(X, Y, replicates=700, seed=5)
    monkeypatch.setattr(batch, "BLOCK_ELEMENTS", 1 << 14)
    monkeypatch.setattr(replicates, "DRAWN", 1 << 13)
    blocks = jl.bootstrap(X, Y, replicates=700, seed=5)
    assert np.max(np.abs(whole.coef - blocks.coef) / whole.fit.std_error) < 1e-10
    np.testing.assert_allclose(blocks.std_error, whole.std_error, rtol=1e-9)


def test_a_replicate_has_an_address():
    boot = jl.bootstrap(X, Y, replicates=60, seed=9)
    longer = boot.extend(40)
    direct = jl.bootstrap(X, Y, replicates=100, seed=9)
    assert len(longer) == 100
    assert np.max(np.abs(longer.coef - direct.coef) / boot.fit.std_error) < 1e-10
    other = jl.bootstrap(X, Y, replicates=60, seed=10)
    assert not np.any(np.all(np.isclose(other.coef, boot.coef), axis=1))
    again = boot.replay(17)
    assert again.weights is not None and again.fit is not None
    assert np.sum(again.weights) == 189
    np.testing.assert_allclose(again.coef, boot.coef[17], rtol=1e-9)
    np.testing.assert_allclose(again.fit.coef, boot.coef[17], rtol=1e-7)
    drawn = jl.bootstrap(X, Y, replicates=20, scheme="parametric").replay(3)
    assert drawn.weights is None and set(np.unique(drawn.y)) == {0.0, 1.0}


def test_many_data_sets_are_each_resampled():
    outcomes = np.stack([Y, 1 - Y, np.roll(Y, 5)])
    many = jl.bootstrap(X, outcomes, replicates=80, seed=2)
    assert many.coef.shape == (3, 80, 4) and many.status.shape == (3, 80)
    alone = jl.bootstrap(X, Y, replicates=80, seed=2)
    np.testing.assert_allclose(many.coef[0], alone.coef, rtol=1e-9)
    sample = sample_of(many.fit, many._scheme, 2)
    coef = replicates.estimates(sample, np.arange(80, dtype=np.uint32)).coef
    np.testing.assert_allclose(many.coef[2], coef, rtol=1e-9)
    ends = many.confint(0.9, "bca")
    assert ends.lower.shape == (3, 4)
    np.testing.assert_allclose(ends.upper[0], alone.confint(0.9, "bca").upper, rtol=1e-8)


# -- separation --------------------------------------------------------------------------------


def test_exact_distribution_of_a_two_by_two_table():
    """Within groups a 2×2 table resamples as two binomials, separated ones among them."""
    n0, y0, n1, y1 = 12, 2, 10, 7
    group = np.repeat([0.0, 1.0], [n0, n1])
    y = np.concatenate([np.arange(n0) < y0, np.arange(n1) < y1]).astype(float)
    R = 20_000
    boot = jl.bootstrap(np.column_stack([np.ones(22), group]), y, replicates=R, strata=group)
    k0, k1 = np.arange(n0 + 1), np.arange(n1 + 1)
    share = stats.binom.pmf(k0, n0, y0 / n0)[:, None] * stats.binom.pmf(k1, n1, y1 / n1)
    with np.errstate(divide="ignore"):
        logit0, logit1 = (stats.logistic.ppf(k / n) for k, n in ((k0, n0), (k1, n1)))
    with np.errstate(invalid="ignore"):
        slope = logit1[None, :] - logit0[:, None]
    undefined = np.isnan(slope)  # both groups alike at one end: no direction, no value
    separated = ~np.isfinite(slope)

    def agrees(found, probability):
        spread = math.sqrt(probability * (1 - probability) / R)
        assert abs(found - probability) < 5 * spread

    agrees(np.mean(boot.status != 0), np.sum(share[separated]))
    agrees(np.mean(np.isnan(boot.coef[:, 1])), np.sum(share[undefined]))
    agrees(np.mean(boot.coef[:, 1] == np.inf), np.sum(share[slope == np.inf]))
    for value in (0.0, 1.0, 2.0, 3.0):
        agrees(np.mean(boot.coef[:, 1] < value), np.sum(share[slope < value]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_positive_weights_never_change_separation(seed):
    rng, n = np.random.default_rng(seed), 10
    design = np.column_stack([np.ones(n), rng.integers(0, 3, n)])
    y = (rng.random(n) < 0.4).astype(float)
    fit = jl.fit(design, y)
    boot = jl.bootstrap(design, y, replicates=20, scheme="bayesian", seed=seed)
    assert np.all(boot.status == fit.status)


def test_infinite_replicates_keep_their_rank():
    design, y = separable()
    boot = jl.bootstrap(design, y, replicates=999, seed=4)
    lost = boot.status != jl.Status.CONVERGED
    assert 0.05 < np.mean(lost) < 0.9
    assert np.all(np.isfinite(boot.coef[~lost])) and not np.any(
        np.all(np.isfinite(boot.coef[lost]), 1)
    )
    slope = boot.coef[:, 1]
    ends = boot.confint(0.95, "percentile")
    low = np.sort(np.where(np.isnan(slope), -np.inf, slope))
    high = np.sort(np.where(np.isnan(slope), np.inf, slope))
    assert ends.upper[1] == np.inf == high[974]
    assert ends.lower[1] == low[24]
    assert ends.upper_status[1] != jl.Status.CONVERGED and ends.reason is not None
    normal = boot.confint(0.95, "normal")
    assert np.all(np.isnan(normal.lower)) and np.all(normal.lower_status != 0)
    moments = boot.moments()
    assert np.all(np.isnan(moments.std_error)) and np.all(moments.status != 0)
    ratio = boot.confint(0.95, "percentile", transform="odds_ratio")
    assert ratio.upper[1] == np.inf
    np.testing.assert_allclose(ratio.lower[1], np.exp(ends.lower[1]), rtol=1e-12)


def test_a_separated_data_set():
    x = np.arange(10.0)
    boot = jl.bootstrap(np.column_stack([np.ones(10), x]), (x > 4).astype(float), replicates=99)
    assert np.all(boot.status != jl.Status.CONVERGED)
    assert np.all(np.isnan(boot.confint(0.9, "bca").lower))
    score = jl.bootstrap(
        np.column_stack([np.ones(10), x]), (x > 4).astype(float), replicates=99, scheme="score"
    )
    assert np.all(score.status == jl.Status.SEPARATED_COMPLETE) and np.all(np.isnan(score.coef))


@pytest.mark.slow
def test_firth_replicates_are_finite():
    design, y = separable()
    boot = jl.bootstrap(design, y, replicates=300, seed=4, penalty="firth")
    full = np.all(np.isfinite(boot.coef), axis=1)
    assert np.all(boot.status[full] == 0) and np.mean(full) > 0.99
    coef, status = explicit(boot, np.arange(300))
    np.testing.assert_array_equal(status, boot.status)
    np.testing.assert_allclose(boot.coef[full], coef[full], atol=1e-7)


@pytest.mark.parametrize(
    "penalty",
    ["ridge", "flac", *(pytest.param(p, marks=pytest.mark.slow) for p in ("logf", "flic"))],
)
def test_other_penalties_refit_under_themselves(penalty):
    boot = jl.bootstrap(X, Y, replicates=25, penalty=penalty, seed=1)
    weights = boot.replay(7).weights
    expected = jl.fit(X, Y, weights=weights, penalty=penalty)
    assert np.max(np.abs(boot.coef[7] - expected.coef) / expected.std_error) < 1e-8


# -- jackknife and one-step --------------------------------------------------------------------


def test_jackknife_leaves_each_unit_out():
    boot = jl.bootstrap(X, Y, scheme="jackknife", clusters=WARD)
    assert len(boot) == 17
    coef = np.stack([jl.fit(X[WARD != g], Y[WARD != g]).coef for g in range(17)])
    np.testing.assert_allclose(boot.coef, coef, rtol=1e-7)
    moments = boot.moments()
    centre = np.mean(coef, axis=0)
    np.testing.assert_allclose(moments.bias, 16 * (centre - boot.fit.coef), rtol=1e-4)
    np.testing.assert_allclose(
        moments.std_error, np.sqrt(16 / 17 * np.sum((coef - centre) ** 2, axis=0)), rtol=1e-6
    )
    ends = boot.confint(kind="normal")
    np.testing.assert_allclose(
        0.5 * (ends.lower + ends.upper), boot.fit.coef - moments.bias, rtol=1e-9
    )


def test_score_multipliers_move_one_step():
    boot = jl.bootstrap(X, Y, scheme="score", replicates=6000, clusters=WARD, seed=3)
    sample = boot._sample(0)
    signs = replicates.weights_by_unit(sample, np.arange(6000, dtype=np.uint32))
    np.testing.assert_allclose(
        boot.coef, boot.fit.coef + signs @ sample.influence.T, rtol=1e-9, atol=1e-12
    )
    robust = boot.fit.robust("CR0", WARD).std_error
    np.testing.assert_allclose(boot.moments().std_error, robust, rtol=0.05)


def test_rows_of_weight_zero_are_not_drawn():
    weights = np.ones(189)
    weights[[3, 77, 188]] = 0
    used = weights > 0
    boot = jl.bootstrap(X, Y, weights=weights, clusters=WARD, replicates=40, seed=6)
    alone = jl.bootstrap(X[used], Y[used], clusters=WARD[used], replicates=40, seed=6)
    np.testing.assert_allclose(boot.coef, alone.coef, rtol=1e-8)


# -- bad input ---------------------------------------------------------------------------------

BAD = {
    "replicates must be at least 1: found 0": {"replicates": 0},
    "scheme must be one of 'pairs'": {"scheme": "pear"},
    "strata must have one label for each of the 189 rows": {"strata": np.arange(5)},
    "clusters must have one label for each of the 189 rows": {"clusters": np.arange(5)},
    "clusters must lie in one stratum each: found the cluster of row 1": {
        "clusters": np.zeros(189) + (np.arange(189) > 100), "strata": np.arange(189) % 2,
    },
    "clusters must be at least two to resample: found 1": {"clusters": np.zeros(189)},
    "weights must not be given with scheme 'parametric'": {
        "scheme": "parametric", "weights": np.ones(189),
    },
    "clusters must not be given with scheme 'parametric'": {
        "scheme": "parametric", "clusters": WARD,
    },
    "penalty must be None with scheme 'score'": {"scheme": "score", "penalty": "firth"},
    "multiplier must not be given with scheme 'pairs'": {"multiplier": "webb"},
    "multiplier must be one of 'rademacher', 'webb'": {"scheme": "score", "multiplier": "mammen"},
    "size must be at most the 189 units": {"size": 200},
    "size must not be given with scheme 'bayesian'": {"scheme": "bayesian", "size": 100},
    "seed must be at least 0": {"seed": -1},
    "strata must not be missing: found nan at row 2": {
        "strata": np.where(np.arange(189) == 2, np.nan, 1.0)
    },
}  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=str)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        jl.bootstrap(X, Y, **{"replicates": 5, **BAD[message]})


def test_too_few_replicates_for_the_level():
    boot = jl.bootstrap(X, Y, replicates=38)
    with pytest.raises(ValueError, match="replicates must be at least 39 for kind 'bca' at level"):
        boot.confint()
    assert np.all(np.isfinite(boot.extend(1).confint(kind="percentile").lower))
    with pytest.raises(ValueError, match="replicates must be at least 1,999 for kind"):
        boot.confint(0.999, "percentile")
    with pytest.raises(ValueError, match="kind must be one of 'normal', 'basic'"):
        boot.confint(kind="bc")
