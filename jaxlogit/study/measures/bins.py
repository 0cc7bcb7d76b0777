"""Counts of values in bins without a scale: for the two measures of a study that are no sums.

A bin holds the values of one sign, exponent and some leading bits of the mantissa, so that with k
bits its width is at most 2⁻ᵏ of its distance from 0 (as in a high dynamic range histogram);
infinities have bins of their own. Nothing need be known of the values beforehand, and histograms
add up.

The number of values up to x is exact but for the bin of x, whose values are taken to be spread
evenly: it is wrong by at most that bin's share, f(x)·|x|/2ᵏ for values with density f. The
bias-eliminated coverage is the share of lower ends up to x less that of upper ends below x, both
measured from the truth, and x is the bias b: with k = 7 its error is at most (f + g)|b|/2⁷, f and g
the densities of the ends at b. For normal estimates with sd σ and 95 % intervals f = g = .058/σ:
with a bias of σ/10 this is 10⁻⁴, and what the interpolation leaves of it far less. A median is
wrong by at most the width of its bin, 0.1 % of it with the 10 bits that widths have.

Where values repeat, as in small grouped designs, bins also carry their mean and m2 (see
`jaxlogit.study.measures.moments`): a bin with m2 = 0 holds one value, and both measures are exact.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxlogit.study.measures.moments import Array, joined

END_BITS, WIDTH_BITS = 7, 10
"""Of the mantissa. Ends lie at all distances from the truth; widths are alike: few octaves."""

MANTISSA, INFINITE = 52, 2047
"""Bits of a double's mantissa, and its exponent where it is infinite."""

REPEATED = 4
"""Values repeat where there are so many for each distinct one: their means then cost little."""

Bins = NDArray[np.int64]


class Histogram(NamedTuple):
    """Counts by bin.

    Attributes
    ----------
    bins : (k,) array
        Increasing; see `bin_of`.
    n : (k,) array
        Values in each.
    value : (k,) array
        The one value of a bin; nan where it holds several, or it is not known.
    """

    bins: Bins
    n: Array
    value: Array


def bin_of(values: Array, bits: int = END_BITS) -> Bins:
    """Bins of values, in their order.

    Examples
    --------
    >>> bin_of(np.array([-np.inf, -1.0, 0.0, 1.0, 1.007, 1.008, np.inf]))
    array([-262017, -130945,       0,  130944,  130944,  130945,  262016])
    """
    size = np.abs(values).view(np.int64) >> MANTISSA - bits
    return np.where(np.signbit(values), ~size, size)


def edges(bins: Bins, bits: int = END_BITS) -> tuple[Array, Array]:
    """The ends of bins of finite values."""
    size = np.where(bins < 0, ~bins, bins)
    near, far = (((size + i) << MANTISSA - bits).view(np.float64) for i in (0, 1))
    return np.where(bins < 0, -far, near), np.where(bins < 0, -near, far)


def tally(values: Array, bits: int = END_BITS) -> tuple[Bins, Array, Array, Array]:
    """Bins that occur, and count, mean and m2 of each; the last two nan where values do not repeat.

    Parameters
    ----------
    values : (n,) array
        Defined, maybe infinite.
    """
    bins, group, counts = np.unique(bin_of(values, bits), return_inverse=True, return_counts=True)
    nothing = np.full(bins.size, np.nan)
    if not values.size or np.unique(values).size * REPEATED > values.size:
        return bins, counts.astype(np.float64), nothing, nothing
    finite = np.where(np.isinf(values), 0.0, values)
    ones = np.ones(values.size)
    n, mean, m2 = joined(group.reshape(-1), ones, finite, np.zeros(values.size))
    infinite = np.isin(bins, [INFINITE << bits, ~(INFINITE << bits)])
    return bins, n, np.where(infinite, np.nan, mean), np.where(infinite, np.nan, m2)


def count_below(counts: Histogram, x: float, inclusive: bool) -> float:
    """Number of ends below a finite x, or up to it."""
    at = bin_of(np.array([x]))
    whole = float(np.sum(counts.n[counts.bins < at]))
    same = counts.bins == at
    if not same.any():
        return whole
    (n,), (value,) = counts.n[same], counts.value[same]
    if not np.isnan(value):
        return whole + n * (value <= x if inclusive else value < x)
    (low,), (high,) = edges(at)
    return float(whole + n * (x - low) / (high - low))


def median(counts: Histogram) -> float:
    """Median of widths, the middle of two where their number is even; nan of nothing."""
    n = int(np.sum(counts.n))
    if n == 0:
        return np.nan
    return 0.5 * (_ranked(counts, (n - 1) // 2) + _ranked(counts, n // 2))


def _ranked(counts: Histogram, rank: int) -> float:
    """The value with so many before it, evenly spread in its bin."""
    up_to = np.cumsum(counts.n)
    i = int(np.searchsorted(up_to, rank, side="right"))
    if counts.bins[i] == INFINITE << WIDTH_BITS:
        return np.inf
    if not np.isnan(counts.value[i]):
        return float(counts.value[i])
    low, high = (float(edge[0]) for edge in edges(counts.bins[i : i + 1], WIDTH_BITS))
    n = counts.n[i]
    return float(low + (high - low) * (rank - (up_to[i] - n) + 0.5) / n)
