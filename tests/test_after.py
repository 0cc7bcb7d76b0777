"""Jackknife after the bootstrap: the same as from each unit's own replicates, done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import norm

import jaxlogit as jl
from jaxlogit.resampling import after, replicates

SAME = 1e-9
"""Relative: the same mathematics; estimates without a unit are certified to less."""
N, R = 24, 800
GENERATOR = np.random.default_rng(5)
X = np.column_stack([np.ones(N), GENERATOR.normal(size=N)])
Y = (GENERATOR.uniform(size=N) < 0.5).astype(float)
CLUSTERS = np.repeat(np.arange(8), 3)
STRATA = np.repeat([0, 1], [9, 15])  # of three and of five clusters
NAMES = ["const", "x"]


@pytest.fixture(scope="module")
def boot():
    return jl.bootstrap(X, Y, replicates=R, names=NAMES, seed=3)


def weights_of(boot):
    return replicates.weights_by_unit(boot._sample(0), np.arange(R, dtype=np.uint32))


def order_statistic(t, share):
    """The (R + 1)α-th, between two of them on the normal scale."""
    rank = (len(t) + 1) * share
    k = int(rank)
    low, high = np.sort(t)[k - 1 : k + 1]
    z = ndtri(np.array([k, k + 1]) / (len(t) + 1))
    return low + (ndtri(share) - z[0]) / (z[1] - z[0]) * (high - low)


def by_hand(t, centre, kind, influence=None):
    """Ends of one kind from the definitions."""
    tail = 0.025
    if kind == "normal":
        reach = norm.ppf(1 - tail) * np.std(t, ddof=1)
        return np.array([2 * centre - t.mean() - reach, 2 * centre - t.mean() + reach])
    shares = np.array([tail, 1 - tail])
    if kind == "bca":
        L = influence - influence.mean()
        a = np.sum(L**3) / (6 * np.sum(L**2) ** 1.5)
        z0 = ndtri(np.mean(t < centre))
        w = z0 + ndtri(shares)
        shares = ndtr(z0 + w / (1 - a * w))
    ends = np.array([order_statistic(t, share) for share in shares])
    return 2 * centre - ends[::-1] if kind == "basic" else ends


def jackknife(ends):
    size = len(ends)
    return np.sqrt((size - 1) / size * np.sum((ends - ends.mean(axis=0)) ** 2, axis=0))


# With fewer than 2,000 replicates without a unit BCa may ask for more than there are.
@pytest.mark.filterwarnings("ignore:.*beyond the first or last")
@pytest.mark.parametrize("kind", after.KINDS)
def test_as_by_hand(boot, kind):
    found = boot.jackknife_after(kind=kind)
    weights = weights_of(boot)
    assert np.all(weights[7] == boot.replay(7).weights)
    ends = []
    for i in range(N):
        one = np.arange(N) != i
        t = boot.coef[weights[:, i] == 0]
        centre = jl.fit(X[one], Y[one]).coef
        np.testing.assert_allclose(found.estimate_without[i], centre, rtol=SAME)
        influence = np.delete(found.influence, i, axis=0)
        ends.append([by_hand(t[:, j], centre[j], kind, influence[:, j]) for j in range(2)])
        assert found.n_without[i] == len(t)
    ends = np.array(ends)
    np.testing.assert_allclose(found.lower_without, ends[:, :, 0], rtol=1e-7)
    np.testing.assert_allclose(found.upper_without, ends[:, :, 1], rtol=1e-7)
    np.testing.assert_allclose(found.lower_error, jackknife(ends[:, :, 0]), rtol=1e-6)
    np.testing.assert_allclose(found.upper_error, jackknife(ends[:, :, 1]), rtol=1e-6)
    whole = boot.confint(kind=kind)
    np.testing.assert_array_equal([found.lower, found.upper], [whole.lower, whole.upper])
    assert np.all(found.lower_status == 0) and np.all(found.upper_status == 0)


def test_quantiles(boot):
    found = boot.jackknife_after(contrasts="x")
    t = boot.coef[:, 1]
    without = t[weights_of(boot)[:, 11] == 0]
    for k, share in enumerate(found.shares):
        assert found.quantiles[k, 0] == pytest.approx(order_statistic(t, share), rel=SAME)
        expected = order_statistic(without, share)
        assert found.quantiles_without[11, k, 0] == pytest.approx(expected, rel=SAME)
    assert found.names == ("x",)


def test_influence_is_the_derivative(boot):
    found = boot.jackknife_after()
    step = 1e-5
    weights = np.ones((2, N))
    weights[:, 4] += [step, -step]
    high, low = jl.fit(X, Y, weights=weights).coef
    change = (high - low) / (2 * step)  # they add up to 0 as the scores do: centred already
    np.testing.assert_allclose(found.influence[4], change, rtol=1e-5)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("scheme", ["pairs", "poisson"])
@pytest.mark.slow
def test_clusters_within_strata(scheme):
    boot = jl.bootstrap(X, Y, replicates=R, scheme=scheme, clusters=CLUSTERS, strata=STRATA)
    found = boot.jackknife_after(level=0.8)
    weights = weights_of(boot)
    np.testing.assert_array_equal(found.n_without, np.sum(weights == 0, axis=0))
    variance = np.zeros(2)
    for part in (slice(0, 3), slice(3, 8)):
        variance += jackknife(found.lower_without[part]) ** 2
    np.testing.assert_allclose(found.lower_error, np.sqrt(variance), rtol=SAME)
    one = CLUSTERS != 5
    np.testing.assert_allclose(found.estimate_without[5], jl.fit(X[one], Y[one]).coef, rtol=SAME)


def test_replicates_in_portions(boot, monkeypatch):
    """Bits of portions of the replicates join as if they had been drawn at once."""
    whole = after._absent(boot._sample(0), R - 3)
    monkeypatch.setattr(replicates, "DRAWN", N * 72)
    np.testing.assert_array_equal(after._absent(boot._sample(0), R - 3), whole)


def test_noise_is_what_replicates_add():
    """E(error²) falls with the number of replicates as the noise says."""
    most = 60_000
    many = jl.bootstrap(X, Y, replicates=most, names=NAMES)
    limit = many.jackknife_after(level=0.9, contrasts="x")
    true = limit.upper_error**2 - limit.upper_noise**2
    variance, noise = [], []
    for start in range(0, 20_000, R):
        part = slice(start, start + R)
        few = jl.resampling.Bootstrap(
            many.fit, many._scheme, many._coef[:, part], many._status[:, part]
        )
        # Its weights are those of the first replicates unless the numbers are shifted.
        with pytest.MonkeyPatch.context() as patch:
            drawn = replicates.weights_by_unit
            patch.setattr(
                replicates, "weights_by_unit",
                lambda sample, numbers, drawn=drawn, start=start: drawn(
                    sample, numbers + np.uint32(start)
                ),
            )  # fmt: skip
            found = few.jackknife_after(level=0.9, contrasts="x")
        variance.append(found.upper_error[0] ** 2)
        noise.append(found.upper_noise[0] ** 2)
    gap = np.mean(variance) - true[0] - np.mean(noise)
    assert np.mean(noise) > 0.2 * true[0]  # else nothing is tested
    assert abs(gap) < 5 * np.std(variance, ddof=1) / np.sqrt(len(variance))


def first(boot, count, **changed):
    """The first replicates alone, perhaps of another scheme."""
    return replace(boot, _coef=boot._coef[:, :count], _status=boot._status[:, :count], **changed)


def test_infinite_replicates():
    dose = np.repeat(np.arange(6.0), 4)
    response = (dose > 2.5).astype(float)
    response[[8, 9, 14, 15]] = [1, 1, 0, 0]  # without both of a pair the rest is separated
    boot = jl.bootstrap(np.column_stack([np.ones(N), dose]), response, replicates=R)
    assert np.any(np.isinf(boot.coef)) and boot.fit.status == 0
    found = boot.jackknife_after(level=0.8)
    assert np.all(np.isinf(found.upper_without[:, 1])) and np.isnan(found.upper_error[1])
    assert jl.Status(int(found.upper_status[1])).name.startswith("SEPARATED")
    assert np.isfinite(found.lower_error[1]) and found.lower_status[1] == 0
    normal = boot.jackknife_after(level=0.8, kind="normal")
    assert np.all(np.isnan([normal.lower_error, normal.upper_error]))


@pytest.mark.slow
def test_separated_data_have_quantiles_alone():
    response = (X[:, 1] > 0).astype(float)
    found = jl.bootstrap(X, response, replicates=R).jackknife_after(level=0.8)
    assert np.all(np.isposinf(found.lower_without[:, 1]))
    assert np.all(np.isnan(found.influence))


def test_refusals(boot):
    def refused(match, made, level=0.95, kind="percentile"):
        with pytest.raises(ValueError, match=match):
            made.jackknife_after(level, kind)

    for scheme in ("bayesian", "parametric", "score", "jackknife"):
        other = replace(boot, _scheme=replace(boot._scheme, name=scheme))
        refused(f"scheme must be 'pairs' or 'poisson' .*found '{scheme}'", other)
    twice = {name: np.repeat(getattr(boot, name), 2, axis=0) for name in ("_coef", "_status")}
    refused("the bootstrap of one data set: found 2", replace(boot, **twice))
    refused("about 200 to leave out each unit: found 60, in .* takes 39", first(boot, 60))
    refused("replicates must be at least 199 for kind 'percentile'", first(boot, 60), level=0.99)
    refused("kind must be one of .*found 'studentized'", boot, kind="studentized")
    refused("level must lie", boot, level=95)
    alone = replace(boot._scheme, stratum=(np.arange(N) == 23).astype(np.int32))
    refused("found unit 23 alone in its stratum", replace(boot, _scheme=alone))


def test_the_number_of_replicates_named_is_enough(boot):
    with pytest.raises(ValueError, match=r"must be about 200 .* takes 19"):
        first(boot, 40).jackknife_after(level=0.9)
    for seed in range(5):
        other = replace(boot, _scheme=replace(boot._scheme, seed=seed))
        first(other, 200).jackknife_after(level=0.9)
