"""Measures of an estimator relative to the truth or to another estimator, with their errors.

As in `jaxlogit.study.measures.performance`: arrays over replicates in, records out, NumPy only.
"""

import numpy as np

from jaxlogit.study.measures.performance import Array, Measure, mean


def rmse(mse: Measure) -> Measure:
    """Root mean squared error, with the delta method's error MCSE(MSE)/(2 RMSE)."""
    value = float(np.sqrt(mse.value))
    return Measure(value, mse.mcse / (2.0 * value) if value > 0 else np.nan, mse.n)


def relative_bias(estimate: Array, truth: Array) -> Measure:
    """Mean of (estimate − truth)/truth; nan where a truth is 0.

    Parameters
    ----------
    estimate, truth : (n,) array
        Finite estimates, and what each of them estimates.
    """
    if np.any(truth == 0):
        return Measure(np.nan, np.nan, estimate.size)
    return mean((estimate - truth) / truth)


def relative_precision(estimate: Array, reference: Array, paired: bool = True) -> Measure:
    """Gain in precision over a reference in per cent, 100 {(s_ref/s)² − 1}.

    Its error is 200 (s_ref/s)² √((1 − ρ²)/(n − 1)), ρ the correlation of the two, by the delta
    method for normal estimates; for separate data sets 1/(n − 1) is the mean of both methods'.

    Parameters
    ----------
    estimate, reference : (n,) array
        Finite estimates; entries of the same data set in the same place where `paired`.
    paired : bool
        Whether they come from the same data sets.

    References
    ----------
    White IR (2010). simsum: analyses of simulation studies including Monte Carlo error.
    The Stata Journal 10:369-385. doi:10.1177/1536867X1001000305
    """
    n = min(estimate.size, reference.size)
    if n < 2:
        return Measure(np.nan, np.nan, n)
    one, other = estimate - np.mean(estimate), reference - np.mean(reference)
    squares, squares_ref = float(one @ one), float(other @ other)
    if squares == 0:
        return Measure(np.nan, np.nan, n)
    freedom, freedom_ref = estimate.size - 1, reference.size - 1
    ratio = 100 * (squares_ref / freedom_ref) / (squares / freedom)
    share = 0.5 / freedom + 0.5 / freedom_ref
    if paired and squares_ref > 0:
        share *= max(1.0 - float(one @ other) ** 2 / (squares * squares_ref), 0.0)
    return Measure(ratio - 100, 2 * ratio * float(np.sqrt(share)), n)
