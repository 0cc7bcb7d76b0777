"""Working coordinates: orthogonal columns whatever the units, and rank by their loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlogit.core import working
from jaxlogit.core.working import Arrays

N = 40
RANDOM = np.random.default_rng(3)
COUNT = np.arange(N)


def raw_units() -> np.ndarray:
    """A constant, a column near 1.02 with spread 0.007, one in the hundreds, years and squares."""
    gravity = RANDOM.normal(1.02, 0.007, N)
    year = np.linspace(1990.0, 2015.0, N)
    return np.column_stack([np.ones(N), gravity, RANDOM.normal(600, 240, N), year, year**2])


def one_model(design):
    columns, transform = jax.jit(working.orthogonal_columns)(jnp.asarray(design))
    return columns.T, transform


@pytest.mark.parametrize("coordinates", [working.shared_coordinates, one_model])
def test_columns_are_orthogonal_and_the_same_space(coordinates):
    X = raw_units()
    design, transform = (np.asarray(a) for a in coordinates(X))
    np.testing.assert_allclose(design.T @ design, N * np.eye(5), atol=1e-9)
    # year² is known to 1e-11 of its size beside the columns before it.
    np.testing.assert_allclose(X @ transform, design, atol=1e-4)
    np.testing.assert_allclose((X @ transform)[:, :4], design[:, :4], atol=1e-9)


@pytest.mark.parametrize("unit", [1e-180, 1e-90, 1e180])
def test_units_whose_squares_are_lost(unit):
    X = RANDOM.normal(size=(N, 3)) * [1.0, unit, 1.0]
    design, transform = working.shared_coordinates(X)
    np.testing.assert_allclose(design.T @ design, N * np.eye(3), atol=1e-9)
    np.testing.assert_allclose(X @ transform, design, atol=1e-9)


def test_both_ways_agree_up_to_signs():
    X = raw_units()[:, :4]
    shared, _ = working.shared_coordinates(X)
    own, transform = one_model(X)
    np.testing.assert_allclose(np.abs(np.sum(shared * own, axis=0)), N, rtol=1e-10)
    assert np.all(np.diag(transform) > 0)


DEFICIENT = {
    "constant twice": np.column_stack([np.ones(N), np.full(N, 3.0)]),
    "duplicate": np.column_stack([np.ones(N), COUNT, COUNT]),
    "sum of others": np.column_stack([COUNT, COUNT**2, COUNT * (1 + COUNT)]),
    "zero": np.column_stack([np.ones(N), np.zeros(N)]),
    "fewer rows than columns": RANDOM.normal(size=(2, 3)),
}


@pytest.mark.parametrize("case", DEFICIENT)
def test_dependent_columns(case):
    X = np.asarray(DEFICIENT[case], float)
    assert working.shared_coordinates(X) is None
    design, transform = one_model(X)
    lost = np.all(np.asarray(transform) == 0, axis=0)
    assert np.any(lost)
    assert np.all(np.asarray(design)[:, lost] == 0)


def test_wide_designs_take_the_other_path():
    """Above the unrolling limit: LAPACK's factor, with the same properties."""
    X = RANDOM.normal(size=(60, 18)) * 10.0 ** RANDOM.integers(-4, 5, 18)
    design, transform = one_model(X)
    np.testing.assert_allclose(design.T @ design, 60 * np.eye(18), atol=1e-9)
    np.testing.assert_allclose(X @ np.asarray(transform), design, atol=1e-9)
    X[:, 17] = X[:, 3]
    lost = np.all(np.asarray(one_model(X)[1]) == 0, axis=0)
    assert np.flatnonzero(lost).tolist() == [17]


def test_rows_without_cases_do_not_count():
    X = np.column_stack([np.ones(N), RANDOM.normal(size=N)])
    used = np.arange(N) < 25
    padded = X.copy()
    padded[~used] = 1e6
    columns, transform = working.orthogonal_columns(jnp.asarray(padded), jnp.asarray(used))
    design = columns.T
    _, expected = working.orthogonal_columns(jnp.asarray(X[used]))
    np.testing.assert_allclose(design[25:], 0.0)
    np.testing.assert_allclose(transform * np.sqrt(25 / N), expected, rtol=1e-10)


def test_merge_prefers_the_model_s_own_fields():
    lane = Arrays(y=np.array([1.0]), weights=np.array([2.0]))
    shared = Arrays(design=np.ones((1, 1)), y=np.array([0.0]))
    merged = working.merge(lane, shared)
    np.testing.assert_array_equal(merged.y, [1.0])
    assert merged.design is shared.design
    assert merged.weights is lane.weights
    assert merged.offset is None


def test_problem_uses_weights_times_trials():
    arrays = Arrays(
        design=jnp.eye(2), transform=jnp.eye(2), y=jnp.array([1.0, 2.0]),
        trials=jnp.array([2.0, 4.0]), weights=jnp.array([3.0, 0.5]), offset=jnp.array([1.0, -1.0]),
    )  # fmt: skip
    rows = working.problem(arrays).rows
    np.testing.assert_array_equal(rows.total, [6.0, 2.0])
    np.testing.assert_array_equal(rows.score_total, [3.0, 1.0])
    assert rows.offset_total == 2.0


@pytest.mark.parametrize("share", [1e-6, 1e-9])
def test_many_columns_close_to_dependent(share):
    """Full rank stays full rank: one factor's rounding grows with p, and its shift with it."""
    X = RANDOM.normal(size=(300, 100))
    X[:, 99] = X[:, :99] @ RANDOM.normal(size=99) + share * X[:, 99]
    design, transform = one_model(X)
    assert np.all(np.any(np.asarray(transform) != 0, axis=0))
    np.testing.assert_allclose(design.T @ design, 300 * np.eye(100), atol=1e-7)
