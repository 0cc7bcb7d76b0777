"""Where the fits of many models ended: what every later stage starts from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from jaxlogit import batch
from jaxlogit.core import linalg, tasks
from jaxlogit.core.sandwich import Layout, Units
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, merge, problem
from jaxlogit.once import Once

SINGLE_ROWS = 500  # up to here interval ends gain from first steps in single precision
FEW = 16  # models for which unrolled systems would take longer to compile than to solve
FIRTH_ARRAYS = 3  # as many times the row arrays are alive at once under Firth's penalty
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
class Sandwich:
    """What a sandwich covariance takes for the independent units of many models."""

    units: Units
    """What the models have of their own: all of it but codes that they share."""
    codes: np.ndarray | None
    """(n,) the shared clusters of the rows."""
    layout: Layout

    def take(self, index) -> "Sandwich":
        """The models of an index array or slice."""
        own = Units(*(None if a is None else a[index] for a in self.units))
        return replace(self, units=own)


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
    longest_row: np.ndarray | None = None
    """(B,) under Firth's penalty: how long a row is at the estimate, in standard errors of eta
    (`core.hills`)."""
    part: bool = False
    """Whether these models are some of a larger batch."""
    sandwich: Sandwich | None = None
    """The units of a robust fit; None where the covariance is the inverse information."""
    answers: Once = field(default_factory=Once, init=False)
    """See `once`. A changed copy has its own."""

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

    @cached_property
    def unit_shift(self) -> np.ndarray:
        """(B,) what Firth's penalty is more in the user's units than in working coordinates.

        |X'WX| changes with the units of X by a constant: no inference depends on it.
        """
        shared = self.shared
        if shared.strength is None:
            return np.zeros(len(self.status))
        transform = shared.transform
        if transform is None or self.lanes.own is not None:
            transform = self.run(_transform, own=())
        size = np.linalg.slogdet(transform)[1]
        return np.broadcast_to(-2.0 * shared.strength * size, (len(self.status),))

    def once(self, kind: str, asked: tuple, find: Callable[[], Any]) -> Any:
        """What `find` gives, or gave when the last question of this kind was the same."""
        return self.answers(kind, asked, find)

    def once_for(self, kind: str, contrasts: np.ndarray, find: Callable[[], Any]) -> Any:
        """As `once` by contrasts (q, p), where that is no more than the models' coefficients."""
        if len(contrasts) > contrasts.shape[1]:
            return find()
        return self.once(kind, (contrasts.shape, contrasts.tobytes()), find)

    def wide(self, contrasts: np.ndarray) -> np.ndarray:
        """Contrasts of the user's coefficients (…, p) as contrasts of the solution's.

        A penalty may have added coefficients, which come last.
        """
        added = self.coef.shape[1] - contrasts.shape[-1]
        if not added:
            return contrasts
        return np.concatenate([contrasts, np.zeros((*contrasts.shape[:-1], added))], axis=-1)

    @property
    def n_rows(self) -> int:
        """Rows of one model."""
        design = self.shared.design if self.lanes.design is None else self.lanes.design
        assert design is not None
        return design.shape[-2]

    @property
    def row_elements(self) -> int:
        """Numbers in one row array of one model."""
        return self.elements(1)

    def elements(self, searches: int) -> int:
        """Numbers in the row arrays of one of so many searches that a model makes at a time.

        They share the model's own design; with many columns each weighs it for itself.
        """
        n, p = self.n_rows, self.coef.shape[1]
        if not linalg.unrolls(p):
            return n * p
        arrays = 1 if self.shared.strength is None else FIRTH_ARRAYS
        if self.shared.columns is None:
            return n * p if searches == 1 else n * arrays + -(-n * p // searches)
        return n * arrays

    def run(
        self, task, common=(), index=None, searches=1, own=("coef", "loglik"), extra=(), *,
        with_response=False, unroll=None, **options,
    ):  # fmt: skip
        """A task over models: `task(arrays, *own arrays of the solution, *extra, *common)`.

        `extra` arrays have the models leading. `searches` is the number of searches a model's
        task makes at a time. Its systems are unrolled for more than a few models.
        """
        lanes, shared = (self.lanes, self.shared) if with_response else self._without_response()
        count = len(self.status) if index is None else len(index)
        arrays = (*(getattr(self, name) for name in own), *extra)
        return batch.run(
            _Task(task, count > FEW if unroll is None else unroll), len(self.status),
            (lanes, *arrays), (shared, common),
            row_elements=self.elements(searches), index=index, part=self.part,
            searches=searches, **options,
        )  # fmt: skip

    def passes(
        self, task, index, steps: Sequence[int], unsettled, common, searches: int, **options
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Passes of a task that takes a number of steps last: models, and what it gives for them.

        A block is some windows long (`core.windows`), and the `width` of one is the task's option.
        Under Firth's penalty few models take many steps: all get the first number of `steps`, and
        those that `unsettled` names start again with the second, in the same compiled form.
        """
        if self.shared.strength is None or len(index) <= FEW:
            steps = steps[-1:]
        part = self.part or len(index) < len(self.status)
        size = batch.block_size(len(index), self.elements(searches), part, searches)
        unroll = len(index) > FEW
        shares = self.shared.products is not None and self.lanes.own is None  # `Rows.shared`
        windows = batch.windows(len(index), size) if unroll and shares else 0
        width = size * searches if windows else None
        for n_steps in steps:
            every = None if len(index) == len(self.status) else index
            found = self.run(
                task, (*common, np.int32(n_steps)), index=every, searches=searches,
                size=size * max(1, windows), unroll=unroll, width=width, **options,
            )  # fmt: skip
            yield index, found
            index = index[unsettled(found)]
            if not len(index):
                return

    def run_rows(
        self, task, models: np.ndarray, extra, common=(), *, peaks=None, searches=1, **options
    ):  # fmt: skip
        """A task over rows that each name a model; `extra` arrays have the rows leading.

        `peaks` (B,) are the models' log-likelihoods, by default `loglik`; `searches` as for `run`.
        """
        peaks = self.loglik if peaks is None else peaks
        lanes, shared = self._without_response()
        lanes = Arrays(*(None if a is None else a[models] for a in lanes))
        return batch.run(
            _Task(task, None), len(models), (lanes, self.coef[models], peaks[models], *extra),
            (shared, common), row_elements=self.elements(searches), searches=searches,
            part=self.part or len(self.status) > 1, **options,
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
            self,
            lanes=lanes,
            part=True,
            longest_row=None if self.longest_row is None else self.longest_row[index],
            sandwich=None if self.sandwich is None else self.sandwich.take(index),
            **{name: getattr(self, name)[index] for name in own},
        )

    @property
    def unrobust(self) -> "Solution":
        """The same with the inverse information as covariance."""
        return self if self.sandwich is None else replace(self, sandwich=None)

    @property
    def separated(self) -> np.ndarray:
        """Indices of the separated models."""
        return np.flatnonzero(np.isin(self.status, SEPARATED))

    @property
    def has_supremum(self) -> np.ndarray:
        """(B,) bool: the models whose log-likelihood has a known maximum or supremum."""
        return np.isin(self.status, (int(Status.CONVERGED), *SEPARATED))

    @property
    def finite(self) -> np.ndarray:
        """Indices of the models with a certified finite maximum."""
        return np.flatnonzero(self.status == Status.CONVERGED)


def _transform(arrays, *, unroll):
    return problem(arrays).transform


def _loglik(lane, shared: Arrays):
    return tasks.loglik_at(merge(lane[0], shared), lane[1])
