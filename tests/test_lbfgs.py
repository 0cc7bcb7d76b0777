"""solver="lbfgs": another search, the same answers."""

import numpy as np
import pytest

import jaxlogit as jl

SAME_ANSWER = 1e-6  # standard errors; what the two searches reach is far closer


def made(n, p, seed=1):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])
    mu = 1 / (1 + np.exp(-X @ (rng.normal(size=p) * 0.6 / np.sqrt(p))))
    return X, (rng.uniform(size=n) < mu).astype(float)


def test_large_p_equals_newton():
    X, y = made(5000, 500)
    fast, slow = jl.fit(X, y, solver="lbfgs"), jl.fit(X, y)
    assert fast.status == slow.status == jl.Status.CONVERGED
    assert np.max(np.abs(fast.coef - slow.coef) / slow.std_error) < SAME_ANSWER
    assert np.max(np.abs(fast.std_error / slow.std_error - 1)) < SAME_ANSWER
    ours, theirs = fast.confint(method="wald"), slow.confint(method="wald")
    assert np.max(np.abs(ours.lower - theirs.lower) / slow.std_error) < SAME_ANSWER
    assert np.max(np.abs(ours.upper - theirs.upper) / slow.std_error) < SAME_ANSWER


def test_a_batch_with_a_separated_model():
    X, y = made(60, 3)
    Y = np.stack([y, (X[:, 1] > 0).astype(float), 1 - y])
    fitted, expected = jl.fit(X, Y, solver="lbfgs"), jl.fit(X, Y)
    assert fitted.status.tolist() == [0, jl.Status.SEPARATED_COMPLETE, 0]
    assert np.array_equal(fitted.status, expected.status)
    finite = fitted.status == 0
    gap = np.abs(fitted.coef[finite] - expected.coef[finite]) / expected.std_error[finite]
    assert np.max(gap) < SAME_ANSWER


def test_unknown_solver():
    with pytest.raises(ValueError, match="solver must be one of 'newton', 'lbfgs': found 'bfgs'"):
        jl.fit(np.ones((4, 1)), [0, 1, 1, 0], solver="bfgs")
