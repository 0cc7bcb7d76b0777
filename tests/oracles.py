"""Slow, independent answers to compare with: NumPy and SciPy, nothing of the house."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import brentq, linprog
from scipy.special import expit

REFERENCE = Path(__file__).parent / "reference"


class Model(NamedTuple):
    """One model's data with nothing left out."""

    X: np.ndarray
    y: np.ndarray
    trials: np.ndarray
    weights: np.ndarray
    offset: np.ndarray


def model(X, y, trials=None, weights=None, offset=None) -> Model:
    X = np.asarray(X, dtype=float)
    n = len(X)

    def full(value, default):
        return np.broadcast_to(np.asarray(default if value is None else value, float), (n,))

    return Model(X, full(y, 0), full(trials, 1), full(weights, 1), full(offset, 0))


def loglik(data: Model, coef) -> float:
    eta = data.X @ coef + data.offset
    return float(np.sum(data.weights * (data.y * eta - data.trials * np.logaddexp(0.0, eta))))


def score(data: Model, coef) -> np.ndarray:
    mu = expit(data.X @ coef + data.offset)
    return data.X.T @ (data.weights * (data.y - data.trials * mu))


def information(data: Model, coef) -> np.ndarray:
    mu = expit(data.X @ coef + data.offset)
    return data.X.T @ ((data.weights * data.trials * mu * (1 - mu))[:, None] * data.X)


def maximum(data: Model, contrast=None, null: float = 0.0) -> np.ndarray:
    """β̂, or the maximum under c'β = null: Newton with halving in orthonormal coordinates."""
    p = data.X.shape[1]
    if contrast is None:
        free, fixed = np.eye(p), np.zeros(p)
    else:
        contrast = np.asarray(contrast, float)
        free, fixed = null_space(contrast[None]), contrast * (null / (contrast @ contrast))
    if free.shape[1] == 0:
        return fixed
    used = data.weights * data.trials > 0
    q, r = np.linalg.qr((data.X @ free)[used])
    part = Model(q, data.y[used], data.trials[used], data.weights[used],
                 (data.X @ fixed + data.offset)[used])  # fmt: skip
    at = -q.T @ part.offset  # where the linear predictors are smallest
    value = loglik(part, at)
    for _ in range(200):
        step = np.linalg.solve(information(part, at), score(part, at))
        reach = np.max(np.abs(q @ step))
        if reach > 4:
            step, reach = step * (4 / reach), 4.0
        while (new := loglik(part, at + step)) < value - 1e-12 * abs(value) and reach > 1e-12:
            step, reach = step / 2, reach / 2
        at, value = at + step, new
        if reach < 1e-12:
            return fixed + free @ np.linalg.solve(r, at)
    raise AssertionError("the oracle found no maximum")


def std_error(data: Model, coef, contrast) -> float:
    return float(np.sqrt(contrast @ np.linalg.solve(information(data, coef), contrast)))


def statistic(data: Model, peak: float, contrast, null: float, method: str) -> float:
    """The likelihood-ratio or score statistic of c'β = null; `peak` is l(β̂)."""
    at = maximum(data, contrast, null)
    if method == "lr":
        return 2 * (peak - loglik(data, at))
    slope = score(data, at)
    return float(slope @ np.linalg.solve(information(data, at), slope))


def interval_end(data: Model, contrast, side: int, cutoff: float, method: str) -> float:
    """Where the statistic reaches its cutoff: outward in small steps, then Brent's method."""
    best = maximum(data)
    peak, centre = loglik(data, best), float(contrast @ best)
    unit = side * std_error(data, best, contrast)

    def excess(steps: float) -> float:
        square = statistic(data, peak, contrast, centre + steps * unit, method)
        return np.sqrt(max(square, 0.0)) - np.sqrt(cutoff)

    reach = 1.0
    while excess(reach) < 0:
        reach *= 1.25
        if reach > 1e3:
            return np.nan
    return centre + unit * brentq(excess, 0.0, reach, xtol=1e-13, rtol=1e-14)


# -- separation by feasibility of linear programmes -------------------------------------------


def signed_rows(data: Model) -> tuple[np.ndarray, np.ndarray]:
    """Rows x'd ≥ 0 and rows x'd = 0 that a direction of recession must satisfy."""
    used = data.weights * data.trials > 0
    X, y, trials = data.X[used], data.y[used], data.trials[used]
    all_, none = y >= trials, y <= 0
    return np.concatenate([X[all_], -X[none]]), X[~all_ & ~none]


def _feasible(**constraints: Any) -> bool:
    size = next(a.shape[1] for a in (constraints.get("A_ub"), constraints.get("A_eq"))
                if a is not None)  # fmt: skip
    found = linprog(np.zeros(size), method="highs", **constraints)
    assert found.status in (0, 2), found.message
    return found.status == 0


def separation(data: Model) -> str:
    """Overlap exactly when positive residuals solve the score equations; else which kind."""
    signed, equal = signed_rows(data)
    p = data.X.shape[1]
    bounds = [(1.0, None)] * len(signed) + [(None, None)] * len(equal)
    if len(signed) == 0:
        return "overlap"
    if _feasible(A_eq=np.concatenate([signed, equal]).T, b_eq=np.zeros(p), bounds=bounds):
        return "overlap"
    strict = len(equal) == 0 and _feasible(
        A_ub=-signed, b_ub=-np.ones(len(signed)), bounds=[(None, None)] * p
    )
    return "complete" if strict else "quasi"


def unbounded(data: Model, contrast) -> tuple[bool, bool]:
    """Whether some direction of recession lowers c'β, and whether some raises it."""
    signed, equal = signed_rows(data)
    p = data.X.shape[1]
    bounds = [(None, None)] * p
    lower, upper = (
        _feasible(A_ub=-signed, b_ub=np.zeros(len(signed)),
                  A_eq=np.concatenate([equal, contrast[None]]),
                  b_eq=np.append(np.zeros(len(equal)), sign), bounds=bounds)
        for sign in (-1.0, 1.0)
    )  # fmt: skip
    return lower, upper


# -- numbers made by R ------------------------------------------------------------------------


class Reference(NamedTuple):
    """One file of tests/reference, with its numbers as arrays."""

    raw: dict[str, Any]
    model: Model
    unit: np.ndarray
    """(p,) standard errors, or those of the limiting fit: the unit of tolerances."""

    def fit_arguments(self) -> dict[str, Any]:
        raw = self.raw
        return {"X": array(raw["X"]), "y": array(raw["y"]), "names": raw["names"]} | {
            name: array(raw[name]) for name in ("trials", "weights", "offset") if raw[name]
        }


def array(values: Any) -> np.ndarray:
    """Numbers with "Inf" and null among them."""
    return np.array(values, dtype=float)


def reference(name: str) -> Reference:
    raw = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    data = model(*(raw[key] for key in ("X", "y", "trials", "weights", "offset")))
    unit = array(raw.get("limit_std_error", raw["std_error"]))
    return Reference(raw, data, np.where(np.isnan(unit), 1.0, unit))


REFERENCES = tuple(sorted(path.stem for path in REFERENCE.glob("*.json")))


def unpack(packed, p: int) -> np.ndarray:
    """The full symmetric matrix of a packed one: its lower triangle by columns."""
    full = np.zeros((p, p))
    full[np.triu_indices(p)] = packed
    return full + np.triu(full, 1).T
