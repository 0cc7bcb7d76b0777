"""Simulated outcomes: addresses, block independence, and the exact distribution."""

import hashlib

import jax
import numpy as np
import pytest
from scipy import stats

from jaxlogit.resampling.scheme import tails
from jaxlogit.study.design.cells import Cell, cell_from_arrays
from jaxlogit.study.design.simulate import outcomes, random_record

STATISTICAL = 5.0
"""Largest |z| accepted; seeds are fixed."""


def binary_cell(n=30, **values):
    x = np.linspace(-2, 2, n)
    return Cell(
        X=np.column_stack([np.ones(n), x]),
        truth=np.array([-0.5, 1.0]),
        names=("Intercept", "x"),
        values=values,
    )


def grouped_cell(trials):
    n = len(trials)
    X = np.column_stack([np.ones(n), np.linspace(-1, 1, n)])
    return cell_from_arrays(X, [0.3, 1.2], trials=trials)


@pytest.mark.parametrize("cell", [binary_cell(), grouped_cell([3, 0, 400, 1])], ids=["1", "m"])
def test_blocks_do_not_change_the_data(cell):
    whole = outcomes(cell, 7, 0, 100)
    pieces = [outcomes(cell, 7, start, stop) for start, stop in ((0, 1), (1, 64), (64, 100))]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))


def test_streams_are_pinned():
    """The very bits: a change here makes every store in the world unable to grow."""
    y = outcomes(binary_cell(), 20260101, 0, 50)
    digest = hashlib.sha256(np.packbits(y).tobytes()).hexdigest()[:16]
    assert y.dtype == np.uint8
    assert digest == "ede3ed37b116a627"
    counts = outcomes(grouped_cell([5, 300]), 20260101, 0, 50)
    assert counts.dtype == np.int32
    assert hashlib.sha256(counts.astype("<i4").tobytes()).hexdigest()[:16] == "71f56c19d9c1340f"


def test_seed_cell_and_replicate_all_matter_and_only_they():
    base = outcomes(binary_cell(), 1, 0, 4)
    assert not np.array_equal(base, outcomes(binary_cell(), 2, 0, 4))
    assert not np.array_equal(base, outcomes(binary_cell(n_rows=30), 1, 0, 4))
    assert not np.array_equal(base[0], base[1])
    assert binary_cell(a=1, b="x").address == binary_cell(b="x", a=1).address
    assert binary_cell().label == "main"
    assert binary_cell(b="x", a=1).label == "a=1, b=x"


def test_global_settings_of_jax_do_not_change_the_data():
    expected = outcomes(binary_cell(), 3, 0, 20)
    with jax.enable_x64(False), jax.threefry_partitionable(False):
        np.testing.assert_array_equal(outcomes(binary_cell(), 3, 0, 20), expected)
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(outcomes(binary_cell(), 3, 0, 20), expected)


def test_random_record_has_draws_between_0_and_1():
    record = random_record()
    assert record == random_record()
    draws = [float.fromhex(text) for text in record["fingerprint"]]
    assert len(set(draws)) == 4
    assert all(0 <= draw < 1 for draw in draws)


def test_tails_are_the_binomial_survival_function():
    cell = grouped_cell([7, 1, 0, 40])
    tail, first, trials = tails(cell.X @ cell.truth, cell.trials)
    mu = 1 / (1 + np.exp(-(cell.X @ cell.truth)))
    for row, m in enumerate(trials):
        found = tail[first[row] : first[row] + m] if m else np.zeros(0)
        np.testing.assert_allclose(found, stats.binom.sf(np.arange(m), m, mu[row]), rtol=1e-12)


def test_grouped_rows_of_one_trial_equal_ungrouped_rows():
    cell = binary_cell()
    ones = cell_from_arrays(cell.X, cell.truth, trials=np.ones(30))
    np.testing.assert_array_equal(outcomes(cell, 5, 0, 200), outcomes(ones, 5, 0, 200))


def test_binary_outcomes_have_their_probabilities():
    cell = binary_cell()
    mu = 1 / (1 + np.exp(-(cell.X @ cell.truth)))
    R = 20_000
    y = outcomes(cell, 11, 0, R)
    z = (y.mean(axis=0) - mu) / np.sqrt(mu * (1 - mu) / R)
    assert np.abs(z).max() < STATISTICAL
    # rows are independent: correlations of 30 × 29 / 2 pairs
    correlation = np.corrcoef(y.T)[np.triu_indices(30, 1)]
    assert np.abs(correlation).max() * np.sqrt(R) < STATISTICAL


def test_counts_have_the_binomial_distribution():
    """Every count's frequency, for few trials; mean and variance, for many."""
    cell = grouped_cell([4, 1000])
    mu = 1 / (1 + np.exp(-(cell.X @ cell.truth)))
    R = 20_000
    y = outcomes(cell, 13, 0, R)
    p = stats.binom.pmf(np.arange(5), 4, mu[0])
    z = (np.bincount(y[:, 0], minlength=5) - R * p) / np.sqrt(R * p * (1 - p))
    assert np.abs(z).max() < STATISTICAL
    variance = 1000 * mu[1] * (1 - mu[1])
    assert abs(y[:, 1].mean() - 1000 * mu[1]) < STATISTICAL * np.sqrt(variance / R)
    assert abs(y[:, 1].var() / variance - 1) < STATISTICAL * np.sqrt(2 / R)


def test_offset_shifts_the_probabilities():
    cell = binary_cell()
    shifted = cell_from_arrays(cell.X, [-2.5, 1.0], offset=np.full(30, 2.0))
    np.testing.assert_array_equal(outcomes(cell, 5, 0, 50), outcomes(shifted, 5, 0, 50))


def test_far_replicates_have_addresses_too():
    last = outcomes(binary_cell(), 5, 2**32 - 2, 2**32)
    assert last.shape == (2, 30)
    assert not np.array_equal(last[1], outcomes(binary_cell(), 5, 0, 1)[0])
