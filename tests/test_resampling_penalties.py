"""Bootstraps of penalised fits: standard errors by cluster, derivatives with respect to weights."""

import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit.resampling import replicates
from jaxlogit.resampling.functional import functional

N, G = 48, 8
RNG = np.random.default_rng(4)
X = np.column_stack([np.ones(N), RNG.standard_normal(N), 40 + 3 * RNG.standard_normal(N)])
Y = (RNG.random(N) < 1 / (1 + np.exp(0.6 - 0.7 * X[:, 1]))).astype(float)
GROUP = np.arange(N) % G
WEIGHTS = 0.5 + RNG.random(N)
SLOW = pytest.mark.slow


def cr0(fit, labels, rows=slice(None)):
    """Standard errors from sums of scores over clusters, by the definition."""
    residual = Y[rows] - fit.predict(X[rows])
    sums = np.stack([(X[rows] * residual[:, None])[labels == g].sum(0) for g in np.unique(labels)])
    return np.sqrt(np.diag(fit.covariance @ sums.T @ sums @ fit.covariance))


@pytest.mark.parametrize(
    "penalty", ["ridge", "logf", pytest.param("firth", marks=SLOW), pytest.param(None, marks=SLOW)]
)
def test_standard_errors_of_clusters(penalty):
    boot = jl.bootstrap(X, Y, replicates=8, clusters=GROUP, penalty=penalty, seed=2)
    sample, every = boot._sample(0), functional(None, None, boot.names)
    of_data = replicates.std_error_of_data(sample, every)
    np.testing.assert_allclose(of_data, cr0(boot.fit, GROUP), rtol=1e-6)
    weights = replicates.weights_by_unit(sample, np.arange(8, dtype=np.uint32))
    covariances = replicates.covariances(sample, np.arange(8, dtype=np.uint32), boot.coef)
    for r in range(3):  # a cluster drawn twice is two clusters
        copies = [g for g in range(G) for _ in range(int(weights[r, g]))]
        rows = np.concatenate([np.flatnonzero(GROUP == g) for g in copies])
        labels = np.repeat(np.arange(len(copies)), N // G)
        expected = cr0(jl.fit(X[rows], Y[rows], penalty=penalty), labels, rows)
        np.testing.assert_allclose(boot.std_error[r], expected, rtol=1e-6)
        np.testing.assert_allclose(np.sqrt(np.diag(covariances[r])), expected, rtol=1e-6)


def test_the_data_have_the_standard_errors_of_replicates():
    boot = jl.bootstrap(X, Y, replicates=1, clusters=GROUP, penalty="firth")
    robust = boot.fit.robust("CR0", GROUP)
    found = replicates.std_error_of_data(boot._sample(0), functional(None, None, boot.names))
    np.testing.assert_allclose(found, robust.std_error, rtol=1e-9)
    found = boot.test("wald").statistic
    np.testing.assert_allclose(found, robust.test("wald").statistic, rtol=1e-9)


@pytest.mark.parametrize("penalty", ["flic", "flac"])
def test_two_maxima_have_no_sandwich(penalty):
    boot = jl.bootstrap(X, Y, replicates=39, clusters=GROUP, penalty=penalty)
    asks = (
        lambda: boot.std_error,
        lambda: boot.confint(kind="studentized"),
        lambda: boot.test("wald"),
    )
    for ask in asks:
        with pytest.raises(ValueError, match=f"not defined with clusters under {penalty.upper()}"):
            ask()


@pytest.mark.parametrize(
    "penalty",
    [None, "flic", "flac", *(pytest.param(p, marks=SLOW) for p in ("firth", "logf", "ridge"))],
)
def test_influence_is_the_derivative(penalty):
    """Against central differences; case weights and trials are multiplied."""
    trials, h = 1 + np.arange(N) % 3, 1e-4
    data = {"trials": trials, "offset": 0.3 * X[:, 1], "penalty": penalty}
    rows = np.arange(0, N, 7)
    move = 1 + h * np.concatenate([np.eye(N)[rows], -np.eye(N)[rows]])
    coef = jl.fit(X, Y * trials, weights=WEIGHTS * move, **data).coef
    numeric = (coef[: len(rows)] - coef[len(rows) :]) / (2 * h)
    boot = jl.bootstrap(X, Y * trials, weights=WEIGHTS, replicates=1, **data)
    found = boot._sample(0).influence[:, rows].T
    assert np.max(np.abs(found - numeric) / boot.fit.std_error) < 1e-6
