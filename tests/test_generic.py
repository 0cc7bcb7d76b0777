"""`maximize` and `profile_interval`: any log-likelihood, against R and against `fit`."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit.core.likelihood import log_partition

REFERENCE = Path(__file__).parent / "reference" / "generic"
# R's glm gets the mean from a link whose inverse is clipped, and stops on the deviance.
AGAINST_R = 1e-7
SAME_MATHEMATICS = 1e-9


def poisson(coef, data):
    eta = data["X"] @ coef
    return jnp.sum(data["y"] * eta - jnp.exp(eta))


def probit(coef, data):
    eta = data["X"] @ coef
    return jnp.sum(jax.scipy.stats.norm.logcdf(jnp.where(data["y"] > 0, eta, -eta)))


def logistic(coef, data):
    eta = data["X"] @ coef
    return jnp.sum(data["y"] * eta - log_partition(eta))


def flat(coef, data):
    return -((coef[0] + coef[1] - data) ** 2)


@pytest.mark.parametrize(
    ("loglik", "name"), [(poisson, "poisson_warpbreaks"), (probit, "probit_birthwt")]
)
def test_agrees_with_r(loglik, name):
    reference = json.loads((REFERENCE / f"{name}.json").read_text())
    data = {"X": np.array(reference["X"], float), "y": np.array(reference["y"], float)}
    start = np.zeros(data["X"].shape[1])
    se = np.array(reference["std_error"])
    found = jl.maximize(loglik, start, data, names=reference["names"])
    assert found.status == jl.Status.CONVERGED
    assert np.max(np.abs(found.coef - reference["coef"]) / se) < AGAINST_R
    assert np.max(np.abs(found.std_error / se - 1)) < AGAINST_R
    assert abs(found.loglik - reference["loglik"]) < 1e-9
    ends = jl.profile_interval(loglik, start, data, level=reference["level"])
    assert np.max(np.abs(ends.lower - reference["lower"]) / se) < AGAINST_R
    assert np.max(np.abs(ends.upper - reference["upper"]) / se) < AGAINST_R


def test_many_models_equal_the_logistic_fit():
    rng = np.random.default_rng(7)
    X = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    Y = (rng.uniform(size=(40, 60)) < 0.4).astype(float)
    fitted = jl.fit(X, Y)
    job = (logistic, np.zeros((40, 3)), {"X": X, "y": Y})
    axes = {"X": None, "y": 0}
    found = jl.maximize(*job, in_axes=axes)
    assert np.all(found.status == 0)
    assert np.max(np.abs(found.coef - fitted.coef) / fitted.std_error) < SAME_MATHEMATICS
    assert np.max(np.abs(found.covariance - fitted.covariance)) < SAME_MATHEMATICS
    ends, expected = jl.profile_interval(*job, in_axes=axes), fitted.confint()
    assert np.all(ends.lower_status == 0) and np.all(ends.upper_status == 0)
    assert np.max(np.abs(ends.lower - expected.lower) / fitted.std_error) < SAME_MATHEMATICS
    assert np.max(np.abs(ends.upper - expected.upper) / fitted.std_error) < SAME_MATHEMATICS


def test_a_flat_direction_is_a_status_and_leaves_neighbours_alone():
    found = jl.maximize(flat, [0.0, 0.0], 1.0)
    assert found.status == jl.Status.RANK_DEFICIENT
    assert np.all(np.isnan(found.coef)) and np.all(np.isnan(found.std_error))


def test_one_bad_data_set_keeps_to_itself():
    X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    Y = np.array([[3.0, 5.0, 9.0, 11.0], [np.nan, 5.0, 9.0, 11.0], [3.0, 5.0, 9.0, 11.0]])
    found = jl.maximize(poisson, np.zeros((3, 2)), {"X": X, "y": Y}, in_axes={"X": None, "y": 0})
    assert found.status.tolist() == [0, jl.Status.NONFINITE_INPUT, 0]
    assert np.all(np.isnan(found.coef[1]))
    alone = jl.maximize(poisson, np.zeros(2), {"X": X, "y": Y[0]})
    assert np.max(np.abs(found.coef[[0, 2]] - alone.coef)) < 1e-12


def test_bad_arguments_are_named():
    data = {"X": np.ones((4, 2)), "y": np.ones((3, 4))}
    with pytest.raises(ValueError, match="data must have a leading axis of 3 models"):
        jl.maximize(poisson, np.zeros((3, 2)), data)
    with pytest.raises(ValueError, match="in_axes must be 0, None, or a pytree"):
        jl.maximize(poisson, np.zeros((3, 2)), data, in_axes=2)
    with pytest.raises(ValueError, match=r"start must be finite: found nan at coefficient 0$"):
        jl.maximize(poisson, [np.nan, 0.0], data)
    with pytest.raises(ValueError, match=r"start must hold numbers: found shape \(0, 2\)"):
        jl.maximize(poisson, np.zeros((0, 2)), data)
    with pytest.raises(ValueError, match="data must be rectangular: found length 1 at 1, length 2"):
        jl.maximize(poisson, [0.0, 0.0], {"X": [[1, 2], [1]], "y": [1, 2]})
    with pytest.raises(TypeError, match="data must be numeric"):
        jl.maximize(poisson, [0.0, 0.0], {"X": np.ones((4, 2)), "y": np.array(["a"] * 4)})


@pytest.mark.parametrize("call", [jl.maximize, jl.profile_interval])
@pytest.mark.parametrize(
    "in_axes",
    [
        (None, 0),
        {"X": None},
        {"X": None, "z": 0},
        {"X": None, "y": True},
        {"X": (0, 0), "y": 0},
        "y",
    ],
)
def test_in_axes_must_be_like_the_data(call, in_axes):
    data = {"X": np.ones((4, 2)), "y": np.ones((3, 4))}
    with pytest.raises(ValueError, match="in_axes must be 0"):
        call(poisson, np.zeros((3, 2)), data, in_axes=in_axes)


def listed(coef, data):
    X, y, *_ = data
    return poisson(coef, {"X": X, "y": y})


@pytest.mark.parametrize("extra", [[], [None]])
def test_a_list_of_arrays_holds_several(extra):
    """As in JAX; None in the data is an empty place."""
    X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    Y = np.array([[3.0, 5.0, 9.0, 11.0], [4.0, 5.0, 6.0, 9.0]])
    expected = jl.maximize(poisson, np.zeros(2), {"X": X.tolist(), "y": Y[1].tolist()})
    found = jl.maximize(listed, np.zeros(2), [X, Y[1], *extra])
    np.testing.assert_array_equal(found.coef, expected.coef)
    many = jl.maximize(listed, np.zeros((2, 2)), [X, Y, *extra], in_axes=[None, 0, *extra])
    np.testing.assert_allclose(many.coef[1], expected.coef, rtol=SAME_MATHEMATICS)


def test_data_that_are_nan_are_a_status():
    data = {"X": np.ones((4, 1)), "y": np.array([1.0, np.nan, 2.0, 3.0])}
    found = jl.maximize(poisson, [0.0], data)
    ends = jl.profile_interval(poisson, [0.0], data)
    assert found.status == jl.Status.NONFINITE_INPUT and np.isnan(found.coef[0])
    assert ends.lower_status[0] == ends.upper_status[0] == jl.Status.NONFINITE_INPUT
    assert np.isnan(ends.lower[0]) and np.isnan(ends.residual[0, 1])
