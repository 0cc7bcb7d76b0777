"""Bootstraps of penalised fits: standard errors by cluster, derivatives with respect to weights."""

import numpy as np
import pytest

import jaxlogit as jl

N = 48
RNG = np.random.default_rng(4)
X = np.column_stack([np.ones(N), RNG.standard_normal(N), 40 + 3 * RNG.standard_normal(N)])
Y = (RNG.random(N) < 1 / (1 + np.exp(0.6 - 0.7 * X[:, 1]))).astype(float)
WEIGHTS = 0.5 + RNG.random(N)
SLOW = pytest.mark.slow


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
