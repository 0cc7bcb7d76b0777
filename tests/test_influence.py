"""Leverage, residuals and deletions of rows: against R, and against models fitted without them."""

import json

import mpmath
import numpy as np
import oracles
import pytest
from scipy.special import expit

import jaxlogit
from jaxlogit import Status, memory

SAME_MATHEMATICS = 1e-10
REFERENCE = 1e-8
"""Relative; R's deviance residuals cancel near 0, where they are good to 1e-8 of the largest."""

FIELDS = (
    "leverage", "pearson_residual", "deviance_residual", "standardized_pearson_residual",
    "standardized_deviance_residual", "cooks_distance",
)  # fmt: skip
FILES = [
    "birthwt",
    "budworm_mixed",
    *(pytest.param(name, marks=pytest.mark.slow)
      for name in ("birthwt_frequency", "infert_weighted", "menarche_offset")),
]  # fmt: skip
B, N, P = 20, 40, 3
RANDOM = np.random.default_rng(12)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.normal(50, 10, N)])
TRIALS = RANDOM.integers(1, 5, N).astype(float)
Y = RANDOM.binomial(TRIALS.astype(int), 0.4, (B, N)).astype(float)
Y[7] = np.where(X[:, 1] > 0, TRIALS, 0.0)


@pytest.fixture(scope="module")
def fit():
    return jaxlogit.fit(X, Y, trials=TRIALS)


@pytest.fixture(scope="module")
def found(fit):
    return fit.influence(dfbeta=True)


@pytest.mark.parametrize("name", FILES)
def test_against_r(name):
    raw = json.loads((oracles.REFERENCE / "robust" / f"{name}.json").read_text(encoding="utf-8"))
    weights = oracles.array(raw["weights"])
    given = oracles.reference(raw["name"]).fit_arguments() | {"weights": weights}
    found = jaxlogit.fit(**given).influence()
    assert found.status == 0 and found.dfbeta is None
    for field in FIELDS:
        known = oracles.array(raw["influence"][field])
        values = getattr(found, field)
        floor = 1e-8 * np.max(np.abs(known)) * field.count("deviance")
        np.testing.assert_allclose(values[weights > 0], known, rtol=REFERENCE, atol=floor)
        assert np.all(values[weights == 0] == 0)


def test_definitions(fit, found):
    """Every model of a batch; sums over rows are the model's."""
    done = fit.status == 0
    mu = expit(X @ fit.coef[done][..., None])[..., 0]
    variance = TRIALS * mu * (1 - mu)
    pearson = (Y[done] - TRIALS * mu) / np.sqrt(variance)
    leverage = variance * np.einsum("ij,bjk,ik->bi", X, fit.covariance[done], X)
    spare = 1 - leverage
    close = {"rtol": 1e-8, "atol": 1e-12}
    np.testing.assert_allclose(found.leverage[done], leverage, **close)
    np.testing.assert_allclose(found.pearson_residual[done], pearson, **close)
    standardized = pearson / np.sqrt(spare)
    np.testing.assert_allclose(found.standardized_pearson_residual[done], standardized, **close)
    distance = pearson**2 * leverage / (P * spare**2)
    np.testing.assert_allclose(found.cooks_distance[done], distance, **close)
    ratio = found.standardized_deviance_residual[done] * np.sqrt(spare)
    np.testing.assert_allclose(ratio, found.deviance_residual[done], **close)
    np.testing.assert_allclose(np.sum(found.leverage[done], axis=1), P, rtol=1e-12)
    deviance = np.sum(found.deviance_residual[done] ** 2, axis=1)
    np.testing.assert_allclose(deviance, fit.deviance[done], rtol=1e-12)


def test_changes_are_one_newton_step_without_the_row(fit, found):
    assert found.dfbeta.shape == (B, N, P)
    for i in (0, B - 1):
        for row in (0, 11, N - 1):
            kept = np.arange(N) != row
            data = oracles.model(X[kept], Y[i, kept], TRIALS[kept])
            score, information = (
                f(data, fit.coef[i]) for f in (oracles.score, oracles.information)
            )
            step = np.linalg.solve(information, score)
            np.testing.assert_allclose(found.dfbeta[i, row], -step, rtol=1e-7, atol=1e-12)


def test_changes_are_near_what_a_fit_without_the_row_gives(fit, found):
    weights = 1.0 - np.eye(N)
    without = jaxlogit.fit(X, Y[0], trials=TRIALS, weights=weights)
    actual = fit.coef[0] - without.coef
    wrong = np.abs(found.dfbeta[0] - actual) / fit.std_error[0]
    assert np.max(wrong) < 0.2 * np.max(np.abs(actual) / fit.std_error[0])


def test_one_model_and_its_slice(fit, found):
    one = fit[3].influence(dfbeta=True)
    assert one.leverage.shape == (N,) and one.dfbeta.shape == (N, P) and np.shape(one.status) == ()
    for field in (*FIELDS, "dfbeta"):
        expected = getattr(found, field)[3]
        np.testing.assert_allclose(getattr(one, field), expected, rtol=1e-8, atol=1e-12)
        with pytest.raises(ValueError, match="read-only"):
            getattr(one, field)[...] = 0
    assert "status=19 CONVERGED, 1 SEPARATED_COMPLETE" in repr(found)


def test_models_without_a_maximum_are_nan_beside_others(fit, found):
    assert fit.status[7] == Status.SEPARATED_COMPLETE
    np.testing.assert_array_equal(found.status, fit.status)
    for field in (*FIELDS, "dfbeta"):
        missing = np.isnan(getattr(found, field))
        np.testing.assert_array_equal(
            missing.any(axis=tuple(range(1, missing.ndim))), fit.status > 0
        )
        assert np.all(missing[7])
    deficient = jaxlogit.fit(np.column_stack([X, X[:, 1]]), Y[:2], trials=TRIALS).influence()
    assert np.all(np.isnan(deficient.leverage))
    assert np.all(deficient.status == Status.RANK_DEFICIENT)


def test_alike_rows_are_apart_again():
    """A discrete design is fitted on its distinct rows: the influence is that of the user's."""
    random = np.random.default_rng(3)
    design = np.column_stack([np.ones(N), np.arange(N) % 3])
    y = np.tile(random.random((25, N)) < 0.5, (4, 1))
    fit = jaxlogit.fit(design, y)
    assert fit._solution.n_rows == 3
    found = fit.influence()
    assert found.leverage.shape == (100, N)
    alone = jaxlogit.fit(design, y[:1]).influence()
    for i in (0, 75):
        np.testing.assert_allclose(found.cooks_distance[i], alone.cooks_distance[0], rtol=1e-8)


def test_rows_that_do_not_count_and_rows_of_leverage_one():
    dose = np.array([0.0, 1, 2, 3, 4, 0, 1, 2])
    design = np.column_stack([np.ones(8), dose, np.arange(8) == 5])
    y = np.array([1.0, 3, 4, 6, 9, 5, np.nan, 0])
    weights, trials = np.array([1.0, 1, 1, 1, 1, 2, 0, 1]), np.array([10.0] * 7 + [0.0])
    found = jaxlogit.fit(design, y, trials=trials, weights=weights).influence(dfbeta=True)
    alone = jaxlogit.fit(design[:5, :2], y[:5], trials=10).influence(dfbeta=True)
    np.testing.assert_allclose(found.leverage[5], 1.0, rtol=1e-12)
    assert abs(found.pearson_residual[5]) < 1e-9
    for field in FIELDS:
        values = getattr(found, field)
        assert np.all(values[6:] == 0)
        ratio = 2 / 3 if field == "cooks_distance" else 1.0  # over p coefficients
        np.testing.assert_allclose(values[:5], ratio * getattr(alone, field), rtol=1e-8, atol=1e-12)
    for field in (*FIELDS[3:], "dfbeta"):
        assert np.all(np.isnan(getattr(found, field)[5]))
    assert np.all(found.dfbeta[6:] == 0)
    np.testing.assert_allclose(found.dfbeta[:5, :2], alone.dfbeta, rtol=1e-8, atol=1e-12)


def exact_residuals(y, trials, eta):
    """Pearson and deviance residual of one row, with 50 digits."""
    with mpmath.workdps(50):
        s, m, mu = mpmath.mpf(y), mpmath.mpf(trials), 1 / (1 + mpmath.exp(-eta))
        up = s * mpmath.log(s / (m * mu)) if s > 0 else 0
        down = (m - s) * mpmath.log((m - s) / (m * (1 - mu))) if s < m else 0
        sign = mpmath.sign(s - m * mu)
        pearson = (s - m * mu) / mpmath.sqrt(m * mu * (1 - mu))
        return float(pearson), float(sign * mpmath.sqrt(2 * (up + down)))


def test_residuals_far_out_and_near_zero():
    """Fitted probabilities of 1e-12, and successes a hair from their mean."""
    x = np.array([-30.0, -28, -1, 1, 28, 30])
    trials = np.array([1e6, 1e6, 40, 40, 1e6, 1e6])
    y = np.array([0, 0, 10 + 1e-7, 30 + 1e-7, 1e6, 1e6])
    fit = jaxlogit.fit(np.column_stack([np.ones(6), x]), y, trials=trials)
    found = fit.influence()
    for i in range(6):
        eta = mpmath.mpf(fit.coef[0]) + mpmath.mpf(fit.coef[1]) * x[i]
        pearson, deviance = exact_residuals(y[i], trials[i], eta)
        assert abs(found.pearson_residual[i] - pearson) < 1e-12 * abs(pearson) + 1e-14
        assert abs(found.deviance_residual[i] - deviance) < 1e-12 * abs(deviance) + 1e-14


def test_what_does_not_fit_is_refused_before_the_work(fit, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device=None: 1000)
    monkeypatch.setattr(memory, "WORTH_ASKING", 1)
    with pytest.raises(MemoryError, match=r"influences of 20 models take 56\.2 KiB"):
        fit.influence(dfbeta=True)
