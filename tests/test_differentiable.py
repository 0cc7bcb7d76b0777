"""One model for JAX users: values of the oracles, derivatives beside differences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from jax.flatten_util import ravel_pytree
from scipy.special import expit
from scipy.stats import chi2, norm

from jaxlogit import Status, core
from jaxlogit.core.implicit import known

SAME_MATHEMATICS = 1e-10
DIFFERENCE = 1e-8
"""Error of a central difference with steps of 1e-5: 1e-10 of truncation, 1e-11/1e-5 of rounding."""

BY_ORACLE = 1e-9
"""Relative: the oracles stop at 1e-12 in linear predictors and look for ends to 1e-13."""

SINGLE = 2e-4
"""Standard errors: float32 knows a log-likelihood of 20 to 2e-6, so an end to about 1e-6/1.96,
and sums over rows lose another digit or two."""

METHODS = ("wald", "lr", "score")
SIDES = {"wald": 1, "lr": -1, "score": 1}
N, P = 30, 3
RANDOM = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.normal(5, 2, N)])
Y = (RANDOM.random(N) < 0.5).astype(float)
SLOPE = np.array([0.0, 1.0, 0.0])
DATA = {
    "X": X,
    "y": Y,
    "trials": np.full(N, 1.5),
    "weights": RANDOM.uniform(0.5, 2, N),
    "offset": 0.3 * RANDOM.normal(size=N),
}
ASKED = {"contrast": np.array([0.2, 1.0, -0.3]), "level": 0.9, "null": 0.1}


def fit(data, asked):
    found = core.fit(**data)
    return jnp.concatenate([found.coef, found.loglik[None], found.covariance.ravel()])


def one_end(method):
    def function(data, asked):
        end = core.interval_end(**data, contrast=asked["contrast"], side=SIDES[method],
                                level=asked["level"], method=method)  # fmt: skip
        return end.value[None]

    return function


def hypothesis(method):
    def function(data, asked):
        found = core.test(**data, contrast=asked["contrast"], null=asked["null"], method=method)
        return jnp.stack([found.statistic, found.p_value, found.log_p])

    return function


def differences(function, at, places=None, step=1e-5):
    """Central differences of a function of a vector, column by column."""
    places = range(len(at)) if places is None else places
    function = jax.jit(function)
    columns = []
    for i in places:
        move = np.zeros(len(at))
        move[i] = step
        columns.append((function(at + move) - function(at - move)) / (2 * step))
    return np.stack(columns, axis=-1)


# -- values --------------------------------------------------------------------------------------


def test_ends_that_the_local_search_does_not_find(monkeypatch):
    """Far out on few rows the bracket takes over, also for one lane of a batch."""
    monkeypatch.setattr(core.inference, "END_STEPS", 1)
    jax.clear_caches()
    levels = jnp.asarray([0.9, 0.999])
    found = jax.vmap(lambda level: core.interval(X, Y, SLOPE, level))(levels)
    jax.clear_caches()
    np.testing.assert_array_equal(found.lower_status, 0)
    data = oracles.model(X, Y)
    for i, cutoff in enumerate(chi2.ppf(levels, 1)):
        for side, end in ((-1, found.lower[i]), (1, found.upper[i])):
            expected = oracles.interval_end(data, SLOPE, side, cutoff, "lr")
            np.testing.assert_allclose(end, expected, rtol=BY_ORACLE)


def expected_values(name):
    """By NumPy and SciPy alone."""
    data, c = oracles.model(**DATA), ASKED["contrast"]
    best = oracles.maximum(data)
    peak, covariance = oracles.loglik(data, best), np.linalg.inv(oracles.information(data, best))
    if name == "fit":
        return np.concatenate([best, [peak], covariance.ravel()])
    kind, method = name.split()
    variance, value = c @ covariance @ c, c @ best
    if kind == "interval":
        if method == "wald":
            return [value + norm.ppf(0.95) * np.sqrt(variance)]
        cutoff = chi2.ppf(ASKED["level"], 1)
        return [oracles.interval_end(data, c, SIDES[method], cutoff, method)]
    if method == "wald":
        statistic = (value - ASKED["null"]) ** 2 / variance
    else:
        statistic = oracles.statistic(data, peak, c, ASKED["null"], method)
    return [statistic, chi2.sf(statistic, 1), chi2.logsf(statistic, 1)]


# -- derivatives ---------------------------------------------------------------------------------

FUNCTIONS = {
    "fit": fit,
    **{f"interval {m}": one_end(m) for m in METHODS},
    **{f"test {m}": hypothesis(m) for m in METHODS},
}


OFTEN = ("fit", "interval lr", "interval score")  # the others share their rules


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in OFTEN else pytest.mark.slow) for n in FUNCTIONS],
)
def test_derivatives_with_respect_to_everything(name):
    at, back = ravel_pytree((DATA, ASKED))

    def function(vector):
        return FUNCTIONS[name](*back(vector))

    @jax.jit
    def jacobians(at):  # both from one linear map, which is compiled once
        value, linear = jax.linearize(function, at)
        back = jax.linear_transpose(linear, at)
        forward = jax.vmap(linear)(jnp.eye(len(at))).T
        return forward, jax.vmap(lambda row: back(row)[0])(jnp.eye(len(value)))

    forward, backward = jacobians(at)
    np.testing.assert_allclose(forward, backward, rtol=SAME_MATHEMATICS, atol=SAME_MATHEMATICS)
    function = jax.jit(function)
    np.testing.assert_allclose(function(at), expected_values(name), rtol=BY_ORACLE)
    expected = differences(function, np.asarray(at))
    np.testing.assert_allclose(forward, expected, rtol=DIFFERENCE, atol=DIFFERENCE)


def test_closed_form_of_an_end():
    """d end = {dl(β̂) − dl(end)}/(−λ) at fixed arguments, with −λ the slope of the profile."""
    data, cutoff = oracles.model(X, Y), chi2.ppf(0.95, 1)
    best, upper = oracles.maximum(data), oracles.interval_end(data, SLOPE, 1, cutoff, "lr")
    at = [oracles.maximum(data, SLOPE, upper + step) for step in (-1e-4, 0, 1e-4)]
    slope = (oracles.loglik(data, at[2]) - oracles.loglik(data, at[0])) / 2e-4
    eta, peak = X @ at[1], X @ best

    def rows(eta):  # dl/dweight
        return Y * eta - np.logaddexp(0, eta)

    expected = (rows(peak) - rows(eta)) / slope
    found = jax.grad(lambda w: core.interval_end(X, Y, SLOPE, 1, weights=w).value)(np.ones(N))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_second_derivatives(method):
    def end(weights):
        return core.interval_end(X, Y, SLOPE, 1, weights=weights, method=method).value

    at = np.linspace(0.8, 1.3, N)
    found = jax.jit(jax.hessian(end))(at)
    np.testing.assert_allclose(found, found.T, atol=SAME_MATHEMATICS)
    expected = differences(jax.grad(end), at, places=range(4))
    np.testing.assert_allclose(found[:, :4], expected, rtol=1e-7, atol=1e-8)


def test_gradient_of_a_downstream_scalar():
    """Expected deviance of new rows, through the fit, for each of several responses at once."""
    new, y = X[::3], np.stack([Y, 1 - Y, np.roll(Y, 5)])

    def loss(scale, y):
        coef = core.fit(X * jnp.stack([jnp.ones(()), scale, jnp.ones(())])[None], y).coef
        mu = jax.nn.sigmoid(new @ coef)
        return -jnp.sum(mu * jnp.log(mu) + (1 - mu) * jnp.log1p(-mu))

    def slow(scale, y):
        design = X * [1.0, scale, 1.0]
        mu = expit(new @ oracles.maximum(oracles.model(design, y)))
        return -np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu))

    found = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(1.3, y)
    for i in range(3):
        expected = (slow(1.3 + 1e-5, y[i]) - slow(1.3 - 1e-5, y[i])) / 2e-5
        np.testing.assert_allclose(found[i], expected, rtol=1e-7, atol=1e-8)


# -- models without a result ---------------------------------------------------------------------

RESPONSES = np.stack(
    [Y, X[:, 1] > 0, (X[:, 1] > 0.5) & (X[:, 2] > 5), np.full(N, np.nan), 1 - Y, Y]
)
KINDS = [
    Status.CONVERGED, Status.SEPARATED_COMPLETE, Status.SEPARATED_QUASI, Status.NONFINITE_INPUT,
    Status.CONVERGED, Status.RANK_DEFICIENT,
]  # fmt: skip
DESIGNS = np.repeat(X[None], 6, axis=0)
DESIGNS[5, :, 2] = 2 * X[:, 1] - 1
RESPONSES[2, X[:, 1] > 0] = 1.0
RESPONSES[2, X[:, 1] <= 0] = 0.0
EDGE = np.argsort(np.abs(X[:, 1]))[:6]
DESIGNS[2, EDGE, 1] = 0.0  # rows on the plane that divides the others: some of either kind
RESPONSES[2, EDGE] = [0, 1, 0, 1, 1, 0]


def test_statuses_beside_good_models():
    found = jax.vmap(core.fit)(DESIGNS, RESPONSES)
    np.testing.assert_array_equal(found.status, KINDS)
    np.testing.assert_array_equal(np.isnan(found.coef).all(axis=1), np.array(KINDS) != 0)
    alone = core.fit(X, Y)
    np.testing.assert_allclose(found.coef[0], alone.coef, rtol=SAME_MATHEMATICS)
    np.testing.assert_array_equal(np.isnan(found.covariance).any(axis=(1, 2)), np.array(KINDS) != 0)
    interval = jax.vmap(lambda X, y: core.interval(X, y, SLOPE))(DESIGNS, RESPONSES)
    np.testing.assert_array_equal(interval.lower_status, KINDS)
    np.testing.assert_array_equal(np.isnan(interval.upper), np.array(KINDS) != 0)


def test_nan_has_a_derivative_of_nan_and_spoils_no_other():
    def coef(X):
        return jax.vmap(lambda y: core.fit(X, y).coef)(RESPONSES)

    def end(X):
        return jax.vmap(lambda y: core.interval_end(X, y, SLOPE, 1).value)(RESPONSES)

    bad = np.isin(np.arange(6), [1, 3])  # with X for all of them
    forward = jax.jit(jax.jacfwd(end))(X)
    backward = jax.jit(jax.jacrev(coef))(X)
    for jacobian in (forward, backward):
        entries = np.isnan(jacobian.reshape(len(bad), -1))
        np.testing.assert_array_equal(entries.all(axis=1), bad)
        np.testing.assert_array_equal(entries.any(axis=1), bad)

    def total(X):
        values = coef(X)
        return jnp.sum(jnp.where(jnp.isnan(values), 0.0, values))

    expected = np.sum(backward[~bad], axis=(0, 1))
    np.testing.assert_allclose(jax.jit(jax.grad(total))(X), expected, rtol=1e-9, atol=1e-12)


def test_known_passes_zero_and_nothing_else():
    def function(x):
        return known(jnp.asarray(False), x, 7.0)

    at = jnp.asarray([1.0, 2.0])
    np.testing.assert_array_equal(function(at), 7.0)
    moves = jnp.asarray([0.0, 1e-200])
    for moved in (jax.jvp(function, (at,), (moves,))[1], jax.vjp(function, at)[1](moves)[0]):
        np.testing.assert_array_equal(moved, [0.0, np.nan])
    same = jax.jvp(lambda x: known(jnp.asarray(True), x, 7.0), (at,), (moves,))
    np.testing.assert_array_equal(same, [at, moves])


# -- precision -----------------------------------------------------------------------------------


def test_float32_is_float32_all_the_way():
    single = {name: array.astype(np.float32) for name, array in DATA.items()}

    def end(data):
        return core.interval_end(**data, contrast=SLOPE, side=1).value

    found, slopes = jax.value_and_grad(end)(single)
    expected, known_slopes = jax.value_and_grad(end)(DATA)
    data = oracles.model(**DATA)
    unit = oracles.std_error(data, oracles.maximum(data), SLOPE)
    assert {found.dtype, *(leaf.dtype for leaf in slopes.values())} == {np.dtype("float32")}
    assert abs(float(found) - float(expected)) < SINGLE * unit
    for name, slope in slopes.items():
        np.testing.assert_allclose(slope, known_slopes[name], rtol=1e-3, atol=1e-4)


def test_float32_without_x64():
    with jax.enable_x64(False):
        found = jax.vmap(core.fit)(DESIGNS, RESPONSES)
    assert found.coef.dtype == np.float32
    np.testing.assert_array_equal(found.status != 0, np.array(KINDS) != 0)
    assert found.status[5] == Status.RANK_DEFICIENT
    data = oracles.model(X, Y)
    best = oracles.maximum(data)
    unit = [oracles.std_error(data, best, row) for row in np.eye(P)]
    gap = np.abs(np.asarray(found.coef[0], float) - best) / unit
    assert np.max(gap) < SINGLE


# -- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "X must have rows and columns": lambda: core.fit(Y, Y),
    "y must have one value for each of the 30 rows of X": lambda: core.fit(X, Y[:5]),
    "weights must be a number or have one value": lambda: core.fit(X, Y, weights=X),
    "contrast must have one value for each of the 3 coefficients": lambda: core.interval(
        X, Y, np.ones(2)
    ),
    "side must be 1 or -1: found 2": lambda: core.interval_end(X, Y, SLOPE, 2),
    "level must lie in (0, 1): found 95": lambda: core.interval(X, Y, SLOPE, 95),
    "level must be one number": lambda: core.interval(X, Y, SLOPE, np.array([0.9, 0.95])),
    "null must be one number": lambda: core.test(X, Y, SLOPE, np.zeros(3)),
    "method must be one of wald, lr, score": lambda: core.test(X, Y, SLOPE, method="rao"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        REFUSED[message]()
    assert jax.jit(core.fit)(X, Y).status == 0


def test_nan_in_a_row_without_cases_is_a_status():
    X = np.column_stack([np.ones(6), [0.0, 1, 2, 3, 4, np.nan]])
    with jax.enable_x64(True):
        found = core.fit(X, np.array([0.0, 1, 0, 1, 0, 1]), weights=np.array([1.0, 1, 1, 1, 1, 0]))
    assert found.status == Status.NONFINITE_INPUT
    assert np.all(np.isnan(found.coef)) and np.isnan(found.loglik)
