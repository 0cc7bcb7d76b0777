"""A cell from the settings of its design."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from jaxlogit.checks import is_number, numeric
from jaxlogit.core.status import Status
from jaxlogit.data import check_names
from jaxlogit.front import fit
from jaxlogit.study.design.cells import (
    Cell,
    canonical_json,
    cell_from_arrays,
    check_trials,
    integer,
)
from jaxlogit.study.design.distributions import check_columns, check_correlation, sobol_rows
from jaxlogit.study.design.settings import MOST_ROWS, SETTINGS, Settings, check_settings, listed
from jaxlogit.study.design.simulate import simulate, typical
from jaxlogit.study.design.truth import INTERCEPT, solved_intercept, truth_vector, with_intercept
from jaxlogit.study.design.varying import Generator, RandomColumns, ResampledRows
from jaxlogit.study.measures.performance import Array


def build(given: Mapping[str, Any], values: Mapping[str, Any], seed: int) -> Cell:
    """One cell.

    Parameters
    ----------
    given : mapping
        Settings by name; None: not given.
    values : mapping
        The cell's factors and their levels.
    seed : int
        Of the study, for a design that is drawn once.

    Raises
    ------
    ValueError, TypeError
        Data, formula, arrays, distributions or truth break a rule, or there is no finite
        estimate to take as the truth.
    """
    settings = Settings(**{name: given.get(name) for name in SETTINGS})
    check_settings(settings)
    makers = {"data": _from_data, "X": _from_arrays, "columns": _from_columns,
              "groups": _from_groups, "doses": _from_doses}  # fmt: skip
    if settings.kind == "generate":
        return _from_generator(settings, values)
    table = makers[settings.kind](settings)
    n = _n_rows(settings, table)
    if n is not None and isinstance(table.source, RandomColumns):
        table = replace(table, source=replace(table.source, n=n))
    elif n is not None:
        table = replace(_counting(table), source=ResampledRows(n))
    cell = replace(table, values=dict(values))
    if settings.redraw is False:
        cell = _drawn_once(cell, seed)
    if settings.event_rate is not None:
        rows, trials, offset = cell.X, cell.trials, cell.offset
        if isinstance(cell.source, RandomColumns):
            rows = _expected_rows(cell.source)
        rate = settings.event_rate
        truth = solved_intercept(cell.truth, cell.names, rate, rows, trials, offset)
        cell = replace(cell, truth=truth)
    return cell


def _truth(settings: Settings, names: tuple[str, ...]) -> Any:
    """The truth as it is given; where an intercept is to be solved for, with 0 in its place."""
    if settings.event_rate is None or not isinstance(settings.truth, Mapping):
        return settings.truth
    return with_intercept(settings.truth, names)


def _from_data(settings: Settings) -> Cell:
    # 0.2 s that a design without a formula need not wait for.
    from jaxlogit.frame import design, read_table, subset

    data = settings.data
    table = read_table(data) if isinstance(data, str | Path) else data
    if settings.subset is not None:
        table = subset(table, settings.subset)
    extras = {key: getattr(settings, key) for key in ("trials", "weights", "offset")}
    made = design(settings.formula, table, **extras)
    trials, weights, offset = made.trials, made.weights, made.offset
    if settings.truth is None or isinstance(settings.truth, str):
        estimate = fit(made.X, made.y, trials=trials, weights=weights, offset=offset)
        if int(estimate.status) != Status.CONVERGED:
            raise ValueError(
                'truth = "mle" needs a finite estimate, and the data have none '
                f"({Status(int(estimate.status)).name.lower()}): give coefficients instead"
            )
        truth = np.asarray(estimate.coef)
    else:
        truth = _truth(settings, tuple(made.names))
    cell = cell_from_arrays(
        made.X, truth, names=made.names, trials=trials, weights=weights, offset=offset
    )
    return replace(cell, n_dropped=made.n_dropped)


def _from_arrays(settings: Settings) -> Cell:
    extras = {key: getattr(settings, key) for key in ("trials", "weights", "offset")}
    X = numeric("X", settings.X, (2,))
    names = check_names(settings.names, X.shape[1])
    return cell_from_arrays(X, _truth(settings, names), names=names, **extras)


def _from_columns(settings: Settings) -> Cell:
    columns = check_columns(settings.columns)
    intercept = settings.intercept is not False
    source = RandomColumns(columns, 1, check_correlation(settings.correlation, columns), intercept)
    names = source.names
    truth = truth_vector(_truth(settings, names), names)
    return Cell(np.empty((0, len(names))), truth, names, source=source)


def _from_groups(settings: Settings) -> Cell:
    """Two groups: one row each, with as many trials as the group is large."""
    sizes = settings.groups
    if not listed(sizes, 2):
        raise ValueError(f"groups must be two numbers, the groups' sizes: found {sizes!r}")
    names, X = (INTERCEPT, "group"), [[1.0, 0.0], [1.0, 1.0]]
    if settings.event_rates is not None:
        low, high = (float(logit(rate)) for rate in settings.event_rates)
        return cell_from_arrays(X, [low, high - low], names=names, trials=sizes)
    return cell_from_arrays(X, _truth(settings, names), names=names, trials=sizes)


def _from_doses(settings: Settings) -> Cell:
    """One row for each dose, each with its trials."""
    if not listed(settings.doses):
        raise ValueError(f"doses must be a list of numbers: found {settings.doses!r}")
    k, trials = len(settings.doses), settings.trials
    if is_number(trials):
        trials = [trials] * k
    names = (INTERCEPT, "dose")
    X = [[1.0, dose] for dose in settings.doses]
    return cell_from_arrays(X, _truth(settings, names), names=names, trials=trials)


def _from_generator(settings: Settings, values: Mapping[str, Any]) -> Cell:
    source = Generator(settings.generate, dict(values))
    first = typical(source)
    truth = settings.truth(dict(values)) if callable(settings.truth) else settings.truth
    cell = cell_from_arrays(first.X, truth, names=settings.names)
    extras = {name: getattr(first, name) for name in ("trials", "weights", "offset", "y")}
    check_trials(first.trials, cell.X.shape[0])
    return replace(cell, source=source, values=dict(values), **extras)


def _expected_rows(source: RandomColumns) -> Array:
    """Rows whose mean is the expectation over a design's columns."""
    rows = sobol_rows(source.columns, source.correlation)
    return np.column_stack([np.ones(len(rows)), rows]) if source.intercept else rows


def _counting(cell: Cell) -> Cell:
    """The rows with trials and weight: others are not part of the data, and must not be drawn."""
    counts = np.ones(len(cell.X), bool)
    for part in (cell.trials, cell.weights):
        if part is not None:
            counts &= part > 0
    if counts.all():
        return cell
    if not counts.any():
        raise ValueError("n needs rows to draw from: all have trials or weight 0")
    extras = {name: getattr(cell, name) for name in ("trials", "weights", "offset")}
    kept = {name: None if part is None else part[counts] for name, part in extras.items()}
    return replace(cell, X=cell.X[counts], **kept)


def _n_rows(settings: Settings, table: Cell) -> int | None:
    """Rows to draw; None for a fixed design."""
    if settings.events_per_variable is None:
        return settings.n
    k = sum(name != INTERCEPT for name in table.names)
    events = settings.event_rate * (1.0 if table.trials is None else float(np.mean(table.trials)))
    n = int(np.ceil(settings.events_per_variable * k / events - 1e-9))
    return integer("n (from events_per_variable)", n, 1, MOST_ROWS)


def _drawn_once(cell: Cell, seed: int) -> Cell:
    """The cell with one design for all replicates, drawn by a key that no replicate has."""
    own = canonical_json(["design", seed, cell.address]).encode()
    number = int.from_bytes(hashlib.blake2b(own, digest_size=8).digest(), "little") >> 1
    drawn = simulate(cell, number, 0, 1)
    extras = {name: getattr(drawn, name) for name in ("trials", "weights", "offset")}
    one: dict[str, Array | None] = {k: None if a is None else a[0] for k, a in extras.items()}
    return replace(cell, X=drawn.X[0], source=None, **one)  # pyright: ignore[reportArgumentType]
