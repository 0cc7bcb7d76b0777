"""What a bootstrap hands out, as plain records."""

from dataclasses import dataclass

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.model import Fit
from jaxlogit.results import Record


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapInterval(Record):
    """Bootstrap confidence intervals; from `Bootstrap.confint`.

    Attributes
    ----------
    lower, upper : (q,) or (B, q) arrays
        Ends on the scale of the contrasts (log-odds) or of the transform; ±inf where the
        order statistics asked for are, nan where the kind is undefined.
    lower_status, upper_status : int32 arrays like `lower`
        CONVERGED; INFINITE where so many replicates are infinite that the end is; NO_BOUND_FOUND
        where BCa has no ends, all replicates being on one side of the estimate; for an end that
        is missing, or infinite since replicates without a value may lie anywhere, the `Status`
        that most of the replicates without a finite estimate have.
    lower_error, upper_error : arrays like `lower`
        Monte Carlo standard errors: what another seed would change. nan for an infinite end.
    lower_extreme, upper_extreme : bool arrays like `lower`
        Whether the end would lie beyond the first or last replicate, which took its place, or BCa
        has none.
    level : float
    kind : str
    names : tuple of str
    n_undefined : int or (B,) array
        Replicates without a finite estimate.
    """

    lower: np.ndarray
    upper: np.ndarray
    lower_status: np.ndarray
    upper_status: np.ndarray
    lower_error: np.ndarray
    upper_error: np.ndarray
    lower_extreme: np.ndarray
    upper_extreme: np.ndarray
    level: float
    kind: str
    names: tuple[str, ...]
    n_undefined: int | np.ndarray

    @property
    def reason(self) -> str | None:
        """Why ends are missing or infinite, in words; None where none are."""
        ends = np.stack([self.lower, self.upper])
        if np.all(np.isfinite(ends)):
            return None
        if np.any([self.lower_status, self.upper_status] == np.int32(Status.NO_BOUND_FOUND)):
            return f"all replicates lie on one side of the estimate: kind {self.kind!r} has no ends"
        affected = ~np.all(np.isfinite(ends), axis=(0, -1))
        lost = f"{np.sum(self.n_undefined * affected):,} replicates have no finite estimate"
        if self.kind == "normal":
            return f"{lost}: what is infinite in one, or in the data, has no mean and variance"
        if not np.any(np.isnan(ends)):
            if self.kind == "studentized" and not np.any(self.n_undefined * affected):
                return ("replicates with a standard error of 0 or none, such as one cluster drawn "
                        "again and again, may lie anywhere")  # fmt: skip
            if self.kind == "studentized":
                return f"{lost}, and so no standard error: they may lie anywhere"
            return f"{lost}: they keep their rank, and where they have none may lie anywhere"
        if self.kind == "percentile":
            return "no finite estimate of the data, or none at all: nothing was drawn"
        return f"no finite estimate of the data: kind {self.kind!r} needs one, 'percentile' not"


@dataclass(frozen=True, eq=False, repr=False)
class Moments(Record):
    """Bootstrap bias and standard error; from `Bootstrap.moments`.

    Attributes
    ----------
    bias : (q,) or (B, q) array
        Mean of the replicates less the estimate.
    std_error : array like `bias`
        Standard deviation of the replicates.
    status : int32 array like `bias`
        CONVERGED, or the commonest status of the replicates that leave both undefined (nan).
    names : tuple of str
    """

    bias: np.ndarray
    std_error: np.ndarray
    status: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapTest(Record):
    """Bootstrap tests; from `Bootstrap.test`.

    Attributes
    ----------
    statistic : (q,) or (B, q) array, without q for a joint test
        The chi-square statistic of the data.
    df : int
    p_value : array like `statistic`
        (1 + #{T* ≥ T})/(R + 1).
    p_error : array like `statistic`
        Its Monte Carlo standard error.
    mean : array like `statistic`
        Mean of the replicates' statistics: df where the chi-square distribution is right.
    bartlett_p_value : array like `statistic`
        The chi-square tail of df·T/mean, for p values below 1/R; nan where `mean` is, and
        with a single replicate.
    n_undefined : int array like `statistic`
        Replicates without a statistic, counted as beyond T.
    status : int32 array like `statistic`
        Of the data's statistic; the p value is nan unless it is converged.
    method : str
    names : tuple of str
    """

    __test__ = False  # not a test case, whatever a test runner makes of the name

    statistic: np.ndarray
    df: int
    p_value: np.ndarray
    p_error: np.ndarray
    mean: np.ndarray
    bartlett_p_value: np.ndarray
    n_undefined: np.ndarray
    status: np.ndarray
    method: str
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class JackknifeAfter(Record):
    """Interval ends and quantiles without each unit; from `Bootstrap.jackknife_after`.

    Units are the rows, in the order of the data without rows that do not count, or the clusters,
    in the order of their first rows.

    Attributes
    ----------
    lower, upper : (q,) arrays
        Ends from all replicates.
    lower_error, upper_error : (q,) arrays
        Jackknife standard errors of the ends: what another sample would change. nan where an end
        without some unit is not finite.
    lower_noise, upper_noise : (q,) arrays
        What Monte Carlo errors alone would make of those standard errors: more replicates are
        needed where it is not much smaller.
    lower_status, upper_status : (q,) int32 arrays
        `Status` of the standard errors: CONVERGED, or why there is none.
    lower_without, upper_without : (G, q) arrays
        Ends from the replicates in which a unit has weight 0.
    estimate_without : (G, q) array
        Estimates from the data without a unit.
    n_without : (G,) int array
        Replicates in which a unit has weight 0.
    shares : (k,) array
    quantiles : (k, q) array
        Quantiles of all replicates at these shares.
    quantiles_without : (G, k, q) array
        Quantiles of the replicates in which a unit has weight 0.
    influence : (G, q) array
        Derivatives of the estimates with respect to a unit's weight, centred within strata; nan
        without finite estimates.
    level : float
    kind : str
    names : tuple of str
    """

    lower: np.ndarray
    upper: np.ndarray
    lower_error: np.ndarray
    upper_error: np.ndarray
    lower_noise: np.ndarray
    upper_noise: np.ndarray
    lower_status: np.ndarray
    upper_status: np.ndarray
    lower_without: np.ndarray
    upper_without: np.ndarray
    estimate_without: np.ndarray
    n_without: np.ndarray
    shares: np.ndarray
    quantiles: np.ndarray
    quantiles_without: np.ndarray
    influence: np.ndarray
    level: float
    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Replay:
    """One replicate rebuilt; from `Bootstrap.replay`.

    Attributes
    ----------
    weights : (n,) array or None
        What each row counts in the replicate, its case weight included: the multipliers of the
        scores under scheme "score".
    y : (n,) array
        Successes: drawn ones under scheme "parametric"; nan where there is nothing to draw from.
    coef : (p,) array
    fit : Fit or None
        The replicate fitted as any other model; None under scheme "score", which fits none, and
        where there is nothing to draw from.
    """

    weights: np.ndarray | None
    y: np.ndarray
    coef: np.ndarray
    fit: Fit | None
