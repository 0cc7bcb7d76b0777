"""The linear programmes behind separation, for what iteration leaves open (scipy's HiGHS).

With signed rows X̄ (x for all successes, −x for all failures) and equality rows where both
occur, C = {d : X̄d ≥ 0, equalities = 0} holds every direction along which the likelihood
never falls. Source: Konis (2007), Linear programming algorithms for detecting separated data
in binary logistic regression models, DPhil thesis, Oxford.
"""

import numpy as np
from scipy.optimize import linprog

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


def _maximise(objective, signed, mixed, extra=None):
    """max objective'd over C and |d_j| ≤ 1; (value, d)."""
    p = signed.shape[1]
    a_ub, b_ub = -signed, np.zeros(len(signed))
    a_eq, b_eq = (mixed, np.zeros(len(mixed))) if len(mixed) else (None, None)
    bounds = [(-1.0, 1.0)] * p
    if extra is not None:  # one more variable t with X̄d ≥ t and 0 ≤ t ≤ 1
        a_ub = np.column_stack([a_ub, np.ones(len(signed))])
        a_eq = None if a_eq is None else np.column_stack([a_eq, np.zeros(len(mixed))])
        bounds.append((0.0, 1.0))
    found = linprog(
        -objective, A_ub=a_ub, b_ub=b_ub, A_eq=a_eq, b_eq=b_eq, bounds=bounds, method="highs"
    )
    if found.status != 0:
        return np.nan, np.full(p, np.nan)
    return -found.fun, found.x[:p]


def separation(design, successes, total) -> tuple[Status, np.ndarray]:
    """Overlap (CONVERGED), quasi-complete or complete separation, and a direction (p,).

    MAX_STEPS when the programme itself fails.
    """
    signed, mixed = _cone(design, successes, total)
    p = design.shape[1]
    value, direction = _maximise(signed.sum(axis=0), signed, mixed)
    if not np.isfinite(value):
        return Status.MAX_STEPS, np.full(p, np.nan)
    if value <= POSITIVE:
        return Status.CONVERGED, np.zeros(p)
    if len(mixed) == 0:
        widest, strict = _maximise(np.append(np.zeros(p), 1.0), signed, mixed, extra=True)
        if widest > POSITIVE:
            return Status.SEPARATED_COMPLETE, strict
    return Status.SEPARATED_QUASI, direction


def unbounded(design, successes, total, contrast) -> np.ndarray:
    """Whether c'β has an infinite upper end and an infinite lower end, (2,) bool."""
    signed, mixed = _cone(design, successes, total)
    objective = contrast / np.max(np.abs(contrast))
    upper, _ = _maximise(objective, signed, mixed)
    lower, _ = _maximise(-objective, signed, mixed)
    return np.array([upper > POSITIVE, lower > POSITIVE])
