"""What is read off finished fits: probabilities, deviances, kinds of separation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from jaxlogit import hypotheses, intervals
from jaxlogit.checks import check_finite, numeric
from jaxlogit.core.status import Status
from jaxlogit.data import Models
from jaxlogit.solution import Solution

CHUNK = 1 << 20  # rows at a time


def is_table(rows: Any) -> bool:
    """Whether new rows come as a table with named columns."""
    return isinstance(rows, Mapping) or hasattr(type(rows), "columns")


def check_rows(models: Models, new: Any, offset: Any) -> tuple[np.ndarray, np.ndarray]:
    """New rows (k, p) or (B, k, p), and their offset."""
    if is_table(new) and set(models.names) <= set(map(str, getattr(new, "columns", ()))):
        new = new[list(models.names)]  # by name, in whatever order they are
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
    return rows, shift


def probabilities(
    models: Models, solution: Solution, which: np.ndarray | None, new: Any, offset: Any
) -> np.ndarray:
    """Probabilities at new rows (k, p) or (B, k, p), as (B, k); `which` as in `Fit`."""
    rows, shift = check_rows(models, new, offset)
    rows = solution.wide(rows)
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
    return scipy.special.expit((eta if which is None else eta[which]) + shift)


def bounds(fitted: tuple, new: Any, offset: Any, level: float, method: str) -> tuple:
    """Interval ends (B, k, 2) and statuses for the probabilities at new rows.

    An interval of the linear predictor x'β + offset, mapped to the scale of probabilities.
    `fitted`: models, solution and which, as in `Fit`.
    """
    models, solution, which = fitted
    rows, shift = check_rows(models, new, offset)
    rows = solution.wide(rows)
    if rows.ndim == 3:
        whole = solution if which is None else solution.take(which)
        each = [_bounds(whole.take([i]), own, level, method) for i, own in enumerate(rows)]
        value, status = (np.concatenate(part) for part in zip(*each, strict=True))
    else:
        value, status = _bounds(solution, rows, level, method)
        if which is not None:
            value, status = value[which], status[which]
    return scipy.special.expit(value + shift[..., None]), status


def _bounds(solution: Solution, rows: np.ndarray, level: float, method: str):
    shape = (len(solution.status), len(rows), 2)
    value, status = np.zeros(shape), np.zeros(shape, np.int32)
    known = solution.has_supremum[:, None, None]
    value[:] = np.where(known, 0.0, np.nan)  # a contrast of nothing is 0 whatever the model
    status[:] = np.where(known, 0, solution.status[:, None, None])
    some = np.any(rows != 0, axis=1)
    if np.any(some):
        ends = intervals.search(solution, rows[some], level, method)
        value[:, some], status[:, some] = ends.value, ends.status
    return value, status


def linear_predictors(models: Models, coef: np.ndarray) -> np.ndarray:
    """Xβ + offset of every model's own rows, (B, n); coefficients (B, p)."""
    shared = coef if models.own is None else np.delete(coef, models.place, axis=1)
    kind = "np,bp->bn" if models.design.ndim == 2 else "bnp,bp->bn"
    eta = np.einsum(kind, models.design, shared, optimize=True)
    if models.own is not None:
        eta = eta + models.own * coef[:, models.place, None]
    return eta if models.offset is None else eta + models.offset


def loglik(models: Models, coef: np.ndarray) -> np.ndarray:
    """The log-likelihood of the rows alone, without penalties, at coefficients (B, p); (B,)."""
    out = np.empty(len(coef))
    step = max(1, CHUNK // models.n_rows)
    for start in range(0, len(coef), step):
        part = slice(start, start + step)
        some = models if models.single else models.take(part, single=False)
        out[part] = _loglik(some, coef[part])
    return out


def _loglik(models: Models, coef: np.ndarray) -> np.ndarray:
    eta = linear_predictors(models, coef)
    trials = 1.0 if models.trials is None else models.trials
    rows = models.y * eta - trials * np.logaddexp(0.0, eta)
    if models.weights is not None:
        rows = np.where(models.weights > 0, rows, 0.0) * models.weights
    return np.sum(rows, axis=-1)


def deviance(models: Models, reached: np.ndarray, coef: np.ndarray | None) -> np.ndarray:
    """Twice what is lost against the saturated model, (B,).

    From maximised log-likelihoods (B,), or from the coefficients (B, p) of penalised ones, nan
    where there are none.
    """
    if coef is not None:
        coef = coef[:, : models.n_terms]  # those that a penalty added come last
        known = np.all(np.isfinite(coef), axis=1)
        reached = np.where(known, loglik(models, np.where(known[:, None], coef, 0.0)), np.nan)
    return 2.0 * (saturated(models) - reached)


def saturated(models: Models) -> np.ndarray | float:
    """Σ a[y·log(y/m) + (m − y)·log(1 − y/m)], the largest log-likelihood of any model."""
    if models.trials is None and models.y.dtype.kind == "b":
        return 0.0
    m = np.asarray(1.0 if models.trials is None else models.trials, np.float64)
    share = np.clip(models.y / np.where(m > 0, m, 1.0), 0.0, 1.0)
    rows = m * (scipy.special.xlogy(share, share) + scipy.special.xlog1py(1.0 - share, -share))
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
    p = estimate.shape[1]
    direction = np.full(estimate.shape, np.nan)
    index = solution.separated
    if len(index):
        part = solution.take(index)
        direction[index] = hypotheses.user_coefficients(part, part.direction)[:, :p]
    return model, words, direction
