"""What a fit hands out: intervals, tests, profiles and separation verdicts, as plain records.

Arrays of a fit and of its records are read-only, since the fit goes on using them: copy to change.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from jaxlogit.core.status import Status


@dataclass(frozen=True, eq=False)
class Record:
    """Shows shapes and a tally of statuses, never ten thousand numbers."""

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and field.name.endswith("status"):
                shown = tally(value)
            elif isinstance(value, np.ndarray) and value.size > 12:
                shown = f"array{value.shape}"
            else:
                shown = repr(value)
            parts.append(f"{field.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, eq=False, repr=False)
class Interval(Record):
    """Confidence intervals of coefficients or contrasts.

    Attributes
    ----------
    lower, upper : (B, q) arrays
        Ends on the log-odds scale; ±inf where `lower_status` or `upper_status` is INFINITE
        (certified), nan where the status says why there is no number.
    lower_status, upper_status : (B, q) int32 arrays
        `Status` of each end. At low levels r* may have no end to find: NO_BOUND_FOUND.
    level : float
    method : str
    names : tuple of str
        The contrasts' names, in the order of the last axis.
    residual : (B, q, 2) array
        Bound on the error left by the search for each end (lower, upper), in standard errors;
        rounding comes on top. 0 for a Wald end, which needs no search; nan where there is no
        finite end.
    """

    lower: np.ndarray
    upper: np.ndarray
    lower_status: np.ndarray
    upper_status: np.ndarray
    level: float
    method: str
    names: tuple[str, ...]
    residual: np.ndarray

    @classmethod
    def of(cls, ends: tuple, out: Callable, level: float, method: str, names) -> "Interval":
        """From values, statuses and residuals (B, q, 2), lower end first, each handed to `out`."""
        value, status, residual = ends
        residual = np.where(np.isfinite(value), residual, np.nan)
        lower, upper = out(value[..., 0]), out(value[..., 1])
        lower_status, upper_status = out(status[..., 0]), out(status[..., 1])
        return cls(lower, upper, lower_status, upper_status, level, method, names, out(residual))

    @property
    def odds_ratio(self) -> "Interval":
        """The same interval for exp(c'β), its ends exponentiated: an odds ratio per unit.

        Never symmetric around the estimated odds ratio. Statuses and `residual` remain those of
        the log-odds: a lower end of 0 has the status INFINITE.

        Examples
        --------
        >>> import jaxlogit as jl
        >>> fit = jl.fit([[1, 0], [1, 1]], [10, 30], trials=[20, 50], names=["const", "group"])
        >>> found = fit.confint(contrasts="group").odds_ratio
        >>> found.lower.round(4), found.upper.round(4)
        (array([0.5253]), array([4.3096]))
        """
        with np.errstate(over="ignore"):
            lower, upper = (np.exp(end) for end in (self.lower, self.upper))
        for end in (lower, upper):
            end.flags.writeable = False
        return replace(self, lower=lower, upper=upper)


@dataclass(frozen=True, eq=False, repr=False)
class Test(Record):
    """Tests of coefficients or contrasts.

    Attributes
    ----------
    statistic : (B, q) array, or (B,) for a joint test
        Chi-square statistic.
    df : int
        Its degrees of freedom: 1, or the number of contrasts of a joint test.
    p_value, log_p : arrays like `statistic`
        Upper tail probability and its natural logarithm, which does not underflow.
    status : int32 array like `statistic`
    method : str
    names : tuple of str

    Examples
    --------
    >>> import jaxlogit as jl
    >>> fit = jl.fit([[1, 0], [1, 1]], [10, 30], trials=[20, 50], names=["const", "group"])
    >>> found = fit.test("score", contrasts="group")
    >>> found.statistic.round(4), found.p_value.round(4)
    (array([0.5833]), array([0.445]))
    """

    __test__ = False  # not a test case, whatever a test runner makes of the name

    statistic: np.ndarray
    df: int
    p_value: np.ndarray
    log_p: np.ndarray
    status: np.ndarray
    method: str
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Record):
    """The profile log-likelihood of one coefficient or contrast.

    Without a grid there are 41 points evenly spaced in the signed root, so that they lie
    closest together where the profile is steep: the estimate in the middle, the ends of the
    99.9 % profile-likelihood interval first and last. Where the estimate is infinite (see
    `Separation`), they run from the finite end of that interval to where the log-likelihood is
    0.003 below its supremum; where it is indeterminate the profile is flat, and the values lie
    evenly in ±10.

    Attributes
    ----------
    value : (B, g) array
        Values b of the contrast, in log-odds, rising where no grid was given.
    loglik : (B, g) array
        Largest log-likelihood with the contrast held at b; under Firth's penalty, which need not
        be concave, the largest that several starts found.
    signed_root : (B, g) array
        sign(b − estimate)·sqrt(2(l(β̂) − l_p(b))): ±1.96 at the ends of a 95 % interval.
    coef : (B, g, p) array
        All coefficients along the profile. Those that separation sends to infinity are where
        the search ended: far out, and the log-likelihood its supremum for all that can be seen.
    status : (B, g) int32 array
        CONVERGED; otherwise the numbers are nan: the model's own status where it has no
        supremum, NO_BOUND_FOUND or MAX_STEPS where the search gave up.
    name : str

    Notes
    -----
    The profile path is followed outward from the estimate, each point with the certificate of
    an interval end (Venzon and Moolgavkar 1988, Applied Statistics 37:87–94,
    doi:10.2307/2347496).

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> profile = fitted.profile("dose")
    >>> profile.value[[0, 20, 40]].round(4)
    array([-0.1837,  0.9127,  2.9919])
    >>> fitted.profile("dose", grid=[0.0]).signed_root.round(6)
    array([-2.661997])
    """

    value: np.ndarray
    loglik: np.ndarray
    signed_root: np.ndarray
    coef: np.ndarray
    status: np.ndarray
    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Region(Record):
    """The joint profile-likelihood region of two coefficients or contrasts, by its boundary.

    The region {b: 2(l(β̂) − l_p(b)) ≤ χ²₂} is convex where the log-likelihood is concave. Its
    boundary is given by the points farthest in directions once round: each is where the
    profile-likelihood interval of a combination of the two ends, with the quantile of
    chi-square on two degrees of freedom as its cutoff. Under Firth's penalty neither is sure: a
    boundary found may be that of one hill of several.

    Attributes
    ----------
    value : (B, points, 2) array
        Boundary points in order, counterclockwise, in log-odds. nan where the status says why.
    status : (B, points) int32 array
        CONVERGED (certified as an interval end is); INFINITE where the region of a separated
        model has no end in the direction, with its proof; NO_BOUND_FOUND where the search gave
        up; the model's own status where it has no supremum.
    direction : (B, points, 2) array
        The directions u: u'b has its largest value in the region at the point. They are evenly
        spaced in the metric of the model's Wald ellipse, and the first is that of the first term;
        for a separated model in the metric of its information at coefficients of 0. nan with the
        model's status where it has no supremum.
    wald : (B, points, 2) array
        Points of the fit's Wald ellipse, a robust fit's by its sandwich, that are farthest in the
        same directions; nan without a finite maximum.
    level : float
    names : tuple of two str

    Notes
    -----
    The level is that of both together: the region's extent in one coordinate is longer than
    the profile-likelihood interval of the same level, whose cutoff is χ²₁.
    Source of the search: Venzon and Moolgavkar (1988), Applied Statistics 37:87–94,
    doi:10.2307/2347496.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> region = fitted.region(["const", "dose"], points=4)
    >>> region.value.round(3)
    array([[-0.05 ,  0.178],
           [-3.388,  1.699],
           [-6.928,  2.173],
           [-3.37 ,  0.693]])
    """

    value: np.ndarray
    status: np.ndarray
    direction: np.ndarray
    wald: np.ndarray
    level: float
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Record):
    """Fitted probabilities with intervals; from `Fit.predict` with a level.

    Attributes
    ----------
    estimate : (B, k) array
        Probabilities at the rows asked for.
    lower, upper : (B, k) arrays
        The interval of the linear predictor, by any method, mapped to probabilities: 0 or 1
        where that is infinite, nan where its status says why.
    lower_status, upper_status : (B, k) int32 arrays
        `Status` of each end, as in `Interval`.
    level : float
    method : str

    Examples
    --------
    >>> import jaxlogit as jl
    >>> fitted = jl.fit([[1, d] for d in range(6)], [0, 1, 1, 1, 2, 3], trials=3)
    >>> found = fitted.predict([1, 4], level=0.95, method="lr")
    >>> found.estimate.round(4), found.lower.round(4), found.upper.round(4)
    (array([0.7356]), array([0.4083]), array([0.947]))
    """

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    lower_status: np.ndarray
    upper_status: np.ndarray
    level: float
    method: str

    @classmethod
    def of(
        cls, estimate: Any, ends: tuple, out: Callable, level: float, method: str
    ) -> "Prediction":
        """From probabilities, and from ends and statuses (B, k, 2), each handed to `out`."""
        value, status = ends
        lower, upper = out(value[..., 0]), out(value[..., 1])
        return cls(estimate, lower, upper, out(status[..., 0]), out(status[..., 1]), level, method)


@dataclass(frozen=True, eq=False, repr=False)
class Separation(Record):
    """Whether finite estimates exist, with proofs; of a penalised fit, under its penalty.

    Attributes
    ----------
    model : (B,) array of str
        "overlap" (unique finite maximum), "quasi" or "complete" separation, or "unknown".
    coefficient : (B, p) array of str
        "finite", "+inf", "-inf", or "indeterminate" (it may run to either side).
    direction : (B, p) array
        For a separated model the direction d, in the units of the coefficients, with
        x'd ≥ 0 in rows of successes and x'd ≤ 0 in rows of failures, to the rounding of the
        sums; else nan.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> found = jl.fit([[1, 0], [1, 1]], [3, 9], trials=[7, 9]).separation()
    >>> str(found.model), found.coefficient.tolist()
    ('quasi', ['finite', '+inf'])
    """

    model: np.ndarray
    coefficient: np.ndarray
    direction: np.ndarray


def tally(status: np.ndarray) -> str:
    """Counts by status, most frequent first: "98 CONVERGED, 2 SEPARATED_QUASI"."""
    codes, counts = np.unique(status, return_counts=True)
    order = np.argsort(-counts)
    return ", ".join(f"{counts[i]:,} {Status(int(codes[i])).name}" for i in order)
