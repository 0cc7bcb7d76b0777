"""Small stores of studies for tests of what is drawn and written of them.

Their replicates are drawn, not fitted, and then written and read as any other: pictures and pages
need separated data, infinite ends and undefined intervals in known shares, and no compilation.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.study import Study, StudyResult
from jaxlogit.study.asked import record_of
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.measures.performance import Replicates
from jaxlogit.study.store.parts import Group, Task, open_store, write_part

ODD = "a_b & <c>|*d*"
"""A name with characters that mean something in HTML, LaTeX and Markdown."""

METHODS = ("ml:wald", "ml:lr", "firth:wald")


def grid(folder: Path, replicates: int = 300) -> StudyResult:
    """Six cells of two groups: half of the smallest one's data sets are separated."""
    cells = tuple(_groups(n, rate) for n in (16, 30, 60) for rate in (0.1, 0.4))
    return _filled(folder, "grid", cells, METHODS, replicates)


def single(folder: Path, replicates: int = 400, methods: tuple[str, ...] = METHODS) -> StudyResult:
    """One cell with one coefficient, one data set in eight separated."""
    cell = Cell(np.ones((1, 1)), np.array([-2.2]), ("Intercept",), trials=np.array([32.0]))
    return _filled(folder, "one", (cell,), methods, replicates)


def _groups(n: int, rate: float) -> Cell:
    X = np.array([[1.0, 0.0], [1.0, 1.0]])
    truth = np.array([np.log(rate / (1 - rate)), 0.8])
    values = {"n": n, "event_rate": rate}
    return Cell(X, truth, ("Intercept", ODD), trials=np.full(2, n / 2), values=values)


def _filled(folder, name, cells, methods, replicates) -> StudyResult:
    first = cells[0]
    study = Study(name=name, seed=7, replicates=replicates, methods=methods, X=first.X,
                  truth=first.truth, names=first.names)  # fmt: skip
    draw = np.random.default_rng(7)
    with open_store(folder, replace(record_of(study), cells=cells)) as (record, parts):
        for cell in cells:
            task = Task(cell.label, 0, replicates, methods)
            parts.append(write_part(folder, record, task, _drawn(draw, cell, methods, replicates)))
    return StudyResult.from_store(folder)


def separated_share(rows: float) -> float:
    """Of the data sets, by their size."""
    return min(0.5, max(0.0, 0.5 - (rows - 16) / 42))


def _drawn(draw, cell, methods, n) -> list[Group]:
    """Normal estimates; on the first data sets infinite, as if they were separated."""
    rows = cell.trials.sum()
    separated = np.arange(n) < n * separated_share(rows)
    groups = {method: [] for method in methods}
    for j, term in enumerate(cell.names):
        error = np.sqrt(20 / rows) * draw.uniform(0.8, 1.2, n)
        finite = cell.truth[j] + error * draw.standard_normal(n)
        sign = np.where(finite > cell.truth[j], 1, -1)
        for method in methods:
            groups[method].append(_group(method, term, finite, error, separated, sign))
    return [group for method in methods for group in groups[method]]


def _group(method, term, finite, error, separated, sign) -> Group:
    infinite = separated & method.startswith("ml")
    estimate = np.where(infinite, sign * np.inf, finite)
    lower, upper = finite - 1.96 * error, finite + 1.96 * error
    status = np.full(finite.size, int(Status.CONVERGED))
    if method == "ml:wald":
        lower, upper = (np.where(infinite, np.nan, end) for end in (lower, upper))
        status = np.where(infinite, int(Status.SEPARATED_QUASI), status)
    else:
        lower = np.where(infinite & (sign < 0), -np.inf, lower)
        upper = np.where(infinite & (sign > 0), np.inf, upper)
        status = np.where(infinite, int(Status.INFINITE), status)
    p_value = np.where(np.isnan(lower), np.nan, 0.04 + 0.9 * (lower < 0) * (upper > 0))
    std_error = np.where(infinite, np.nan, error)
    rows = Replicates(estimate, std_error, lower, upper, p_value)
    return Group(method, 0.95, term, rows, status.astype(np.int32))
