"""Jackknife-after-bootstrap: how far an interval's ends hang on single units of the data.

Replicates in which a unit has weight 0 are replicates of the data without it, so that the
interval without any unit costs no further draws, and the jackknife over units gives standard
errors of the ends: what another sample of the same size would change, where Monte Carlo errors
are what another seed would. Source: Efron (1992), Jackknife-after-bootstrap standard errors and
influence functions, Journal of the Royal Statistical Society B 54:83–127,
doi:10.1111/j.2517-6161.1992.tb01866.x.

Each end without a unit has its own Monte Carlo error, which the jackknife multiplies by about
√G, so that errors from few replicates come out too large. By how much follows from which
replicates the units share: an end is a mean over replicates to first order, with variance τ²/R,
and ends without units i and j covary by τ²·n_ij/(n_i n_j), n_ij the replicates without both.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import memory
from jaxlogit.data import check_choice, check_level
from jaxlogit.resampling import inference, kinds, replicates
from jaxlogit.resampling.acceleration import skewness
from jaxlogit.resampling.functional import Functional, derivative, functional
from jaxlogit.resampling.records import JackknifeAfter
from jaxlogit.resampling.sample import Sample, centred

if TYPE_CHECKING:
    from jaxlogit.resampling.result import Bootstrap

SCHEMES = ("pairs", "poisson")
"""Those under which a unit has weight 0 in some replicates."""
KINDS = ("normal", "basic", "percentile", "bca")
SHARES = (0.05, 0.1, 0.16, 0.5, 0.84, 0.9, 0.95)
"""Of the quantiles that jack.after.boot of R's boot shows."""
SURE = 4.0  # standard deviations: nearly no unit lacks replicates where the average does not


def jackknife_after(boot: "Bootstrap", level: Any, kind: str, contrasts: Any) -> JackknifeAfter:
    """Ends and quantiles without each unit; see `Bootstrap.jackknife_after`."""
    level, wanted = check_level(level), functional(contrasts, None, boot.names)
    sample = _checked(boot, level, kind)
    count, coef = boot.n_replicates, boot._coef[0]
    absent = _absent(sample, count)
    n_without = np.bitwise_count(absent).sum(axis=1, dtype=np.int64)
    _refuse_too_few(sample, n_without, count, level, kind)
    left_out = replace(sample.scheme, name="jackknife")
    others = Sample(sample.models, sample.fit, left_out, sample.data_set)
    numbers = np.arange(sample.scheme.n_units, dtype=np.uint32)
    centre = wanted.values(replicates.estimates(others, numbers).coef)
    influence = _influence(sample, wanted)

    t = wanted.values(coef)
    ends = np.full((len(absent), 2, wanted.size), np.nan)
    quantiles = np.empty((len(absent), len(SHARES), wanted.size))
    for i, bits in enumerate(absent):
        part = t[_unpacked(bits, count)]
        quantiles[i] = _quantiles(part)
        ranked = kind == "percentile" and sample.scheme.shrinkage == 1
        if ranked or np.all(np.isfinite(centre[i])):
            bend = _acceleration(influence, i, sample.scheme.stratum) if kind == "bca" else None
            ends[i] = _ends(part, centre[i], sample, level, kind, bend)

    whole = inference.ends(sample, coef, wanted, level, kind)
    error = _jackknife_error(ends, sample.scheme.stratum)
    noise = whole.error * np.sqrt(count * _noise(absent, n_without, sample, count))
    status = inference.end_status(error, coef, boot._status[0], wanted)
    return JackknifeAfter(
        whole.value[0], whole.value[1], error[0], error[1], noise[0], noise[1],
        status[0], status[1], ends[:, 0], ends[:, 1], centre, n_without,
        np.array(SHARES), _quantiles(t), quantiles, influence, level, kind, wanted.names,
    )  # fmt: skip


def _checked(boot: "Bootstrap", level: float, kind: str) -> Sample:
    if boot.scheme not in SCHEMES:
        words = " or ".join(repr(word) for word in SCHEMES)
        raise ValueError(f"scheme must be {words} for the jackknife after the bootstrap, which "
                         "needs replicates in which a unit has weight 0: "
                         f"found {boot.scheme!r}")  # fmt: skip
    if len(boot._status) > 1:
        raise ValueError("jackknife_after needs the bootstrap of one data set: found "
                         f"{len(boot._status):,}")  # fmt: skip
    check_choice("kind", kind, KINDS)
    inference.check_kind(boot._scheme, boot.n_replicates, level, kind)
    stratum = boot._scheme.stratum
    alone = [] if stratum is None else np.flatnonzero(np.bincount(stratum)[stratum] == 1)
    if len(alone):
        raise ValueError("strata must have two units or more, so that each can be left out: "
                         f"found unit {alone[0]} alone in its stratum")  # fmt: skip
    return boot._sample(0)


def _absent(sample: Sample, count: int) -> np.ndarray:
    """In which replicates each unit has weight 0, (G, ⌈R/8⌉) uint8, a bit for each replicate."""
    n_units = sample.scheme.n_units
    width = -(-count // 8)
    memory.demand(n_units * width, f"{count:,} replicates by {n_units:,} units")
    out = np.empty((n_units, width), np.uint8)
    step = 8 * max(1, replicates.DRAWN // (8 * n_units))  # whole bytes
    for start in range(0, count, step):
        numbers = np.arange(start, min(start + step, count), dtype=np.uint32)
        bits = np.packbits(replicates.weights_by_unit(sample, numbers).T == 0, axis=1)
        out[:, start // 8 : start // 8 + bits.shape[1]] = bits
    return out


def _unpacked(bits: np.ndarray, count: int) -> np.ndarray:
    return np.unpackbits(bits, count=count).astype(bool)


def _refuse_too_few(
    sample: Sample, n_without: np.ndarray, count: int, level: float, kind: str
) -> None:
    """Every unit's replicates must reach the quantiles asked of them."""
    needed = kinds.least_replicates(SHARES[-1] - SHARES[0])
    if kind != "normal":
        needed = max(needed, kinds.least_replicates(level))
    i = int(np.argmin(n_without))
    if n_without[i] >= needed:
        return
    scheme = sample.scheme
    size = scheme.n_units if scheme.stratum is None else np.bincount(scheme.stratum)[
        scheme.stratum[i]
    ]  # fmt: skip
    share = (1.0 - 1.0 / size) ** (size * scheme.n_draws / scheme.n_units)
    if scheme.name == "poisson":
        share = np.exp(-scheme.n_draws / scheme.n_units)
    # The least R with R·share − SURE·√(R·share·(1 − share)) ≥ needed.
    slack = SURE * np.sqrt(1.0 - share)
    root = 0.5 * (slack + np.sqrt(slack**2 + 4.0 * needed))
    enough = int(np.ceil(root**2 / share / 100)) * 100
    raise ValueError(f"replicates must be about {enough:,} to leave out each unit: found "
                     f"{count:,}, in {n_without[i]:,} of which unit {i} has weight 0, where kind "
                     f"{kind!r} at level {level} takes {needed:,}")  # fmt: skip


def _influence(sample: Sample, wanted: Functional) -> np.ndarray:
    """(G, q) derivatives of the estimates with respect to the units' weights, centred."""
    if not np.all(np.isfinite(sample.estimate)):
        return np.full((sample.scheme.n_units, wanted.size), np.nan)
    slopes = derivative(wanted, sample.estimate)
    return (slopes @ centred(sample.influence, sample.scheme.stratum)).T


def _acceleration(influence: np.ndarray, i: int, stratum: np.ndarray | None) -> np.ndarray:
    """(q,) the acceleration from the influence values of the other units.

    Not their values in a fit without unit i: the difference is of second order, as that of the
    acceleration itself is.
    """
    others = np.delete(influence, i, axis=0).T
    return skewness(centred(others, None if stratum is None else np.delete(stratum, i)))


def _ends(t, centre, sample: Sample, level: float, kind: str, acceleration) -> np.ndarray:
    """Ends (2, q) from the replicates without a unit around the estimate without it."""
    if kind == "bca":
        return kinds.ends(t, centre, level, kind, acceleration=acceleration).value
    return kinds.ends(t, centre, level, kind, shrinkage=sample.scheme.shrinkage).value


def _quantiles(t: np.ndarray) -> np.ndarray:
    """(k, q); replicates without a value lie outside all others."""
    low, high = kinds.sorted_sides(t)
    sides = (low if share < 0.5 else high for share in SHARES)
    return np.array([
        [kinds.interpolated(column, share, share > 0.5)[0] for column in side.T]
        for share, side in zip(SHARES, sides, strict=True)
    ])  # fmt: skip


def _jackknife_error(ends: np.ndarray, stratum: np.ndarray | None) -> np.ndarray:
    """Standard errors (2, q); nan where an end without a unit is not finite."""
    good = np.all(np.isfinite(ends), axis=0)
    filled = np.where(good, ends, 0.0)
    return np.where(good, inference.jackknife(filled, filled[0], stratum)[1], np.nan)


def _noise(absent: np.ndarray, n_without: np.ndarray, sample: Sample, count: int) -> float:
    """The jackknife variance that Monte Carlo errors alone make, over τ²; see the module."""
    stratum = sample.scheme.stratum
    codes = np.zeros(len(absent), int) if stratum is None else stratum
    total = 0.0
    for code in range(int(codes.max()) + 1):
        units = np.flatnonzero(codes == code)
        shared = np.zeros(count)
        for i in units:
            shared += _unpacked(absent[i], count) / n_without[i]
        size = len(units)
        apart = np.sum(1.0 / n_without[units]) - np.sum(shared**2) / size
        total += (size - 1) / size * apart
    return total
