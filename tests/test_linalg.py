"""Unrolled systems against NumPy, and packed against full."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import unpack

from jaxlogit.core import linalg

SAME_MATHEMATICS = 1e-10
B = 50


def positive_definite(p: int) -> np.ndarray:
    """B well-conditioned symmetric matrices (B, p, p) on very different scales."""
    random = np.random.default_rng(1)
    root = random.normal(size=(B, 3 * p, p))
    matrix = np.swapaxes(root, 1, 2) @ root
    return matrix * 10.0 ** random.integers(-6, 7, size=(B, 1, 1))


def everything(symmetric, vector):
    p = len(vector)
    factor = linalg.cholesky(symmetric, p)
    half = linalg.half_solve(factor, vector)
    return {
        "solve": linalg.solve(factor, vector),
        "inverse": linalg.inverse(factor, p),
        "trace": linalg.trace_inverse(factor),
        "length": linalg.dot(half, half),
        "pivot": factor.smallest_pivot,
    }


@pytest.mark.parametrize("p", [1, 2, 5])
@pytest.mark.parametrize("packed", [True, False])
def test_systems_against_numpy(p, packed):
    matrix = positive_definite(p)
    vector = np.random.default_rng(2).normal(size=(B, p))

    def one(full, right):
        return everything(linalg.pack(full) if packed else full, right)

    found = jax.jit(jax.vmap(one))(matrix, vector)
    inverse = np.linalg.inv(matrix)
    solved = np.einsum("bij,bj->bi", inverse, vector)
    size = np.abs(inverse).max(axis=(1, 2))

    def check(name, expected, unit):
        gap = np.abs(found[name] - expected).reshape(B, -1).max(axis=1)
        assert np.all(gap <= SAME_MATHEMATICS * unit)

    check("inverse", inverse, size)
    check("solve", solved, size)
    check("length", np.sum(solved * vector, axis=1), size)
    check("trace", np.trace(inverse, axis1=1, axis2=2), size)
    lower = np.linalg.cholesky(matrix)
    pivots = np.diagonal(lower, axis1=1, axis2=2) ** 2 / np.diagonal(matrix, axis1=1, axis2=2)
    check("pivot", pivots.min(axis=1), np.ones(B))


@pytest.mark.parametrize("packed", [True, False])
def test_singular_matrices_have_no_pivot(packed):
    column = np.array([1.0, 2.0, 3.0])
    singular = np.outer(column, column)
    indefinite = np.diag([1.0, -1.0, 1.0])
    for matrix in (singular, indefinite, np.zeros((3, 3))):
        array = jnp.asarray(matrix)
        factor = linalg.cholesky(linalg.pack(array) if packed else array, 3)
        assert factor.smallest_pivot <= 1e-15


def test_packing():
    matrix = positive_definite(4)[0]
    packed = linalg.pack(jnp.asarray(matrix))
    assert packed.shape == (linalg.packed_size(4),) == (10,)
    np.testing.assert_array_equal(unpack(packed, 4), matrix)
    np.testing.assert_array_equal(packed, matrix.T[np.triu_indices(4)])


def test_column_products_are_packed_outer_products():
    design = np.random.default_rng(3).normal(size=(7, 3))
    weights = np.arange(7.0)
    products = linalg.column_products(design)
    full = design.T @ (weights[:, None] * design)
    np.testing.assert_allclose(unpack(products @ weights, 3), full, rtol=SAME_MATHEMATICS)


def test_unrolling_ends_at_its_limit():
    assert linalg.unrolls(linalg.UNROLL_LIMIT)
    assert not linalg.unrolls(linalg.UNROLL_LIMIT + 1)
