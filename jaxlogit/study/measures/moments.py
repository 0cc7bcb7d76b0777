"""Count, mean and sum of squares about it: what measures that are means need of a sample.

References
----------
Chan TF, Golub GH, LeVeque RJ (1983). Algorithms for computing the sample variance: analysis and
recommendations. The American Statistician 37:242-247. doi:10.1080/00031305.1983.10483115
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Measure(NamedTuple):
    """A measure, its Monte Carlo standard error and the replicates it rests on."""

    value: float
    mcse: float
    n: int


class Moments(NamedTuple):
    """Of n values: their mean, and m2, the sum of squared deviations from it."""

    n: int
    mean: float
    m2: float

    @property
    def variance(self) -> float:
        """With divisor n − 1; nan where n < 2."""
        return self.m2 / (self.n - 1) if self.n > 1 else np.nan


NONE = Moments(0, np.nan, np.nan)


def moments(values: Array) -> Moments:
    """Moments of values that are defined.

    Examples
    --------
    >>> moments(np.array([1.0, 2.0, 6.0]))
    Moments(n=3, mean=3.0, m2=14.0)
    """
    if not values.size:
        return NONE
    centre = float(np.mean(values))
    if not np.isfinite(centre):
        return Moments(values.size, centre, np.nan)
    return Moments(values.size, centre, float(np.sum((values - centre) ** 2)))


def joined(group: NDArray[np.intp], n: Array, mean: Array, m2: Array) -> tuple[Array, Array, Array]:
    """Moments of samples that are put together.

    Parameters
    ----------
    group : (k,) array of int
        Which samples belong together: 0, ..., g − 1, each there.
    n, mean, m2 : (k,) arrays
        Their moments; a nan makes its group's mean or m2 nan.

    Returns
    -------
    tuple of three (g,) arrays
        As by Chan, Golub and LeVeque (1983), eq. 2.1, for any number of samples: deviations are
        from the common mean, and means are summed from the first of the group, so that equal
        values stay equal to the last digit and nothing cancels.
    """
    total = np.bincount(group, n).astype(np.float64)
    first = mean[np.unique(group, return_index=True)[1]]
    centre = first + np.bincount(group, n * (mean - first[group])) / total
    spread = np.bincount(group, m2 + n * (mean - centre[group]) ** 2)
    return total, centre, spread.astype(np.float64)


def mean_of(found: Moments) -> Measure:
    """The mean and its standard error sd/√n; nan where n is too small for either."""
    # One infinite value makes the mean infinite, and its error meaningless: said as nan.
    spread = np.sqrt(found.variance) if np.isfinite(found.mean) else np.nan
    return Measure(found.mean, float(spread / np.sqrt(max(found.n, 1))), found.n)


def share_of(hits: float, n: int) -> Measure:
    """Share of hits, with the binomial standard error √(C(1 − C)/n)."""
    if n == 0:
        return Measure(np.nan, np.nan, 0)
    value = hits / n
    return Measure(value, float(np.sqrt(value * (1 - value) / n)), n)


def bounds_of(hits: int, n: int, n_replicates: int) -> tuple[float, float]:
    """Share of hits among all replicates if those without one of n intervals missed, or hit."""
    if n_replicates == 0:
        return np.nan, np.nan
    return hits / n_replicates, (hits + n_replicates - n) / n_replicates


def empirical_se_of(estimate: Moments) -> Measure:
    """Standard deviation s of the estimates, with error s/√(2(n − 1))."""
    n = estimate.n
    if n < 2:
        return Measure(np.nan, np.nan, n)
    s = float(np.sqrt(estimate.variance))
    return Measure(s, s / float(np.sqrt(2 * (n - 1))), n)


def model_se_of(variance: Moments) -> Measure:
    """Root mean squared standard error √(mean V), with error √(var V / (4 n ModSE²))."""
    n = variance.n
    if n == 0:
        return Measure(np.nan, np.nan, 0)
    value = float(np.sqrt(variance.mean))
    if n < 2 or value == 0:
        return Measure(value, np.nan, n)
    return Measure(value, float(np.sqrt(variance.variance / (4 * n * value**2))), n)


def model_se_error_of(estimate: Moments, variance: Moments) -> Measure:
    """Relative error of the model standard error in per cent, 100 (ModSE/s − 1).

    Both over the same replicates.
    """
    n = estimate.n
    s = empirical_se_of(estimate).value
    model = model_se_of(variance).value
    if n < 2 or s == 0 or model == 0:
        return Measure(np.nan, np.nan, n)
    ratio = 100 * model / s
    relative = variance.variance / (4 * n * model**4) + 1 / (2 * (n - 1))
    return Measure(ratio - 100, ratio * float(np.sqrt(relative)), n)
