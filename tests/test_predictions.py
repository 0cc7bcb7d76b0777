"""Probabilities with intervals, deviances of penalised fits, and contrasts by name."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, xlog1py, xlogy

import jaxlogit
from jaxlogit import Status
from jaxlogit.penalties import Normal

B, N, P = 20, 30, 3
METHODS = ("wald", "lr", "score", "rstar")
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12}
"""The same search from the same start: rounding alone."""


@pytest.fixture(scope="module")
def data():
    """Model 4 is completely separated, model 6 is like model 1."""
    random = np.random.default_rng(2)
    X = np.column_stack([np.ones(N), random.normal(size=N), random.random(N) < 0.4])
    y = (random.random((B, N)) < 0.4).astype(float)
    y[4] = X[:, 1] > 0
    y[6] = y[1]
    return X, y


@pytest.fixture(scope="module")
def fit(data):
    return jaxlogit.fit(*data)


@pytest.fixture(scope="module")
def new():
    return np.array([[1.0, 0.5, 1.0], [1.0, -2.0, 0.0]])


def assert_predicts(found, interval, shift: Any = 0.0):
    """What `Fit.confint` says of the same contrasts, on the scale of probabilities."""
    np.testing.assert_allclose(found.lower, expit(interval.lower + shift), **CLOSE)
    np.testing.assert_allclose(found.upper, expit(interval.upper + shift), **CLOSE)
    np.testing.assert_array_equal(found.lower_status, interval.lower_status)
    np.testing.assert_array_equal(found.upper_status, interval.upper_status)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_are_those_of_the_contrasts(fit, new, method):
    found = fit.predict(new, 0.9, method)
    assert (found.level, found.method) == (0.9, method)
    assert found.lower.shape == found.lower_status.shape == (B, 2)
    assert_predicts(found, fit.confint(0.9, method, new))
    np.testing.assert_array_equal(found.estimate, fit.predict(new))
    good = fit.status == 0
    assert np.all((found.lower < found.estimate)[good] & (found.estimate < found.upper)[good])
    np.testing.assert_array_equal(found.lower[1], found.lower[6])


def test_offsets(fit, new):
    interval = fit.confint(method="wald", contrasts=new)
    vector = np.array([0.5, -1.0])
    matrix = np.random.default_rng(0).normal(size=(B, 2))
    for offset in (0.7, vector, matrix):
        found = fit.predict(new, 0.95, offset=offset)
        assert_predicts(found, interval, np.broadcast_to(offset, (B, 2)))
        np.testing.assert_array_equal(found.estimate, fit.predict(new, offset=offset))


def test_shapes_of_new_rows(fit, data, new):
    each = np.repeat(new[None], B, axis=0) + np.arange(B)[:, None, None] / B
    found = fit.predict(each, 0.95, "lr")
    for i in (1, 4, 6, B - 1):
        part = fit[i].predict(each[i], 0.95, "lr")
        np.testing.assert_allclose(found.lower[i], part.lower, **CLOSE)
        np.testing.assert_allclose(found.upper[i], part.upper, **CLOSE)
        np.testing.assert_array_equal(found.lower_status[i], part.lower_status)
    one_row = fit.predict(new[0], 0.95)
    assert one_row.lower.shape == (B, 1)
    single = jaxlogit.fit(data[0], data[1][0]).predict(new[0], 0.95)
    assert single.estimate.shape == single.lower.shape == (1,)
    np.testing.assert_allclose(single.upper, one_row.upper[0], rtol=1e-9)
    assert not single.lower.flags.writeable


def test_rows_of_zeros(fit):
    """Nothing is estimated: the probability is that of the offset."""
    zeros = np.zeros((1, P))
    for method in METHODS:
        found = fit.predict(zeros, 0.95, method, offset=1.0)
        for value in (found.estimate, found.lower, found.upper):
            np.testing.assert_array_equal(value, np.full((B, 1), expit(1.0)))
        assert np.all(found.lower_status == 0)


def test_no_rows(fit):
    found = fit.predict(np.ones((0, P)), 0.95)
    assert found.estimate.shape == found.lower.shape == found.lower_status.shape == (B, 0)


def test_separated_models(fit, new):
    assert fit.status[4] == Status.SEPARATED_COMPLETE
    for method in ("lr", "score"):
        found = fit[4].predict(new, 0.95, method)
        np.testing.assert_array_equal(found.estimate, [1.0, 0.0])
        assert found.upper[0] == 1.0
        assert found.upper_status[0] == Status.INFINITE
        assert found.lower[1] == 0.0
        assert found.lower_status[1] == Status.INFINITE
        assert 0 < found.lower[0] < 1
    for method in ("wald", "rstar"):
        found = fit[4].predict(new, 0.95, method)
        assert np.all(np.isnan(found.lower))
        assert np.all(found.lower_status == Status.SEPARATED_COMPLETE)


def test_models_without_a_maximum(data, new):
    X, y = data
    twice = jaxlogit.fit(np.column_stack([X[:, :2], X[:, 1]]), y)
    found = twice.predict(np.vstack([new, np.zeros(3)]), 0.95)
    assert np.all(np.isnan(found.lower))
    assert np.all(np.isnan(found.estimate))
    assert np.all(found.lower_status == Status.RANK_DEFICIENT)


@pytest.mark.parametrize("penalty", ["firth", Normal(2.0)])
@pytest.mark.parametrize("method", ["wald", "lr"])
@pytest.mark.slow
def test_penalised_fits(data, new, penalty, method):
    part = jaxlogit.fit(data[0], data[1][:5], penalty=penalty)
    found = part.predict(new, 0.95, method)
    assert_predicts(found, part.confint(0.95, method, new))
    np.testing.assert_allclose(found.estimate, expit(part.coef @ new.T), rtol=1e-12)


def test_robust_fits(data, new):
    part = jaxlogit.fit(data[0], data[1][:4]).robust("HC1")
    assert_predicts(part.predict(new, 0.95), part.confint(contrasts=new))
    with pytest.raises(ValueError, match="method"):
        part.predict(new, 0.95, "lr")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_new": np.ones((2, 4))}, "X_new must have 3 columns"),
        ({"X_new": np.ones((2, 2, 3))}, "X_new must have one matrix for each of 20 models"),
        ({"X_new": [[1.0, np.nan, 0.0]]}, "X_new must be finite: found nan at row 0, column 1"),
        ({"X_new": np.ones((2, 3)), "offset": np.ones(3)}, "offset must have one value for each"),
        ({"X_new": np.ones((2, 3)), "offset": np.ones((3, 2))}, "offset must have one row for"),
        ({"X_new": np.ones(3), "offset": np.inf}, "offset must be finite: found inf"),
        ({"X_new": np.ones(3), "level": 1.0}, "level must lie in"),
        ({"X_new": np.ones(3), "level": 0.9, "method": "walt"}, "did you mean 'wald'"),
        ({"X_new": np.ones(3), "method": "walt"}, "did you mean 'wald'"),
    ],
)
def test_bad_input(fit, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit.predict(**arguments)


# -- deviances ---------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [None, "firth", "logf"])
def test_deviance_is_that_of_the_rows_alone(penalty):
    random = np.random.default_rng(4)
    X = np.column_stack([np.ones(12), random.normal(size=12)])
    trials = random.integers(1, 5, 12)
    y = random.binomial(trials, 0.4, (3, 12))
    weights, offset = random.choice([0.0, 1.0, 2.5], 12), random.normal(size=12)
    fit = jaxlogit.fit(X, y, trials=trials, weights=weights, offset=offset, penalty=penalty)
    mu = expit(fit.coef @ X.T + offset)
    share = y / trials
    reached = xlogy(share, mu) + xlog1py(1 - share, -mu)
    largest = xlogy(share, share) + xlog1py(1 - share, -share)
    expected = 2 * np.sum(weights * trials * (largest - reached), axis=1)
    np.testing.assert_allclose(fit.deviance, expected, rtol=1e-10)


# -- contrasts by name -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named(data):
    return jaxlogit.fit(data[0], data[1][0], names=["const", "dose", "group"])


def test_contrasts_by_name(named):
    rows = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    given = {"at 2": rows[0], "difference": {"dose": 1, "group": -1}}
    found = named.confint(contrasts=given)
    assert found.names == ("at 2", "difference")
    np.testing.assert_array_equal(found.lower, named.confint(contrasts=rows).lower)
    joint = named.test(contrasts=given, joint=True)
    assert (joint.df, joint.names) == (2, found.names)
    np.testing.assert_array_equal(joint.statistic, named.test(contrasts=rows, joint=True).statistic)
    profile = named.profile({"at 2": {"const": 1, "dose": 2}}, [0.0])
    assert profile.name == "at 2"
    np.testing.assert_array_equal(profile.loglik, named.profile(rows[0], [0.0]).loglik)


@pytest.mark.parametrize(
    ("contrasts", "error", "message"),
    [
        ({}, ValueError, "contrasts must have 3 columns"),
        ({"a": {"dosis": 1}}, ValueError, r"contrasts\['a'\] must be one of .*did you mean 'dose'"),
        ({"a": [1, 2]}, ValueError, r"contrasts\['a'\] must have 3 numbers"),
        ({"a": {"dose": "much"}}, TypeError, r"contrasts\['a'\] must be numeric: found 'much'"),
        ({"a": {}}, ValueError, "contrasts must not be all zero"),
        ({"a": {"dose": np.nan}}, ValueError, "contrasts must be finite: found nan at row 0"),
        ({1: [1, 0, 0], "1": [0, 1, 0]}, ValueError, "names must differ: found '1' twice"),
        ({"a": 3.0}, ValueError, r"contrasts\['a'\] must have 1 dimensions"),
    ],
)
def test_bad_contrasts_by_name(named, contrasts, error, message):
    with pytest.raises(error, match=message):
        named.confint(contrasts=contrasts)
