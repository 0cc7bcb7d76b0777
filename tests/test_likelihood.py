"""Value, score and information of one model against autodiff of the textbook formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import information, loglik, model, score, unpack

import jaxlogit
from jaxlogit import batch, forms
from jaxlogit.core import likelihood, linalg, reach
from jaxlogit.core.likelihood import Rows

SAME_MATHEMATICS = 1e-10
N, P = 12, 3
COEFFICIENTS = np.array([[0.0, 0.0, 0.0], [0.4, -1.1, 0.7], [8.0, 3.0, -5.0]])

RANDOM = np.random.default_rng(11)
X = np.column_stack([np.ones(N), RANDOM.normal(size=(N, P - 1))])
TRIALS = RANDOM.integers(1, 6, N).astype(float)
WEIGHTS = np.where(np.arange(N) == 5, 0.0, RANDOM.uniform(0.25, 3, N))
OFFSET = RANDOM.normal(size=N)
Y = np.round(TRIALS * RANDOM.uniform(size=N), 1)
BINARY = RANDOM.integers(0, 2, N).astype(float)

CASES = {
    "binary": {"y": BINARY},
    "trials": {"y": Y, "trials": TRIALS},
    "weights": {"y": BINARY, "weights": WEIGHTS},
    "offset": {"y": BINARY, "offset": OFFSET},
    "all": {"y": Y, "trials": TRIALS, "weights": WEIGHTS, "offset": OFFSET},
}


def rows_of(data, products: bool) -> Rows:
    """A model's rows as the core takes them, with None for what is trivial."""
    total = data.weights * data.trials
    successes = data.weights * data.y
    has_offset = bool(np.any(data.offset))
    return Rows(
        design=jnp.asarray(data.X),
        score_total=jnp.asarray(successes @ data.X),
        products=linalg.column_products(data.X) if products else None,
        total=None if np.all(total == 1) else jnp.asarray(total),
        offset=jnp.asarray(data.offset) if has_offset else None,
        offset_total=jnp.asarray(successes @ data.offset) if has_offset else None,
    )


def textbook(data):
    """The textbook's Σ a[y log mu + (m − y)log(1 − mu)], for autodiff."""

    def of(coef):
        eta = data.X @ coef + data.offset
        success, failure = jax.nn.log_sigmoid(eta), jax.nn.log_sigmoid(-eta)
        return jnp.sum(data.weights * (data.y * success + (data.trials - data.y) * failure))

    return of


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packed", [True, False])
def test_against_autodiff(case, packed):
    data = model(X, **CASES[case])
    rows = rows_of(data, products=packed)
    expected = textbook(data)
    for coef in COEFFICIENTS:
        found = likelihood.evaluate(rows, jnp.asarray(coef), unroll=packed)
        value, gradient = jax.value_and_grad(expected)(coef)
        hessian = jax.hessian(expected)(coef)
        tolerance = {"rtol": SAME_MATHEMATICS, "atol": SAME_MATHEMATICS}
        np.testing.assert_allclose(found.loglik, value, **tolerance)
        np.testing.assert_allclose(likelihood.loglik(rows, jnp.asarray(coef)), value, **tolerance)
        np.testing.assert_allclose(found.score, gradient, **tolerance)
        assert found.information.shape == ((linalg.packed_size(P),) if packed else (P, P))
        full = unpack(found.information, P) if packed else found.information
        np.testing.assert_allclose(full, -hessian, **tolerance)
        # The tests' own oracle is held to the same numbers.
        np.testing.assert_allclose(loglik(data, coef), value, **tolerance)
        np.testing.assert_allclose(score(data, coef), gradient, **tolerance)
        np.testing.assert_allclose(information(data, coef), -hessian, **tolerance)


def test_packed_without_products_is_the_same():
    """X per model: no products are made, the packed matrix comes from X'(w·X)."""
    data = model(X, **CASES["all"])
    coef = jnp.asarray(COEFFICIENTS[1])
    a = likelihood.evaluate(rows_of(data, products=True), coef)
    b = likelihood.evaluate(rows_of(data, products=False), coef)
    np.testing.assert_allclose(a.information, b.information, rtol=1e-13)


def test_own_derivative_of_the_value():
    """The derivative rule of the row term makes the core's own value differentiable."""
    rows = rows_of(model(X, **CASES["all"]), products=False)
    coef = jnp.asarray(COEFFICIENTS[1])
    found = likelihood.evaluate(rows, coef, unroll=False)

    def value(at):
        return likelihood.loglik(rows, at)

    np.testing.assert_allclose(jax.grad(value)(coef), found.score, rtol=1e-12)
    np.testing.assert_allclose(-jax.hessian(value)(coef), found.information, rtol=1e-12)


def test_row_derivatives_at_zero_and_far_out():
    eta = jnp.array([0.0, 800.0, -800.0, 40.0, -40.0])
    mu, curvature = likelihood.row_derivatives(eta)
    np.testing.assert_array_equal(mu[:3], [0.5, 1.0, 0.0])
    np.testing.assert_array_equal(curvature[:3], [0.25, 0.0, 0.0])
    np.testing.assert_allclose(mu[3:], [1.0, np.exp(-40.0)], rtol=1e-15)
    # mu(1 − mu) keeps its digits on the left and is below one rounding of 1 on the right.
    np.testing.assert_allclose(curvature[4], np.exp(-40.0), rtol=1e-15)
    np.testing.assert_allclose(curvature[3], np.exp(-40.0), atol=1e-16)
    third = likelihood.row_third_derivative(eta)
    np.testing.assert_array_equal(third[:3], [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(likelihood.log_partition(eta)[:3], [np.log(2.0), 800.0, 0.0])


def test_third_derivative_by_differences():
    eta, step = jnp.linspace(-6.0, 6.0, 25), 1e-5
    up = likelihood.row_derivatives(eta + step)[1]
    down = likelihood.row_derivatives(eta - step)[1]
    third = likelihood.row_third_derivative(eta)
    np.testing.assert_allclose(third, (up - down) / (2 * step), atol=1e-9)


def test_information_derivative_is_the_gradient_of_the_quadratic_form():
    rows = rows_of(model(X, **CASES["all"]), products=False)
    coef, vector = jnp.asarray(COEFFICIENTS[1]), jnp.array([0.3, -1.0, 2.0])

    def form(at):
        matrix = likelihood.evaluate(rows, at, unroll=False).information
        return vector @ matrix @ vector

    expected = jax.grad(form)(coef)
    np.testing.assert_allclose(
        likelihood.information_derivative(rows, coef, vector), expected, rtol=1e-12
    )


@pytest.mark.parametrize("eta", [800.0, -800.0])
def test_extreme_linear_predictors_stay_finite(eta):
    """log(1 + exp(eta)) at ±800, where exp overflows: one row wrong by 800, one right."""
    X = np.ones((2, 1))
    rows = rows_of(model(X, [0.0, 1.0]), products=True)
    at = likelihood.evaluate(rows, jnp.array([eta]))
    assert at.loglik == -800.0
    assert at.score == -np.sign(eta)
    assert at.information[0] == 0.0


@pytest.mark.parametrize("n", [1, 499, 500, 501, 1501])
def test_product_of_factors_is_cut_into_blocks(n):
    """At eta = 0 every factor is 1/2: a product over more than 1,074 rows would underflow."""
    for eta in (jnp.zeros(n), jnp.linspace(-30.0, 30.0, n)):
        found = likelihood.log_partition_sum(eta, jax.nn.sigmoid(eta))
        expected = np.sum(np.logaddexp(0, eta))
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def test_row_reach_and_case_count_leave_out_rows_without_cases():
    data = model(np.array([[1.0, 3.0], [1.0, 100.0], [3.0, 4.0]]), [0, 0, 1], weights=[1, 0, 2])
    rows = rows_of(data, products=False)
    assert reach.row_reach(rows) == 5.0
    assert reach.case_count(rows) == 3.0
    alike = rows_of(model(np.eye(2), [0, 1]), products=False)
    assert reach.case_count(alike) == 2.0


@pytest.mark.parametrize("n", [1000, 2500])
def test_rows_in_blocks_weigh_as_all_at_once(n):
    random = np.random.default_rng(n)
    design, weights = random.normal(size=(n, 3)), random.random(n)
    columns = jnp.asarray(design.T)
    found = likelihood._weigh_by_blocks(columns, jnp.asarray(weights))
    np.testing.assert_allclose(found, (design * weights[:, None]).T @ design, rtol=1e-12)
    longest = np.max(np.sum(design**2, axis=1))
    np.testing.assert_allclose(reach._largest_square(columns), longest, rtol=1e-14)


def test_a_long_model_is_the_sum_of_its_parts(monkeypatch):
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(20_500), random.normal(size=(20_500, 2))])
    y = random.random((2, 20_500)) < 0.3
    found = jaxlogit.fit(X, y)
    monkeypatch.setattr(likelihood, "MANY_ROWS", 1 << 30)
    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    plain = jaxlogit.fit(X, y)
    np.testing.assert_allclose(found.coef, plain.coef, rtol=1e-10)
    np.testing.assert_allclose(found.std_error, plain.std_error, rtol=1e-10)
