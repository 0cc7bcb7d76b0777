"""Measures against hand calculations, brute force, and simulation of their own errors."""

import math

import numpy as np
import pytest

from jaxlogit.study.measures.performance import (
    Replicates,
    compare,
    contributions,
    coverage_bounds,
    empirical_se,
    mean,
    measure,
    model_se,
    model_se_error,
    share,
    widths,
    wilson,
)

EXACT = 1e-14
SAME = 1e-10
INF, NAN = math.inf, math.nan


def replicates(estimate, std_error, lower, upper, p_value):
    columns = (estimate, std_error, lower, upper, p_value)
    return Replicates(*(np.array(column, dtype=float) for column in columns))


def four():
    """Four replicates, truth 1: one covers, one misses low, one misses high, one covers."""
    return replicates(
        [0.9, 2.0, 0.0, 1.1], [0.1, 0.2, 0.3, 0.4],
        [0.7, 1.6, -0.6, 0.3], [1.1, 2.4, 0.6, 1.9], [0.01, 0.05, 0.5, 0.06],
    )  # fmt: skip


def test_measures_by_hand():
    found = measure(four(), truth=1.0, significance=0.05)
    # deviations -0.1, 1, -1, 0.1: sum 0, sum of squares 2.02
    s = math.sqrt(2.02 / 3)
    assert found.bias.value == pytest.approx(0.0, abs=EXACT)
    assert found.bias.mcse == pytest.approx(s / 2)
    assert found.empirical_se.value == pytest.approx(s)
    assert found.empirical_se.mcse == pytest.approx(s / math.sqrt(6))
    assert found.mse.value == pytest.approx(2.02 / 4)
    # squared deviations .01, 1, 1, .01: sd of two pairs 0.495 from the mean
    assert found.mse.mcse == pytest.approx(math.sqrt(4 * 0.495**2 / 3) / 2)
    variance = np.array([0.01, 0.04, 0.09, 0.16])
    model = math.sqrt(0.3 / 4)
    assert found.model_se.value == pytest.approx(model)
    v = float(np.sum((variance - 0.075) ** 2)) / 3
    assert found.model_se.mcse == pytest.approx(math.sqrt(v / (4 * 4 * 0.075)))
    assert found.model_se_error.value == pytest.approx(100 * (model / s - 1))
    error = 100 * model / s * math.sqrt(v / (4 * 4 * 0.075**2) + 1 / 6)
    assert found.model_se_error.mcse == pytest.approx(error)
    assert found.coverage == (0.5, 0.25, 4)
    assert found.missed_low == found.missed_high == (0.25, math.sqrt(0.25 * 0.75 / 4), 4)
    assert found.coverage_bounds == (0.5, 0.5)
    assert found.rejection.value == 0.5  # p = 0.05 rejects: at most, not below
    assert found.width.value == pytest.approx((0.4 + 0.8 + 1.2 + 1.6) / 4)
    assert found.width_median == pytest.approx(1.0)
    assert found.width_infinite == 0.0
    # the mean estimate is 1: the same intervals hold it as hold the truth
    assert found.bias_eliminated_coverage.value == 0.5


def test_undefined_replicates_are_counted_not_dropped():
    """A separated replicate: an infinite estimate, no standard error, a one-sided interval."""
    wald = replicates([1, INF, 2], [1, NAN, 1], [-1, NAN, 0], [3, NAN, 4], [0.3, NAN, 0.04])
    lr = replicates([1, INF, 2], [1, NAN, 1], [-1, 0.2, 0], [3, INF, 4], [0.3, 0.01, 0.04])
    one, other = (measure(rows, 0.0, 0.05) for rows in (wald, lr))
    assert one.n_replicates == other.n_replicates == 3
    assert one.bias == other.bias == mean(np.array([1.0, 2.0]))
    assert one.coverage == (1.0, 0.0, 2)
    assert one.coverage_bounds == (2 / 3, 1.0)
    assert other.coverage.value == pytest.approx(2 / 3)
    assert other.coverage_bounds == (2 / 3, 2 / 3)
    assert other.missed_low.value == pytest.approx(1 / 3)
    assert (one.rejection.n, other.rejection.n) == (2, 3)
    assert one.width.value == 4.0
    assert other.width.value == INF and math.isnan(other.width.mcse)
    assert other.width_median == 4.0
    assert other.width_infinite == pytest.approx(1 / 3)
    assert one.bias_eliminated_coverage.n == other.bias_eliminated_coverage.n == 2


def test_model_se_error_uses_replicates_with_both():
    """Under quasi-separation a coefficient may be finite and have no standard error."""
    rows = replicates([1, 2, 9], [1, 2, NAN], [0, 0, 0], [3, 3, 3], [0.5, 0.5, 0.5])
    found = measure(rows, 0.0, 0.05)
    assert found.empirical_se.n == 3
    assert found.model_se_error == model_se_error(np.array([1.0, 2.0]), np.array([1.0, 2.0]))


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_replicates_give_nan_without_warning(n):
    values = np.arange(float(n))
    found = measure(Replicates(*[values] * 5), 0.0, 0.05)
    assert math.isnan(found.bias.mcse)
    assert math.isnan(found.empirical_se.value)
    assert math.isnan(found.model_se_error.value)
    assert found.coverage.n == n
    assert math.isnan(found.coverage.value) == (n == 0)


def test_constant_estimates_have_no_relative_error():
    ones = np.ones(3)
    assert math.isnan(model_se_error(ones, ones).value)
    assert empirical_se(ones).value == 0.0


def test_rows_of_a_table_carry_value_error_and_n():
    row = measure(four(), 1.0, 0.05).to_row()
    assert (row["coverage"], row["coverage_mcse"], row["coverage_n"]) == (0.5, 0.25, 4)
    assert row["coverage_wilson_low"] < 0.5 < row["coverage_wilson_high"]
    assert len(row) == 1 + 11 * 3 + 2 + 2 + 2


def test_wilson_solves_its_equation_and_has_width_at_the_ends():
    """The ends are where the score statistic of a share equals z², by definition."""
    low, high = wilson(0.93, 400)
    for p in (low, high):
        z = (0.93 - p) / math.sqrt(p * (1 - p) / 400)
        assert abs(z) == pytest.approx(1.959963984540054, abs=SAME)
    assert wilson(1.0, 400) == (pytest.approx(400 / (400 + 1.959963984540054**2)), 1.0)
    assert wilson(0.0, 10)[0] == 0.0
    assert all(math.isnan(end) for end in wilson(NAN, 0))


def test_coverage_bounds():
    assert coverage_bounds(np.array([True, False, True]), 5) == (2 / 5, 4 / 5)
    assert all(math.isnan(bound) for bound in coverage_bounds(np.zeros(0, bool), 0))


def test_infinite_widths_are_infinite_on_either_side():
    lower = np.array([-INF, 0.0, -INF, INF, 1.0, NAN])
    upper = np.array([0.0, INF, INF, INF, 3.0, 1.0])
    np.testing.assert_array_equal(widths(lower, upper), [INF, INF, INF, INF, 2.0, NAN])


def test_paired_differences_by_hand():
    first = four()
    second = replicates(
        [0.9, 2.0, 0.0, 1.1], [0.1] * 4,
        [0.7, 0.6, NAN, 1.05], [1.1, 2.4, NAN, 1.9], [0.01, 0.5, NAN, 0.06],
    )  # fmt: skip
    found = compare(first, second, 1.0, 0.05)
    # covered: first 1 0 0 1, second 1 1 - 0; common differences 0, -1, 1
    assert found["coverage"].value == pytest.approx(0.0)
    assert found["coverage"].mcse == pytest.approx(1 / math.sqrt(3))
    assert found["coverage"].n == 3
    assert found["coverage"].own_value == pytest.approx(0.5 - 2 / 3)
    assert (found["coverage"].n_first, found["coverage"].n_second) == (4, 3)
    assert found["rejection"].value == pytest.approx(1 / 3)
    assert found["bias"] == (0.0, 0.0, 4, 0.0, 4, 4)


def test_paired_width_leaves_infinite_intervals_to_their_share():
    first = replicates([0, 0], [1, 1], [-1, -1], [1, INF], [0.5, 0.5])
    second = replicates([0, 0], [1, 1], [-2, -2], [2, 2], [0.5, 0.5])
    width = compare(first, second, 0.0, 0.05)["width"]
    assert (width.value, width.n, width.n_first, width.n_second) == (-2.0, 1, 1, 2)


def test_contributions_average_to_the_measures():
    """Two routes to the same numbers: per replicate here, by subset in measure()."""
    rng = np.random.default_rng(20260101)
    estimate = rng.normal(size=200)
    estimate[::17] = INF
    std_error = np.where(np.isinf(estimate), NAN, rng.uniform(0.5, 1.5, 200))
    lower, upper = estimate - 2 * std_error, estimate + 2 * std_error
    p_value = np.where(np.isinf(estimate), NAN, rng.uniform(size=200))
    rows = Replicates(estimate, std_error, lower, upper, p_value)
    found = measure(rows, 0.3, 0.05)
    for name, values in contributions(rows, 0.3, 0.05).items():
        assert mean(values[~np.isnan(values)]).value == pytest.approx(
            getattr(found, name).value, rel=SAME
        )


def test_monte_carlo_errors_are_the_spread_between_studies():
    """2,000 studies of 200 replicates: the sd of each measure is near its mean MCSE.

    The sd of 2,000 values is known to 1.6 %, so a wrong formula (a missing factor of n or 2)
    stands out by far.
    """
    rng = np.random.default_rng(7)
    estimates = rng.normal(0.2, 1.0, size=(2000, 200))
    std_errors = np.sqrt(rng.chisquare(20, size=estimates.shape) / 20)
    values: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for estimate, std_error in zip(estimates, std_errors, strict=True):
        lower, upper = estimate - 2 * std_error, estimate + 2 * std_error
        p_value = np.exp(-np.abs(estimate / std_error))
        found = measure(Replicates(estimate, std_error, lower, upper, p_value), 0.2, 0.2)
        for name in ("bias", "empirical_se", "mse", "model_se", "model_se_error", "coverage",
                     "missed_low", "missed_high", "rejection", "width"):  # fmt: skip
            values.setdefault(name, []).append(getattr(found, name).value)
            errors.setdefault(name, []).append(getattr(found, name).mcse)
    for name in values:
        # 8 %: five times the sd's own error
        assert np.std(values[name]) == pytest.approx(np.mean(errors[name]), rel=0.08), name


def test_share_of_nothing_is_nan():
    assert math.isnan(share(np.zeros(0, bool)).value)
    assert math.isnan(model_se(np.zeros(0)).value)
