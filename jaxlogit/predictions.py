"""What is read off finished fits: probabilities, deviances, kinds of separation."""

from typing import Any

import numpy as np
from scipy.special import expit, xlog1py, xlogy

from jaxlogit import hypotheses, intervals
from jaxlogit.checks import check_finite, numeric
from jaxlogit.core.status import Status
from jaxlogit.data import Models
from jaxlogit.solution import Solution


def probabilities(
    models: Models, solution: Solution, which: np.ndarray | None, new: Any, offset: Any
) -> np.ndarray:
    """Probabilities at new rows (k, p) or (B, k, p), as (B, k); `which` as in `Fit`."""
    rows = numeric("X_new", new, (1, 2, 3))
    p = models.n_terms
    if rows.shape[-1] != p:
        raise ValueError(f"X_new must have {p} columns: found shape {rows.shape}")
    if rows.ndim == 3 and len(rows) != models.n_models:
        raise ValueError(
            f"X_new must have one matrix for each of {models.n_models} models: "
            f"found shape {rows.shape}"
        )
    rows = np.atleast_2d(rows)
    shift = np.asarray(0.0) if offset is None else numeric("offset", offset, (0, 1, 2))
    check_finite("X_new", rows)
    check_finite("offset", np.atleast_1d(shift))
    if shift.ndim == 2 and len(shift) != models.n_models:
        raise ValueError(f"offset must have one row for each of {models.n_models} models: "
                         f"found shape {shift.shape}")  # fmt: skip
    if shift.ndim and shift.shape[-1] != rows.shape[-2]:
        raise ValueError(f"offset must have one value for each of the {rows.shape[-2]} rows of "
                         f"X_new: found shape {shift.shape}")  # fmt: skip
    if which is not None and rows.ndim == 3:
        solution, which = solution.take(which), None
    coef = np.where((solution.status == Status.CONVERGED)[:, None], solution.user_coef, np.nan)
    eta = np.einsum("kp,bp->bk" if rows.ndim == 2 else "bkp,bp->bk", rows, coef)
    for model in solution.separated:
        own = rows if rows.ndim == 2 else rows[model]
        empty = ~np.any(own != 0, axis=1)  # a contrast of nothing is 0 whatever the model
        one = solution.take([model])
        eta[model, empty] = 0.0
        if not np.all(empty):
            eta[model, ~empty] = intervals.estimates(one, own[~empty])[0]
    return expit((eta if which is None else eta[which]) + shift)


def saturated(models: Models) -> np.ndarray | float:
    """Σ a[y·log(y/m) + (m − y)·log(1 − y/m)], the largest log-likelihood of any model."""
    if models.trials is None and models.y.dtype.kind == "b":
        return 0.0
    m = np.asarray(1.0 if models.trials is None else models.trials, np.float64)
    share = np.clip(models.y / np.where(m > 0, m, 1.0), 0.0, 1.0)
    rows = m * (xlogy(share, share) + xlog1py(1.0 - share, -share))
    if models.weights is not None:
        rows = np.where(models.weights > 0, rows, 0.0) * models.weights
    return np.sum(rows, axis=-1)


def separation(solution: Solution, estimate: np.ndarray):
    """Words for every model (B,) and coefficient (B, p), and the users' directions (B, p)."""
    kinds = {
        int(Status.CONVERGED): "overlap",
        int(Status.SEPARATED_QUASI): "quasi",
        int(Status.SEPARATED_COMPLETE): "complete",
    }
    model = np.array([kinds.get(int(code), "unknown") for code in solution.status])
    words = np.where(np.isposinf(estimate), "+inf", np.where(np.isneginf(estimate), "-inf", ""))
    words = np.where(np.isnan(estimate), "indeterminate", np.where(words == "", "finite", words))
    words = np.where((model == "unknown")[:, None], "unknown", words)
    direction = np.full(estimate.shape, np.nan)
    index = solution.separated
    if len(index):
        part = solution.take(index)
        direction[index] = hypotheses.user_coefficients(part, part.direction)
    return model, words, direction
