"""Fits of many models in stages: quick for all, careful for the rest.

Each stage hands on only the models that it left unproved: the quick task (undamped, no
log-likelihood on the way), the careful one (halving, separation by certificate), and at last
the linear programme, one model at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import jax
import numpy as np

from jaxlogit import batch
from jaxlogit.core import linalg, programme, tasks
from jaxlogit.core.separation import unbounded_sides
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, merge, problem, shared_coordinates
from jaxlogit.data import Models

FIRST_STEPS = 5  # enough for all but a few models in a hundred
QUICK_STEPS = 12  # for the others; what then has no certificate is most likely separated
CAREFUL_STEPS = 120  # a separated model takes about 30, one for each e-fold of its log-likelihood
GRADIENT_STEPS = 500
FEW = 16  # models for which unrolled systems would take longer to compile than to solve
SEPARATED = (int(Status.SEPARATED_QUASI), int(Status.SEPARATED_COMPLETE))


@dataclass(frozen=True)
class _Task:
    """A task that gets its data merged: hashable, so that it is compiled once."""

    task: Callable
    unroll: bool | None
    """Whether small systems are unrolled; None where the task has no such choice."""

    def __call__(self, lane, shared, **options):
        if self.unroll is not None:
            options["unroll"] = self.unroll
        arrays = merge(lane[0], shared[0])
        return self.task(arrays, *lane[1:], *shared[1], **options)


@dataclass(frozen=True)
class Solution:
    """Where the fits of many models ended, in working coordinates, and what proves it."""

    lanes: Arrays
    shared: Arrays
    """The data as the tasks take them; y and, where possible, its sufficient statistic."""
    coef: np.ndarray
    """(B, p) working coefficients; for a separated model a point where l is at its supremum."""
    user_coef: np.ndarray
    suprema: np.ndarray
    """(B,) log-likelihoods where a careful fit gave them; nan elsewhere."""
    status: np.ndarray
    n_steps: np.ndarray
    direction: np.ndarray
    """(B, p) separating directions in working coordinates; 0 where there is none."""
    nullity: np.ndarray
    kept: dict = field(default_factory=dict)
    """The last restricted maxima, by hypothesis."""

    @cached_property
    def loglik(self) -> np.ndarray:
        """(B,) log-likelihoods at the maxima, or suprema; computed when first asked for."""
        out = self.suprema.copy()
        index = np.flatnonzero((self.status == Status.CONVERGED) & np.isnan(out))
        if len(index):
            lanes, shared = self._without_response()
            out[index] = batch.run(
                _loglik, len(out), (lanes, self.coef), shared,
                row_elements=self.row_elements, index=None if len(index) == len(out) else index,
            )  # fmt: skip
        return out

    @property
    def row_elements(self) -> int:
        """Numbers in one row array of one model."""
        if self.lanes.design is not None:
            return self.lanes.design[0].size
        assert self.shared.design is not None
        return len(self.shared.design)

    def run(self, task, common=(), index=None, spread=1, own=("coef", "loglik"), **options):
        """A task over models: `task(arrays, *own arrays of the solution, *common)`.

        `spread` is the number of searches a model's task makes at once: it scales the block.
        """
        lanes, shared = self._without_response()
        count = len(self.status) if index is None else len(index)
        arrays = tuple(getattr(self, name) for name in own)
        return batch.run(
            _Task(task, count > FEW), len(self.status), (lanes, *arrays), (shared, common),
            row_elements=self.row_elements * spread, index=index, **options,
        )  # fmt: skip

    def run_rows(self, task, models: np.ndarray, extra, common=(), **options):
        """A task over rows that each name a model; `extra` arrays have the rows leading."""
        lanes, shared = self._without_response()
        lanes = Arrays(*(None if a is None else a[models] for a in lanes))
        return batch.run(
            _Task(task, None), len(models), (lanes, self.coef[models], self.loglik[models], *extra),
            (shared, common), row_elements=self.row_elements, **options,
        )  # fmt: skip

    def _without_response(self) -> tuple[Arrays, Arrays]:
        """The data after the fit: its sufficient statistic stands for y."""
        if self.lanes.score_total is None:
            return self.lanes, self.shared
        return self.lanes._replace(y=None), self.shared._replace(y=None)

    def take(self, index) -> "Solution":
        """The models of an index array or slice."""
        lanes = Arrays(*(None if a is None else a[index] for a in self.lanes))
        own = ("coef", "user_coef", "suprema", "status", "n_steps", "direction", "nullity")
        return replace(
            self, lanes=lanes, kept={}, **{name: getattr(self, name)[index] for name in own}
        )

    @property
    def separated(self) -> np.ndarray:
        """Indices of the separated models."""
        return np.flatnonzero(np.isin(self.status, SEPARATED))

    @property
    def finite(self) -> np.ndarray:
        """Indices of the models with a certified finite maximum."""
        return np.flatnonzero(self.status == Status.CONVERGED)


def fit(models: Models, solver: str = "newton") -> Solution:
    """Fit every model; `solver` "newton" or "lbfgs" is the search that all of them begin with."""
    lanes, shared = models.split()
    if shared.design is not None:
        coordinates = shared_coordinates(shared.design)
        if coordinates is None:
            return _all_deficient(models, lanes, shared)
        design, transform = coordinates
        p = design.shape[1]
        products = None
        if linalg.unrolls(p):
            products = np.stack(
                [design[:, i] * design[:, j] for i in range(p) for j in range(i + 1)]
            )
        shared = shared._replace(design=design, transform=transform, products=products)
    count, n, p = models.n_models, models.n_rows, models.n_terms
    elements = n * p if lanes.design is not None else n
    if solver == "lbfgs":
        found = batch.run(
            _gradient_fit, count, lanes, (shared, np.int32(GRADIENT_STEPS)), row_elements=elements
        )
    else:
        found = _fit_quickly(lanes, shared, count, elements)
    own = lanes._replace(score_total=found.score_total, offset_total=found.offset_total)
    solution = Solution(
        own, shared, found.coef, found.user_coef, np.full(count, np.nan), found.status,
        found.n_steps, np.zeros((count, p)), np.zeros(count, np.int32),
    )  # fmt: skip
    left = np.flatnonzero(found.status == tasks.UNDECIDED)
    if len(left):
        again = batch.run(
            _careful_fit, count, lanes, (shared, np.int32(CAREFUL_STEPS)),
            row_elements=elements, index=left,
        )  # fmt: skip
        solution.suprema[left] = again.loglik
        for name in ("coef", "user_coef", "status", "n_steps", "direction", "nullity"):
            getattr(solution, name)[left] = getattr(again, name)
        _decide(solution, left[again.status == tasks.UNDECIDED])
        _take_suprema(solution)
        bad = ~np.isin(solution.status, (int(Status.CONVERGED), *SEPARATED))
        solution.suprema[bad] = np.nan
        solution.user_coef[bad] = np.nan
    return solution


def _fit_quickly(lanes: Arrays, shared: Arrays, count: int, elements: int) -> tasks.Found:
    """All models a few steps, then the unfinished ones apart.

    A block runs as long as its slowest model.
    """
    size = batch.block_size(count, elements)
    unroll = count > FEW
    found = batch.run(
        _quick_fit, count, lanes, (shared, np.int32(FIRST_STEPS)),
        row_elements=elements, size=size, unroll=unroll,
    )  # fmt: skip
    left = np.flatnonzero(found.status == tasks.UNDECIDED)
    if len(left):
        again = batch.run(
            _quick_fit, count, lanes, (shared, np.int32(QUICK_STEPS)),
            row_elements=elements, index=left, size=size, unroll=unroll,
        )  # fmt: skip
        for whole, part in zip(found, again, strict=True):
            if whole is not None:
                whole[left] = part
    return found


def _quick_fit(lane: Arrays, shared, *, unroll: bool):
    return tasks.quick_fit(merge(lane, shared[0]), shared[1], unroll=unroll)


def _gradient_fit(lane: Arrays, shared):
    return tasks.gradient_fit(merge(lane, shared[0]), shared[1])


def _loglik(lane, shared: Arrays):
    return tasks.loglik_at(merge(lane[0], shared), lane[1])


def _careful_fit(lane: Arrays, shared):
    return tasks.careful_fit(merge(lane, shared[0]), shared[1])


def _all_deficient(models: Models, lanes: Arrays, shared: Arrays) -> Solution:
    count, p = models.n_models, models.n_terms
    nothing = np.full((count, p), np.nan)
    return Solution(
        lanes, shared, nothing, nothing, np.full(count, np.nan),
        np.full(count, int(Status.RANK_DEFICIENT), np.int32), np.zeros(count, np.int32),
        np.zeros((count, p)), np.zeros(count, np.int32),
    )  # fmt: skip


def overlapping(solution: Solution, index: np.ndarray) -> Solution:
    """The overlapping parts of separated models as models of their own, fitted."""
    lanes = Arrays(*(None if a is None else a[index] for a in solution.lanes))
    lanes = lanes._replace(direction=solution.direction[index])
    lanes = lanes._replace(score_total=None, offset_total=None)
    found = batch.run(
        _overlapping_fit, len(index), lanes, (solution.shared, np.int32(CAREFUL_STEPS)),
        row_elements=solution.row_elements,
    )  # fmt: skip
    return Solution(
        lanes, solution.shared, found.coef, found.user_coef, found.loglik, found.status,
        found.n_steps, found.direction, found.nullity,
    )  # fmt: skip


def _overlapping_fit(lane: Arrays, shared):
    return tasks.overlapping_fit(merge(lane, shared[0]), shared[1])


def _take_suprema(solution: Solution) -> None:
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


class _Rows:
    """Working rows of single models, on the host, for the linear programme."""

    def __init__(self, solution: Solution, index: np.ndarray):
        lanes = Arrays(*(None if a is None else a[index] for a in solution.lanes))
        lanes = lanes._replace(score_total=None, offset_total=None)
        found = batch.run(
            _row_parts, len(index), lanes, solution.shared, row_elements=solution.row_elements
        )
        self.design = solution.shared.design if solution.shared.transform is not None else None
        self.parts = found

    def __getitem__(self, i: int):
        design = self.design if self.design is not None else self.parts[2][i]
        return design, self.parts[0][i], self.parts[1][i]


def _row_parts(lane: Arrays, shared: Arrays):
    rows, _, _, successes = problem(merge(lane, shared))
    assert successes is not None
    total = successes * 0 + 1 if rows.total is None else rows.total
    if shared.transform is None:
        return successes, total, rows.design
    return successes, total


def _decide(solution: Solution, index: np.ndarray) -> None:
    """Settle by linear programme what no certificate settled."""
    if not len(index):
        return
    rows = _Rows(solution, index)
    for i, model in enumerate(index):
        status, direction = programme.separation(*rows[i])
        overlap = status == Status.CONVERGED
        solution.status[model] = int(Status.MAX_STEPS if overlap else status)
        solution.direction[model] = direction
        if status == Status.SEPARATED_COMPLETE:
            solution.suprema[model], solution.nullity[model] = 0.0, solution.coef.shape[1]


def unbounded(solution: Solution, contrasts: np.ndarray) -> np.ndarray:
    """Which ends of contrasts (q, p) are infinite, (k, q, 2) lower first, for separated models.

    Proved by the model's direction for one side; the other side is finite where that
    direction is the only one, and else decided by the linear programme, once for each
    distinct sufficient statistic.
    """
    index = solution.separated
    q = len(contrasts)
    if not len(index):
        return np.zeros((0, q, 2), bool)
    sides = batch.run(
        _direction_sides, len(solution.status), (solution.lanes, solution.direction),
        (solution.shared, contrasts), row_elements=solution.row_elements, index=index,
    )  # fmt: skip
    sides, working = sides
    open_ = np.flatnonzero(solution.nullity[index] != 1)
    if len(open_):
        rows = _Rows(solution, index[open_])
        known: dict[bytes, np.ndarray] = {}
        for at, i in enumerate(open_):
            design, successes, total = rows[at]
            key = successes.tobytes() + total.tobytes() + (b"" if rows.design is not None else
                                                           design.tobytes())  # fmt: skip
            if key not in known:
                known[key] = np.stack(
                    [programme.unbounded(design, successes, total, c)[::-1] for c in working[i]]
                )
            sides[i] = known[key]
    return sides


def _direction_sides(lane, shared):
    arrays, direction = lane
    common, contrasts = shared
    working = contrasts @ problem(merge(arrays, common)).transform
    upper_lower = jax.vmap(unbounded_sides, in_axes=(None, 0))(direction, working)
    return upper_lower[:, ::-1], working
