"""Rows and models that are alike are taken once, and nobody can tell."""

import numpy as np
import pytest

import jaxlogit
from jaxlogit import alike, data

B = 400
ROUNDING = 1e-9


def numbers(fit):
    """A fit's results side by side, (B, ·)."""
    ends, test = fit.confint(), fit.test("score")
    fields = (fit.coef, fit.std_error, ends.lower, ends.upper, test.statistic)
    return np.column_stack([*fields, fit.loglik, fit.deviance, fit.status])


def assert_same(monkeypatch, X, y, **options):
    gathered = jaxlogit.fit(X, y, **options)
    monkeypatch.setattr(alike, "LEAST_MODELS", 1 << 30)
    plain = jaxlogit.fit(X, y, **options)
    np.testing.assert_allclose(numbers(gathered), numbers(plain), rtol=ROUNDING, atol=ROUNDING)
    for found, expected in ((gathered[7], plain[7]), (gathered[5:90:9], plain[5:90:9])):
        np.testing.assert_allclose(found.coef, expected.coef, rtol=ROUNDING, atol=ROUNDING)
    assert repr(gathered) == repr(plain)
    assert list(gathered.separation().model) == list(plain.separation().model)
    np.testing.assert_allclose(gathered.predict(X[:3]), plain.predict(X[:3]), atol=ROUNDING)
    np.testing.assert_allclose(gathered.covariance, plain.covariance, rtol=1e-7, atol=ROUNDING)
    return gathered


def doses(n=40, levels=5):
    return np.column_stack([np.ones(n), np.arange(n) % levels])


def responses(X, seed=3, **options):
    mu = 1 / (1 + np.exp(-X @ np.linspace(-1.0, 0.7, X.shape[1])))
    return (np.random.default_rng(seed).random((B, len(X))) < mu).astype(**options)


@pytest.mark.parametrize("dtype", [float, bool, np.uint8])
def test_doses(monkeypatch, dtype):
    X = doses()
    gathered = assert_same(monkeypatch, X, responses(X, dtype=dtype))
    totals = np.unique(responses(X, dtype=float) @ X, axis=0)
    assert len(gathered._solution.status) == len(totals) < B / 2  # y enters through X'y alone


def test_a_two_by_two_table_with_separated_models(monkeypatch):
    X = doses(16, 2)
    fit = assert_same(monkeypatch, X, responses(X, dtype=float))
    assert len(set(fit.status)) > 1
    assert len(fit._solution.status) <= 81


@pytest.mark.slow
def test_weights_trials_and_offset_of_all_models(monkeypatch):
    X = doses()
    random = np.random.default_rng(8)
    weights, trials = random.integers(0, 3, 40), random.integers(1, 4, 40)
    y = random.binomial(trials, 0.4, (B, 40))
    offset = np.repeat([0.1, -0.4], 20)
    fit = assert_same(monkeypatch, X, y, weights=weights, trials=trials, offset=offset)
    assert fit._solution.shared.design.shape[0] <= 10


@pytest.mark.slow
def test_fractions_of_successes(monkeypatch):
    X = doses()
    fit = assert_same(monkeypatch, X, np.random.default_rng(2).random((B, 40)))
    assert fit._solution.shared.design.shape[0] == 5
    assert len(fit._solution.status) == B


@pytest.mark.slow
def test_models_are_told_apart_by_their_rows(monkeypatch):
    """A design of whole numbers without equal rows: few X'y all the same."""
    X = doses(12, 12)
    fit = assert_same(monkeypatch, X, responses(X, dtype=float))
    assert fit._solution.shared.design.shape[0] == 12
    assert len(fit._solution.status) < B / 2


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.ones((B, 40))},
        {"offset": np.zeros((B, 40))},
        {"weights": np.full(40, 0.1)},
    ],
)
def test_what_is_left_as_it_is(change):
    X = doses()
    models = data.collect(X, responses(X, dtype=float), **change)
    kept, which = alike.gather(models)
    assert kept is models
    assert which is None


def test_measured_columns_are_left_as_they_are():
    X = np.random.default_rng(1).normal(size=(50, 3))
    models = data.collect(X, responses(X, dtype=float))
    assert alike.gather(models) == (models, None)


def test_equal_hashes_are_not_taken_for_equal_rows(monkeypatch):
    rows = np.array([[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]])
    monkeypatch.setattr(alike, "_hashes", lambda rows: np.zeros(len(rows), np.uint64))
    first, which = alike._first_places(rows)
    assert len(first) == 2
    np.testing.assert_array_equal(rows[first][which], rows)


def test_hashes_of_small_whole_numbers_differ():
    grid = np.stack(np.meshgrid(*[np.arange(12.0)] * 4), axis=-1).reshape(-1, 4)
    assert len(np.unique(alike._hashes(grid))) == len(grid)
    bits = np.unpackbits(np.arange(1 << 14, dtype=np.uint16).view(np.uint8)).reshape(-1, 16)
    assert len(np.unique(alike._hashes(bits.astype(float)))) == len(bits)


def test_small_integer_types_do_not_overflow(monkeypatch):
    X = doses()
    y = np.random.default_rng(6).binomial(200, 0.4, (B, 40)).astype(np.uint8)
    counts = {"trials": np.full(40, 200, np.uint8), "weights": np.full(40, 3, np.uint8)}
    assert_same(monkeypatch, X, y, **counts)


def test_huge_numbers(monkeypatch):
    X = doses(30, 3) * [1.0, 8e307]
    found = jaxlogit.fit(X, responses(doses(30, 3), dtype=float))
    monkeypatch.setattr(alike, "LEAST_MODELS", 1 << 30)
    plain = jaxlogit.fit(X, responses(doses(30, 3), dtype=float))
    np.testing.assert_array_equal(found.status, plain.status)


def test_predictions_for_designs_of_each_model(monkeypatch):
    X = doses(16, 2)
    y, new = responses(X, dtype=float), np.random.default_rng(4).normal(size=(B, 3, 2))
    found = jaxlogit.fit(X, y).predict(new, offset=np.arange(B)[:, None] / B + np.zeros(3))
    monkeypatch.setattr(alike, "LEAST_MODELS", 1 << 30)
    plain = jaxlogit.fit(X, y).predict(new, offset=np.arange(B)[:, None] / B + np.zeros(3))
    np.testing.assert_allclose(found, plain, atol=ROUNDING)
