"""Performance measures of one method on one coefficient, with Monte Carlo standard errors.

NumPy only: arrays over replicates in, records out. A replicate on which a measure is
undefined (nan) is left out of that measure alone, and every measure says how many
replicates it rests on. Infinite interval ends are values like any other.

References
----------
Morris TP, White IR, Crowther MJ (2019). Using simulation studies to evaluate statistical
methods. Statistics in Medicine 38:2074-2102, Table 6. doi:10.1002/sim.8086
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxlogit.study.measures.moments import (
    Array,
    Measure,
    bounds_of,
    empirical_se_of,
    mean_of,
    model_se_error_of,
    model_se_of,
    moments,
    share_of,
)

WILSON_Z = 1.959963984540054
"""Normal quantile .975: Monte Carlo intervals are at 95 % whatever the level studied."""


@dataclass(frozen=True)
class Replicates:
    """What one method said about one coefficient, one entry per replicate.

    Attributes
    ----------
    estimate : (n,) array
        Log-odds; infinite or nan where there is no finite estimate.
    std_error : (n,) array
        Model standard error, nan where undefined.
    lower, upper : (n,) array
        Interval ends; infinite ends are defined, nan ends are not.
    p_value : (n,) array
        From the method's own test, nan where undefined.
    rejects : (n,) array, optional
        Of a method without p-values: 1 where it rejects, 0 where not, nan where undefined.
    """

    estimate: Array
    std_error: Array
    lower: Array
    upper: Array
    p_value: Array
    rejects: Array | None = None

    @property
    def has_interval(self) -> NDArray[np.bool_]:
        """Replicates whose two ends are both defined (they may be infinite)."""
        return ~(np.isnan(self.lower) | np.isnan(self.upper))

    def rejections(self, significance: float) -> Array:
        """1 where the method rejects, 0 where not, nan where it has no test."""
        if self.rejects is not None:
            return self.rejects
        return np.where(np.isnan(self.p_value), np.nan, self.p_value <= significance)


@dataclass(frozen=True)
class Measures:
    """Every measure of one method on one coefficient; see `measure` for definitions."""

    n_replicates: int
    bias: Measure
    empirical_se: Measure
    mse: Measure
    model_se: Measure
    model_se_error: Measure
    coverage: Measure
    coverage_wilson: tuple[float, float]
    coverage_bounds: tuple[float, float]
    bias_eliminated_coverage: Measure
    missed_low: Measure
    missed_high: Measure
    rejection: Measure
    width: Measure
    width_median: float
    width_infinite: float

    def to_row(self) -> dict[str, float | int]:
        """Flat names for a table: `coverage`, `coverage_mcse`, `coverage_n`, ..."""
        row: dict[str, float | int] = {}
        for name, value in vars(self).items():
            if isinstance(value, Measure):
                row |= {name: value.value, f"{name}_mcse": value.mcse, f"{name}_n": value.n}
            elif name == "coverage_wilson":
                row |= {"coverage_wilson_low": value[0], "coverage_wilson_high": value[1]}
            elif name == "coverage_bounds":
                row |= {"coverage_undefined_miss": value[0], "coverage_undefined_cover": value[1]}
            else:
                row[name] = value
        return row


def mean(values: Array) -> Measure:
    """Mean and its standard error sd/√n; nan where n is too small for either."""
    return mean_of(moments(values))


def share(hits: NDArray[np.bool_]) -> Measure:
    """Share of true entries, with the binomial standard error √(C(1 − C)/n)."""
    return share_of(int(np.sum(hits)), hits.size)


def wilson(value: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share of n replicates.

    Unlike share ± 1.96 MCSE it has a width when the share is 0 or 1.

    References
    ----------
    Wilson EB (1927). JASA 22:209-212. doi:10.1080/01621459.1927.10502953
    """
    if n == 0:
        return np.nan, np.nan
    z2 = WILSON_Z**2
    centre = (value + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z * np.sqrt(value * (1 - value) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At a share of 0 or 1 one end is exactly that share; rounding leaves it a hair off.
    low = 0.0 if value == 0 else float(centre - half)
    return low, 1.0 if value == 1 else float(centre + half)


def empirical_se(estimate: Array) -> Measure:
    """Standard deviation s of the estimates, with error s/√(2(n − 1))."""
    return empirical_se_of(moments(estimate))


def model_se(std_error: Array) -> Measure:
    """Root mean squared standard error √(mean V), with error √(var V / (4 n ModSE²))."""
    return model_se_of(moments(std_error**2))


def model_se_error(estimate: Array, std_error: Array) -> Measure:
    """Relative error of the model standard error in per cent, 100 (ModSE/s − 1).

    Both parts over the same replicates: those with a finite estimate and standard error.
    """
    return model_se_error_of(moments(estimate), moments(std_error**2))


def coverage_bounds(covered: NDArray[np.bool_], n_replicates: int) -> tuple[float, float]:
    """Coverage over all replicates if each undefined interval missed, and if each covered."""
    return bounds_of(int(np.sum(covered)), covered.size, n_replicates)


def measure(replicates: Replicates, truth: float, significance: float) -> Measures:
    """Every measure of one method on one coefficient, with its Monte Carlo error.

    Parameters
    ----------
    replicates : Replicates
        Arrays (n,), one entry per replicate.
    truth : float
        The coefficient the data were simulated with, log-odds.
    significance : float
        A test rejects where its p-value is at most this; see `Replicates.rejects`.

    Returns
    -------
    Measures
        Bias, empirical SE and MSE given a finite estimate; model SE given a finite one; its
        relative error given both; coverage, misses and width given a defined interval, the
        two bounds of coverage over all replicates; bias-eliminated coverage given a finite
        estimate and an interval (its centre is the mean of those estimates); rejection given
        a p-value. `missed_low` counts truth < lower, `missed_high` truth > upper. The mean
        width is inf as soon as one interval is infinite; its median and the share of
        infinite intervals stand beside it.

    References
    ----------
    Morris, White, Crowther (2019), Table 6. doi:10.1002/sim.8086

    Examples
    --------
    >>> rows = Replicates(
    ...     estimate=np.array([0.5, 1.5, np.inf]), std_error=np.array([0.5, 0.5, np.nan]),
    ...     lower=np.array([-0.5, 0.5, 0.1]), upper=np.array([1.5, 2.5, np.inf]),
    ...     p_value=np.array([0.3, 0.003, 0.04]),
    ... )
    >>> found = measure(rows, truth=1.0, significance=0.05)
    >>> found.bias.value, found.bias.n, found.coverage.value, found.coverage.n
    (0.0, 2, 1.0, 3)
    """
    finite = np.isfinite(replicates.estimate)
    has_se = np.isfinite(replicates.std_error)
    has_interval = replicates.has_interval
    rejected = replicates.rejections(significance)
    lower, upper = replicates.lower[has_interval], replicates.upper[has_interval]
    estimate = replicates.estimate[finite]
    covered = (lower <= truth) & (truth <= upper)
    coverage = share(covered)
    width = widths(lower, upper)
    both = finite & has_interval
    centre = float(np.mean(replicates.estimate[both])) if both.any() else np.nan
    return Measures(
        n_replicates=finite.size,
        bias=mean(estimate - truth),
        empirical_se=empirical_se(estimate),
        mse=mean((estimate - truth) ** 2),
        model_se=model_se(replicates.std_error[has_se]),
        model_se_error=model_se_error(
            replicates.estimate[finite & has_se], replicates.std_error[finite & has_se]
        ),
        coverage=coverage,
        coverage_wilson=wilson(coverage.value, coverage.n),
        coverage_bounds=coverage_bounds(covered, finite.size),
        bias_eliminated_coverage=share(
            (replicates.lower[both] <= centre) & (centre <= replicates.upper[both])
        ),
        missed_low=share(truth < lower),
        missed_high=share(truth > upper),
        rejection=share(rejected[~np.isnan(rejected)] == 1),
        width=mean(width),
        width_median=float(np.median(width)) if width.size else np.nan,
        width_infinite=share(np.isinf(width)).value,
    )


def widths(lower: Array, upper: Array) -> Array:
    """Interval widths; (inf, inf) and (-inf, -inf) count as infinite, not as nan."""
    infinite = np.isinf(lower) | np.isinf(upper)
    return np.where(
        infinite, np.inf, np.where(infinite, 0.0, upper) - np.where(infinite, 0.0, lower)
    )


class Difference(NamedTuple):
    """One measure of two methods on the same data sets.

    Attributes
    ----------
    value, mcse : float
        Mean of the per-replicate differences (first − second) over the `n` replicates where
        both methods are defined, and sd of the differences/√n.
    n : int
        The common replicates.
    own_value : float
        Difference of the two methods' measures, each over its own replicates.
    n_first, n_second : int
        Replicates of each. Where either exceeds `n` the two differences rest on different
        data sets and need not agree.
    """

    value: float
    mcse: float
    n: int
    own_value: float
    n_first: int
    n_second: int


def contributions(replicates: Replicates, truth: float, significance: float) -> dict[str, Array]:
    """Each replicate's contribution to the measures that are plain means; nan if undefined."""

    def given(defined: NDArray[np.bool_], values: NDArray) -> Array:
        return np.where(defined, values, np.nan)

    interval = replicates.has_interval
    finite = np.isfinite(replicates.estimate)
    deviation = np.where(finite, replicates.estimate, 0.0) - truth
    width = widths(replicates.lower, replicates.upper)
    return {
        "bias": given(finite, deviation),
        "mse": given(finite, deviation**2),
        "coverage": given(interval, (replicates.lower <= truth) & (truth <= replicates.upper)),
        "missed_low": given(interval, truth < replicates.lower),
        "missed_high": given(interval, truth > replicates.upper),
        "rejection": replicates.rejections(significance),
        # An infinite width has no difference; its share is in the table of measures.
        "width": given(interval & np.isfinite(width), width),
    }


def compare(
    first: Replicates, second: Replicates, truth: float, significance: float
) -> dict[str, Difference]:
    """Paired differences between two methods run on the same replicates, in the same order.

    Parameters
    ----------
    first, second : Replicates
        Arrays (n,); entry i of both belongs to the same data set.
    truth : float
        The coefficient the data were simulated with, log-odds.
    significance : float
        A test rejects where its p-value is at most this.

    Returns
    -------
    dict[str, Difference]
        For bias, mse, coverage, missed_low, missed_high, rejection and (finite) width.
    """
    ones = contributions(first, truth, significance)
    others = contributions(second, truth, significance)
    result = {}
    for name, one in ones.items():
        other = others[name]
        has_one, has_other = ~np.isnan(one), ~np.isnan(other)
        common = has_one & has_other
        paired = mean(one[common] - other[common])
        own = mean(one[has_one]).value - mean(other[has_other]).value
        result[name] = Difference(*paired, own, int(has_one.sum()), int(has_other.sum()))
    return result
