"""What a fit hands out: intervals, tests, profiles and separation verdicts, as plain records.

Arrays of a fit and of its records are read-only, since the fit goes on using them: copy to change.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from jaxlogit.core.status import Status


@dataclass(frozen=True, eq=False)
class Record:
    """Shows shapes and a tally of statuses, never ten thousand numbers."""

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and value.size > 12:
                shown = f"array{value.shape}"
                if field.name.endswith("status"):
                    shown = tally(value)
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
        `Status` of each end.
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

    Attributes
    ----------
    value : (B, g) array
        Grid of values b.
    loglik : (B, g) array
        Largest log-likelihood with the contrast held at b.
    signed_root : (B, g) array
        sign(b − estimate)·sqrt(2(l(β̂) − l_p(b))): ±1.96 at the ends of a 95 % interval.
    coef : (B, g, p) array
        All coefficients along the profile.
    status : (B, g) int32 array
    name : str
    """

    value: np.ndarray
    loglik: np.ndarray
    signed_root: np.ndarray
    coef: np.ndarray
    status: np.ndarray
    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Separation(Record):
    """Whether finite estimates exist, with proofs.

    Attributes
    ----------
    model : (B,) array of str
        "overlap" (unique finite maximum), "quasi" or "complete" separation, or "unknown".
    coefficient : (B, p) array of str
        "finite", "+inf", "-inf", or "indeterminate" (it may run to either side).
    direction : (B, p) array
        For a separated model the direction d, in the units of the coefficients, with
        x'd ≥ 0 in rows of successes and x'd ≤ 0 in rows of failures; else nan.
    """

    model: np.ndarray
    coefficient: np.ndarray
    direction: np.ndarray


def tally(status: np.ndarray) -> str:
    """Counts by status, most frequent first: "98 CONVERGED, 2 SEPARATED_QUASI"."""
    codes, counts = np.unique(status, return_counts=True)
    order = np.argsort(-counts)
    return ", ".join(f"{counts[i]:,} {Status(int(codes[i])).name}" for i in order)
