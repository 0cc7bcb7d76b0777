"""First steps in single precision change nothing: the fast path on and off, beyond rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit import fitting, intervals
from jaxlogit.core import likelihood
from jaxlogit.core.likelihood import Rows
from jaxlogit.core.newton import ERROR_LIMIT
from jaxlogit.core.status import Status

B, N = 300, 60
SAME = 2 * ERROR_LIMIT  # standard errors: what the certificates of two answers leave


def raw_units(own: bool):
    """Columns of very different scales, one near 1.02 with spread 0.007; some models separate."""
    random = np.random.default_rng(11)
    shape = (B, N) if own else (N,)
    gravity = random.normal(1.02, 0.007, shape)
    count = random.normal(600, 240, shape)
    flag = random.random(shape) < 0.1
    X = np.stack([np.ones(shape), gravity, count, flag.astype(float)], axis=-1)
    eta = -1.2 + 40 * (gravity - 1.02) + 0.003 * (count - 600)
    return X, (random.random((B, N)) < 1 / (1 + np.exp(-eta))).astype(float)


def extras(case: str) -> dict:
    random = np.random.default_rng(12)
    return {
        "plain": {},
        "offset": {"offset": random.normal(size=N)},
        "weights": {"weights": random.integers(0, 4, (B, N)).astype(float)},
        "trials": {"trials": np.full(N, 3.0)},
    }[case]


@pytest.mark.parametrize(
    ("case", "own"),
    [
        ("plain", False),
        pytest.param("weights", True, marks=pytest.mark.slow),
        pytest.param("plain", True, marks=pytest.mark.slow),
        pytest.param("offset", False, marks=pytest.mark.slow),
        pytest.param("offset", True, marks=pytest.mark.slow),
        pytest.param("trials", False, marks=pytest.mark.slow),
        pytest.param("trials", True, marks=pytest.mark.slow),
    ],
)
def test_fits_and_ends_are_the_same_in_double(case, own, monkeypatch):
    X, y = raw_units(own)
    methods = ("lr", "score") if case == "plain" else ("lr",)

    def answers():
        fit = jl.fit(X, y, **extras(case))
        return fit, [fit.confint(method=method) for method in methods]

    mixed, mixed_ends = answers()
    monkeypatch.setattr(fitting, "SINGLE", False)
    monkeypatch.setattr(intervals, "SINGLE_ROWS", 0)
    double, double_ends = answers()
    np.testing.assert_array_equal(mixed.status, double.status)
    good = mixed.status == Status.CONVERGED
    assert good.any()
    unit = double.std_error[good]
    assert np.max(np.abs(mixed.coef[good] - double.coef[good]) / unit) < SAME
    for one, other in zip(mixed_ends, double_ends, strict=True):
        for side in ("lower", "upper"):
            codes = [getattr(ends, f"{side}_status") for ends in (one, other)]
            np.testing.assert_array_equal(*codes)
            gap = np.abs(getattr(one, side)[good] - getattr(other, side)[good]) / unit
            assert np.max(gap[np.isfinite(gap)]) < SAME


def test_a_fit_ends_in_double_precision():
    X, y = raw_units(own=False)
    fit = jl.fit(X, y)
    good = fit.status == Status.CONVERGED
    assert 0 < good.sum() < B  # some are separated
    mu = 1 / (1 + np.exp(-(fit.coef[good] @ X.T)))
    score = (y[good] - mu) @ X
    # Single precision would leave 1e-7 of the sums behind it.
    assert np.max(np.abs(score) / (N * np.abs(X).max(axis=0))) < 1e-12


def test_score_bend_is_the_second_derivative_of_the_score():
    random = np.random.default_rng(13)
    X, coef, step = random.normal(size=(N, 4)), random.normal(size=4), random.normal(size=4)
    total = jnp.asarray(random.integers(1, 4, N).astype(float))
    rows = Rows(jnp.asarray(X), jnp.zeros(4), total=total)

    def along(t):
        at = jnp.asarray(coef) + t * jnp.asarray(step)
        return likelihood.evaluate(rows, at, unroll=False).score

    expected = jax.jacfwd(jax.jacfwd(along))(0.0)
    found = likelihood.score_bend(rows, jnp.asarray(coef), jnp.asarray(step))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
