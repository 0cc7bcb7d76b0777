"""One Newton search: steps, constraints, halving and what the certificate proves."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from jaxlogit import Status
from jaxlogit.core import linalg
from jaxlogit.core.likelihood import Evaluation, Rows, evaluate
from jaxlogit.core.newton import (
    MAX_HALVINGS,
    PROOF_LIMIT,
    RUNNING,
    Scale,
    curvature_reach,
    is_flat,
    newton,
    newton_step,
    start_search,
)

SAME_MATHEMATICS = 1e-10
B, N, P = 300, 20, 3
RANDOM = np.random.default_rng(17)
X = np.concatenate([np.ones((N, 1)), RANDOM.normal(size=(N, P - 1))], axis=1)
# Slopes from none to steep: some of the models are separated.
CHANCE = 1 / (1 + np.exp(-np.linspace(0, 8, B)[:, None] * X[:, 1]))
Y = (RANDOM.uniform(size=(B, N)) < CHANCE).astype(float)
REACH = np.sqrt(np.max(np.sum(X**2, axis=1)))
SCALE = Scale(jnp.asarray(REACH), jnp.asarray(1e-14))
FAR = np.array([4.0, -3.0, 5.0])


def search(y, start, max_steps=60, *, halving=True, constraint=None, null=None):
    rows = Rows(jnp.asarray(X), y @ X)

    def at(coef):
        return evaluate(rows, coef, unroll=False)

    return newton(
        at, start_search(start), SCALE, max_steps,
        constraint=constraint, null=null, halving=halving,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ends():
    """Searches for all models from 0 and from far away."""
    both = jax.jit(jax.vmap(jax.vmap(search, (0, None)), (None, 0)))
    return both(jnp.asarray(Y), jnp.asarray([np.zeros(P), FAR]))


def test_certified_exactly_where_a_maximum_exists(ends):
    for i in range(0, B, 3):
        overlap = oracles.separation(oracles.model(X, Y[i])) == "overlap"
        for start in (0, 1):
            assert (ends.status[start, i] == Status.CONVERGED) == overlap
    assert not np.any(is_flat(ends) & (ends.status == Status.CONVERGED))


def test_maxima_against_the_oracle(ends):
    found = np.flatnonzero(ends.status[0] == Status.CONVERGED)
    assert len(found) > 0.4 * B
    for i in found[::5]:
        data = oracles.model(X, Y[i])
        best = oracles.maximum(data)
        unit = np.sqrt(np.diag(np.linalg.inv(oracles.information(data, best))))
        for start in (0, 1):
            assert np.all(np.abs(ends.coef[start, i] - best) < SAME_MATHEMATICS * unit)


def test_separated_searches_keep_their_proof_above_the_limit(ends):
    lost = ends.status[0] == RUNNING
    assert np.any(lost)
    assert np.all(ends.proof[0][lost] > PROOF_LIMIT)
    # Any tolerance on the gain in l would have passed nearly all of them.
    assert np.mean(ends.decrement[0][lost] < 1e-12) > 0.8


def test_constrained_maxima_against_the_oracle():
    contrast, null = np.array([0.0, 1.0, -0.5]), 0.7
    start = contrast * (null / (contrast @ contrast))
    ends = jax.jit(
        jax.vmap(lambda y: search(y, start, constraint=contrast[None], null=np.array([null])))
    )(jnp.asarray(Y[:60]))
    done = np.flatnonzero(ends.status == Status.CONVERGED)
    assert len(done) > 50
    np.testing.assert_allclose(ends.coef @ contrast, null, rtol=SAME_MATHEMATICS)
    for i in done:
        expected = oracles.maximum(oracles.model(X, Y[i]), contrast, null)
        np.testing.assert_allclose(ends.coef[i], expected, atol=1e-9)


def test_step_is_the_solution_of_the_bordered_system():
    """[H C'; C 0][step, ν] = [U, gap], for one constraint and for two."""
    root = RANDOM.normal(size=(9, P))
    H, U = root.T @ root, RANDOM.normal(size=P)
    for q in (1, 2):
        C, gap = RANDOM.normal(size=(q, P)), RANDOM.normal(size=q)
        bordered = np.block([[H, C.T], [C, np.zeros((q, q))]])
        expected = np.linalg.solve(bordered, np.concatenate([U, gap]))[:P]
        for packed in (True, False):
            matrix = linalg.pack(jnp.asarray(H)) if packed else jnp.asarray(H)
            factor = linalg.cholesky(matrix, P, jnp.asarray(U), *jnp.asarray(C))
            step, squared = newton_step(factor, jnp.asarray(gap))
            np.testing.assert_allclose(step, expected, rtol=SAME_MATHEMATICS)
            np.testing.assert_allclose(squared, expected @ H @ expected, rtol=SAME_MATHEMATICS)
    step, squared = newton_step(factor)
    np.testing.assert_allclose(step, np.linalg.solve(H, U), rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(squared, U @ np.linalg.solve(H, U), rtol=SAME_MATHEMATICS)


def test_reach_bounds_every_row():
    """R ≥ |x'v| for each row and each v of length 1 in the information's norm."""
    information = oracles.information(oracles.model(X, Y[0]), np.zeros(P))
    factor = linalg.cholesky(jnp.asarray(information), P)
    reach, noise = curvature_reach(factor, SCALE)
    exact = np.sqrt(np.max(np.einsum("ni,ij,nj->n", X, np.linalg.inv(information), X)))
    assert exact <= reach <= np.sqrt(P) * REACH / np.sqrt(np.linalg.eigvalsh(information)[0])
    assert 0 < noise < 1e-12
    assert curvature_reach(factor, Scale()) == (1.0, 0.0)


def test_step_limit_leaves_a_search_running():
    end = search(jnp.asarray(Y[0]), jnp.zeros(P), 2)
    assert (end.status, end.n_steps) == (RUNNING, 2)


def test_halving_that_never_helps_ends():
    """A log-likelihood that falls wherever the search goes, against its own score."""

    def misleading(coef):
        wrong_way = jnp.where(coef[0] == 0.0, 0.0, -1.0)
        return Evaluation(wrong_way, jnp.ones(1), jnp.ones((1, 1)))

    end = newton(misleading, start_search(jnp.zeros(1)), Scale(), 200, halving=True)
    assert end.status == Status.STEP_HALVING_FAILED
    assert end.n_halvings >= MAX_HALVINGS


def test_singular_information_without_halving_fails():
    def singular(coef):
        return Evaluation(-(coef @ coef), jnp.ones(2), jnp.ones((2, 2)))

    end = newton(singular, start_search(jnp.zeros(2)), Scale(), 10, halving=False)
    assert end.status == Status.STEP_HALVING_FAILED
