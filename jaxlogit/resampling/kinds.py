"""Interval ends from the replicates of one number: normal, basic, percentile, studentized, BCa.

With t the R replicates, t₀ the estimate and q(α) the quantile of t at α:

    normal       t₀ − bias ± z·sd,
    basic        2t₀ − q(1 − α),  2t₀ − q(α),
    percentile   q(α),  q(1 − α),
    studentized  t₀ − se·q*(1 − α),  t₀ − se·q*(α)  with q* of (t − t₀)/se*,
    bca          q(Φ(z₀ + w/(1 − a·w))),  w = z₀ ± z,  Φ(z₀) = (#{t < t₀} + ½·#{t = t₀})/R.

Where rows have few distinct values many replicates equal t₀, but for rounding: half of them count
as below it (boot.ci of R's boot counts none, and does not allow for rounding).
Quantiles are the (R + 1)α-th order statistics, in between interpolated on the normal scale.
Replicates may be ±∞, and keep their rank. One without a value (nan) may lie anywhere: for a lower
end it counts as −∞, for an upper end as +∞, so that the interval is never too short for it.
Sources: Davison and Hinkley (1997), Bootstrap Methods and their Application, chapter 5,
doi:10.1017/CBO9780511802843; Efron (1987), Journal of the American Statistical Association
82:171–185, doi:10.1080/01621459.1987.10478410.

Monte Carlo errors are of first order: those of mean and standard deviation from the moments of t;
those of a quantile from the binomial error of its rank and the spacing of the order statistics
one such error to each side (next to the first or last, to the other); in BCa the error of z₀ goes
with it, correlated as two values of one empirical distribution are.
"""

from typing import NamedTuple

import numpy as np
import scipy

KINDS = ("normal", "basic", "percentile", "studentized", "bca")
WHOLE = 1e-9  # of a rank: nearer to a whole number it is one, and rounding
TIED = 1e-7  # of the mean distance from the estimate: what is nearer is tied, and rounding


class Ends(NamedTuple):
    """Interval ends (2, q), lower first."""

    value: np.ndarray
    error: np.ndarray
    """Monte Carlo standard errors."""
    extreme: np.ndarray
    """bool: the quantile lies beyond the first or last order statistic, which took its place; in
    BCa also where all replicates lie on one side of the estimate, and there is no end (nan)."""


def ndtri(share):
    """Normal quantiles."""
    return scipy.special.ndtri(share)  # scipy.special: 0.3 s that an import need not wait for


def ndtr(quantile):
    """Shares below normal quantiles."""
    return scipy.special.ndtr(quantile)


def least_replicates(level: float) -> int:
    """How many replicates the outermost order statistic at a level needs."""
    return int(np.ceil(2.0 / (1.0 - level) - 1.0 - WHOLE))


def ends(
    t: np.ndarray,
    centre: np.ndarray,
    level: float,
    kind: str,
    errors: np.ndarray | None = None,
    error: np.ndarray | None = None,
    acceleration: np.ndarray | None = None,
    shrinkage: float = 1.0,
) -> Ends:
    """Ends from replicates (R, q) and estimates (q,).

    `errors` (R, q) and `error` (q,) are the standard errors of "studentized", `acceleration` (q,)
    is that of "bca". With m draws from n units, shrinkage √(m/n), deviations of "normal", "basic"
    and "percentile" are made those of n draws.
    """
    tail = 0.5 * (1.0 - level)
    if shrinkage < 1 and kind != "studentized":  # which has the errors of m draws
        t = centre + shrinkage * (t - centre)
    if kind == "normal":
        return _normal(t, centre, tail, shrinkage)
    if kind == "studentized":
        assert errors is not None and error is not None
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(np.isfinite(t), (t - centre) / errors, np.nan)
        return _mirrored(_quantiles(t, tail), centre, error)
    if kind == "basic":
        return _mirrored(_quantiles(t - centre, tail), centre, np.ones_like(centre))
    if kind == "percentile":
        return _quantiles(t, tail)
    assert acceleration is not None
    return _bca(t, centre, tail, acceleration)


def normal_ends(centre: np.ndarray, spread: np.ndarray, level: float) -> np.ndarray:
    """Centre ± z·spread, (2, q)."""
    reach = ndtri(0.5 * (1.0 + level)) * spread
    return np.stack([centre - reach, centre + reach])


def _normal(t: np.ndarray, centre: np.ndarray, tail: float, shrinkage: float) -> Ends:
    """From deviations already shrunk by √(m/n); a bias, of order 1/n, shrinks so twice."""
    reach = -ndtri(tail) * np.array([[-1.0], [1.0]])
    good = np.all(np.isfinite(t), axis=0) & (len(t) > 1)
    t = np.where(good, t, 0.0)
    mean, count = np.mean(t, axis=0), len(t)
    away = t - mean
    sd = np.sqrt(np.sum(away**2, axis=0) / max(count - 1, 1))
    value = centre - shrinkage * (mean - centre) + reach * sd
    third, fourth = np.mean(away**3, axis=0), np.mean(away**4, axis=0)
    size = np.where(sd > 0, sd, 1.0)
    spread = np.maximum(fourth - sd**4, 0.0) / (4 * size**2)
    together = shrinkage * reach * third / size  # mean and sd covary as skew as t is
    variance = (shrinkage * sd) ** 2 + reach**2 * spread - together
    error = np.sqrt(np.maximum(variance, 0.0) / count)
    value, error = np.where(good, value, np.nan), np.where(good, error, np.nan)
    return Ends(value, error, np.zeros(value.shape, bool))


def _quantiles(t: np.ndarray, tail: float) -> Ends:
    """Quantiles at `tail` and 1 − `tail`, of what is never too short."""
    found = []
    for side, share in zip(sorted_sides(t), (tail, 1.0 - tail), strict=True):
        spread = np.sqrt(share * (1.0 - share) / len(t))
        parts = [quantile(column, share, spread, share > 0.5) for column in side.T]
        found.append([np.array(part) for part in zip(*parts, strict=True)])
    return Ends(*(np.stack(pair) for pair in zip(*found, strict=True)))


def _mirrored(found: Ends, centre: np.ndarray, scale: np.ndarray) -> Ends:
    """t₀ − scale·q(1 − α) and t₀ − scale·q(α)."""
    value, error, extreme = (part[::-1] for part in found)
    return Ends(centre - scale * value, scale * error, extreme)


def _bca(t: np.ndarray, centre: np.ndarray, tail: float, acceleration: np.ndarray) -> Ends:
    """BCa ends. Where replicates lack a value, the outermost over all places they may have."""
    sides = sorted_sides(t)
    value, error = np.full((2, t.shape[1]), np.nan), np.full((2, t.shape[1]), np.nan)
    extreme = np.zeros((2, t.shape[1]), bool)
    for j, (t0, a) in enumerate(zip(centre, acceleration, strict=True)):
        shares = {_shares(side[:, j], t0) for side in sides}
        for i, (side, z) in enumerate(zip(sides, (ndtri(tail), -ndtri(tail)), strict=True)):
            found = [_bca_end(side[:, j], *share, a, z) for share in shares]
            far = [np.inf if np.isnan(end[0]) else end[0] * (2 * i - 1) for end in found]
            value[i, j], error[i, j], extreme[i, j] = found[int(np.argmax(far))]
    return Ends(value, error, extreme)


def _shares(t: np.ndarray, t0: float) -> tuple[float, float]:
    """Shares of the replicates (R,) below the estimate, ties counted half, and tied with it."""
    distance = t - t0
    finite = np.abs(distance[np.isfinite(distance)])
    near = TIED * np.mean(finite) if len(finite) else 0.0
    tied = float(np.mean(np.abs(distance) <= near))
    return float(np.mean(distance < -near)) + 0.5 * tied, tied


def _bca_end(t: np.ndarray, below: float, tied: float, a: float, z: float):
    """One end, its Monte Carlo error, and whether it lies beyond the order statistics."""
    count = len(t)
    if below in (0.0, 1.0):  # all replicates on one side of the estimate: z₀ is infinite
        return np.nan, np.nan, True
    z0 = ndtri(below)
    w = z0 + z
    if a * w >= 1.0:  # past the pole: what it has as its limit
        return float(t[-1] if w > 0 else t[0]), np.nan, True
    share = ndtr(z0 + w / (1.0 - a * w))
    slope = np.exp(-0.5 * ndtri(share) ** 2 + 0.5 * z0**2) * (1.0 + 1.0 / (1.0 - a * w) ** 2)
    variance = share * (1 - share) + slope**2 * (below - 0.25 * tied - below**2)
    variance -= 2 * slope * (min(share, below) - share * below)
    return quantile(t, share, np.sqrt(max(variance, 0.0) / count), z > 0)


def sorted_sides(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replicates (R, q) sorted, those without a value first, and the same with them last."""
    if not np.any(np.isnan(t)):
        both = np.sort(t, axis=0)
        return both, both
    low, high = (np.sort(np.where(np.isnan(t), end, t), axis=0) for end in (-np.inf, np.inf))
    return low, high


def quantile(t: np.ndarray, share: float, spread: float, upper: bool) -> tuple[float, float, bool]:
    """The quantile of sorted t (R,), its error when `share` has the error `spread`, and if extreme.

    Half the distance between the quantiles one such error to each side; where one side has no
    order statistic, the whole distance to the other.
    """
    value, extreme = interpolated(t, share, upper)
    (low, below), (high, above) = (interpolated(t, share + d, upper) for d in (-spread, spread))
    if not np.all(np.isfinite([low, value, high])) or (below and above):
        return value, np.nan, extreme
    if below or above:
        return value, high - value if below else value - low, extreme
    return value, 0.5 * (high - low), extreme


def interpolated(t: np.ndarray, share: float, upper: bool = False) -> tuple[float, bool]:
    """The quantile of sorted t (R,), and whether it lies beyond the first or last.

    Between two order statistics it is interpolated on the normal scale; where one of them is
    infinite it is the outer one, the greater for an upper end, so that no end is too near.
    """
    count = len(t)
    rank = (count + 1) * share
    k = int(np.floor(rank + WHOLE))
    if not 1 <= k <= count or (k == count and rank > count + WHOLE):
        return float(t[0] if k < 1 else t[-1]), True
    if abs(rank - k) <= WHOLE:
        return float(t[k - 1]), False
    low, high = float(t[k - 1]), float(t[k])
    if not (np.isfinite(low) and np.isfinite(high)):
        return high if upper else low, False
    from_, to = ndtri(k / (count + 1)), ndtri((k + 1) / (count + 1))
    return low + (ndtri(share) - from_) / (to - from_) * (high - low), False
