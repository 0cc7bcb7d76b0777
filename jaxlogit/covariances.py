"""Standard errors and covariances of many models, from the information or a robust sandwich."""

from functools import partial

import numpy as np

from jaxlogit import memory, robust
from jaxlogit.core import tasks
from jaxlogit.solution import Solution


def std_errors(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    """Standard errors of contrasts, (B, q); nan without a finite maximum.

    Of a robust fit from its sandwich covariance.
    """
    return solution.once_for("std_errors", contrasts, partial(_std_errors, solution, contrasts))


def _std_errors(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    out = np.full((len(solution.status), len(contrasts)), np.nan)
    index = solution.finite
    if len(index):
        every = None if len(index) == len(out) else index
        if solution.sandwich is None:
            out[index] = solution.run(_std_error, (contrasts,), index=every, own=("coef",))
        else:
            out[index] = robust.std_errors(solution, contrasts, every)
    return out


def _std_error(arrays, coef, contrasts, *, unroll):
    return tasks.std_error(arrays, coef, contrasts, unroll=unroll)


def covariances(solution: Solution) -> np.ndarray:
    """Covariances of the coefficients, (B, p, p), as `std_errors`."""
    count, p = solution.coef.shape
    memory.demand(8 * count * p * p, f"covariances of {count:,} models")
    out, index = np.full((count, p, p), np.nan), solution.finite
    if len(index):
        every = None if len(index) == len(out) else index
        if solution.sandwich is None:
            out[index] = solution.run(_covariance, index=every, own=("coef",))
        else:
            out[index] = robust.covariances(solution, every)
    return out


def _covariance(arrays, coef, *, unroll):
    return tasks.covariance(arrays, coef, unroll=unroll)
