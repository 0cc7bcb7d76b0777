"""Intervals, moments and tests of a bootstrap against their definitions, computed by hand."""

import numpy as np
import pytest
from scipy import stats

import jaxlogit as jl
from jaxlogit.core import tails
from jaxlogit.resampling import kinds, replicates, tables

N, R = 60, 400
RNG = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RNG.standard_normal(N)])
Y = (RNG.random(N) < 1 / (1 + np.exp(-0.3 - 0.8 * X[:, 1]))).astype(float)
GROUP = np.arange(N) % 15


@pytest.fixture(scope="module")
def pairs():
    return jl.bootstrap(X, Y, replicates=R, names=["const", "x"], seed=1)


@pytest.fixture(scope="module")
def clustered():
    return jl.bootstrap(X, Y, replicates=R, clusters=GROUP, seed=1)


@pytest.fixture(scope="module")
def parametric():
    return jl.bootstrap(X, Y, replicates=R, scheme="parametric", seed=1)


def refits(boot):
    (_, fit), *_ = replicates.refits(boot._sample(0), np.arange(len(boot), dtype=np.uint32))
    return fit


def share_beyond(replicated, observed):
    return (1 + np.sum(replicated >= observed * (1 - 1e-9), axis=0)) / (1 + len(replicated))


# -- standard errors ---------------------------------------------------------------------------


def test_standard_errors_of_replicates(pairs, clustered):
    np.testing.assert_allclose(pairs.std_error, refits(pairs).std_error, rtol=1e-8)
    weights = replicates.weights_by_unit(clustered._sample(0), np.arange(5, dtype=np.uint32))
    for r in range(5):  # a cluster drawn twice is two clusters
        copies = [(g, k) for g in range(15) for k in range(int(weights[r, g]))]
        rows = np.concatenate([np.flatnonzero(GROUP == g) for g, _ in copies])
        labels = np.repeat(np.arange(len(copies)), [np.sum(GROUP == g) for g, _ in copies])
        robust = jl.fit(X[rows], Y[rows]).robust("CR0", labels)
        np.testing.assert_allclose(clustered.std_error[r], robust.std_error, rtol=1e-7)


# -- intervals ---------------------------------------------------------------------------------


def test_transforms(pairs):
    percentile = pairs.confint(0.9, "percentile")
    ratio = pairs.confint(0.9, "percentile", transform="odds_ratio")

    def odds(coef):
        import jax.numpy as jnp

        return jnp.exp(coef)

    own = pairs.confint(0.9, "percentile", transform=odds)
    np.testing.assert_allclose(own.lower, ratio.lower, rtol=1e-12)
    assert own.names == ("odds[0]", "odds[1]") and ratio.names == ("const", "x")
    np.testing.assert_allclose(ratio.lower, np.exp(percentile.lower), rtol=1e-2)
    by_word = pairs.confint(0.9, "studentized", transform="odds_ratio")
    np.testing.assert_allclose(
        pairs.confint(0.9, "studentized", transform=odds).upper, by_word.upper, rtol=1e-9
    )
    ratios, centre = np.exp(pairs.coef), np.exp(pairs.fit.coef)
    t = np.sort((ratios - centre) / (ratios * pairs.std_error), axis=0)
    near = centre - centre * pairs.fit.std_error * t[int(0.05 * (R + 1)) - 1]
    np.testing.assert_allclose(by_word.upper, near, rtol=0.02)
    at = pairs.confint(0.9, "bca", contrasts=[[1.0, 0.5]], transform="probability")
    logit = pairs.confint(0.9, "bca", contrasts=[[1.0, 0.5]])
    np.testing.assert_allclose(stats.logistic.ppf(at.upper), logit.upper, rtol=1e-2)
    with pytest.raises(ValueError, match="transform must be one of 'odds_ratio', 'probability'"):
        pairs.confint(transform="odds_ratios")
    with pytest.raises(ValueError, match="transform must index the 2 coefficients from 0 to 1"):
        pairs.confint(transform=lambda b: b[5])
    with pytest.raises(ValueError, match="contrasts must be None where transform is a function"):
        pairs.confint(transform=odds, contrasts="x")


def test_moments(pairs):
    found = pairs.moments()
    np.testing.assert_allclose(found.bias, np.mean(pairs.coef, axis=0) - pairs.fit.coef)
    np.testing.assert_allclose(found.std_error, np.std(pairs.coef, axis=0, ddof=1))


def test_fewer_draws_are_scaled_back():
    boot = jl.bootstrap(X, Y, replicates=3000, size=40, seed=2)
    shrunk = boot.fit.coef + np.sqrt(40 / N) * (boot.coef - boot.fit.coef)
    if np.all(np.isfinite(boot.coef)):
        np.testing.assert_allclose(boot.moments().std_error, np.std(shrunk, axis=0, ddof=1))
    ends = boot.confint(0.9, "percentile")
    order = np.sort(shrunk, axis=0)
    assert np.all((order[149] <= ends.lower) & (ends.lower <= order[150]))
    with pytest.raises(ValueError, match="with fewer draws than units: found 'bca'"):
        boot.confint(kind="bca")


def test_acceleration_is_a_sixth_of_the_skewness():
    """Of outcomes drawn from the fit, against the skewness of the linear part over many draws."""
    from jaxlogit.resampling.acceleration import accelerations
    from jaxlogit.resampling.functional import functional

    boot = jl.bootstrap(X, Y, replicates=1, scheme="parametric")
    wanted = functional(None, None, boot.names)
    found = accelerations(boot._sample(0), wanted)
    mu = boot.fit.predict(X)
    draws = (np.random.default_rng(1).random((200_000, N)) < mu) - mu
    linear = draws @ X @ boot.fit.covariance
    error = np.sqrt(6 / 200_000) / 6
    assert np.all(np.abs(found - stats.skew(linear) / 6) < 5 * error)


def test_monte_carlo_errors_are_what_another_seed_changes():
    """Spread of the ends over 60 bootstraps with other numbers, against the errors they report."""
    whole = jl.bootstrap(X, Y, replicates=60 * R, seed=3)
    for kind in ("normal", "basic", "percentile", "bca"):
        ends, errors = [], []
        for part in np.split(np.arange(60 * R), 60):
            some = jl.Bootstrap(whole.fit, whole._scheme, whole._coef[:, part],
                                whole._status[:, part])  # fmt: skip
            found = some.confint(0.9, kind)
            ends.append([found.lower, found.upper])
            errors.append([found.lower_error, found.upper_error])
        spread = np.std(ends, axis=0, ddof=1)
        ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / spread
        assert np.all((0.65 < ratio) & (ratio < 1.5)), kind


def test_a_value_that_may_lie_anywhere_never_shortens_an_interval():
    t = np.random.default_rng(2).standard_normal((199, 1))
    t[:3] = np.nan
    for kind in ("basic", "percentile"):
        found = kinds.ends(t, np.zeros(1), 0.9, kind).value[:, 0]
        for fill in (-np.inf, -5.0, 0.0, 5.0, np.inf):
            filled = np.where(np.isnan(t), fill, t)
            part = kinds.ends(filled, np.zeros(1), 0.9, kind).value[:, 0]
            assert found[0] <= part[0] and part[1] <= found[1]


# -- tests -------------------------------------------------------------------------------------


def test_statistics_around_the_estimate(pairs):
    observed = pairs.fit.test("wald", null=0.2).statistic
    replicated = ((pairs.coef - pairs.fit.coef) / pairs.std_error) ** 2
    found = pairs.test("wald", null=0.2)
    np.testing.assert_allclose(found.statistic, observed, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, share_beyond(replicated, observed))
    np.testing.assert_allclose(found.mean, np.mean(replicated, axis=0), rtol=1e-7)
    tail = tails.p_value(observed / found.mean, 1)
    np.testing.assert_allclose(found.bartlett_p_value, tail, rtol=1e-9)
    fit = refits(pairs)
    for method in ("lr", "score"):
        found = pairs.test(method, null=0.2)
        there = fit.test(method, null=pairs.fit.coef).statistic
        observed = pairs.fit.test(method, null=0.2).statistic
        np.testing.assert_allclose(found.p_value, share_beyond(there, observed))
    joint = pairs.test("lr", joint=True)
    assert joint.df == 2 and np.shape(joint.p_value) == ()


def test_outcomes_under_the_null(parametric):
    """The likelihood ratio among those of outcomes whose slope is the null's."""
    found = parametric.test("lr", null=0.0, contrasts="x1")
    sample = parametric._sample(0)
    null = np.array([stats.logistic.ppf(np.mean(Y)), 0.0])
    numbers = np.arange(R, dtype=np.uint32)
    drawn = replicates.drawn(sample, numbers, sample.with_outcomes(null)).y
    assert abs(np.mean(drawn) - np.mean(Y)) < 5 * np.sqrt(0.25 / drawn.size)
    there = jl.fit(X, drawn).test("lr", null=0.0, contrasts="x1").statistic
    observed = parametric.fit.test("lr", contrasts="x1").statistic
    np.testing.assert_allclose(found.p_value, share_beyond(there, observed))


def test_multiplied_scores(clustered):
    boot = jl.bootstrap(X, Y, replicates=R, clusters=GROUP, scheme="score", seed=1)
    found = boot.test("score", null=[0.0, 0.1])
    robust = boot.fit.robust("CR0", GROUP).test("score", null=[0.0, 0.1])
    np.testing.assert_allclose(found.statistic, robust.statistic, rtol=1e-7)
    assert np.all((found.p_value > 0) & (found.p_value <= 1))
    assert np.all(np.abs(np.log(found.p_value / robust.p_value)) < 1.5)
    wald = clustered.test("wald")
    expected = clustered.fit.robust("CR0", GROUP).test("wald").statistic
    np.testing.assert_allclose(wald.statistic, expected, rtol=1e-7)


def test_tests_that_do_not_exist(pairs):
    with pytest.raises(ValueError, match="method must be one of 'score'"):
        jl.bootstrap(X, Y, replicates=9, scheme="score").test("wald")
    with pytest.raises(ValueError, match="scheme must be one that draws at random"):
        jl.bootstrap(X, Y, scheme="jackknife").test("wald")
    with pytest.raises(ValueError, match="r must be below 400"):
        pairs.replay(400)
    with pytest.raises(ValueError, match="more must be at least 1"):
        pairs.extend(0)


def test_tables(pairs, tmp_path):
    text = pairs.summary(0.9, "percentile")
    assert "pairs" in text and "400 replicates" in text and "x " in text
    frame = pairs.to_frame()
    assert list(frame.columns) == ["replicate", "const", "x", "status"] and len(frame) == R
    pairs.to_parquet(tmp_path / "boot.parquet")
    import pandas as pd

    assert pd.read_parquet(tmp_path / "boot.parquet").equals(frame)


def test_an_error_of_rounding_sets_no_decimals():
    row = [1.36823, -0.00768, 0.95641, -0.29791, 3.03442, 3e-15, 0.0214]
    assert tables._rounded(row)[:2] == ["1.368", "-0.008"]
    assert tables._rounded([*row[:5], 3e-15, 0.0])[:2] == ["1.3682", "-0.0077"]


# -- ties, ends beyond the replicates ----------------------------------------------------------


def test_ties_with_the_estimate_count_half():
    """Replicates of a 2×2 table that have its estimate, in exact arithmetic, in any row order."""
    group = np.repeat([0.0, 1.0], [20, 20])
    y = np.concatenate([np.arange(20) < 6, np.arange(20) < 12]).astype(float)
    boot = jl.bootstrap(np.column_stack([np.ones(40), group]), y, replicates=999, strata=group)
    weights = replicates.weights_by_unit(boot._sample(0), np.arange(999, dtype=np.uint32))
    n0, n1 = np.sum((weights * y).reshape(999, 2, 20), axis=2).T
    above = 2 * n1 * (20 - n0) - 7 * n0 * (20 - n1)  # the data's odds ratio is 7/2
    tied = above == 0
    below = (np.sum(above < 0) + 0.5 * np.sum(tied)) / 999
    assert np.mean(tied) > 0.02
    t, centre = boot.coef[:, 1:], boot.fit.coef[1:]
    assert np.all(np.isfinite(boot.confint(0.9, "bca", contrasts="x1").lower_error))
    for noise in (-1e-13, 0.0, 1e-13):
        same = kinds.ends(t + noise, centre, 0.9, "bca", acceleration=np.zeros(1))
        w = stats.norm.ppf(below) * 2 + stats.norm.ppf(0.05)
        expected = kinds.interpolated(np.sort(t[:, 0]), stats.norm.cdf(w))[0]
        np.testing.assert_allclose(same.value[0], expected, rtol=1e-9, atol=1e-12)


def test_bca_has_no_ends_beside_its_replicates():
    t = np.random.default_rng(1).standard_normal((199, 1))
    for centre in (-9.0, 9.0):
        found = kinds.ends(t, np.array([centre]), 0.9, "bca", acceleration=np.zeros(1))
        assert np.all(np.isnan(found.value)) and np.all(found.extreme)
    boot = jl.bootstrap(X[:12], Y[:12], replicates=39, scheme="bayesian")
    far = jl.Bootstrap(boot.fit, boot._scheme, boot._coef + 50, boot._status)
    ends = far.confint(kind="bca")
    assert np.all(ends.lower_status == jl.Status.NO_BOUND_FOUND) and "one side" in ends.reason


def test_an_end_between_a_finite_and_an_infinite_replicate_is_the_outer():
    t = np.full((99, 2), np.inf)
    t[0, 0] = -1.0
    t[:98, 1] = -np.inf
    t[98, 1] = 2.0
    found = kinds.ends(t, np.zeros(2), 0.97, "percentile").value
    np.testing.assert_array_equal(found, [[-1.0, -np.inf], [np.inf, 2.0]])


def test_the_error_of_an_outermost_order_statistic():
    """Spread of the ends of 4,000 bootstraps with as few replicates as the level takes."""
    draws = np.random.default_rng(3).standard_normal((39, 4000))
    found = kinds.ends(draws, np.zeros(4000), 0.95, "percentile")
    ratio = np.sqrt(np.mean(found.error**2, axis=1)) / np.std(found.value, axis=1)
    assert np.all((0.8 < ratio) & (ratio < 1.4))


# -- separated data ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quasi():
    """Without overlap in x2, and no more of it: the other coefficients are finite."""
    apart = (np.arange(N) % 10 == 0) * 1.0
    return np.column_stack([X, apart]), np.maximum(Y, apart)


def test_finite_coefficients_of_separated_data_have_moments(quasi):
    boot = jl.bootstrap(*quasi, replicates=99, scheme="bayesian")
    assert boot.fit.coef[2] == np.inf and np.all(np.isfinite(boot.coef[:, :2]))
    ends, found = boot.confint(0.9, "normal"), boot.moments()
    reach = stats.norm.ppf(0.95) * found.std_error
    centre = boot.fit.coef - found.bias
    np.testing.assert_allclose(ends.lower[:2], (centre - reach)[:2], rtol=1e-9)
    assert np.isnan(ends.lower[2]) and np.isnan(found.std_error[2])
    assert list(ends.lower_status) == [0, 0, jl.Status.SEPARATED_QUASI]
    low, high = np.quantile(boot.coef[:, 1], [0.05, 0.95], method="weibull")
    basic = boot.confint(0.9, "basic")
    np.testing.assert_allclose(basic.upper[1], 2 * boot.fit.coef[1] - low, rtol=1e-9)
    assert high > low and np.isnan(basic.upper[2])
    assert np.all(np.isnan(boot.confint(0.9, "bca").lower))


def test_tests_of_separated_data(quasi):
    design, y = quasi
    boot = jl.bootstrap(design, y, replicates=99, scheme="bayesian")
    for method in ("lr", "score"):
        found = boot.test(method)
        assert list(found.status) == [0, 0, jl.Status.SEPARATED_QUASI]
        assert np.isnan(found.p_value[2]) and np.all(found.n_undefined[:2] == 0)
        observed = boot.fit.test(method).statistic
        there = refits(boot).test(method, null=np.append(boot.fit.coef[:2], 0.0)).statistic
        np.testing.assert_allclose(found.p_value[:2], share_beyond(there, observed)[:2])


@pytest.mark.parametrize("scheme", ["parametric", "score"])
def test_nothing_is_drawn_without_an_estimate(scheme, quasi):
    boot = jl.bootstrap(*quasi, replicates=99, scheme=scheme)
    ends = boot.confint(0.9, "percentile")
    assert np.all(np.isnan([ends.lower, ends.upper])) and "nothing was drawn" in ends.reason
    assert np.all(ends.lower_status == jl.Status.SEPARATED_QUASI)
    again = boot.replay(7)
    assert again.fit is None and np.all(np.isnan(again.coef)) and np.all(np.isnan(again.y))


def test_the_bias_of_fewer_draws():
    boot = jl.bootstrap(X, Y, replicates=999, size=30, seed=2, scheme="pairs", penalty="firth")
    away = boot.coef - boot.fit.coef
    found, ends = boot.moments(), boot.confint(0.9, "normal")
    np.testing.assert_allclose(found.bias, 0.5 * np.mean(away, axis=0), rtol=1e-9)
    spread = np.sqrt(0.5) * np.std(away, axis=0, ddof=1)
    np.testing.assert_allclose(found.std_error, spread, rtol=1e-9)
    middle = 0.5 * (ends.lower + ends.upper)
    np.testing.assert_allclose(middle, boot.fit.coef - found.bias, rtol=1e-9)
    np.testing.assert_allclose(ends.upper - middle, stats.norm.ppf(0.95) * spread, rtol=1e-9)
    parts = [kinds.ends(boot.coef[i::9], boot.fit.coef, 0.9, "normal", shrinkage=np.sqrt(0.5))
             for i in range(9)]  # fmt: skip
    ratio = np.std([part.value for part in parts], axis=0, ddof=1)
    ratio /= np.mean([part.error for part in parts], axis=0)
    assert np.all((0.4 < ratio) & (ratio < 1.8))
