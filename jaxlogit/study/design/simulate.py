"""Simulated data sets by address: a replicate's data depend on seed, cell and number alone.

The key of a replicate is fold_in(fold_in(key(seed), cell address), replicate). Generator and
its configuration are fixed here rather than taken from JAX's global settings, so that
block size, order, device, and whatever else runs in the process change nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxlogit.core.resample import IMPLEMENTATION, binomial
from jaxlogit.resampling.scheme import tails
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.design.generated import generated, mean_data_set
from jaxlogit.study.design.varying import DataSets, Drawn, Generator, source_from, words

FEW = 1024
"""Data sets, up to which a power of two is drawn."""


@contextmanager
def _random_settings() -> Iterator[None]:
    with jax.enable_x64(True), jax.threefry_partitionable(True):
        yield


def random_record() -> dict[str, object]:
    """What fixes the random numbers, and a few of them.

    JAX promises a distribution, not values, from one version to the next. The fingerprint
    tells whether this version still draws what a store was made with.

    Returns
    -------
    dict
        `implementation`, `threefry_partitionable`, `fingerprint` (four uniforms as
        hexadecimal floats).
    """
    with _random_settings():
        key = jax.random.fold_in(_cell_key(20260101, 12345), jnp.uint32(7))
        draws = np.asarray(jax.random.uniform(key, (4,), jnp.float64))
    return {
        "implementation": IMPLEMENTATION,
        "threefry_partitionable": True,
        "fingerprint": [float(draw).hex() for draw in draws],
    }


def simulate(cell: Cell, seed: int, start: int, stop: int) -> DataSets:
    """The data sets start, ..., stop − 1 of a cell.

    Parameters
    ----------
    cell : Cell
    seed : int
        The study's seed.
    start, stop : int
        Range of replicates, 0 ≤ start < stop ≤ 2³².

    Raises
    ------
    ValueError, TypeError
        A generator gave what is no data set at all; nan and its own errors fail one data set.
    """
    if cell.source is None:
        y = outcomes(cell, seed, start, stop)
        return DataSets(cell.X, y, cell.trials, cell.weights, cell.offset)
    with _random_settings():
        key = _cell_key(seed, cell.address)
        if isinstance(cell.source, Generator):
            return generated(cell.source, len(cell.names), key, start, stop)
        count, most_trials = stop - start, 1
        if cell.trials is not None:
            most_trials = int(cell.trials.max(initial=0))
        # A few more than wanted, so that small numbers of them share what is compiled.
        size = count if count > FEW else 1 << (count - 1).bit_length()
        drawn = _draw_designs(
            key, jnp.uint32(start), cell.truth, cell.table,
            source=words(cell.source), count=size, most_trials=most_trials,
        )  # fmt: skip
        arrays = (None if a is None else np.asarray(a)[:count] for a in drawn)
        X, trials, weights, offset, y = arrays
    assert X is not None and y is not None
    return DataSets(X, y, trials, weights, offset)


def outcomes(cell: Cell, seed: int, start: int, stop: int) -> NDArray[np.uint8 | np.int32]:
    """Successes of every row in the replicates start, ..., stop − 1.

    One uniform per row, inverted through the exact distribution: y = #{k : u < P(Y > k)},
    for one trial y = (u < mu).

    Parameters
    ----------
    cell : Cell
        Design, truth and address.
    seed : int
        The study's seed.
    start, stop : int
        Range of replicates, 0 ≤ start < stop ≤ 2³².

    Returns
    -------
    (stop − start, n) array
        uint8 where every row has at most 255 trials, int32 otherwise.
    """
    eta = cell.X @ cell.truth + (0.0 if cell.offset is None else cell.offset)
    tail, first, trials = tails(eta, cell.trials)
    most_trials = int(trials.max(initial=0))
    with _random_settings():
        drawn = _draw(
            _cell_key(seed, cell.address), jnp.uint32(start), tail, first, trials,
            count=stop - start, most_trials=most_trials,
        )  # fmt: skip
        return np.asarray(drawn)


def typical(source: Generator) -> Drawn:
    """The mean of a generator's first data sets, by keys of its own; see `mean_data_set`."""
    with _random_settings():
        return mean_data_set(source, jax.random.key(0, impl=IMPLEMENTATION))


def draw_again(source: Generator, cell: Cell, seed: int, replicate: int) -> None:
    """Call a generator for one replicate, so that what it raises is seen."""
    with _random_settings():
        source.draw(jax.random.fold_in(_cell_key(seed, cell.address), jnp.uint32(replicate)))


def _cell_key(seed: int, address: int) -> jax.Array:
    return jax.random.fold_in(jax.random.key(seed, impl=IMPLEMENTATION), jnp.uint32(address))


@partial(jax.jit, static_argnames=("count", "most_trials"))
def _draw(
    key: jax.Array,
    start: jax.Array,
    tail: jax.Array,
    first: jax.Array,
    trials: jax.Array,
    count: int,
    most_trials: int,
) -> jax.Array:
    n = trials.shape[0]

    def one(replicate: jax.Array) -> jax.Array:
        u = jax.random.uniform(jax.random.fold_in(key, replicate), (n,), jnp.float64)
        if most_trials == 1 and tail.shape[0] == n:  # one trial in every row
            return (u < tail).astype(jnp.uint8)
        drawn = binomial(u, tail, first, trials, most_trials)
        return drawn.astype(jnp.uint8 if most_trials < 256 else jnp.int32)

    return jax.vmap(one)(start + jnp.arange(count, dtype=jnp.uint32))


@partial(jax.jit, static_argnames=("source", "count", "most_trials"))
def _draw_designs(
    key: jax.Array,
    start: jax.Array,
    truth: jax.Array,
    table: Drawn,
    source: str,
    count: int,
    most_trials: int,
) -> Drawn:
    """Designs and outcomes; the source comes as text, so that equal ones are compiled once."""
    made = source_from(json.loads(source))
    assert made is not None

    def one(replicate: jax.Array) -> Drawn:
        of_design, of_outcomes = jax.random.split(jax.random.fold_in(key, replicate))
        drawn = made.draw(of_design, table)
        eta = jnp.zeros(drawn.X.shape[0])
        for j in range(drawn.X.shape[1]):  # term by term, as in `designs.mixed`
            eta = eta + drawn.X[:, j] * truth[j]
        if drawn.offset is not None:
            eta = eta + drawn.offset
        mu = jax.nn.sigmoid(eta)

        def add(k: jax.Array, y: jax.Array) -> jax.Array:
            u = jax.random.uniform(jax.random.fold_in(of_outcomes, k), mu.shape, jnp.float64)
            within = True if drawn.trials is None else k.astype(jnp.float64) < drawn.trials
            return y + (within & (u < mu)).astype(jnp.int32)

        y = jax.lax.fori_loop(0, most_trials, add, jnp.zeros(mu.shape, jnp.int32))
        return drawn._replace(y=y)

    return jax.vmap(one)(start + jnp.arange(count, dtype=jnp.uint32))
