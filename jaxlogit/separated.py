"""Models without a finite maximum: their suprema, and which of their ends are infinite."""

import jax
import numpy as np

from jaxlogit import batch
from jaxlogit.core import ends, programme, tasks
from jaxlogit.core.separation import unbounded_sides
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, judged_rows, merge, problem
from jaxlogit.solution import Solution

OVERLAP_STEPS = 120
PROBE_CUTOFF = 3.84  # any would do: whether an end is finite does not depend on the level


def overlapping(solution: Solution, index: np.ndarray) -> Solution:
    """The overlapping parts of separated models as models of their own, fitted."""
    lanes = Arrays(*(None if a is None else a[index] for a in solution.lanes))
    lanes = lanes._replace(direction=solution.direction[index])
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

    The model's direction d proves one end infinite by c'd ≠ 0. The other ends are finite where
    d is the only direction, or where c says nothing about the rows that d moves. What is then
    open is tried by a search: a certified end is finite, and a search that runs away gives a
    direction to check. The linear programme decides the rest.
    """
    index = solution.separated
    if not len(index):
        return np.zeros((0, len(contrasts), 2), bool)
    infinite, settled = batch.run(
        _direction_sides, len(solution.status),
        (solution.lanes, solution.direction, solution.nullity), (solution.shared, contrasts),
        row_elements=solution.row_elements, index=index,
    )  # fmt: skip
    where = np.nonzero(~infinite & ~settled[..., None])
    if len(where[0]):
        model, term, side = where
        finite, endless = solution.run_rows(
            _probe_end, index[model], (contrasts[term], np.asarray(ends.SIDES)[side]),
            (np.float64(PROBE_CUTOFF),), with_response=True,
        )  # fmt: skip
        infinite[where] = endless
        left = ~finite & ~endless
        _ask_programme(solution, contrasts, index, infinite, tuple(part[left] for part in where))
    return infinite


def _direction_sides(lane, shared):
    arrays, direction, nullity = lane
    common, contrasts = shared
    model = problem(merge(arrays, common)._replace(direction=direction))
    working = contrasts @ model.transform
    upper_lower = jax.vmap(unbounded_sides, in_axes=(None, 0))(direction, working)
    alone = tasks.left_alone(model, contrasts)
    return upper_lower[:, ::-1], alone | (nullity == 1)


def _probe_end(arrays, coef, peak, contrast, side, cutoff):
    return ends.probe_end(arrays, coef, peak, contrast, side, cutoff)


def _ask_programme(solution: Solution, contrasts, index, infinite, where) -> None:
    """Decide single ends by linear programme."""
    model, term, side = where
    asked = np.unique(model)
    if not len(asked):
        return
    rows = _Rows(solution, index[asked])
    for at, i in enumerate(asked):
        design, successes, total, transform = rows[at]
        for j in np.unique(term[model == i]):
            lower_upper = programme.unbounded(design, successes, total, contrasts[j] @ transform)
            open_ = side[(model == i) & (term == j)]
            infinite[i, j, open_] = lower_upper[open_]
