"""A column of each model's own beside shared ones gives what an X for each model gives."""

import numpy as np
import pytest

import jaxlogit
from jaxlogit import Status, alike

B, N = 90, 60
ROUNDING = 1e-9


@pytest.fixture
def screen():
    random = np.random.default_rng(11)
    X = np.column_stack([np.ones(N), 50 + 9 * random.normal(size=N), random.random(N) < 0.4])
    own = random.binomial(2, 0.35, (B, N)).astype(np.int8)
    eta = 0.05 * (X[:, 1] - 50) + 0.6 * own
    return X, (random.random((B, N)) < 1 / (1 + np.exp(-eta))).astype(float), own


def designs(X, own, place=None):
    place = X.shape[1] if place is None else place
    return np.insert(np.repeat(X[None], len(own), axis=0), place, own, axis=2)


def estimates(fit):
    return np.column_stack([fit.coef, fit.std_error, fit.loglik, fit.deviance, fit.status])


def inference(fit):
    ends, score, joint = fit.confint(), fit.test("score"), fit.test(joint=True)
    profile = fit.profile(1, [0.0, 0.1]).coef.reshape(fit.n_models, -1)
    parts = (ends.lower, ends.upper, score.statistic, joint.statistic, profile)
    return np.column_stack([*parts, fit.covariance.reshape(fit.n_models, -1)])


def plain(monkeypatch, *args, **options):
    with monkeypatch.context() as patch:
        patch.setattr(alike, "LEAST_MODELS", 1 << 30)
        return jaxlogit.fit(*args, **options)


def assert_same(found, expected):
    assert found.n_models == expected.n_models
    np.testing.assert_allclose(estimates(found), estimates(expected), rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(found[4].coef, expected[4].coef, rtol=ROUNDING)
    assert list(found.separation().model) == list(expected.separation().model)
    new = np.ones((2, len(found.names)))
    np.testing.assert_allclose(found.predict(new), expected.predict(new), rtol=1e-7)


def test_own_column(screen, monkeypatch):
    X, y, own = screen
    found = jaxlogit.fit(X, y, own=own)
    assert found.names == ("x0", "x1", "x2", "own")
    assert found._solution.lanes.design is None
    expected = plain(monkeypatch, designs(X, own), y)
    assert_same(found, expected)
    np.testing.assert_allclose(inference(found), inference(expected), rtol=1e-7, atol=ROUNDING)
    assert_same(jaxlogit.fit(X, y[0], own=own), plain(monkeypatch, designs(X, own), y[0]))


@pytest.mark.parametrize("place", [0, 2, 3])
def test_designs_that_differ_in_one_column(screen, monkeypatch, place):
    X, y, own = screen
    found = jaxlogit.fit(designs(X, own, place), y)
    assert found._solution.lanes.design is None
    assert_same(found, plain(monkeypatch, designs(X, own, place), y))


def test_designs_that_differ_in_one_more_place(screen):
    X, y, own = screen
    all_ = designs(X, own)
    all_[70, 33, 1] += 1e-9
    fit = jaxlogit.fit(all_, y)
    assert fit._solution.lanes.design is not None


@pytest.mark.slow
def test_weights_trials_and_offset(screen, monkeypatch):
    X, y, own = screen
    random = np.random.default_rng(4)
    weights = random.integers(0, 3, (B, N)).astype(float)
    options = {"trials": 1, "offset": random.normal(size=N)}
    holes = np.where(weights == 0, np.nan, own)  # a row of weight 0 may hold anything
    found = jaxlogit.fit(X, y, own=holes, weights=weights, **options)
    expected = plain(monkeypatch, designs(X, own), y, weights=weights, **options)
    assert_same(found, expected)
    np.testing.assert_allclose(inference(found), inference(expected), rtol=1e-7, atol=ROUNDING)
    shared = {"weights": weights[0], **options}
    assert_same(
        jaxlogit.fit(X, y, own=own, **shared), plain(monkeypatch, designs(X, own), y, **shared)
    )


def test_few_models_and_many_columns(screen, monkeypatch):
    X, y, own = screen
    assert_same(jaxlogit.fit(X, y[:5], own=own[:5]), plain(monkeypatch, designs(X, own)[:5], y[:5]))
    random = np.random.default_rng(2)
    wide = np.column_stack([np.ones(400), random.normal(size=(400, 16))])
    own = random.normal(size=(20, 400))
    y = random.random((20, 400)) < 0.5
    assert_same(jaxlogit.fit(wide, y, own=own), plain(monkeypatch, designs(wide, own), y))


def test_own_columns_that_separate_repeat_or_vanish(screen, monkeypatch):
    X, y, own = screen
    own = own.astype(float)
    own[3] = y[3]  # complete separation
    own[4] = (y[4] == 1) & (np.arange(N) < 30)  # quasi
    own[5] = X[:, 1] * 2 - 1  # depends on the shared columns
    own[6] = 0.0
    own[7] *= 1e-12
    own[8] = 1.02 + 1e-5 * own[8]
    found = jaxlogit.fit(X, y, own=own)
    expected = plain(monkeypatch, designs(X, own), y)
    np.testing.assert_array_equal(found.status, expected.status)
    assert found.status[3] == Status.SEPARATED_COMPLETE
    assert found.status[4] == Status.SEPARATED_QUASI
    assert list(found.status[5:7]) == [Status.RANK_DEFICIENT] * 2
    np.testing.assert_allclose(found.coef[7:9], expected.coef[7:9], rtol=1e-7)
    keep = np.isin(np.arange(B), (7, 8), invert=True)
    close = {"rtol": 1e-7, "atol": 1e-8}
    np.testing.assert_allclose(estimates(found)[keep], estimates(expected)[keep], **close)
    ends, others = found.confint(), expected.confint()
    np.testing.assert_allclose(ends.lower[keep], others.lower[keep], **close)
    np.testing.assert_allclose(ends.upper[keep], others.upper[keep], **close)


@pytest.mark.parametrize("given", [True, False])
def test_rows_that_only_some_models_use(monkeypatch, given):
    """Locations far from 0, of the own column and of a shared one, in rows that a model has."""
    random = np.random.default_rng(0)
    cluster = np.repeat([0.0, 1e7], N // 2)
    X = np.column_stack([np.ones(N), cluster + random.normal(size=N)])
    own = 1e6 + random.normal(size=(B, N))
    weights = np.where(np.arange(B)[:, None] % 2 == (cluster > 0), 1.0, 0.0)
    y = (random.random((B, N)) < 0.5).astype(float)
    design = {"X": X, "own": own} if given else {"X": designs(X, own)}
    found = jaxlogit.fit(y=y, weights=weights, **design)
    assert found.names == (("x0", "x1", "own") if given else ("x0", "x1", "x2"))
    expected = plain(monkeypatch, designs(X, own), y, weights=weights)
    np.testing.assert_array_equal(found.status, expected.status)
    assert np.sum(found.status == 0) > B / 2
    good = found.status == 0
    error = np.abs(found.coef - expected.coef)[good] / expected.std_error[good]
    assert np.max(error) < 1e-6


def test_shared_columns_without_full_rank(screen):
    X, y, own = screen
    fit = jaxlogit.fit(np.column_stack([X, X[:, 1]]), y, own=own)
    assert np.all(fit.status == Status.RANK_DEFICIENT)
    assert np.all(np.isnan(fit.profile(3, [0.0, 0.1]).coef))


def test_one_model(screen):
    X, y, own = screen
    one = jaxlogit.fit(X, y[0], own=own[0])
    assert one.coef.shape == (4,)
    assert one.names[-1] == "own"
    np.testing.assert_allclose(one.coef, jaxlogit.fit(designs(X, own)[0], y[0]).coef, rtol=1e-9)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (np.zeros((B, N - 1)), "own must have one value for each of the 60 rows of X"),
        (np.full((B, N), np.inf), "own must be finite: found inf at model 0, row 0"),
        (np.zeros((2, N)), "own must have as many models as y: found 2 and 90"),
        (np.zeros((B, N, 2)), "own must have 1 or 2 dimensions"),
    ],
)
def test_bad_own_columns(screen, own, message):
    X, y, _ = screen
    with pytest.raises(ValueError, match=message):
        jaxlogit.fit(X, y, own=own)


def test_a_design_for_each_model_has_no_own_column(screen):
    X, y, own = screen
    with pytest.raises(ValueError, match="X must have 2 dimensions"):
        jaxlogit.fit(designs(X, own), y, own=own)


def test_names_with_an_own_column(screen):
    X, y, own = screen
    assert jaxlogit.fit(X, y, own=own, names=list("abcd")).names == tuple("abcd")
    with pytest.raises(ValueError, match="names must name each of the 4 coefficients"):
        jaxlogit.fit(X, y, own=own, names=list("abc"))


@pytest.mark.parametrize("n", [12, 3])
def test_a_normal_prior_makes_up_for_dependent_columns(screen, n):
    """By every door: a design for each of many or few models, and an own column."""
    X, y, own = screen
    X, y, own = X[:n], y[:, :n], own[:, :n].astype(float)
    y[:, 0], y[:, 1] = 0, 1  # the intercept has no prior
    own[3] = X[:, 1]
    many = jaxlogit.fit(designs(X, own), y, penalty="ridge")
    given = jaxlogit.fit(X, y, own=own, penalty="ridge")
    few = jaxlogit.fit(designs(X, own)[:20], y[:20], penalty="ridge")
    assert not np.any(few.status)
    for fit in (many, given):
        np.testing.assert_array_equal(fit.status[:20], few.status)
        np.testing.assert_allclose(fit.coef[:20], few.coef, rtol=1e-7, atol=ROUNDING)
