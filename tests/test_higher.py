"""The modified signed root r*: against many digits, against the bracket, and what keeps it."""

import numpy as np
import oracles
import pytest
from oracle_rstar import Reparameterised
from scipy.stats import chi2

import jaxlogit
from jaxlogit import Status

Z = 1.959963984540054
ORACLE = 1e-8
"""Standard errors, and units of r*: the promise; most differences are below 1e-11."""

DOSES = np.array([[1.0, dose] for dose in range(6)])
SUCCESSES = [0, 1, 1, 1, 2, 3]
B, N = 24, 20


@pytest.fixture(scope="module")
def doses():
    return jaxlogit.fit(DOSES, SUCCESSES, trials=3, names=["const", "dose"])


@pytest.fixture(scope="module")
def batch():
    """Models 5 and 7 are separated; the rest overlap."""
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(N), random.normal(size=N), random.random(N) < 0.4])
    y = (random.random((B, N)) < 0.45).astype(float)
    y[5] = X[:, 1] > 0
    y[7] = X[:, 2] * (np.argsort(np.argsort(X[:, 1])) % 3 > 0)
    fit = jaxlogit.fit(X, y)
    assert np.sum(fit.status != 0) < B / 3
    return X, y, fit


def ends(fit, **options):
    found = fit.confint(method="rstar", **options)
    return np.stack([found.lower, found.upper], axis=-1)


def roots(fit, **options):
    return np.sqrt(fit.test("rstar", **options).statistic)


def grouped_case():
    """Trials, weights and an offset, and contrasts that are no unit vectors."""
    random = np.random.default_rng(8)
    X = np.column_stack([np.ones(9), random.normal(size=9), np.arange(9) / 4])
    trials = random.integers(2, 6, 9)
    rows = {
        "y": random.binomial(trials, 0.4),
        "trials": trials,
        "weights": random.choice([0.5, 1.0, 2.0], 9),
        "offset": random.normal(size=9) / 2,
    }
    return {"X": X, **rows}, [[1.0, -0.5, 2.0], [0.0, 3.0, 1.0]]


# -- against many digits -----------------------------------------------------------------------


def test_golden_numbers(doses):
    found = doses.test("rstar", contrasts="dose")
    assert abs(np.sqrt(found.statistic[0]) - 2.5021345263) < 1e-10
    assert abs(found.p_value[0] / 2 - 0.006172) < 5e-7
    np.testing.assert_allclose(
        ends(doses, contrasts="dose")[0], [0.1566368440, 1.7766307157], atol=1e-10
    )


def test_closer_to_the_exact_test_than_likelihood_ratio(doses):
    """The exact conditional mid-p of the slope, one-sided, and its interval."""
    mid_p, lower, upper = 0.006513, 0.1516248849, 1.7984488858

    def gaps(method):
        test, interval = doses.test(method), doses.confint(method=method)
        return np.abs([test.p_value[1] / 2 - mid_p, interval.lower[1] - lower,
                       interval.upper[1] - upper])  # fmt: skip

    assert np.all(gaps("rstar") < gaps("lr") / 2)


def assert_like_oracle(arguments, contrasts, nulls):
    fit = jaxlogit.fit(**arguments)
    found = ends(fit, contrasts=contrasts)
    tested = roots(fit, contrasts=contrasts, null=nulls)
    for i, contrast in enumerate(contrasts):
        exact = Reparameterised(oracles.model(**arguments), contrast)
        assert abs(tested[i] - abs(float(exact.roots(nulls[i])[1]))) < ORACLE
        for side in (-1, 1):
            assert abs(found[i, int(side > 0)] - exact.end(side, Z)) < ORACLE * float(
                exact.std_error
            )


def test_like_the_oracle_with_trials_weights_and_offset():
    arguments, contrasts = grouped_case()
    assert_like_oracle(arguments, contrasts, [0.0, 1.5])


def test_like_the_oracle_on_doses():
    arguments = {"X": DOSES, "y": SUCCESSES, "trials": 3}
    assert_like_oracle(arguments, [[1.0, 0.0], [1.0, 2.5]], [0.5, -1.0])


@pytest.mark.slow
def test_like_the_oracle_on_birthwt():
    known = oracles.reference("birthwt")
    arguments = {"X": known.model.X, "y": known.model.y}
    assert_like_oracle(arguments, [np.eye(8)[5]], [0.0])


NEAR = np.array([1e-6, 1e-3, 5e-3, 0.0095, 0.0105, 0.03, 0.0995, 0.1005, 0.3])
NEAR = np.concatenate([-NEAR, NEAR])


def assert_like_oracle_near_the_estimate(X, y, contrast, tolerance):
    fit = jaxlogit.fit(X, y)
    exact = Reparameterised(oracles.model(X, y), contrast)
    values = float(exact.estimate) + NEAR * float(exact.std_error)
    found = roots(fit, contrasts=np.tile(contrast, (len(values), 1)), null=values)
    expected = [abs(float(exact.roots(value)[1])) for value in values]
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_near_the_estimate(batch):
    """From interpolated to integrated to subtracted, without a seam."""
    X, y, fit = batch
    for i in np.flatnonzero(fit.status == 0)[:1]:
        assert_like_oracle_near_the_estimate(X, y[i], np.array([1.0, 0.5, -1.0]), 1e-9)


@pytest.mark.slow
def test_near_the_estimate_of_small_and_skewed_models():
    random = np.random.default_rng(5)
    done = 0
    while done < 24:
        n, p = [(8, 2), (12, 3), (40, 3), (100, 4)][done % 4]
        X = np.column_stack([np.ones(n), random.normal(size=(n, p - 1))])
        y = (random.random(n) < 0.3).astype(float)
        fit = jaxlogit.fit(X, y)
        if fit.status == 0:
            contrast = random.normal(size=p) / fit.std_error
            assert_like_oracle_near_the_estimate(X, y, contrast, 1e-8)
            done += 1


def test_at_the_estimate_itself(doses):
    """log(q/r)/r has a limit where r is 0: r* is continuous there."""
    at = roots(doses, null=doses.coef)
    close = roots(doses, null=doses.coef + 1e-7 * doses.std_error)
    assert np.all(np.abs(at - close) < 1e-6)
    assert np.all(at > 0.05)


# -- the fast search against the bracket -------------------------------------------------------


def assert_same_ends(fit, level=0.95):
    fast = fit.confint(level, "rstar")
    slow = fit.confint(level, "rstar", solver="bisection")
    finite = fit.status == 0
    for end in ("lower", "upper"):
        a, b = getattr(fast, end), getattr(slow, end)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        assert np.nanmax(np.abs(a - b) / fit.std_error) < ORACLE
        status = getattr(fast, f"{end}_status")
        np.testing.assert_array_equal(status, getattr(slow, f"{end}_status"))
        assert np.all(status[finite] == Status.CONVERGED)


def test_fast_search_finds_what_the_bracket_finds(batch, doses):
    assert_same_ends(batch[2])
    assert_same_ends(doses, level=0.999)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p", "rate"), [(12, 2, 0.5), (40, 3, 0.3), (100, 5, 0.15)])
def test_fast_search_on_many_models(n, p, rate):
    random = np.random.default_rng(n)
    X = np.column_stack([np.ones(n), random.normal(size=(n, p - 1))])
    y = (random.random((1500, n)) < rate).astype(float)
    assert_same_ends(jaxlogit.fit(X, y))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_p_value_below_alpha_exactly_outside_the_interval(batch, level):
    _, _, fit = batch
    found = ends(fit, level=level)
    good = np.flatnonzero(fit.status == 0)
    for share in (-1e-6, 1e-6):  # just inside and just outside of either end
        for side in (0, 1):
            outward = share * (2 * side - 1)
            for i in good[:6]:
                null = found[i, :, side] + outward * fit.std_error[i]
                p_value = fit[int(i)].test("rstar", null=null).p_value
                assert np.all((p_value < 1 - level) == (share > 0))


def test_certificates(batch):
    """r* is what it should be at the ends, and residuals are small."""
    _, _, fit = batch
    found = fit.confint(method="rstar")
    i = int(np.flatnonzero(fit.status == 0)[0])
    for end in (found.lower, found.upper):
        statistic = fit[i].test("rstar", null=end[i]).statistic
        np.testing.assert_allclose(statistic, chi2.ppf(0.95, 1), rtol=1e-9)
    assert np.nanmax(found.residual) < 1e-9


# -- what must not change an answer ------------------------------------------------------------


def assert_close(found, expected, unit):
    """To 1e-8 standard errors; nan in the same places."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    assert np.nanmax(np.abs(found - expected) / unit[..., None]) < ORACLE


def test_invariances(batch):
    X, y, fit = batch
    known, unit = ends(fit), fit.std_error
    assert_close(-ends(jaxlogit.fit(X, 1 - y))[..., ::-1], known, unit)
    order = np.random.default_rng(0).permutation(N)
    assert_close(ends(jaxlogit.fit(X[order], y[:, order])), known, unit)
    units = np.array([1.0, 1e6, 1e-6])
    assert_close(ends(jaxlogit.fit(X * units, y)) * units[:, None], known, unit)
    assert_close(ends(jaxlogit.fit(X, y), contrasts=-np.eye(3))[..., ::-1] * -1, known, unit)
    part = jaxlogit.fit(X, y[1::2])
    assert_close(ends(part), known[1::2], unit[1::2])


@pytest.mark.slow
def test_designs_of_each_model_and_own_columns(batch):
    X, y, fit = batch
    known, unit = ends(fit), fit.std_error
    assert_close(ends(jaxlogit.fit(np.repeat(X[None], B, axis=0), y)), known, unit)
    assert_close(ends(jaxlogit.fit(X[:, :2], y, own=np.tile(X[:, 2], (B, 1)))), known, unit)


def test_other_nuisance_columns(batch):
    """The last coefficient is the same quantity beside any basis of the other columns."""
    X, y, fit = batch
    mix = np.array([[1.0, 2.0, 0.0], [-0.5, 3.0, 0.0], [0.0, 0.0, 1.0]])
    other = jaxlogit.fit(X @ mix, y)
    assert_close(ends(other)[:, 2:], ends(fit)[:, 2:], fit.std_error[:, 2:])
    np.testing.assert_allclose(roots(other)[:, 2], roots(fit)[:, 2], atol=1e-8)


def test_grouped_is_ungrouped(doses):
    rows = [(x, k < s) for x, s in zip(DOSES, SUCCESSES, strict=True) for k in range(3)]
    X, y = (np.array(part, float) for part in zip(*rows, strict=True))
    assert_close(ends(jaxlogit.fit(X, y)), ends(doses), doses.std_error)


# -- models and questions without an answer ----------------------------------------------------


def test_separated_models_keep_their_status(batch):
    _, _, fit = batch
    bad = fit.status != 0
    assert {Status.SEPARATED_QUASI, Status.SEPARATED_COMPLETE} <= {Status(s) for s in fit.status}
    found, tested = fit.confint(method="rstar"), fit.test("rstar")
    for value, status in (
        (found.lower, found.lower_status),
        (found.upper, found.upper_status),
        (tested.p_value, tested.status),
    ):
        assert np.all(np.isnan(value[bad]))
        assert np.all(np.isfinite(value[~bad]))
        np.testing.assert_array_equal(status, np.tile(fit.status[:, None], (1, 3)))


@pytest.mark.slow
def test_rank_deficient_model_beside_good_ones(batch):
    X, y, fit = batch
    weights = np.ones((B, N))
    weights[2] = X[:, 2] == 0
    other = jaxlogit.fit(X, y, weights=weights)
    assert other.status[2] == Status.RANK_DEFICIENT
    assert np.all(np.isnan(ends(other)[2]))
    assert np.all(other.test("rstar").status[2] == Status.RANK_DEFICIENT)
    keep = np.arange(B) != 2
    assert_close(ends(other)[keep], ends(fit)[keep], fit.std_error[keep])


def test_narrow_intervals_have_a_number_or_a_status(doses):
    """|r*| at the estimate is 0.25 here: at level 0.05 the estimate is outside."""
    found = doses.confint(0.05, "rstar", "dose")
    for value, status in ((found.lower, found.lower_status), (found.upper, found.upper_status)):
        assert np.all(np.isnan(value) == (status != Status.CONVERGED))
        good = np.isfinite(value)
        if np.any(good):
            p_value = doses.test("rstar", null=value[good], contrasts="dose").p_value
            np.testing.assert_allclose(p_value, 0.95, rtol=1e-6)


def test_refused_questions(doses):
    with pytest.raises(ValueError, match="method must be 'wald', 'lr' or 'score' where joint"):
        doses.test("rstar", joint=True)
    penalised = jaxlogit.fit(DOSES, SUCCESSES, trials=3, penalty="firth")
    with pytest.raises(ValueError, match="method"):
        penalised.confint(method="rstar")
    with pytest.raises(ValueError, match="method"):
        doses.robust().test("rstar")
