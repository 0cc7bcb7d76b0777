"""Searches side by side: the same results, and row arrays that stay as products leave them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlogit.core import linalg, penalty
from jaxlogit.core.abreast import abreast, last
from jaxlogit.core.likelihood import Jeffreys, Rows

N_MODELS, N_ROWS, P = 7, 19, 3
RANDOM = np.random.default_rng(1)


def drawn(*shape: int):
    return jnp.asarray(RANDOM.normal(size=shape))


def search(common, own):
    """A loop whose length depends on both, as a search's does."""
    matrix, vector, shared = common
    start, row = own

    def advance(state):
        x, n = state
        return 0.5 * x - 0.1 * jnp.tanh(matrix @ x + vector - shared - row), n + 1

    x, n = jax.lax.while_loop(
        lambda state: (jnp.sum(state[0] ** 2) > 0.05) & (state[1] < 20), advance, (start, 0)
    )
    return {"x": x, "steps": n, "norm": jnp.sum(x**2)}


@pytest.mark.parametrize("own_matrix", [False, True])
@pytest.mark.parametrize("shared_rows", [False, True])
def test_models_and_their_searches_are_one_axis(own_matrix, shared_rows):
    """Whatever models share, results are those of one search after the other."""
    q = 4
    matrix = drawn(N_MODELS, P, P) if own_matrix else drawn(P, P)
    vector, shared, starts = drawn(N_MODELS, P), drawn(P), drawn(N_MODELS, q, P)
    rows = drawn(q, P) if shared_rows else drawn(N_MODELS, q, P)
    axes = (0 if own_matrix else None, 0, None, 0, None if shared_rows else 0)

    def of_model(matrix, vector, shared, starts, rows):
        return abreast(search, (matrix, vector, shared), (starts, rows))

    found = jax.jit(jax.vmap(of_model, in_axes=axes))(matrix, vector, shared, starts, rows)
    for b in range(N_MODELS):
        for j in range(q):
            common = (matrix[b] if own_matrix else matrix, vector[b], shared)
            own = (starts[b, j], rows[j] if shared_rows else rows[b, j])
            one = search(common, own)
            np.testing.assert_allclose(found["x"][b, j], one["x"], rtol=0, atol=1e-12)
            assert found["steps"][b, j] == one["steps"]
    assert len(np.unique(found["steps"])) > 1
    alone = abreast(search, (matrix[0] if own_matrix else matrix, vector[0], shared),
                    (starts[0], rows if shared_rows else rows[0]))  # fmt: skip
    np.testing.assert_allclose(alone["norm"], found["norm"][0], rtol=0, atol=1e-12)


def test_the_last_axis_is_a_matter_of_layout():
    matrix, starts, rows = drawn(P, P), drawn(2, N_MODELS, P), drawn(P)

    def one(start):
        return last(search, (matrix, rows, rows), (start, rows))

    def plainly(start):
        return search((matrix, rows, rows), (start, rows))

    found, expected = (jax.vmap(jax.vmap(f))(starts) for f in (one, plainly))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), found, expected)
    np.testing.assert_allclose(one(starts[0, 0])["x"], found["x"][0, 0], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_row_array_is_turned_around(weighted):
    """Under `vmap` an evaluation leaves arrays with an entry for each row and model as they are."""
    design = RANDOM.normal(size=(N_ROWS, P))
    products = jnp.asarray(linalg.column_products(design))
    columns = jnp.asarray(design.T.copy())
    kept = Jeffreys(jnp.asarray(0.5), drawn(len(products)))

    def evaluate(coef, total, score_total):
        rows = Rows(
            jnp.asarray(design), score_total, products, products.T, columns,
            total if weighted else None, jeffreys=kept,
        )  # fmt: skip
        return penalty.evaluate(rows, coef)

    data = drawn(N_MODELS, P), jnp.ones((N_MODELS, N_ROWS)), drawn(N_MODELS, P)
    traced = jax.make_jaxpr(jax.vmap(lambda *one: last(evaluate, *one)))(*data)
    turned = list(transposed(traced.jaxpr))
    # Weights come with models first: they are turned once, and never again.
    assert turned.count((N_ROWS, N_MODELS)) == 1
    assert (N_MODELS, N_ROWS) not in turned


def transposed(jaxpr):
    """Shapes of all transposed arrays of two axes with an entry for each row and model."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "transpose":
            (found,) = equation.outvars
            if sorted(found.aval.shape) == sorted((N_ROWS, N_MODELS)):
                yield found.aval.shape
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from transposed(inner)
