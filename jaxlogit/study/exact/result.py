"""A study without Monte Carlo error: every outcome is fitted and weighted by its probability."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jaxlogit import memory
from jaxlogit.core.status import Status
from jaxlogit.forms import hurried
from jaxlogit.study.computing.progress import LINE_SECONDS
from jaxlogit.study.computing.tabulate import tabulate
from jaxlogit.study.design.varying import DataSets
from jaxlogit.study.exact import weighted
from jaxlogit.study.exact.enumeration import Enumeration, enumerate_outcomes
from jaxlogit.study.measures.performance import Replicates
from jaxlogit.study.methods import resampled
from jaxlogit.study.store.parts import COLUMNS
from jaxlogit.study.store.places import groups, pair_columns, pair_place, pairs, place
from jaxlogit.study.store.record import Record

CHUNK = 20_000
"""Classes of outcomes fitted at a time."""

SHORT_WORK = 1_000_000
"""Rows of data, classes by rows of each, that take less time than compiling well would."""

ROW_BYTES = 8 * len(COLUMNS) + 4
"""Of one class, method and term: its numbers and its status."""

Key = tuple[str, str, float, str]
"""Cell, method, level and term."""


@dataclass(frozen=True, eq=False)
class ExactResult:
    """All outcomes of a study, their probabilities, and the tables made from them.

    Attributes
    ----------
    record : Record
        The settings, cells and truths of the study.
    enumerations : dict
        By cell: the classes of outcomes with equal fits, and the probability of each.
    rows : dict
        By cell, method, level and term: estimates, intervals and p-values, arrays (N,) over
        the classes.
    status : dict
        Likewise the statuses, (N,) int32.
    """

    record: Record
    enumerations: Mapping[str, Enumeration]
    rows: Mapping[Key, Replicates]
    status: Mapping[Key, NDArray[np.int32]]

    def n_replicates(self, cell: str, method: str) -> int:
        """Classes of outcomes of a cell, the same for all its methods."""
        return self.enumerations[cell].probability.size

    def summary(self) -> pd.DataFrame:
        """Every measure, without Monte Carlo error, by cell, method, level and term.

        Returns
        -------
        DataFrame
            The columns of `StudyResult.summary`, errors 0. `n_replicates` counts the classes of
            outcomes that a fit can tell apart, `m_n` those in which the measure m is defined, and
            the further column `m_probability` is the probability that it is. A measure is
            conditional on being defined, as in a simulated study.
        """
        rows = []
        record = self.record
        for cell, method, level, j in groups(record):
            found, given = weighted.measure(
                self.rows[cell.label, method, level, cell.names[j]], cell.truth[j],
                record.significance_at(level), self.enumerations[cell.label].probability,
            )  # fmt: skip
            probabilities = {f"{name}_probability": value for name, value in given.items()}
            row = place(record, cell, method, level, j) | {"truth": float(cell.truth[j])}
            rows.append(row | found.to_row() | probabilities)
        return pd.DataFrame(rows)

    def statuses(self) -> pd.DataFrame:
        """Probability of each status, by cell, method, level and term.

        Returns
        -------
        DataFrame
            The columns of `StudyResult.statuses`, with probabilities in place of counts.
        """
        rows = []
        for cell, method, level, j in groups(self.record):
            status = self.status[cell.label, method, level, cell.names[j]]
            shares = np.bincount(
                status, self.enumerations[cell.label].probability, minlength=len(Status)
            )
            row = place(self.record, cell, method, level, j) | {"n_replicates": status.size}
            rows.append(row | {s.name.lower(): float(shares[s]) for s in Status})
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Differences between every two methods over the outcomes in which both are defined.

        Returns
        -------
        DataFrame
            The columns of `StudyResult.differences`, errors 0, and `probability`, that both
            methods are defined.
        """
        record = self.record
        names = [*pair_columns(record), "probability"]
        rows = []
        for cell, one, other, level, j in pairs(record):
            term = cell.names[j]
            found = weighted.compare(
                self.rows[cell.label, one, level, term], self.rows[cell.label, other, level, term],
                cell.truth[j], record.significance_at(level),
                self.enumerations[cell.label].probability,
            )  # fmt: skip
            where = pair_place(record, cell, one, other, level, j)
            for name, (difference, given) in found.items():
                apart = max(difference.n_first, difference.n_second) > difference.n
                rows.append((*where, name, *difference, apart, given))
        return pd.DataFrame(rows, columns=names)


def exact_record(record: Record, *, progress: bool = True) -> ExactResult:
    """Enumerate and fit every outcome of every cell; see `Study.exact`.

    Parameters
    ----------
    record : Record
        The study's settings and cells.
    progress : bool
        Say on standard error how far it is, where it takes long.
    """
    drawn = resampled(record.methods)
    if drawn:
        raise ValueError(
            "exact results need methods that do not resample: an interval found by random "
            f"numbers has no exact coverage, found {', '.join(drawn)}"
        )
    for cell in record.cells:
        if cell.source is not None:
            raise ValueError(
                "exact results need a design that all replicates share: in cell "
                f"{cell.label} each draws its own"
            )
    enumerations = {cell.label: enumerate_outcomes(cell) for cell in record.cells}
    sizes = [found.probability.size * len(found.cell.names) for found in enumerations.values()]
    count = len(record.methods) * len(record.levels)
    memory.demand(sum(sizes) * count * ROW_BYTES, "tables of all outcomes")
    rows: dict[Key, Replicates] = {}
    status: dict[Key, NDArray[np.int32]] = {}
    for label, enumeration in enumerations.items():
        work = enumeration.probability.size * len(enumeration.cell.X)
        with hurried(work <= SHORT_WORK):
            found = _fitted(record, label, enumeration, progress)
        for key, made in found.items():
            *numbers, status[key] = map(np.concatenate, zip(*made, strict=True))
            rows[key] = Replicates(**dict(zip(COLUMNS, numbers, strict=True)))
    return ExactResult(record, enumerations, rows, status)


def _fitted(
    record: Record, label: str, enumeration: Enumeration, progress: bool
) -> dict[Key, list[tuple[NDArray, ...]]]:
    """Numbers and statuses of all classes, by chunks in their order."""
    count = enumeration.probability.size
    found: dict[Key, list[tuple[NDArray, ...]]] = {}
    said = time.monotonic()
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        cell = enumeration.cell
        y = enumeration.outcomes(start, stop)
        data = DataSets(cell.X, y, cell.trials, cell.weights, cell.offset)
        for group in tabulate(record, cell, data, record.methods, start, side_by_side=True):
            numbers = tuple(getattr(group.rows, field) for field in COLUMNS)
            key = label, group.method, group.level, group.term
            found.setdefault(key, []).append((*numbers, group.status))
        if progress and time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            line = f"{record.name}: {stop:,}/{count:,} outcomes of cell {label}"
            print(line, file=sys.stderr, flush=True)
    return found
