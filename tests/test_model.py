"""The front door: shapes, slices, statuses, tests beside intervals, profiles and predictions."""

import dataclasses
import re

import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scipy.special import expit
from scipy.stats import chi2, norm

import jaxlogit
from jaxlogit import Status, data, fitting
from jaxlogit.core import bracket
from jaxlogit.data import Models
from jaxlogit.model import Fit

SAME_MATHEMATICS = 1e-10
METHODS = ("wald", "lr", "score")
B, N, P = 40, 25, 3
NAMES = ("const", "dose", "age")

RANDOM = np.random.default_rng(61)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.normal(50, 10, N)])
Y = RANDOM.integers(0, 2, (B, N)).astype(float)
Y[7] = X[:, 1] > 0
Y[8] = 1.0
Z = norm.ppf(0.975)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return jaxlogit.fit(X, Y, names=NAMES)


@pytest.fixture(scope="module")
def one() -> Fit:
    return jaxlogit.fit(X, Y[0], names=NAMES)


# -- shapes -----------------------------------------------------------------------------------


def test_many_models_have_a_leading_axis(fit):
    assert (fit.n_models, len(fit), fit.names) == (B, B, NAMES)
    assert fit.coef.shape == fit.std_error.shape == (B, P)
    assert fit.covariance.shape == (B, P, P)
    assert fit.loglik.shape == fit.deviance.shape == fit.status.shape == fit.n_steps.shape == (B,)
    assert fit.status.dtype == np.int32
    ends, tested = fit.confint(), fit.test()
    assert ends.lower.shape == ends.upper.shape == (B, P)
    assert ends.lower_status.shape == ends.upper_status.shape == (B, P)
    assert (ends.level, ends.method, ends.names) == (0.95, "lr", NAMES)
    assert tested.statistic.shape == tested.p_value.shape == tested.log_p.shape == (B, P)
    assert (tested.df, tested.method, tested.names) == (1, "lr", NAMES)
    assert fit.test(joint=True, contrasts=["dose", "age"]).statistic.shape == (B,)
    for array in (fit.coef, fit.std_error, fit.loglik, ends.lower, tested.log_p):
        assert type(array) is np.ndarray and array.dtype == np.float64


def test_one_model_has_none(one):
    assert (one.n_models, len(one)) == (1, 1)
    assert one.coef.shape == one.std_error.shape == (P,)
    assert one.covariance.shape == (P, P)
    assert np.shape(one.loglik) == np.shape(one.deviance) == np.shape(one.status) == ()
    assert one.confint().lower.shape == (P,)
    assert one.test().statistic.shape == (P,)
    assert np.shape(one.test(joint=True, contrasts=["age"]).statistic) == ()
    assert one.predict(X[:4]).shape == (4,)


def test_one_model_with_an_axis_keeps_it():
    assert jaxlogit.fit(X, Y[:1]).coef.shape == (1, P)
    assert jaxlogit.fit(X[None], Y[0]).coef.shape == (1, P)
    assert jaxlogit.fit(X, Y[0], offset=np.zeros((1, N))).confint().lower.shape == (1, P)


def test_anything_that_is_an_array():
    expected = jaxlogit.fit(X, Y[0]).coef
    for design, y in (
        (X.tolist(), Y[0].astype(bool).tolist()),
        (jnp.asarray(X), jnp.asarray(Y[0])),
        (X.astype(object), Y[0].astype(np.int8)),
        (np.asfortranarray(X), np.repeat(Y[0], 2)[::2]),
    ):
        np.testing.assert_allclose(jaxlogit.fit(design, y).coef, expected, rtol=SAME_MATHEMATICS)


def arrays_of(record) -> list[np.ndarray]:
    values = (getattr(record, field.name) for field in dataclasses.fields(record))
    return [value for value in values if isinstance(value, np.ndarray)]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.slow
def test_what_is_handed_out_cannot_be_changed(single):
    """A fit goes on using its arrays: nothing that a caller does may change later answers."""
    part = jaxlogit.fit(X, Y[0] if single else Y[:2], names=NAMES)
    own = [part.coef, part.std_error, part.covariance, part.predict(X)]
    if not single:
        own += [part.loglik, part.deviance, part.status, part.n_steps]
    records = [part.confint(method=method, contrasts=["dose"]) for method in METHODS]
    records += [part.test(method) for method in METHODS]
    records += [part.profile("dose", [0.0, 1.0]), part.separation()]
    for array in [*own, *(array for record in records for array in arrays_of(record))]:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_residuals_of_ends(fit):
    """A number wherever an end is finite, 0 without a search, nan for every other end."""
    for method in METHODS:
        ends = fit.confint(method=method)
        value = np.stack([ends.lower, ends.upper], axis=-1)
        np.testing.assert_array_equal(np.isnan(ends.residual), ~np.isfinite(value))
        largest = np.nanmax(ends.residual)
        assert largest == 0 if method == "wald" else largest < 1e-8


# -- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("i", [0, 7, 8, -1])
def test_a_model_of_many(fit, i):
    part = fit[i]
    np.testing.assert_array_equal(part.coef, fit.coef[i])
    assert part.coef.shape == (P,)
    assert part.status == fit.status[i]
    whole = fit.confint()
    np.testing.assert_allclose(part.confint().lower, whole.lower[i], rtol=1e-9)
    np.testing.assert_allclose(part.test().statistic, fit.test().statistic[i], rtol=1e-8)
    assert part.separation().model == fit.separation().model[i]
    np.testing.assert_allclose(part.deviance, fit.deviance[i], rtol=1e-9, atol=1e-12)


def test_slices_and_iteration(fit):
    part = fit[5:20:5]
    assert part.n_models == 3
    np.testing.assert_array_equal(part.coef, fit.coef[5:20:5])
    np.testing.assert_allclose(part.std_error, fit.std_error[5:20:5], rtol=1e-12)
    assert [np.shape(model.coef) for model in part] == [(P,)] * 3
    assert fit[3:4].coef.shape == (1, P)
    for index in (B, -B - 1):
        with pytest.raises(IndexError, match=f"one of {B} models: found {index}"):
            fit[index]


def test_parts_of_one_model(one):
    np.testing.assert_array_equal(one[0].coef, one.coef)
    assert one[:1].coef.shape == (1, P)
    assert [model.coef.shape for model in one] == [(P,)]


@pytest.mark.parametrize("by_model", ["X", "weights", "offset", "trials"])
def test_parts_where_other_things_have_the_axis(by_model):
    arrays = {"X": X, "weights": np.ones(N), "offset": np.zeros(N), "trials": np.ones(N)}
    arrays[by_model] = np.repeat(arrays[by_model][None], 3, axis=0)
    many = jaxlogit.fit(y=Y[0], **arrays)
    assert many.coef.shape == (3, P)
    assert many[1].coef.shape == (P,)
    np.testing.assert_allclose(many[1].deviance, many.deviance[1], rtol=SAME_MATHEMATICS)


def test_representations(fit, one):
    assert repr(one) == f"<Fit: 1 model, {N} rows, {P} coefficients; 1 CONVERGED>"
    many = r"<Fit: 40 models, 25 rows, 3 coefficients; \d+ CONVERGED, .*SEPARATED"
    assert re.match(many, repr(fit))
    assert len(repr(fit.confint())) < 500
    assert "const" in repr(one.confint())


# -- tests beside intervals -------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_p_below_alpha_exactly_when_the_null_is_outside(fit, method, level):
    nulls = RANDOM.normal(size=P) * [1.0, 0.5, 0.05]
    ends = fit.confint(level, method)
    for null in (np.zeros(P), nulls):
        tested = fit.test(method, null)
        known = (tested.status == 0) & ~np.isnan(ends.lower) & ~np.isnan(ends.upper)
        outside = (null < ends.lower) | (null > ends.upper)
        rejected = tested.p_value < 1 - level
        np.testing.assert_array_equal(rejected[known], outside[known])
        assert np.mean(known) > 0.9
        np.testing.assert_allclose(
            tested.p_value[known], chi2.sf(tested.statistic[known], 1), rtol=1e-10
        )


@pytest.mark.parametrize("method", METHODS)
def test_at_the_ends_p_is_alpha(one, method):
    ends = one.confint(0.9, method)
    for null in (ends.lower, ends.upper):
        np.testing.assert_allclose(one.test(method, null).p_value, 0.1, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_test_of_the_estimate_is_zero(one, method):
    tested = one.test(method, one.coef)
    assert np.all((tested.statistic >= 0) & (tested.statistic < 1e-9))
    assert np.all(tested.p_value > 0.9999)


@pytest.mark.parametrize("method", METHODS)
def test_joint_tests(fit, method):
    """Of one contrast: the single test. Of all: the null model. Of any basis: the same."""
    single = fit.test(method, 0.3, ["dose"])
    joint = fit.test(method, 0.3, ["dose"], joint=True)
    np.testing.assert_allclose(joint.statistic, single.statistic[:, 0], rtol=1e-7, atol=1e-10)
    both = fit.test(method, 0.0, ["dose", "age"], joint=True)
    mixed = fit.test(method, 0.0, [[0, 1, 1], [0, 1, -1]], joint=True)
    assert both.df == mixed.df == 2
    np.testing.assert_allclose(both.statistic, mixed.statistic, rtol=1e-6, atol=1e-9)
    if method != "wald":
        done = both.status == 0
        assert np.all(done)
    np.testing.assert_allclose(both.log_p, chi2.logsf(both.statistic, 2), rtol=1e-9, atol=1e-13)


def test_joint_test_of_every_coefficient(one):
    found = one.test(joint=True)
    zero = oracles.loglik(oracles.model(X, Y[0]), np.zeros(P))
    assert found.df == P
    np.testing.assert_allclose(found.statistic, 2 * (one.loglik - zero), rtol=1e-9)


def test_dependent_contrasts_have_no_joint_test(one):
    with pytest.raises(ValueError, match=r"linearly independent: found 2 rows of rank 1"):
        one.test(contrasts=[[0, 1, 0], [0, 2, 0]], joint=True)


def test_wald_is_what_it_says(fit):
    done = fit.status == 0
    ends, tested = fit.confint(method="wald"), fit.test("wald", 0.1)
    np.testing.assert_allclose(ends.lower[done], (fit.coef - Z * fit.std_error)[done], rtol=1e-12)
    np.testing.assert_allclose(ends.upper[done], (fit.coef + Z * fit.std_error)[done], rtol=1e-12)
    z = (fit.coef[done] - 0.1) / fit.std_error[done]
    np.testing.assert_allclose(tested.statistic[done], z**2, rtol=1e-9)
    lost = np.isnan(tested.statistic)
    np.testing.assert_array_equal(lost, np.repeat(~done[:, None], P, axis=1))
    np.testing.assert_array_equal(tested.status, np.repeat(fit.status[:, None], P, axis=1))
    diagonal = np.sqrt(np.diagonal(fit.covariance[done], axis1=1, axis2=2))
    np.testing.assert_allclose(diagonal, fit.std_error[done], rtol=1e-10)


def test_separated_models_keep_their_lr_and_score_tests(fit):
    for method in ("lr", "score"):
        tested = fit.test(method)
        assert np.all(tested.status[[7, 8]] == 0)
        assert np.all(np.isfinite(tested.statistic[[7, 8]]))


def test_p_values_that_underflow():
    """8,000 rows and a slope of hundreds: p is 0, its logarithm is not."""
    x = np.repeat([0.0, 1.0], 4000)
    y = np.repeat([0, 1, 0, 1], [3900, 100, 100, 3900])
    tested = jaxlogit.fit(np.column_stack([np.ones(8000), x]), y).test("lr")
    assert tested.p_value[1] == 0.0
    statistic = tested.statistic[1]
    assert abs(tested.log_p[1] + statistic / 2) < 10
    expected = np.log(2) + norm.logsf(np.sqrt(statistic))
    np.testing.assert_allclose(tested.log_p[1], expected, rtol=1e-9)


# -- contrasts --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_contrasts_by_name_and_by_array(one, method):
    named = one.confint(method=method, contrasts=["age", "dose"])
    rows = one.confint(method=method, contrasts=np.eye(P)[[2, 1]])
    assert named.names == rows.names == ("age", "dose")
    np.testing.assert_allclose(named.lower, rows.lower, rtol=1e-12)
    whole = one.confint(method=method)
    np.testing.assert_allclose(named.upper, whole.upper[[2, 1]], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_contrast_is_a_coefficient_of_another_parameterisation(one, method):
    """c = (1, 0, 50): the log-odds at age 50 is the intercept once age is centred there."""
    ends = one.confint(0.9, method, [[1.0, 0.0, 50.0]])
    centred = X - [0.0, 0.0, 50.0]
    other = jaxlogit.fit(centred, Y[0]).confint(0.9, method)
    np.testing.assert_allclose(ends.lower, other.lower[:1], rtol=1e-9)
    np.testing.assert_allclose(ends.upper, other.upper[:1], rtol=1e-9)
    scaled = one.confint(0.9, method, [[-2.0, 0.0, -100.0]])
    np.testing.assert_allclose(scaled.lower, -2 * ends.upper, rtol=1e-9)


# -- deviance, predictions, profiles, separation -----------------------------------------------


def test_deviance_by_rows():
    """Σ of R's binomial deviance residuals, with trials, weights and shares of 0 and 1."""
    trials = np.array([4.0, 2.0, 5.0, 3.0, 1.0])
    y = np.array([1.0, 2.0, 2.5, 0.0, 1.0])
    weights = np.array([1.0, 0.5, 2.0, 1.0, 0.0])
    x = np.column_stack([np.ones(5), [-1.0, 0.0, 1.0, 2.0, 3.0]])
    fit = jaxlogit.fit(x, y, trials=trials, weights=weights)
    mu = trials * expit(x @ fit.coef)
    with np.errstate(divide="ignore", invalid="ignore"):
        success = np.where(y > 0, y * np.log(y / mu), 0.0)
        failure = np.where(y < trials, (trials - y) * np.log((trials - y) / (trials - mu)), 0.0)
    np.testing.assert_allclose(fit.deviance, 2 * np.sum(weights * (success + failure)), rtol=1e-9)


def test_binary_deviance(fit):
    np.testing.assert_allclose(fit.deviance, -2 * fit.loglik, rtol=1e-12)
    np.testing.assert_array_equal(jaxlogit.fit(X, Y.astype(bool)).deviance, fit.deviance)


def test_predictions(fit, one):
    new = X[:5]
    np.testing.assert_allclose(one.predict(new), expit(new @ one.coef), rtol=1e-12)
    shifted = one.predict(new, offset=0.5)
    np.testing.assert_allclose(shifted, expit(new @ one.coef + 0.5), rtol=1e-12)
    found = fit.predict(new)
    assert found.shape == (B, 5)
    done = fit.status == 0
    np.testing.assert_allclose(found[done], expit(fit.coef[done] @ new.T), rtol=1e-12)
    own = fit.predict(np.repeat(new[None], B, axis=0))
    np.testing.assert_allclose(own, found, rtol=1e-12)


def test_predictions_of_separated_models(fit):
    """0 and 1 at the rows of a completely separated model; nan where there is no limit."""
    assert fit.status[7] == Status.SEPARATED_COMPLETE
    np.testing.assert_array_equal(fit.predict(X)[7], Y[7])
    np.testing.assert_array_equal(fit.predict(np.zeros((1, P)))[7], [0.5])
    everywhere = [[-1e3, 0.0, 0.0], [1e3, 0.0, 0.0]]
    found = fit.predict(everywhere)[7]
    assert np.all(np.isin(found, [0.0, 1.0]) | np.isnan(found))


def test_predictions_of_a_model_without_a_maximum():
    twice = np.column_stack([X[:, 1], X[:, 1]])
    fit = jaxlogit.fit(twice, Y[:2])
    assert np.all(np.isnan(fit.predict(twice)))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (np.ones((2, 4)), "X_new must have 3 columns"),
        (np.ones((3, 2, P)), "X_new must have one matrix"),
        ("rows", "X_new"),
    ],
)
def test_refused_predictions(fit, new, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit.predict(new)


def test_refused_places_of_predictions(fit):
    new = np.ones((B, 2, P))
    with pytest.raises(ValueError, match=r"offset must be finite: found nan at row 1$"):
        fit.predict(new, offset=[0.0, np.nan])
    new[3, 1, 2] = np.inf
    with pytest.raises(ValueError, match="X_new must be finite: found inf at model 3, row 1, col"):
        fit.predict(new)


def test_profile_crosses_at_the_interval_s_ends(one):
    ends = one.confint()
    at = one.profile("dose", grid=[ends.lower[1], one.coef[1], ends.upper[1]])
    assert at.name == "dose"
    np.testing.assert_allclose(at.signed_root[[0, 2]], [-Z, Z], rtol=1e-9)
    assert abs(at.signed_root[1]) < 1e-6
    np.testing.assert_allclose(at.loglik[[0, 2]], one.loglik - Z**2 / 2, rtol=1e-10)
    np.testing.assert_allclose(at.coef[:, 1], at.value, rtol=1e-9)
    np.testing.assert_allclose(at.coef[1], one.coef, rtol=1e-8)
    model = oracles.model(X, Y[0])
    for k in (0, 2):
        expected = oracles.maximum(model, np.eye(P)[1], at.value[k])
        np.testing.assert_allclose(at.coef[k], expected, rtol=1e-8, atol=1e-10)


def test_profile_with_its_own_grid(fit):
    found = fit.profile(1)
    assert found.value.shape == found.signed_root.shape == found.loglik.shape
    assert found.coef.shape == (*found.value.shape, P)
    done = fit.status == 0
    assert np.all(np.diff(found.signed_root[done], axis=1) > 0)
    wide = fit.confint(0.999)
    np.testing.assert_allclose(found.value[done, 0], wide.lower[done, 1], rtol=1e-9)
    # A separated model has its supremum at the far end: the root comes up to 0 from one side.
    assert np.all(np.isfinite(found.value[7]))
    assert np.all(np.isfinite(found.loglik[7]))


def test_profile_refusals(one):
    with pytest.raises(ValueError, match="did you mean 'dose'"):
        one.profile("does")
    with pytest.raises(ValueError, match="term must be one of 3 coefficients: found 3"):
        one.profile(3)


def test_separation_record(fit):
    found = fit.separation()
    kinds = {0: "overlap", 3: "quasi", 4: "complete"}
    assert list(found.model) == [kinds[int(code)] for code in fit.status]
    assert found.coefficient.shape == found.direction.shape == (B, P)
    assert np.all(found.coefficient[fit.status == 0] == "finite")
    margins = np.where(Y[7] == 1, 1, -1) * (X @ found.direction[7])
    assert np.all(margins > 0)
    # One outcome only: the intercept goes up, whatever the others may do.
    assert found.model[8] == "complete"


# -- words ------------------------------------------------------------------------------------


def test_solvers_agree(one):
    for solver in ("newton", "bisection"):
        ends = one.confint(solver=solver)
        np.testing.assert_allclose(ends.lower, one.confint().lower, rtol=1e-9)
    with pytest.raises(ValueError, match="'bisect'; did you mean 'bisection'"):
        one.confint(solver="bisect")
    with pytest.raises(ValueError, match="'newtn'; did you mean 'newton'"):
        jaxlogit.fit(X, Y[0], solver="newtn")


@pytest.mark.parametrize("call", ["confint", "test"])
def test_unknown_method(one, call):
    with pytest.raises(
        ValueError, match="method must be one of 'wald', 'lr', 'score', 'rstar': found 'LR'"
    ):
        getattr(one, call)(method="LR")


def test_level_errors(one):
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\): found 95"):
        one.confint(95)
    with pytest.raises(ValueError, match=r"contrasts must be one of .*did you mean 'dose'"):
        one.confint(contrasts=["dos"])


# -- every status -----------------------------------------------------------------------------


def models_of(X, y, weights) -> Models:
    """Models that have not passed the edge, which would refuse the nan."""
    names = tuple(f"x{j}" for j in range(X.shape[-1]))
    return Models(X, y, None, weights, None, names, len(y), False)


def test_every_status(monkeypatch):
    """All outcomes of a model in one batch, none of which disturbs its neighbours."""
    n = 9
    x = np.arange(-4.0, 5.0)
    design = np.repeat(np.column_stack([np.ones(n), x])[None], 6, axis=0)
    y = np.tile([0.0, 0, 1, 0, 1, 0, 1, 1, 1], (6, 1))
    weights = np.ones((6, n))
    y[1] = x > 0  # complete
    y[2] = [0, 0, 0, 0, 1, 1, 1, 1, 1]
    design[2, 3, 1] = design[2, 4, 1] = 0.0  # a tie: quasi-complete
    weights[3, 1:] = 0.0  # one row left for two coefficients
    design[4, 0, 1] = np.nan
    weights[5] = np.where(y[5] == 1, 1e-9, 1.0)  # a maximum some twenty steps away
    monkeypatch.setattr(fitting, "CAREFUL_STEPS", 10)
    fit = Fit(models_of(design, y, weights), fitting.fit(models_of(design, y, weights)))
    expected = [
        Status.CONVERGED, Status.SEPARATED_COMPLETE, Status.SEPARATED_QUASI,
        Status.RANK_DEFICIENT, Status.NONFINITE_INPUT, Status.MAX_STEPS,
    ]  # fmt: skip
    np.testing.assert_array_equal(fit.status, expected)
    np.testing.assert_array_equal(np.isnan(fit.std_error[:, 0]), fit.status != 0)
    alone = jaxlogit.fit(design[0], y[0])
    np.testing.assert_allclose(fit.coef[0], alone.coef, rtol=1e-9)
    assert np.all(np.isnan(fit.coef[3:]))
    ends = fit.confint()
    np.testing.assert_array_equal(ends.upper_status[[0, 3, 4, 5], 1], fit.status[[0, 3, 4, 5]])
    assert np.all(ends.upper_status[[1, 2], 1] == Status.INFINITE)
    assert np.all(np.isnan(ends.upper[3:]))
    tested = fit.test()
    np.testing.assert_array_equal(tested.status[3:, 0], fit.status[3:])
    assert np.all(np.isnan(tested.p_value[3:]))


def test_no_bound_found_is_a_status(monkeypatch):
    """A bracket that may not look far enough gives nan and says so."""
    monkeypatch.setattr(bracket, "MAX_BRACKET_STEPS", 2)
    x = np.arange(11.0)  # a shape of its own: what was compiled before keeps its limits
    fit = jaxlogit.fit(np.column_stack([np.ones(11), x]), [0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1])
    ends = fit.confint(solver="bisection")
    assert np.all(ends.lower_status == Status.NO_BOUND_FOUND)
    assert np.all(np.isnan(ends.lower))


DEFICIENT = {
    "constant beside an intercept": np.column_stack([np.ones(N), np.full(N, 7.0), X[:, 1]]),
    "column twice": np.column_stack([np.ones(N), X[:, 1], X[:, 1]]),
    "zero column": np.column_stack([np.ones(N), X[:, 1], np.zeros(N)]),
}


@pytest.mark.parametrize("case", DEFICIENT)
@pytest.mark.parametrize("shared", [True, False])
def test_rank_deficiency(case, shared):
    design = DEFICIENT[case] if shared else np.stack([DEFICIENT[case], X])
    fit = jaxlogit.fit(design, Y[:2])
    assert fit.status[0] == Status.RANK_DEFICIENT
    assert np.all(np.isnan(fit.coef[0]))
    assert np.isnan(fit.loglik[0])
    ends = fit.confint()
    assert np.all(np.isnan(ends.lower[0]) & (ends.lower_status[0] == Status.RANK_DEFICIENT))
    assert fit.separation().model[0] == "unknown"
    assert fit.status[1] == (Status.RANK_DEFICIENT if shared else Status.CONVERGED)


def test_fewer_rows_than_columns():
    fit = jaxlogit.fit(X[:2], [0, 1])
    assert fit.status == Status.RANK_DEFICIENT
    assert np.all(np.isnan(fit.coef))
    assert np.all(np.isnan(fit.test().p_value))


def test_weights_that_leave_too_few_rows():
    weights = np.ones((2, N))
    weights[1, 2:] = 0.0
    fit = jaxlogit.fit(X, Y[:2], weights=weights)
    np.testing.assert_array_equal(fit.status, [Status.CONVERGED, Status.RANK_DEFICIENT])
    weights[1] = 0.0
    fit = jaxlogit.fit(X, Y[:2], weights=weights)
    np.testing.assert_array_equal(fit.status, [Status.CONVERGED, Status.RANK_DEFICIENT])


@pytest.mark.parametrize("trials", [None, np.array([2.0, 2, 2, 2, 2, 2, 2, -3])])
def test_rows_of_weight_zero_may_be_out_of_range(trials):
    """Padding of the wrong size or sign changes nothing, just as padding that is nan."""
    x = np.column_stack([np.ones(8), np.arange(8.0)])
    y = np.array([0.0, 1, 0, 0, 1, 0, 1, -9])
    weights = np.array([1.0, 1, 1, 2, 1, 1, 1, 0])
    padded = jaxlogit.fit(x, y, trials=trials, weights=weights)
    counts = None if trials is None else trials[:7]
    alone = jaxlogit.fit(x[:7], y[:7], trials=counts, weights=weights[:7])
    assert padded.status == Status.CONVERGED
    for name in ("coef", "loglik", "deviance"):
        np.testing.assert_allclose(getattr(padded, name), getattr(alone, name), rtol=1e-10)
    np.testing.assert_allclose(padded.confint().upper, alone.confint().upper, rtol=1e-9)


def test_the_edge_is_the_edge():
    with pytest.raises(ValueError, match="y must lie in"):
        jaxlogit.fit(X, Y + 1)
    assert jaxlogit.fit.__module__ == "jaxlogit.front"
    assert data.collect(X, Y).n_models == B
