"""Models without a finite maximum: their suprema, and which of their ends are infinite."""

from functools import partial

import numpy as np

from jaxlogit import batch
from jaxlogit.core import ends, programme, tasks
from jaxlogit.core.separation import CLEAR_SLOPE
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, judged_rows, merge, problem
from jaxlogit.solution import Solution

OVERLAP_STEPS = 120
HELD = 1 << 23  # numbers of separated models' rows on the host at a time


def overlapping(solution: Solution, index: np.ndarray) -> Solution:
    """The overlapping parts of separated models as models of their own, fitted."""
    lanes = Arrays(*(None if a is None else a[index] for a in solution.lanes))
    lanes = lanes._replace(direction=solution.direction[index], present=None)
    lanes = lanes._replace(score_total=None, offset_total=None)
    found = batch.run(
        _overlapping_fit, len(index), lanes, (solution.shared, np.int32(OVERLAP_STEPS)),
        row_elements=solution.row_elements, part=True,
    )  # fmt: skip
    return Solution(
        lanes, solution.shared, found.coef, found.user_coef, found.loglik, found.status,
        found.n_steps, found.direction, found.nullity, part=True,
    )  # fmt: skip


def _overlapping_fit(lane: Arrays, shared):
    return tasks.overlapping_fit(merge(lane, shared[0]), shared[1])


def take_suprema(solution: Solution) -> None:
    """The log-likelihood of a quasi-separated model is that of its overlapping part.

    Its certificate also proves that the direction moved every row that can be moved.
    """
    index = np.flatnonzero(solution.status == Status.SEPARATED_QUASI)
    if not len(index):
        return
    part = overlapping(solution, index)
    good = part.status == Status.CONVERGED
    solution.suprema[index] = part.suprema
    solution.nullity[index] = part.nullity
    solution.status[index[~good]] = int(Status.MAX_STEPS)


def settled_alone(part: Solution, contrasts: np.ndarray) -> np.ndarray:
    """Which contrasts (q, p) the overlapping rows of separated models settle alone, (k, q)."""
    return part.run(_left_alone, (contrasts,), own=())


def _left_alone(arrays, contrasts, *, unroll):
    return tasks.left_alone(problem(arrays), contrasts)


class _Rows:
    """Working rows of single models, on the host, for the linear programme."""

    def __init__(self, solution: Solution, index: np.ndarray):
        lanes = Arrays(*(None if a is None else a[index] for a in solution.lanes))
        lanes = lanes._replace(score_total=None, offset_total=None)
        found = batch.run(
            _row_parts, len(index), lanes, solution.shared,
            row_elements=solution.row_elements, part=True,
        )  # fmt: skip
        self.shared = solution.shared
        self.parts = found

    def __getitem__(self, i: int):
        """Working design (n, p), successes (n,), totals (n,) and transform (p, p) of one model."""
        successes, total, *own = (part[i] for part in self.parts)
        design, transform = own or (self.shared.design, self.shared.transform)
        return design, successes, total, transform


def _row_parts(lane: Arrays, shared: Arrays):
    rows, transform, _, successes = problem(merge(lane, shared))
    design, successes, total = judged_rows(rows.design, successes, rows.total, rows.prior)
    if shared.transform is None or lane.own is not None or rows.prior is not None:
        return successes, total, design, transform
    return successes, total


def decide(solution: Solution, index: np.ndarray) -> None:
    """Settle by linear programme what no certificate settled."""
    if not len(index):
        return
    rows = _Rows(solution, index)
    for i, model in enumerate(index):
        status, direction = programme.separation(*rows[i][:3])
        overlap = status == Status.CONVERGED
        solution.status[model] = int(Status.MAX_STEPS if overlap else status)
        solution.direction[model] = direction
        if status == Status.SEPARATED_COMPLETE:
            solution.suprema[model], solution.nullity[model] = 0.0, solution.coef.shape[1]


def unbounded(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    """Which ends of contrasts (q, p) are infinite, (k, q, 2) lower first, for separated models.

    The model's direction d proves one end infinite by c'd ≠ 0, and the other ends finite where it
    is the only direction. Elsewhere the direction nearest to the contrast decides.
    """
    return solution.once_for("unbounded", contrasts, partial(_unbounded, solution, contrasts))


def _unbounded(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    index = solution.separated
    infinite = np.zeros((len(index), len(contrasts), 2), bool)
    step = max(1, HELD // (solution.n_rows * (solution.coef.shape[1] + 2)))
    for start in range(0, len(index), step):
        part = index[start : start + step]
        rows = _Rows(solution, part)
        for i, model in enumerate(part):
            *data, transform = rows[i]
            only = solution.nullity[model] == 1
            infinite[start + i] = _sides(
                contrasts @ transform, solution.direction[model], None if only else data
            )
    return infinite


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (…, p) of length 1; 0 stays 0."""
    for length in (lambda v: np.max(np.abs(v), axis=-1), lambda v: np.linalg.norm(v, axis=-1)):
        size = length(vectors)[..., None]  # the largest first: squares of 1e200 would overflow
        vectors = vectors / np.where(size > 0, size, 1.0)
    return vectors


def _sides(working: np.ndarray, direction: np.ndarray, data: list | None) -> np.ndarray:
    """Which ends of contrasts (q, p) are infinite, (q, 2); `data` is None with one direction."""
    slope = _unit(working) @ _unit(direction)
    infinite = np.stack([slope < -CLEAR_SLOPE, slope > CLEAR_SLOPE], axis=1)
    if data is not None:
        cone = programme.Cone(*data)
        for j, side in np.argwhere(~infinite):
            infinite[j, side] = cone.leads(ends.SIDES[side] * working[j])
    return infinite
