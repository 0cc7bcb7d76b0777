"""The generator of the bootstrap's draws against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlogit.core import threefry


def keys(count):
    return jax.random.key_data(jax.random.split(jax.random.key(7, impl="threefry2x32"), count))


def jax_words(key, count):
    """Halves of JAX's 64-bit numbers, all the higher ones first."""
    with jax.threefry_partitionable(True):
        key = jax.random.wrap_key_data(key, impl="threefry2x32")
        pairs = np.asarray(jax.random.bits(key, (-(-count // 2),), jnp.uint64))
    halves = np.concatenate([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)])
    return halves.astype(np.uint32)[:count]


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("count", [1, 2, 189, 1000])
def test_words_are_the_bits_of_jax(count, by_row):
    with jax.enable_x64(True):
        some = keys(5)
        expected = np.stack([jax_words(key, count) for key in some])
        alone = [threefry.words(key, count, by_row=by_row) for key in some]
        np.testing.assert_array_equal(np.stack(alone), expected)
        draw = jax.jit(jax.vmap(lambda key: threefry.words(key, count, by_row=by_row)))
        np.testing.assert_array_equal(draw(some), expected)


@pytest.mark.parametrize("by_row", [False, True])
def test_numbers_made_of_words(by_row):
    with jax.enable_x64(True):
        key = keys(1)[0]
        half = threefry.words(key, 7, lambda bits: 0.5 * bits.astype(jnp.float32), by_row=by_row)
        assert half.dtype == jnp.float32
        np.testing.assert_array_equal(half, np.float32(0.5) * jax_words(key, 7).astype(np.float32))
