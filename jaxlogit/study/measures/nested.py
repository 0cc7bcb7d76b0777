"""Coverage with infinitely many bootstrap replicates, from studies with a few hundred of them.

An interval from R bootstrap replicates misses the coverage that its method would have: an order
statistic wanders about the quantile that it stands for. Let U be the rank of the truth among
infinitely many replicates of a data set, G its distribution over data sets. The k-th of s
replicates, k = (s + 1)α a whole number, has the rank B ~ Beta(k, s + 1 − k), with mean α and
variance α(1 − α)/(s + 2), whatever the replicates' distribution. The truth lies below it with
probability

    E G(B) = G(α) + ½G''(α)·α(1 − α)/(s + 2) + O(s⁻²),

and likewise at the other end and, with other constants, for ends that are smooth functions of the
replicates' moments or ranks. Coverage is a straight line in 1/(s + 2), and its intercept is what
infinitely many replicates would give (Boos and Zhang 2000, Journal of the American Statistical
Association 95:486–492, doi:10.1080/01621459.2000.10474226, who extrapolate the power of
resampling tests).

The line needs no further replicates: of each data set's R, disjoint subsets of about R/2 and R/4
are bootstraps of that size. The least-squares intercept of coverages c at sizes s is Σ w c with

    w = 1/m − x̄(x − x̄)/Σ(x − x̄)²,  x = 1/(s + 2),  m sizes,

1, ½ and −½ at sizes near R, R/2 and R/4. So each data set contributes Σ w h, h the share of its
subsets' intervals that hold the truth, and the intercept is the mean of these: its Monte Carlo
error is sd/√n. Subsets of one data set are alike, so it is little above that of the coverage.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from jaxlogit.resampling.kinds import least_replicates
from jaxlogit.study.measures.performance import Array, Measure, mean

PARTS = {"covered_half": 2, "covered_quarter": 4}
"""Columns of a store with the share of intervals that hold the truth, and how many subsets."""

LARGEST_STEP = 10_000
"""Levels are decimals of few digits: the smallest denominator of α is found among so many."""


def subset_size(replicates: int, parts: int, level: float) -> int | None:
    """Size s of disjoint subsets, so many of them; (s + 1)α whole where such an s is near enough.

    None where an order statistic at this level needs more than there are.

    Examples
    --------
    >>> subset_size(999, 2, 0.95), subset_size(999, 4, 0.95), subset_size(99, 4, 0.95)
    (479, 239, None)
    """
    step = Fraction(0.5 * (1.0 - level)).limit_denominator(LARGEST_STEP).denominator
    most, least = (replicates + 1) // parts - 1, least_replicates(level)
    whole = (most + 1) // step * step - 1
    if whole >= max(least, most // 2):
        return whole
    return most if most >= least else None


def subsets(replicates: int, level: float) -> dict[str, list[slice]]:
    """Which replicates make up the subsets of each column of `PARTS`; none where too few."""
    found = {}
    for name, parts in PARTS.items():
        size = subset_size(replicates, parts, level)
        found[name] = [] if size is None else [
            slice(i * size, (i + 1) * size) for i in range(parts)
        ]  # fmt: skip
    return found


def intercept_weights(sizes: Array) -> Array:
    """What each size's coverage counts in the intercept of the line."""
    x = 1.0 / (sizes + 2.0)
    away = x - np.mean(x)
    return 1.0 / len(x) - np.mean(x) * away / np.sum(away**2)


def holds(lower: Array, upper: Array, truth: float | Array) -> Array:
    """1 where an interval holds the truth, 0 where not, nan where there is none."""
    inside = (lower <= truth) & (truth <= upper)
    return np.where(np.isnan(lower) | np.isnan(upper), np.nan, inside)


def coverage_limit(
    covered: Array, parts: Mapping[str, Array], replicates: int, level: float
) -> Measure:
    """Coverage with infinitely many bootstrap replicates, and its Monte Carlo error.

    Parameters
    ----------
    covered : (n,) array
        Whether the interval from all replicates of a data set holds the truth; nan: no interval.
    parts : mapping of (n,) arrays
        The columns of `PARTS`.
    replicates : int
        Bootstrap replicates of each data set.
    level : float

    Returns
    -------
    Measure
        Over the data sets in which the interval and its subsets' are defined; nan where there
        are too few replicates for subsets. As an extrapolation it can lie above 1.
    """
    return mean(limit_values(covered, parts, replicates, level))


def limit_values(
    covered: Array, parts: Mapping[str, Array], replicates: int, level: float
) -> Array:
    """Each data set's contribution Σ w h to `coverage_limit`, where it is defined."""
    sizes, shares = [replicates], [covered]
    for name, number in PARTS.items():
        size = subset_size(replicates, number, level)
        if size is not None:
            sizes.append(size)
            shares.append(parts[name])
    if len(sizes) == 1:
        return np.empty(0)
    values = intercept_weights(np.array(sizes, float)) @ np.stack(shares)
    return values[~np.isnan(values)]
