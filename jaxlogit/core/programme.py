"""The linear programmes behind separation, for what iteration leaves open (scipy's HiGHS).

With signed rows X̄ (x for all successes, −x for all failures) and equality rows where both
occur, C = {d : X̄d ≥ 0, equalities = 0} holds every direction along which the likelihood
never falls. Source: Konis (2007), Linear programming algorithms for detecting separated data
in binary logistic regression models, DPhil thesis, Oxford.
"""

from typing import Any

import numpy as np

from jaxlogit.core.status import Status

POSITIVE = 1e-6  # an optimum above this is not a rounded zero (HiGHS is feasible to 1e-7)


def _cone(design: np.ndarray, successes: np.ndarray, total: np.ndarray):
    """Inequality rows (−X̄d ≤ 0) and equality rows of C, each scaled to largest entry 1."""
    counts = total > 0
    design, successes, total = design[counts], successes[counts], total[counts]
    size = np.max(np.abs(design), axis=1, keepdims=True)
    design = design / np.where(size > 0, size, 1.0)
    sign = np.where(successes >= total, 1.0, np.where(successes <= 0, -1.0, 0.0))
    signed = sign[:, None] * design
    mixed = sign == 0
    return signed[~mixed], design[mixed]


def separation(design, successes, total) -> tuple[Status, np.ndarray]:
    """Overlap (CONVERGED), quasi-complete or complete separation, and a direction (p,).

    The direction moves every row that any direction moves: it maximises Σ t_i under X̄d ≥ t and
    0 ≤ t ≤ 1 with d free, and C is a cone, so that each t_i ends at 0 or 1. MAX_STEPS when the
    programme itself fails.
    """
    signed, mixed = _cone(design, successes, total)
    rows, p = signed.shape
    found = _linear_programme(
        np.concatenate([np.zeros(p), -np.ones(rows)]),
        A_ub=np.hstack([-signed, np.eye(rows)]),
        b_ub=np.zeros(rows),
        A_eq=np.hstack([mixed, np.zeros((len(mixed), rows))]) if len(mixed) else None,
        b_eq=np.zeros(len(mixed)) if len(mixed) else None,
        bounds=[(None, None)] * p + [(0.0, 1.0)] * rows,
        method="highs",
    )
    if found.status != 0:
        return Status.MAX_STEPS, np.full(p, np.nan)
    moved = int(np.sum(found.x[p:] > 0.5))
    if moved == 0:
        return Status.CONVERGED, np.zeros(p)
    complete = moved == rows and len(mixed) == 0
    return Status.SEPARATED_COMPLETE if complete else Status.SEPARATED_QUASI, found.x[:p]


def unbounded(design, successes, total, contrast) -> np.ndarray:
    """Whether c'β has an infinite lower end and an infinite upper end, (2,) bool.

    Whether c'd can be negative, or positive, for some d in C with |d_j| ≤ 1.
    """
    signed, mixed = _cone(design, successes, total)
    objective = contrast / np.max(np.abs(contrast))
    return np.array([_largest(side * objective, signed, mixed) > POSITIVE for side in (-1.0, 1.0)])


def _largest(objective, signed, mixed) -> float:
    found = _linear_programme(
        -objective,
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        A_eq=mixed if len(mixed) else None,
        b_eq=np.zeros(len(mixed)) if len(mixed) else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    return -found.fun if found.status == 0 else np.nan


def _linear_programme(objective: np.ndarray, **constraints) -> Any:
    from scipy.optimize import linprog  # 0.2 s that few models ever need

    return linprog(objective, **constraints)
