"""Intervals and moments from the replicates of one data set: what is defined, and why not."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.data import check_choice, check_level
from jaxlogit.resampling import kinds, replicates
from jaxlogit.resampling.acceleration import accelerations
from jaxlogit.resampling.functional import Functional, functional
from jaxlogit.resampling.records import BootstrapInterval
from jaxlogit.resampling.sample import Sample
from jaxlogit.resampling.scheme import Scheme

if TYPE_CHECKING:
    from jaxlogit.resampling.result import Bootstrap

USUAL = ("bca", "percentile", "normal")


def confint(
    boot: "Bootstrap", level: Any, kind: str | None, contrasts: Any, transform: Any
) -> BootstrapInterval:
    """Intervals of every data set; see `Bootstrap.confint`."""
    level, wanted = check_level(level), functional(contrasts, transform, boot.names)
    kind = usual_kind(boot._scheme) if kind is None else kind
    check_kind(boot._scheme, boot.n_replicates, level, kind)
    if kind == "studentized":
        replicates.check_errors(boot._scheme, boot.fit._penalty, f"kind {kind!r}")
    found = []
    for b, (coef, status) in enumerate(zip(boot._coef, boot._status, strict=True)):
        value, error, extreme = ends(boot._sample(b), coef, wanted, level, kind)
        statuses = end_status(value, coef, status, wanted, extreme)
        found.append((value, statuses, error, extreme))
    pairs = [np.stack(part, axis=1) for part in zip(*found, strict=True)]
    beyond = np.sum(pairs[-1] & ~np.isnan(pairs[0]))
    if boot._single and beyond:
        warnings.warn(
            f"{beyond} ends lie beyond the first or last of {boot.n_replicates:,} replicates, "
            "which took their place: more replicates are needed",
            stacklevel=3,
        )
    (low, high), (low_status, high_status), (low_error, high_error), (first, last) = (
        [boot._out(side) for side in pair] for pair in pairs
    )
    lost = boot._out(np.sum(boot._status != Status.CONVERGED, axis=1))
    return BootstrapInterval(
        low, high, low_status, high_status, low_error, high_error, first, last, level, kind,
        wanted.names, lost,
    )  # fmt: skip


def check_kind(scheme: Scheme, n_replicates: int, level: float, kind: str) -> None:
    """Refuse a kind that the scheme does not have, or that takes more replicates."""
    check_choice("kind", kind, kinds.KINDS)
    allowed, what = kinds_of(scheme)
    if kind not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise ValueError(f"kind must be one of {words} with {what}: found {kind!r}")
    needed = 2 if kind == "normal" else kinds.least_replicates(level)
    if n_replicates < needed:
        raise ValueError(f"replicates must be at least {needed:,} for kind {kind!r} at level "
                         f"{level}: found {n_replicates:,}")  # fmt: skip


def usual_kind(scheme: Scheme) -> str:
    """The kind of interval where none is named: the first of `USUAL` that the scheme has."""
    allowed, _ = kinds_of(scheme)
    return next(kind for kind in USUAL if kind in allowed)


def kinds_of(scheme: Scheme) -> tuple[tuple[str, ...], str]:
    """Kinds of interval that a scheme has, and what it is that has no more."""
    if scheme.name == "jackknife":
        return ("normal",), "scheme 'jackknife'"
    if scheme.name == "score":
        return ("normal", "basic", "percentile"), "scheme 'score'"
    if scheme.shrinkage < 1:
        return ("normal", "basic", "percentile", "studentized"), "fewer draws than units"
    return kinds.KINDS, ""


def ends(
    sample: Sample, coef: np.ndarray, wanted: Functional, level: float, kind: str
) -> kinds.Ends:
    """Ends (2, q) from the first R replicates' coefficients (R, p)."""
    t, centre = wanted.values(coef), wanted.values(sample.estimate[None])[0]
    if sample.scheme.name == "jackknife":
        bias, spread = jackknife(t, centre, sample.scheme.stratum)
        value = kinds.normal_ends(centre - bias, spread, level)
        return kinds.Ends(value, np.zeros_like(value), np.zeros(value.shape, bool))
    nothing = np.full((2, wanted.size), np.nan)
    whole = kinds.Ends(nothing, nothing.copy(), np.zeros(nothing.shape, bool))
    known = np.flatnonzero(_has_ends(sample, centre, kind))
    if not len(known):
        return whole
    options: dict[str, Any] = {}
    if kind == "bca":
        options["acceleration"] = accelerations(sample, wanted)
    elif kind == "studentized":
        numbers = np.arange(len(coef), dtype=np.uint32)
        options["errors"] = replicates.std_errors(sample, numbers, coef, wanted)
        options["error"] = replicates.std_error_of_data(sample, wanted)
    found = kinds.ends(
        t[:, known], centre[known], level, kind, shrinkage=sample.scheme.shrinkage, **options
    )
    for array, part in zip(whole, found, strict=True):
        array[:, known] = part
    return whole


def _has_ends(sample: Sample, centre: np.ndarray, kind: str) -> np.ndarray:
    """(q,) of which functions, with these estimates, a kind has ends.

    Without a finite estimate the replicates' quantiles are all there is; derivatives need one of
    every coefficient.
    """
    if kind in ("bca", "studentized"):
        return np.full(len(centre), np.all(np.isfinite(sample.estimate)))
    if kind == "percentile" and sample.scheme.shrinkage == 1:
        return np.full(len(centre), replicates.draws(sample))
    return np.isfinite(centre)


def moments(sample: Sample, coef: np.ndarray, status: np.ndarray, wanted: Functional):
    """Bias, standard error and status (q,) of a function; nan where they do not exist."""
    t, centre = wanted.values(coef), wanted.values(sample.estimate[None])[0]
    good = np.all(np.isfinite(t), axis=0) & np.isfinite(centre)
    t, centre = np.where(good, t, 0.0), np.where(good, centre, 0.0)
    if sample.scheme.name == "jackknife":
        bias, spread = jackknife(t, centre, sample.scheme.stratum)
    else:
        shrinkage = sample.scheme.shrinkage  # a bias is of order 1/n, a deviation 1/√n
        bias = shrinkage**2 * (np.mean(t, axis=0) - centre)
        spread = shrinkage * np.std(t, axis=0, ddof=1)
    found = np.where(good, int(Status.CONVERGED), _why(status)).astype(np.int32)
    return np.where(good, bias, np.nan), np.where(good, spread, np.nan), found


def end_status(
    value: np.ndarray,
    coef: np.ndarray,
    status: np.ndarray,
    wanted: Functional,
    extreme: np.ndarray | bool = False,
) -> np.ndarray:
    """Statuses of ends (2, q); `extreme` as in `kinds.Ends`."""
    finite = np.isfinite(value)
    if np.all(finite):
        return np.zeros(value.shape, np.int32)
    placed = ~np.any(np.isnan(wanted.values(coef)), axis=0)
    why = np.where(np.isinf(value) & placed, int(Status.INFINITE), _why(status))
    # All replicates on one side of the estimate: where none is lost there is no other reason.
    one_sided = np.isnan(value) & (extreme | (placed & np.all(status == Status.CONVERGED)))
    why = np.where(one_sided, int(Status.NO_BOUND_FOUND), why)
    return np.where(finite, int(Status.CONVERGED), why).astype(np.int32)


def _why(status: np.ndarray) -> int:
    """The status that says why a number is missing: that of most replicates without an estimate."""
    lost = status[status != Status.CONVERGED]
    return int(np.bincount(lost).argmax()) if len(lost) else int(Status.NONFINITE_INPUT)


def jackknife(t: np.ndarray, centre: np.ndarray, stratum: np.ndarray | None):
    """Jackknife bias and standard error (q,), stratum by stratum."""
    codes = np.zeros(len(t), int) if stratum is None else stratum
    bias, variance = np.zeros_like(centre), np.zeros_like(centre)
    for code in range(int(codes.max()) + 1):
        part = t[codes == code]
        size = len(part)
        with np.errstate(invalid="ignore"):  # a unit whose loss separates the rest
            bias += (size - 1) * (np.mean(part, axis=0) - centre)
            variance += (size - 1) / size * np.sum((part - np.mean(part, axis=0)) ** 2, axis=0)
    return bias, np.sqrt(variance)
