"""Every fast path on and off: the same statuses and infinities, and numbers beyond the promise."""

import numpy as np
import paths
import pytest

import jaxlogit
from jaxlogit import batch, forms
from jaxlogit.core.status import Status

SAME = 1e-9
"""Standard errors."""
STATISTIC = 1e-8
"""Relative: under Firth's penalty a search ends with 1e-10 standard errors left, and the score
statistic takes them as they are."""

B, N = 70, 40


def data():
    """A few distinct rows and models that repeat; some separated, one with a rare level."""
    random = np.random.default_rng(8)
    dose = np.arange(N) % 5 - 2.0
    X = np.column_stack([np.ones(N), dose, np.arange(N) % 4 == 3])
    mu = 1 / (1 + np.exp(-(-0.4 + 0.9 * dose)))
    return X, (random.random((B, N)) < mu).astype(float), random.random((B, N)) < 0.7


def answers() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Statuses and numbers in standard errors (fits, ends, profiles, replicates); statistics."""
    X, y, present = data()
    own = np.repeat(X[None], B, axis=0) + 0.1 * np.arange(B)[:, None, None] * X[:, [1]]
    out: list[np.ndarray] = []
    statistics: list[np.ndarray] = []
    for fit in (
        jaxlogit.fit(X, y),
        jaxlogit.fit(own, y, weights=present.astype(float)),
        jaxlogit.fit(X, y, penalty="firth"),
    ):
        unit = np.where(np.isfinite(fit.std_error), fit.std_error, 1.0)
        out += [fit.status, fit.coef / unit, fit.loglik]
        for method in ("lr", "score"):
            found = fit.confint(method=method)
            for end in ("lower", "upper"):
                out += [getattr(found, f"{end}_status"), getattr(found, end) / unit]
            tested = fit.test(method=method)
            out.append(tested.status)
            statistics.append(tested.statistic)
    fit = jaxlogit.fit(X, y[:20])
    out.append(fit.profile(1).loglik)
    finite = int(np.flatnonzero(fit.status == Status.CONVERGED)[0])
    boot = jaxlogit.bootstrap(X, y[finite], replicates=200, seed=1)
    return [*out, boot.status, boot.coef / fit[finite].std_error], statistics


@pytest.fixture(scope="module")
def expected() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return answers()


@pytest.mark.parametrize(
    "off", ["every", *(pytest.param(name, marks=pytest.mark.slow) for name in paths.PATHS)]
)
def test_answers_without_a_path(off, expected, monkeypatch):
    for module, constant, value in paths.changes(off):
        assert hasattr(module, constant)
        monkeypatch.setattr(module, constant, value)
    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    for part, other, tolerance in zip(answers(), expected, (SAME, STATISTIC), strict=True):
        for found, known in zip(part, other, strict=True):
            np.testing.assert_allclose(found, known, rtol=tolerance, atol=SAME)


def test_paths_are_off_where_they_are_used():
    """A constant imported elsewhere by name is changed there too."""
    for changed in paths.PATHS.values():
        for constant, _, modules in changed:
            assert set(modules) >= set(paths.users(constant, modules[0])), constant


def test_unknown_path():
    with pytest.raises(ValueError, match="no fast path 'wings': there are single, unrolled"):
        list(paths.changes("single,wings"))
