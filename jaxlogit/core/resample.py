"""What one replicate of a bootstrap draws: weights of the rows, or outcomes.

A replicate has an address, fold_in(key, number): what it draws depends on nothing else, neither
on the size or order of blocks nor on how many replicates there are. Weights are drawn by unit
(a row, or a cluster of rows):

    pairs      how often each unit is drawn with replacement, within its stratum,
    poisson    independent Poisson numbers,
    bayesian   independent exponentials, divided by their mean within the stratum: Dirichlet
               weights (Rubin 1981, Annals of Statistics 9:130–134, doi:10.1214/aos/1176345338),
    score      multipliers of mean 0 and variance 1 (Wu 1986; Webb's six points, 2023, Canadian
               Journal of Economics 56:839–858, doi:10.1111/caje.12661),
    jackknife  1, but 0 for the unit whose number the replicate has.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core import threefry
from jaxlogit.core.kinds import Array

IMPLEMENTATION = "threefry2x32"
WEBB = np.sqrt([0.5, 1.0, 1.5])  # and the same below 0


class Layout(NamedTuple):
    """What is compiled in."""

    scheme: str
    n_units: int
    n_draws: int
    """Units drawn, m; less than their number in an m-out-of-n bootstrap."""
    n_strata: int = 1
    most_trials: int = 1


class Source(NamedTuple):
    """What the replicates of one data set draw from: they share it."""

    key: Array
    """(2,) uint32, of the data set."""
    unit: Array | None = None
    """(n,) the unit of each row; None where rows are the units."""
    stratum: Array | None = None
    """(G,) the stratum of each unit; None where there is one."""
    order: Array | None = None
    """(G,) units stratum by stratum."""
    first: Array | None = None
    """(m,) where in `order` the stratum begins that each draw is made from."""
    room: Array | None = None
    """(m,) how many units that stratum has."""
    steps: Array | None = None
    """(k,) uint32: a Poisson number is how many of these a random number reaches."""
    tail: Array | None = None
    """P(Y > k) for k = 0..m−1, row after row: what outcomes are drawn from."""
    first_tail: Array | None = None
    """(n,) each row's first entry in `tail`."""
    trials: Array | None = None
    """(n,) int32."""


def key_of(seed: int, data_set: int) -> np.ndarray:
    """The key of a data set of a bootstrap, (2,) uint32."""
    with jax.enable_x64(True):
        key = jax.random.fold_in(jax.random.key(seed, impl=IMPLEMENTATION), np.uint32(data_set))
        return np.asarray(jax.random.key_data(key))


def row_weights(source: Source, number, layout: Layout):
    """Weights of the rows in one replicate, (n,)."""
    weights = unit_weights(source, number, layout)
    return weights if source.unit is None else weights[source.unit]


def unit_weights(source: Source, number, layout: Layout):
    """Weights of the units in one replicate, (G,), in double precision."""
    n_units = layout.n_units
    if layout.scheme == "jackknife":
        return jnp.where(jnp.arange(n_units, dtype=jnp.uint32) == number, 0.0, 1.0)
    if layout.scheme == "pairs":
        return _counts(source, _bits(source, number, layout.n_draws), n_units)
    if layout.scheme == "rademacher":
        return _signs(_bits(source, number, -(-n_units // 32)), n_units)
    if layout.scheme == "bayesian":
        drawn = _bits(source, number, n_units, _exponential, by_row=True).astype(jnp.float64)
        return drawn * _scale(drawn, source, layout)
    bits = _bits(source, number, n_units)
    if layout.scheme == "webb":
        return jnp.asarray(np.concatenate([-WEBB[::-1], WEBB]))[_below(bits, jnp.uint64(6))]
    assert layout.scheme == "poisson" and source.steps is not None
    reached = bits[:, None] >= source.steps[None, :]
    return jnp.sum(reached, axis=1).astype(jnp.float64)


def _scale(drawn, source: Source, layout: Layout):
    """What brings the mean of each stratum's weights to 1, for each unit or for all."""
    if source.stratum is None:
        return layout.n_units / jnp.sum(drawn)
    sums = jax.ops.segment_sum(drawn, source.stratum, layout.n_strata)
    sizes = jax.ops.segment_sum(jnp.ones_like(drawn), source.stratum, layout.n_strata)
    return (sizes / sums)[source.stratum]


def outcomes(source: Source, number, layout: Layout):
    """Successes of the rows in one replicate, (n,): one uniform each, inverted exactly."""
    assert source.tail is not None
    n = layout.n_units
    uniform = (_bits(source, number, 2 * n).reshape(2, n).astype(jnp.float64) + 0.5) * 2.0**-32
    u = uniform[0] + 2.0**-32 * (uniform[1] - 0.5)
    if layout.most_trials == 1:
        return (u < source.tail).astype(jnp.float64)
    assert source.first_tail is not None and source.trials is not None
    drawn = binomial(u, source.tail, source.first_tail, source.trials, layout.most_trials)
    return drawn.astype(jnp.float64)


def binomial(u, tail, first, trials, most_trials: int):
    """Successes #{k : u < P(Y > k)} of rows (n,) from uniforms and tail probabilities, int32.

    `tail` has P(Y > k) for k = 0..m−1, row after row; `first` is where each row begins.
    """
    low, high = jnp.zeros_like(trials), trials
    for _ in range(most_trials.bit_length()):  # halvings that find one of m + 1 numbers
        middle = (low + high) // 2
        open_ = middle < high
        above = open_ & (u < tail[jnp.where(open_, first + middle, 0)])
        low = jnp.where(above, middle + 1, low)
        high = jnp.where(open_ & ~above, middle, high)
    return low


def _counts(source: Source, bits, n_units: int):
    """How often each unit is drawn, one draw for each of the random numbers."""
    if source.order is None or source.first is None or source.room is None:
        drawn = _below(bits, jnp.uint64(n_units))
    else:
        drawn = source.order[source.first + _below(bits, source.room.astype(jnp.uint64))]
    return jnp.zeros(n_units, jnp.float32).at[drawn].add(1.0).astype(jnp.float64)


def _signs(words, count: int):
    """The bits of random words as numbers: 1 where a bit is 0, −1 where it is 1, (count,)."""
    one = jax.custom_batching.custom_vmap(lambda words: expanded(words[:, None])[:, 0])

    def expanded(words):
        places = jnp.arange(32, dtype=jnp.uint32)[None, :, None]
        bits = (words[:, None, :] >> places) & jnp.uint32(1)
        return (1.0 - 2.0 * bits.astype(jnp.float64)).reshape(-1, words.shape[1])[:count]

    @one.def_vmap
    def many(_size, _in_batched, words):  # with replicates last each bit has one place: vectors
        return jnp.moveaxis(expanded(words.T), -1, 0), True

    return one(words)


def _below(bits, limit):
    """Whole numbers below a limit; each is drawn within limit/2³² of its equal share."""
    return ((bits.astype(jnp.uint64) * limit) >> jnp.uint64(32)).astype(jnp.int32)


def _bits(source: Source, number, count: int, *made: Callable[[Array], Array], by_row=False):
    """Random 32-bit numbers of one replicate, or what is `made` of them, (count,)."""
    key = jax.random.wrap_key_data(source.key, impl=IMPLEMENTATION)
    key = jax.random.key_data(jax.random.fold_in(key, number))
    return threefry.words(key, count, *made, by_row=by_row)


def _exponential(bits):
    """Exponentials from random 32-bit numbers, in single precision.

    Never 0 and never infinite, whatever the bits: weights above 0 leave the status of the data as
    it is. Single precision has all digits of small ones; a weight above 16 is drawn as 16.
    """
    uniform = (bits.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-32)
    return -jnp.log1p(-jnp.minimum(uniform, jnp.float32(1.0 - 2.0**-24)))
