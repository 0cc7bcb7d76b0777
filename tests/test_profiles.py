"""Profile paths and joint regions: against restricted refits, against R, and beside bad models."""

import json

import numpy as np
import oracles
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

import jaxlogit
from jaxlogit import Status, hypotheses, profiles

SAME_MATHEMATICS = 1e-10
REFERENCE = 1e-8
"""Standard errors: ends certified to 1e-11, seen through rounding of two programs."""

B, N, P = 30, 25, 3
NAMES = ("const", "dose", "age")
RANDOM = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.normal(50, 10, N)])
Y = (RANDOM.random((B, N)) < 1 / (1 + np.exp(-0.7 * X[:, 1]))).astype(float)
WEIGHTS = RANDOM.integers(1, 3, (B, N)).astype(float)
COMPLETE, FLAT, QUASI, DEFICIENT = 3, 4, 5, 6
Y[COMPLETE] = X[:, 1] > 0.1
Y[FLAT] = 1.0
Y[QUASI] = np.where(X[:, 1] > 1, 1.0, Y[QUASI])
WEIGHTS[DEFICIENT, 2:] = 0
BAD = (COMPLETE, FLAT, DEFICIENT)
LAST = np.sqrt(chi2.ppf(0.999, 1))


@pytest.fixture(scope="module")
def fit():
    return jaxlogit.fit(X, Y, weights=WEIGHTS, names=NAMES)


@pytest.fixture(scope="module")
def separated():
    """A binary column with one outcome only where it is 1; the rest overlaps."""
    group = np.zeros(N)
    group[:6] = 1
    y = np.where(group == 1, 1.0, Y[0])
    return jaxlogit.fit(np.column_stack([X[:, :2], group]), y, names=["const", "dose", "group"])


def good(fit):
    return np.flatnonzero(fit.status == Status.CONVERGED)


def model(i):
    return oracles.model(X, Y[i], weights=WEIGHTS[i])


# -- profiles ---------------------------------------------------------------------------------


def test_statuses_of_the_batch(fit):
    assert len(good(fit)) >= B - 6
    assert fit.status[COMPLETE] == fit.status[FLAT] == Status.SEPARATED_COMPLETE
    assert fit.status[DEFICIENT] == Status.RANK_DEFICIENT


def test_points_are_even_in_the_signed_root(fit):
    found, wide = fit.profile("dose"), fit.confint(0.999)
    index = good(fit)
    assert found.value.shape == (B, 41) and found.coef.shape == (B, 41, P)
    assert np.all(found.status[index] == Status.CONVERGED)
    even = np.linspace(-LAST, LAST, 41)
    np.testing.assert_allclose(found.signed_root[index], np.tile(even, (len(index), 1)), atol=1e-12)
    np.testing.assert_allclose(found.value[index, 20], fit.coef[index, 1], rtol=1e-12)
    unit = fit.std_error[index, 1]
    for k, end in ((0, wide.lower), (40, wide.upper)):
        assert np.all(np.abs(found.value[index, k] - end[index, 1]) < REFERENCE * unit)
    assert np.all(np.diff(found.value[index], axis=1) > 0)


def test_points_are_restricted_maxima(fit):
    found = fit.profile("dose")
    for i in good(fit)[:6]:
        for k in (0, 1, 7, 19, 21, 33, 40):
            at = oracles.maximum(model(i), np.eye(P)[1], found.value[i, k])
            expected = oracles.loglik(model(i), at)
            np.testing.assert_allclose(found.loglik[i, k], expected, rtol=SAME_MATHEMATICS)
            assert np.all(np.abs(found.coef[i, k] - at) < REFERENCE * fit.std_error[i])


@pytest.mark.parametrize("term", ["dose", [1.0, 0.5, 50.0]])
def test_path_and_grid_agree(fit, term):
    path = fit.profile(term)
    for i in (0, COMPLETE, FLAT, QUASI):
        grid = fit[i].profile(term, path.value[i])
        np.testing.assert_allclose(path.loglik[i], grid.loglik, rtol=SAME_MATHEMATICS, atol=1e-9)
        np.testing.assert_allclose(path.signed_root[i], grid.signed_root, atol=1e-7)
        assert np.all(path.status[i] == Status.CONVERGED)


def test_points_without_certificate_are_bracketed(fit, monkeypatch):
    some = fit[good(fit)[:3][0] : good(fit)[2] + 1]
    fast = some.profile("dose")
    monkeypatch.setattr(profiles, "QUICK_STEPS", 0)
    slow = some.profile("dose")
    index = good(some)
    assert np.all(slow.status[index] == Status.CONVERGED)
    gap = np.abs(fast.value - slow.value)[index] / some.std_error[index, 1, None]
    assert np.max(gap) < REFERENCE
    region = some.region(["dose", "age"], points=8)
    assert np.all(region.status[index] == Status.CONVERGED)
    monkeypatch.undo()
    expected = some.region(["dose", "age"], points=8).value[index]
    gap = np.abs(region.value[index] - expected) / some.std_error[index, None, 1:]
    assert np.max(gap) < REFERENCE


def test_separated_profiles_rise_to_their_supremum(fit):
    found = fit.profile("dose")
    roots, drop = found.signed_root[COMPLETE], found.loglik[COMPLETE] - fit.loglik[COMPLETE]
    assert np.all(np.diff(found.value[COMPLETE]) > 0) and np.all(np.diff(roots) > 0)
    np.testing.assert_allclose(roots[[0, -1]], [-LAST, -LAST / 41], rtol=1e-12)
    assert -0.0035 < drop[-1] < -0.003
    lower = fit.confint(0.999).lower[COMPLETE, 1]
    np.testing.assert_allclose(found.value[COMPLETE, 0], lower, rtol=1e-8)
    np.testing.assert_array_equal(found.value[FLAT], np.linspace(-10, 10, 41))
    np.testing.assert_array_equal(found.signed_root[FLAT], 0.0)
    np.testing.assert_allclose(found.loglik[FLAT], 0.0, atol=1e-9)
    for part in (found.value, found.loglik, found.signed_root):
        assert np.all(np.isnan(part[DEFICIENT]))
    assert np.all(found.status[DEFICIENT] == Status.RANK_DEFICIENT)


def test_falling_profiles_are_mirrored(fit):
    up = fit[COMPLETE].profile("dose")
    down = fit[COMPLETE].profile([0.0, -1.0, 0.0])
    np.testing.assert_allclose(down.value, -up.value[::-1], rtol=1e-7)
    np.testing.assert_allclose(down.signed_root, -up.signed_root[::-1], rtol=1e-12)


@pytest.mark.slow
def test_contrast_that_overlapping_rows_settle(separated):
    assert separated.status == Status.SEPARATED_QUASI
    found, ends = separated.profile("dose"), separated.confint(0.999)
    np.testing.assert_allclose(found.value[[0, -1]], [ends.lower[1], ends.upper[1]], rtol=1e-8)
    np.testing.assert_allclose(found.value[20], separated.coef[1], rtol=1e-8)
    np.testing.assert_allclose(found.signed_root, np.linspace(-LAST, LAST, 41), atol=1e-6)


@pytest.mark.slow
def test_neighbours_change_nothing(fit):
    index = good(fit)[:4]
    alone = jaxlogit.fit(X, Y[index], weights=WEIGHTS[index], names=NAMES)
    together, apart = fit.profile("age"), alone.profile("age")
    np.testing.assert_allclose(together.value[index], apart.value, rtol=1e-9)
    one, other = fit.region(["dose", "age"]), alone.region(["dose", "age"])
    np.testing.assert_allclose(one.value[index], other.value, rtol=1e-8, atol=1e-10)


def test_grids_by_tangent_and_by_search(fit, monkeypatch):
    grid = np.linspace(-2, 3, 21)
    quick = fit.profile("dose", grid)
    monkeypatch.setattr(hypotheses, "FEW", B)
    slow = fit.profile("dose", grid)
    np.testing.assert_array_equal(quick.status, slow.status)
    np.testing.assert_allclose(quick.loglik, slow.loglik, rtol=SAME_MATHEMATICS, atol=1e-9)
    index = good(fit)
    gap = np.abs(quick.coef - slow.coef)[index] / fit.std_error[index, None]
    assert np.max(gap) < REFERENCE
    assert np.all(np.isnan(quick.loglik[DEFICIENT]))


# -- regions ----------------------------------------------------------------------------------

PAIR = ["dose", "age"]


@pytest.mark.slow
def test_boundary_points_have_the_region_s_p_value(fit):
    region = fit.region(PAIR, level=0.9, points=12)
    assert region.value.shape == region.wald.shape == region.direction.shape == (B, 12, 2)
    assert region.status.shape == (B, 12) and (region.level, region.names) == (0.9, tuple(PAIR))
    for i in (*good(fit)[:2], COMPLETE):
        for k in np.flatnonzero(region.status[i] == Status.CONVERGED):
            null = region.value[i, k]
            tested = fit[i].test(null=null, contrasts=PAIR, joint=True)
            np.testing.assert_allclose(tested.p_value, 0.1, rtol=1e-7)
    assert np.all(region.status[good(fit)] == Status.CONVERGED)


def test_region_against_rays(fit):
    """Crossings of rays, by refits, lie inside every supporting line and touch one nearly."""
    region, cutoff = fit.region(PAIR, points=180), chi2.ppf(0.95, 2)
    for i in good(fit)[:2]:
        support = np.sum(region.direction[i] * region.value[i], axis=1)
        peak = oracles.loglik(model(i), oracles.maximum(model(i)))
        for angle in (0.3, 1.9, 3.5, 5.1):
            ray = fit.std_error[i, 1:] * [np.cos(angle), np.sin(angle)]

            def excess(t, i=i, ray=ray, peak=peak):
                held = X[:, 1:] @ (fit.coef[i, 1:] + t * ray)
                rest = oracles.model(X[:, :1], Y[i], weights=WEIGHTS[i], offset=held)
                return 2 * (peak - oracles.loglik(rest, oracles.maximum(rest))) - cutoff

            point = fit.coef[i, 1:] + brentq(excess, 0.01, 30, xtol=1e-13) * ray
            slack = support - region.direction[i] @ point
            assert np.min(slack) > -REFERENCE  # directions have length 1 in standard errors
            assert np.min(slack) < 2e-3  # (2π/180)²/8 times the region's radius of curvature


def test_region_s_own_invariants(fit):
    region, index = fit.region(PAIR), good(fit)
    cutoff = chi2.ppf(0.95, 2)
    for i in index[:5]:
        covariance = fit.covariance[i][1:, 1:]
        gap = region.wald[i] - fit.coef[i, 1:]
        square = np.einsum("ki,ij,kj->k", gap, np.linalg.inv(covariance), gap)
        np.testing.assert_allclose(square, cutoff, rtol=1e-9)
        length = np.einsum("ki,ij,kj->k", region.direction[i], covariance, region.direction[i])
        np.testing.assert_allclose(length, 1.0, rtol=1e-9)
        # Each point is the farthest one in its own direction.
        reach = region.direction[i] @ region.value[i].T
        assert np.all(np.diag(reach)[:, None] >= reach - REFERENCE)
    ends = fit.confint(chi2.cdf(cutoff, 1), contrasts="dose")
    unit = fit.std_error[index, 1]
    assert np.all(np.abs(region.value[index, 0, 0] - ends.upper[index, 0]) < REFERENCE * unit)


def test_region_of_all_coefficients(fit):
    one = jaxlogit.fit(X[:, :2], Y[0], names=NAMES[:2])
    region = one.region([0, 1], points=6)
    data = oracles.model(X[:, :2], Y[0])
    drop = [2 * (one.loglik - oracles.loglik(data, point)) for point in region.value]
    np.testing.assert_allclose(drop, chi2.ppf(0.95, 2), rtol=1e-9)


def test_regions_of_separated_models(fit, separated):
    region = fit.region(PAIR, points=24)
    assert set(region.status[COMPLETE]) == {Status.CONVERGED, Status.INFINITE}
    data = model(COMPLETE)
    for k in range(24):
        direction = np.append(0.0, region.direction[COMPLETE, k])
        infinite = region.status[COMPLETE, k] == Status.INFINITE
        assert oracles.unbounded(data, direction)[1] == infinite
        assert np.all(np.isnan(region.value[COMPLETE, k])) == infinite
    assert np.all(region.status[FLAT] == Status.INFINITE)
    assert np.all(region.status[DEFICIENT] == Status.RANK_DEFICIENT)
    for i in BAD:
        assert np.all(np.isnan(region.wald[i]))
    closed = separated.region(["const", "dose"], points=6)
    assert np.all(closed.status == Status.CONVERGED)
    for point in closed.value:
        tested = separated.test(null=point, contrasts=["const", "dose"], joint=True)
        np.testing.assert_allclose(tested.p_value, 0.05, rtol=1e-7)
    assert np.any(separated.region(["dose", "group"], points=6).status == Status.INFINITE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"terms": "dose"}, "terms must be two coefficients or contrasts: found 'dose'"),
        ({"terms": 3}, "terms must be two coefficients or contrasts: found 3"),
        ({"terms": ["dose"]}, "terms must be two coefficients or contrasts: found 1"),
        ({"terms": ["dose", "aeg"]}, "did you mean 'age'"),
        ({"terms": ["dose", [0, 2, 0]]}, "terms must be linearly independent"),
        ({"terms": PAIR, "level": 1.0}, r"level must lie in \(0, 1\): found 1.0"),
        ({"terms": PAIR, "points": 3}, "points must be at least 4: found 3"),
        ({"terms": PAIR, "points": 7.5}, "points must be a whole number: found 7.5"),
    ],
)
def test_refused_regions(fit, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit.region(**arguments)


# -- R ----------------------------------------------------------------------------------------


def test_against_r():
    """R's glm.fit ends when the deviance stands still, so its coefficients to about 1e-8."""
    known = json.loads((oracles.REFERENCE / "profiles" / "birthwt.json").read_text("utf-8"))
    data = oracles.reference("birthwt")
    fit = jaxlogit.fit(**data.fit_arguments())
    found = fit.profile(known["term"], known["value"])
    np.testing.assert_allclose(found.signed_root, known["signed_root"], atol=2e-7)
    gap = np.abs(found.coef - oracles.array(known["coef"])) / fit.std_error
    assert np.max(gap) < 1e-6
    region = fit.region(known["pair"], known["level"], points=180)
    place = [fit.names.index(name) for name in known["pair"]]
    support = np.sum(region.direction * region.value, axis=1)
    for point in oracles.array(known["crossings"]):
        tested = fit.test(null=point, contrasts=known["pair"], joint=True)
        np.testing.assert_allclose(tested.p_value, 1 - known["level"], rtol=REFERENCE)
        slack = support - region.direction @ point
        assert -REFERENCE < np.min(slack) < 2e-3
    assert np.ptp(region.value[:, 0]) > 4 * fit.std_error[place[0]]


# -- penalties, and the metric of a region ------------------------------------------------------


@pytest.fixture(scope="module")
def short():
    x = np.arange(8.0)
    return np.column_stack([np.ones(8), x]), np.array([0, 0, 1, 0, 1, 0, 1, 1.0])


def test_wald_ellipse_under_firth_s_penalty(short):
    fit = jaxlogit.fit(*short, penalty=jaxlogit.penalties.Firth(std_error="augmented"))
    region = fit.region([0, 1], points=6)
    assert np.all(region.status == Status.CONVERGED)
    gap = region.wald - fit.coef
    square = np.einsum("ki,ij,kj->k", gap, np.linalg.inv(fit.covariance), gap)
    np.testing.assert_allclose(square, chi2.ppf(0.95, 2), rtol=1e-9)


def test_the_middle_of_a_flic_profile_is_a_restricted_maximum(short):
    firth = jaxlogit.fit(*short, penalty="firth").profile(1)
    flic = jaxlogit.fit(*short, penalty="flic").profile(1)
    np.testing.assert_allclose(flic.coef, firth.coef, rtol=1e-9)


def test_open_regions_have_their_own_directions(short):
    """Separated models beside one another, with designs and trials of their own."""
    X, _ = short
    designs = np.stack([X, X * [1.0, 5.0] + [0.0, 3.0], X, X])
    trials = np.ones((4, 8))
    trials[3] = np.arange(1, 9)
    y = (X[:, 1] > 3) * trials
    fit = jaxlogit.fit(designs, y, trials=trials)
    region = fit.region([0, 1], points=8)
    for i in range(4):
        alone = fit[i].region([0, 1], points=8)
        np.testing.assert_allclose(region.direction[i], alone.direction, rtol=1e-10)
        np.testing.assert_array_equal(region.status[i], alone.status)
        information = designs[i].T @ (trials[i, :, None] / 4 * designs[i])
        square = np.einsum(
            "ki,ij,kj->k", alone.direction, np.linalg.inv(information), alone.direction
        )
        np.testing.assert_allclose(square, 1.0, rtol=1e-9)
