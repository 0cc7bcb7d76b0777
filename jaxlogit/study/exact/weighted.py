"""Measures of a study over all outcomes, each weighted by its probability.

They are what the measures of `jaxlogit.study.measures.performance` tend to with ever more
replicates, and conditional on the same events: the probability of the event stands beside each.
Nothing is random in them, so that their Monte Carlo error is 0.
"""

import numpy as np
from numpy.typing import NDArray

from jaxlogit.study.measures.performance import (
    Array,
    Difference,
    Measure,
    Measures,
    Replicates,
    contributions,
    widths,
)


def mean(values: Array, probability: Array) -> Measure:
    """Mean of the defined values (not nan), with error 0; nan where none is defined."""
    defined = ~np.isnan(values) & (probability > 0)
    total = np.sum(probability[defined])
    if total == 0:
        return Measure(np.nan, np.nan, 0)
    value = float(np.sum(probability[defined] * values[defined]) / total)
    return Measure(value, 0.0, int(np.sum(~np.isnan(values))))


def defined(values: Array, probability: Array) -> float:
    """Probability that a value is defined; at most one, whatever rounding leaves."""
    return min(float(np.sum(probability[~np.isnan(values)])), 1.0)


def median(values: Array, probability: Array) -> float:
    """Value with half of the defined probability on either side; the middle where two have."""
    given = ~np.isnan(values) & (probability > 0)
    if not given.any():
        return np.nan
    order = np.argsort(values[given])
    ordered = values[given][order]
    below = np.cumsum(probability[given][order])
    # Half of it, up to the rounding of the sums.
    half = below[-1] * (0.5 + np.array([-1.0, 1.0]) * ordered.size * np.finfo(float).eps)
    low, high = ordered[np.minimum(np.searchsorted(below, half), ordered.size - 1)]
    return float(low if low == high else 0.5 * (low + high))


def measure(
    replicates: Replicates, truth: float, significance: float, probability: Array
) -> tuple[Measures, dict[str, float]]:
    """Every measure of one method on one coefficient, over all outcomes.

    Parameters
    ----------
    replicates : Replicates
        Arrays (N,), one entry per class of outcomes.
    truth, significance : float
        As in `jaxlogit.study.measures.performance.measure`.
    probability : (N,) array
        Of the classes; they add up to one.

    Returns
    -------
    tuple of Measures and dict
        Measures with errors 0 and `n` the classes in which they are defined; Wilson's interval
        of the coverage has no width. The probability of being defined by measure's name.

    Examples
    --------
    >>> rows = Replicates(
    ...     estimate=np.array([-1.0, 1.0, np.inf]), std_error=np.array([1.0, 1.0, np.nan]),
    ...     lower=np.array([-3.0, -1.0, np.nan]), upper=np.array([1.0, 3.0, np.nan]),
    ...     p_value=np.array([0.3, 0.3, np.nan]),
    ... )
    >>> found, given = measure(rows, 2.0, 0.05, np.array([0.5, 0.25, 0.25]))
    >>> round(found.coverage.value, 6), given["coverage"], found.coverage_bounds
    (0.333333, 0.75, (0.25, 0.5))
    """
    parts = contributions(replicates, truth, significance)
    finite = np.isfinite(replicates.estimate)
    estimate = np.where(finite, replicates.estimate, np.nan)
    has_se = np.isfinite(replicates.std_error)
    variance = np.where(has_se, replicates.std_error, np.nan) ** 2
    interval = replicates.has_interval
    width = np.where(interval, widths(replicates.lower, replicates.upper), np.nan)
    both = finite & interval
    centre = mean(_given(both, estimate), probability).value
    holds = (replicates.lower <= centre) & (centre <= replicates.upper)
    parts |= {
        "width": width, "empirical_se": estimate, "model_se": variance,
        "model_se_error": _given(finite & has_se, variance),
        "bias_eliminated_coverage": _given(both, holds),
    }  # fmt: skip
    means = {name: mean(values, probability) for name, values in parts.items()}
    probabilities = {name: defined(values, probability) for name, values in parts.items()}
    means["empirical_se"] = _spread(estimate, probability)
    means["model_se_error"] = _relative_error(
        means["model_se_error"], _spread(_given(finite & has_se, estimate), probability)
    )
    means["model_se"] = means["model_se"]._replace(value=np.sqrt(means["model_se"].value))
    coverage, covered = means["coverage"].value, probabilities["coverage"]
    hits = coverage * covered if covered else 0.0
    return Measures(
        n_replicates=finite.size,
        **{name: means[name] for name in means},
        coverage_wilson=(coverage, coverage),
        coverage_bounds=(hits, hits + _missing(interval, probability)),
        width_median=median(width, probability),
        width_infinite=mean(_given(interval, np.isinf(width)), probability).value,
    ), probabilities


def compare(
    first: Replicates, second: Replicates, truth: float, significance: float, probability: Array
) -> dict[str, tuple[Difference, float]]:
    """Differences between two methods over all outcomes, and the probability of the common ones.

    Parameters
    ----------
    first, second : Replicates
        Arrays (N,); entry i of both belongs to the same class of outcomes.
    truth, significance, probability
        As in `measure`.
    """
    ones = contributions(first, truth, significance)
    others = contributions(second, truth, significance)
    result = {}
    for name, one in ones.items():
        other = others[name]
        paired = one - other
        own, alone = mean(one, probability), mean(other, probability)
        counts = (int(np.sum(~np.isnan(values))) for values in (one, other))
        difference = Difference(*mean(paired, probability), own.value - alone.value, *counts)
        result[name] = difference, defined(paired, probability)
    return result


def _given(event: NDArray[np.bool_], values: NDArray) -> Array:
    return np.where(event, values, np.nan)


def _missing(event: NDArray[np.bool_], probability: Array) -> float:
    return float(np.sum(probability[~event]))


def _spread(values: Array, probability: Array) -> Measure:
    """Standard deviation of the defined values."""
    found = mean((values - mean(values, probability).value) ** 2, probability)
    return found._replace(value=float(np.sqrt(found.value)))


def _relative_error(variance: Measure, spread: Measure) -> Measure:
    """Of the model standard error, in per cent; nan where either is zero."""
    if not (variance.value > 0 and spread.value > 0):
        return Measure(np.nan, np.nan, variance.n)
    return Measure(100 * (np.sqrt(variance.value) / spread.value - 1), 0.0, variance.n)
