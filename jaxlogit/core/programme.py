"""What iteration leaves open about separation: linear programmes, and nearest directions (scipy).

With signed rows X̄ (x for all successes, −x for all failures) and equality rows where both
occur, C = {d : X̄d ≥ 0, equalities = 0} holds every direction along which the likelihood
never falls. Source: Konis (2007), Linear programming algorithms for detecting separated data
in binary logistic regression models, DPhil thesis, Oxford.
"""

from typing import Any

import numpy as np

from jaxlogit.core.separation import CLEAR_SLOPE, MARGIN_ERROR
from jaxlogit.core.status import Status

MOST_EDGES = 2000  # older versions of scipy (1.14) square their number
NOTHING = 1e-10  # share of a contrast's length that is rounding
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


class Cone:
    """C for the rows of one model, (n, p), (n,), (n,), each scaled to largest entry 1."""

    def __init__(self, design: np.ndarray, successes: np.ndarray, total: np.ndarray):
        self.signed, self.mixed = _cone(design, successes, total)
        self._edges = np.concatenate([self.signed, self.mixed, -self.mixed]).T

    def leads(self, contrast: np.ndarray) -> bool:
        """Whether c'd > 0 for some d in C, so that c'β has no upper end.

        The point of C nearest to c is d = c + X̄'λ for the λ ≥ 0 that make it shortest (Moreau):
        a direction to check row by row, or 0, and then c = −X̄'λ proves that there is none
        (Farkas). What rounding leaves open is decided by linear programme, as it is where rows are
        so many that least squares are no faster.
        """
        c = contrast / np.max(np.abs(contrast))  # squares of 1e200 would overflow
        c = c / np.linalg.norm(c)
        if self._edges.shape[1] > MOST_EDGES:
            return self.programme(contrast)
        d = c + self._edges @ _multipliers(self._edges, -c)
        length = np.linalg.norm(d)
        if length < NOTHING:
            return False
        margins, still = self.signed @ d, self.mixed @ d
        error = MARGIN_ERROR * max(np.max(np.abs(margins), initial=0.0), length)
        agrees = np.all(margins >= -error) and np.all(np.abs(still) <= error)
        if agrees and c @ d > CLEAR_SLOPE * length:
            return True
        return self.programme(contrast)

    def programme(self, contrast: np.ndarray) -> bool:
        """`leads` by linear programme, for d with |d_j| ≤ 1."""
        found = _linear_programme(
            -contrast / np.max(np.abs(contrast)),
            A_ub=-self.signed,
            b_ub=np.zeros(len(self.signed)),
            A_eq=self.mixed if len(self.mixed) else None,
            b_eq=np.zeros(len(self.mixed)) if len(self.mixed) else None,
            bounds=(-1.0, 1.0),
            method="highs",
        )
        return found.status == 0 and -found.fun > POSITIVE


def _linear_programme(objective: np.ndarray, **constraints) -> Any:
    from scipy.optimize import linprog  # 0.2 s that few models ever need

    return linprog(objective, **constraints)


def _multipliers(edges: np.ndarray, target: np.ndarray) -> np.ndarray:
    """λ ≥ 0 with Σ λ_i edge_i near to the target; any other where scipy has no answer.

    Where edges are nearly alike it may be far from the nearest, and its own residual 0 all the
    same: whoever asks checks what it gives.
    """
    from scipy.optimize import nnls

    try:
        return nnls(edges, target)[0]
    except (RuntimeError, np.linalg.LinAlgError):  # too many iterations, or edges too alike
        return np.zeros(edges.shape[1])
