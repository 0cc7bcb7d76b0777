"""Which rows a fit leans on: leverage, residuals, Cook's distances, one-step deletions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import coordinates, memory
from jaxlogit.core.influence import Measures, measures
from jaxlogit.data import Models
from jaxlogit.penalties import check_rows_alone
from jaxlogit.results import Record
from jaxlogit.solution import Solution

if TYPE_CHECKING:
    from jaxlogit.model import Fit


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Record):
    """Influence of each row on its model, as R's `influence.measures` for a binomial `glm`.

    With case weights a, trials m, e = a(y − m·mu) and v = a·m·mu(1 − mu) at the maximum.

    Attributes
    ----------
    leverage : (B, n) array
        Hat values h = v·x'I(β̂)⁻¹x in [0, 1]; they add up to p, to less
        under a normal prior.
    pearson_residual : (B, n) array
        e/√v.
    deviance_residual : (B, n) array
        Signed roots of the rows' parts of the deviance: their squares add up to it.
    standardized_pearson_residual, standardized_deviance_residual : (B, n) arrays
        The same over √(1 − h).
    cooks_distance : (B, n) array
        (e²/v)·h / (p(1 − h)²).
    dfbeta : (B, n, p) array, or None where it was not asked for
        By how much each coefficient is larger than after one Newton step without the row:
        I(β̂)⁻¹x·e/(1 − h). (R's `dfbeta` has the deviance residual times √v in place of e.)
    status : (B,) int32 array
        `Status` of the model; all else is nan where it is not CONVERGED.

    Notes
    -----
    A row of weight 0 or without trials has leverage, residuals, distance and changes of 0, so
    that sums over rows are the model's. A row with trials, or with a weight, is one row: what
    is deleted is all of it. A row of leverage 1 determines a coefficient alone and is fitted
    exactly whatever was observed: its standardized residuals, distance and changes are nan.

    References
    ----------
    Pregibon, D. (1981). Logistic regression diagnostics. Annals of Statistics 9:705–724.
    doi:10.1214/aos/1176345513

    Williams, D. A. (1987). Generalized linear model diagnostics using the deviance and single
    case deletions. Applied Statistics 36:181–191. doi:10.2307/2347550

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> found = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3).influence()
    >>> found.leverage.round(3)
    array([0.319, 0.345, 0.286, 0.268, 0.367, 0.415])
    >>> found.cooks_distance.round(3)
    array([0.074, 0.305, 0.002, 0.114, 0.034, 0.262])
    """

    leverage: np.ndarray
    pearson_residual: np.ndarray
    deviance_residual: np.ndarray
    standardized_pearson_residual: np.ndarray
    standardized_deviance_residual: np.ndarray
    cooks_distance: np.ndarray
    dfbeta: np.ndarray | None
    status: np.ndarray


def influence(fit: "Fit", *, dfbeta: bool = False) -> Influence:
    """Leverage, residuals and Cook's distances of the rows, documented in `Influence`."""
    check_rows_alone(fit._penalty, "influence")
    return measure(fit._models, fit._solution, fit._which, fit._shown, dfbeta)


def measure(
    models: Models,
    solution: Solution,
    which: np.ndarray | None,
    shown: Callable[[np.ndarray], np.ndarray],
    dfbeta: bool,
) -> Influence:
    """The influence of every row, each array (B, …) handed to `shown`; `which` as in `Fit`.

    Raises
    ------
    MemoryError
        Before the work, where the answer does not fit in what is free.
    """
    count, n, p = models.n_models, models.n_rows, models.n_terms
    fields = len(Measures._fields) - 1
    memory.demand(8 * count * n * (fields + p * dfbeta), f"influences of {count:,} models")
    own = coordinates.unfold(models, solution, which)
    whole: list[Any] = [np.full((count, n), np.nan) for _ in range(fields)]
    whole += [np.full((count, n, p), np.nan)] if dfbeta else [None]
    index = own.finite
    if len(index):
        every = None if len(index) == count else index
        found = own.run(
            _measures, index=every, own=("coef",), searches=p, with_response=True, dfbeta=dfbeta
        )
        for i, part in enumerate(found):
            if every is None:
                whole[i] = part
            elif part is not None:
                whole[i][index] = part
    handed: list[Any] = [a if a is None else shown(a) for a in (*whole, own.status)]
    return Influence(*handed)


def _measures(arrays, coef, *, dfbeta, unroll):
    return measures(arrays, coef, dfbeta=dfbeta, unroll=unroll)
