"""Loops over searches in windows: each search as if it were alone, and none waited for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlogit.core.abreast import abreast
from jaxlogit.core.windows import FEW, windowed

N_MODELS, Q, P = 12, 4, 3
RANDOM = np.random.default_rng(3)
MATRIX = jnp.asarray(RANDOM.normal(size=(P, P)) / P)


def search(loop, common, own):
    """Steps towards a fixed point until they are short: as many as the start asks for."""
    target, most = common
    start, tolerance = own

    def advance(state):
        x, _, n = state
        new = target + 0.5 * jnp.tanh(MATRIX @ (x - target))
        return new, jnp.max(jnp.abs(new - x)), n + 1

    x, length, n = loop(
        lambda state: (state[1] > tolerance) & (state[2] < most),
        advance, (start, jnp.asarray(jnp.inf), jnp.int32(0)),
    )  # fmt: skip
    return {"x": x, "length": length, "steps": n}


def drawn():
    starts = RANDOM.normal(size=(N_MODELS, Q, P))
    tolerance = 10.0 ** RANDOM.uniform(-9, -1, size=(N_MODELS, Q))
    targets = RANDOM.normal(size=(N_MODELS, P))
    return jnp.asarray(targets), jnp.asarray(starts), jnp.asarray(tolerance)


@pytest.mark.parametrize("width", [None, 4, 12, 16, 48, 100, 5])
def test_every_search_as_if_it_were_alone(width):
    """Whether the width divides their number or not; some end at once, some out of steps."""
    targets, starts, tolerance = drawn()
    tolerance = tolerance.at[0, 0].set(jnp.inf).at[1, 1].set(0.0)
    most = jnp.int32(25)

    def of_model(target, starts, tolerance):
        return abreast(lambda *one: search(windowed(width), *one), (target, most),
                       (starts, tolerance))  # fmt: skip

    found = jax.jit(jax.vmap(of_model))(targets, starts, tolerance)
    for b in range(N_MODELS):
        for j in range(Q):
            own = starts[b, j], tolerance[b, j]
            one = search(jax.lax.while_loop, (targets[b], most), own)
            assert found["steps"][b, j] == one["steps"]
            np.testing.assert_allclose(found["x"][b, j], one["x"], rtol=0, atol=1e-13)
            np.testing.assert_allclose(found["length"][b, j], one["length"], rtol=1e-6, atol=1e-13)
    steps = np.asarray(found["steps"])
    assert steps.min() == 0
    assert steps.max() == 25
    assert len(np.unique(steps)) > 5


def test_one_search_needs_no_windows():
    targets, starts, tolerance = drawn()
    data = (targets[0], jnp.int32(25)), (starts[0, 0], tolerance[0, 0])
    one, other = (search(loop, *data) for loop in (windowed(4), jax.lax.while_loop))
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_slow_searches_keep_no_others_waiting():
    """One in each window of eight is slow: they end together, in a window of their own."""
    width, n_windows = 8, 6
    size = width * n_windows
    slow = jnp.arange(size) % width == 3
    short, long = 3, 20

    def many(width):
        calls: list[int] = []

        def counted(last):
            def advance(n):
                jax.debug.callback(lambda _: calls.append(1), n)
                return n + 1

            return windowed(width)(lambda n: n < last, advance, jnp.int32(0))

        found = jax.jit(jax.vmap(counted))(jnp.where(slow, long, short))
        np.testing.assert_array_equal(found, jnp.where(slow, long, short))
        jax.effects_barrier()
        return len(calls)

    assert many(size) == long * size
    assert width // FEW > 1  # so that no window waits for its one
    assert many(width) == (short * n_windows + long - short) * width
