"""Where the quadratic picture behind Wald's method fails, coefficient by coefficient."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxlogit import intervals
from jaxlogit.core import tails, tasks
from jaxlogit.core.status import Status
from jaxlogit.covariances import std_errors
from jaxlogit.data import check_level
from jaxlogit.penalties import Firth, constants
from jaxlogit.results import Record
from jaxlogit.solution import Solution

if TYPE_CHECKING:
    from jaxlogit.model import Fit

UNSAFE_DISTANCE = 0.25
"""Standard errors between an end of the Wald interval and the same end of the profile interval.

At 95 % an end that is off by so much is crossed with probability Φ(−1.71) = .044 or
Φ(−2.21) = .014 in place of .025: about twice, or half, of what it says.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Record):
    """How far Wald's standard errors can be trusted; from `Fit.diagnose`.

    Attributes
    ----------
    hauck_donner : (B, p) bool array
        Whether the Wald statistic b/se falls in size while the estimate b grows, the other
        coefficients fixed: a larger effect would look less significant. True too for the
        coefficients that separation sends to infinity, where the statistic ends at 0.
    wald_slope : (B, p) array
        d(b/se)/db times se: 1 for a quadratic log-likelihood, below 0 under the Hauck–Donner
        effect; nan unless converged. With Fisher's standard error, also where those of Firth's
        penalty are "augmented".
    asymmetry : (B, p) array
        log((upper − estimate)/(estimate − lower)) of the profile-likelihood interval: 0 when
        symmetric, ±inf where one end is infinite, nan without a finite estimate.
    nonlinearity : (B, p) array
        Distance of the profile-likelihood ends from the Wald ends in standard errors, the larger
        one of both sides; nan unless converged.
    wald_unsafe : (B, p) bool array
        `hauck_donner`, or a nonlinearity above 0.25, or no Wald interval to compare with. At 0.25
        an end meant to be crossed with probability .025 is crossed with .044 or .014.
    status : (B, p) int32 array
        The model's, or that of a profile-likelihood end that was not found.
    level : float
        Of the intervals compared.
    names : tuple of str

    Of a robust fit all of it is about the model's own standard errors, as without `robust`: there
    is no likelihood to compare the sandwich's with.

    FLIC's intercept has another likelihood than the rest: its slope, asymmetry and nonlinearity
    are undefined, nan, and `wald_unsafe` is True since nothing can vouch for it.

    Raises
    ------
    ValueError, TypeError
        By `Fit.diagnose`: a level that is no number in (0, 1).

    Notes
    -----
    Sources: Hauck and Donner (1977), JASA 72:851–853, doi:10.1080/01621459.1977.10479969; the
    derivative: Yee (2022), JASA 117:1763–1774, doi:10.1080/01621459.2021.1886936.

    Examples
    --------
    Two groups, of which one almost always succeeds:

    >>> import jaxlogit as jl
    >>> fit = jl.fit([[1, 0], [1, 1]], [10, 49], trials=[20, 50], names=["const", "group"])
    >>> found = fit.diagnose()
    >>> found.wald_unsafe, found.nonlinearity.round(2)
    (array([False,  True]), array([0.03, 0.73]))
    """

    hauck_donner: np.ndarray
    wald_slope: np.ndarray
    asymmetry: np.ndarray
    nonlinearity: np.ndarray
    wald_unsafe: np.ndarray
    status: np.ndarray
    level: float
    names: tuple[str, ...]


def diagnose(fit: "Fit", level: float = 0.95) -> Diagnosis:
    """Where Wald's intervals and tests mislead, by coefficient: `Diagnosis` says how."""
    level = check_level(level)
    # Robust ends against the model's profile would compare two variances, not two shapes.
    solution, p = fit._solution.unrobust, len(fit.names)
    every = solution.wide(np.eye(p))
    estimate = intervals.estimates(solution, every)
    std_error = std_errors(solution, every)
    cutoff = tails.chi2_quantile(level, 1)
    ends = intervals.inverted_ends(solution, every, cutoff, "lr", "newton")
    wald = intervals.wald_ends(solution, every, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        below, above = estimate - ends.value[..., 0], ends.value[..., 1] - estimate
        asymmetry = np.where(np.isfinite(estimate), np.log(above / below), np.nan)
        nonlinearity = np.max(np.abs(ends.value - wald.value), axis=-1) / std_error
    slope = _wald_slopes(solution)[:, :p]
    endless = np.zeros(estimate.shape, bool)
    endless[solution.separated] = ~np.isfinite(estimate[solution.separated])
    hauck_donner = (slope < 0) | endless
    if isinstance(fit._penalty, Firth) and fit._penalty.intercept == "flic":
        # Estimate and profile of the intercept belong to two likelihoods.
        intercept = constants(fit._models) != 0
        for array in (slope, asymmetry, nonlinearity):
            array[:, intercept] = np.nan
        hauck_donner[:, intercept] = False
    unsafe = hauck_donner | ~(nonlinearity <= UNSAFE_DISTANCE)
    arrays = (hauck_donner, slope, asymmetry, nonlinearity, unsafe, _status(solution, ends.status))
    return Diagnosis(*map(fit._out, arrays), level=level, names=fit.names)


def _wald_slopes(solution: Solution) -> np.ndarray:
    """(B, p) `Diagnosis.wald_slope`."""
    out, index = np.full(solution.coef.shape, np.nan), solution.finite
    if len(index):
        own = None if len(index) == len(out) else index
        searches = solution.coef.shape[1]
        out[index] = solution.run(_slopes, index=own, searches=searches, own=("coef",))
    return out


def _slopes(arrays, coef, *, unroll):
    return tasks.wald_slopes(arrays, coef, unroll=unroll)


def _status(solution: Solution, ends: np.ndarray) -> np.ndarray:
    """(B, p) the model's status, or that of an end without a number."""
    status = np.repeat(solution.status[:, None], ends.shape[1], axis=1)
    lost = np.isin(ends, (Status.CONVERGED, Status.INFINITE), invert=True)
    worst = np.where(lost[..., 0], ends[..., 0], ends[..., 1])
    missing = np.any(lost, axis=-1) & (status == Status.CONVERGED)
    return np.where(missing, worst, status).astype(np.int32)
