"""Coverage with infinitely many replicates: the line against cases whose limit is known."""

import numpy as np
import pytest
from scipy import integrate, stats

from jaxlogit.resampling.kinds import least_replicates
from jaxlogit.study.measures.nested import (
    PARTS,
    coverage_limit,
    intercept_weights,
    subset_size,
    subsets,
)

N = 12  # observations of the normal samples below


def normal_coverage(size, level=0.95, n=N):
    """Coverage of a normal mean by the percentile interval from draws of N(mean, s²/n).

    The truth's rank among infinitely many draws is Φ(T), T of Student's distribution; it lies
    between the k-th and the (s + 1 − k)-th of s draws if k to s − k of them are below it.
    """
    k = round((size + 1) * (1 - level) / 2)

    def inside(t):
        below = stats.binom(size, stats.norm.cdf(t))
        return (below.cdf(size - k) - below.cdf(k - 1)) * stats.t.pdf(t, n - 1)

    return 2 * integrate.quad(inside, 0, 30, epsabs=1e-10, limit=400)[0]


def limit(level=0.95, n=N):
    return 1 - 2 * stats.t.sf(stats.norm.ppf((1 + level) / 2), n - 1)


@pytest.mark.parametrize(("replicates", "gain"), [(199, 8), (999, 20)])
def test_the_line_meets_the_limit_where_it_is_known(replicates, gain):
    sizes = [replicates, *(subset_size(replicates, parts, 0.95) for parts in PARTS.values())]
    coverage = np.array([normal_coverage(size) for size in sizes])
    found = intercept_weights(np.array(sizes, float)) @ coverage
    plain = abs(coverage[0] - limit())
    assert plain > 1e-4  # what the extrapolation is for
    assert abs(found - limit()) < plain / gain  # what is left is of order 1/s²


def test_simulated_limit_and_its_error():
    """Hits of simulated samples: unbiased for the limit, with the error that is said."""
    rng, n_samples, replicates = np.random.default_rng(8), 20_000, 159
    mean, scale = rng.normal(size=n_samples), np.sqrt(rng.chisquare(N - 1, n_samples) / (N - 1))
    draws = mean[:, None] + scale[:, None] * rng.normal(size=(n_samples, replicates))

    def hits(part):
        size = draws[:, part].shape[1]
        k = round((size + 1) * 0.025)
        below = np.sum(draws[:, part] < 0, axis=1)
        return (k <= below) & (below <= size - k)

    parts = {
        name: np.mean([hits(part) for part in slices], axis=0)
        for name, slices in subsets(replicates, 0.95).items()
    }
    covered = hits(slice(None)).astype(float)
    found = coverage_limit(covered, parts, replicates, 0.95)
    assert found.n == n_samples
    assert abs(found.value - limit()) < 5 * found.mcse
    plain = np.sqrt(np.mean(covered) * (1 - np.mean(covered)) / n_samples)
    assert plain < found.mcse < 1.3 * plain
    # by 100 studies of 200 samples: the error is the spread of their limits
    studies = [
        coverage_limit(
            covered[i::100], {name: p[i::100] for name, p in parts.items()}, replicates, 0.95
        )
        for i in range(100)
    ]
    spread = np.std([study.value for study in studies], ddof=1)
    said = np.sqrt(np.mean([study.mcse**2 for study in studies]))
    assert abs(spread / said - 1) < 5 / np.sqrt(2 * 99)


def test_weights_are_those_of_least_squares():
    sizes = np.array([999.0, 479.0, 239.0])
    x = 1 / (sizes + 2)
    for coverage in np.eye(3):
        expected = np.polynomial.polynomial.polyfit(x, coverage, 1)[0]
        assert intercept_weights(sizes) @ coverage == pytest.approx(expected, abs=1e-10)
    near = intercept_weights(np.array([9e9, 4.5e9, 2.25e9]))
    np.testing.assert_allclose(near, [1, 0.5, -0.5], atol=1e-6)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.925, 0.9371])
@pytest.mark.parametrize("replicates", [39, 79, 99, 159, 399, 999, 1000, 9999])
def test_subsets_are_disjoint_large_enough_and_suit_the_ranks(level, replicates):
    for name, slices in subsets(replicates, level).items():
        sizes = {part.stop - part.start for part in slices}
        used = [i for part in slices for i in range(replicates)[part]]
        assert len(used) == len(set(used)) == sum(part.stop - part.start for part in slices)
        if not slices:
            assert (replicates + 1) // PARTS[name] - 1 < least_replicates(level)
            continue
        (size,) = sizes
        assert least_replicates(level) <= size <= replicates // PARTS[name]
        rank = (size + 1) * (1 - level) / 2
        most = (replicates + 1) // PARTS[name] - 1
        assert size == most or abs(rank - round(rank)) < 1e-9


def test_two_sizes_make_a_line_and_one_does_not():
    covered, half = np.array([1.0, 0.0, 1.0, np.nan]), np.array([1.0, 0.5, 0.5, 1.0])
    nothing = np.full(4, np.nan)
    parts = {"covered_half": half, "covered_quarter": nothing}
    found = coverage_limit(covered, parts, 119, 0.95)  # 119 and 39
    x = 1 / np.array([121.0, 41.0])
    values = (covered * x[1] - half * x[0])[:3] / (x[1] - x[0])
    assert found.value == pytest.approx(np.mean(values))
    assert found.mcse == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert found.n == 3
    none = coverage_limit(covered, dict.fromkeys(PARTS, nothing), 50, 0.95)
    assert np.isnan(none.value) and none.n == 0
