"""Design matrices: the terms of a formula on the rows of a table, and again on new rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import FormulaicError
from formulaic.materializers.types import FactorValues

from jaxlogit.frame import columns
from jaxlogit.frame.formula import Formula, named, plain, shorten, stand_in
from jaxlogit.frame.read import as_table


@dataclass(frozen=True, eq=False)
class Terms:
    """The right-hand side of a formula with what it learned from the rows of a fit.

    Attributes
    ----------
    model : Formula
    memory : Memory
        Levels, means, knots.
    spec : formulaic.ModelSpec
        How factors become columns.
    names : tuple of str
        Names of the p columns of the design matrix.
    places : mapping of str to tuple of int
        The columns that belong to each term, by the term as written; "Intercept" for the constant.
    parts : mapping of str to frozenset
        The factors that each term is a product of.
    """

    model: Formula
    memory: columns.Memory
    spec: Any
    names: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    parts: Mapping[str, frozenset[str]]

    def matrix(self, table: Any, more: tuple[str, ...] = ()) -> tuple[np.ndarray, pd.DataFrame]:
        """The design matrix (k, p) of new rows, and the table of the columns in use.

        Parameters
        ----------
        table
            What `as_table` takes, with the columns of the right-hand side.
        more : tuple of str
            Further columns of the table that are wanted.

        Raises
        ------
        ValueError
            A column that is missing, or a value: its place is named; a level, or a type of
            column, that was not there in the fit.
        """
        used = list(dict.fromkeys([*self.model.right_columns, *more]))
        found = as_table(table, used)
        for name in used:
            if list(found.columns).count(name) != 1:
                why = f"of formula {shorten(self.model.text)!r}" if name not in more else "(offset)"
                many = "only once" if name in found.columns else ""
                raise ValueError(f"X_new must have the column {name!r} {why} {many}".rstrip()
                                 + columns.hint(name, found.columns))  # fmt: skip
            missing = np.flatnonzero(found[name].isna())
            if missing.size:
                raise ValueError(f"X_new must be complete: found no {name!r} at row {missing[0]}")
        values = {name: columns.read(found.loc[:, name]) for name in used}
        memory = replace(self.memory, closed=True)
        rows = np.arange(len(found))
        single, bases = _factors(self.model, values, rows, memory)
        with np.errstate(all="ignore"):
            made = self.spec.get_model_matrix(_side_by_side(single, rows), context=bases)
        X = np.ascontiguousarray(made, np.float64)
        _refuse_infinite(X, self.names, rows, self.model)
        return X, found

    def together(self) -> dict[str, list[str]]:
        """Columns of the design by the variable of the table, where it is in several."""
        nodes = {stand_in(i): node for i, node in enumerate(self.model.factors.values())}
        found: dict[str, list[str]] = {}
        for term, places in self.places.items():
            used = {
                name for part in self.parts[term] if part in nodes for name in named(nodes[part])
            }
            for name in used:
                found.setdefault(name, []).extend(self.names[j] for j in places)
        return {name: found[name] for name in self.model.right_columns if len(found[name]) > 1}

    def droppable(self) -> dict[str, tuple[int, ...]]:
        """The columns of each term that no other contains, as an interaction does its parts."""
        return {
            name: places
            for name, places in self.places.items()
            if name != "Intercept"
            and not any(self.parts[name] < other for other in self.parts.values())
        }


def matrix(
    model: Formula, values: Mapping[str, columns.Column], rows: np.ndarray
) -> tuple[np.ndarray, Terms, dict[str, pd.Categorical]]:
    """The design matrix (n, p) of a formula's right-hand side, its terms and its categories.

    Parameters
    ----------
    values
        The columns by name, complete.
    rows : (n,) int array
        Their places in the table, for messages.
    """
    memory = columns.Memory()
    single, bases = _factors(model, values, rows, memory)
    try:
        made = formulaic.model_matrix(
            model.right,
            _side_by_side(single, rows),
            context=bases,
            output="numpy",
            na_action="ignore",
        )
    except FormulaicError as error:
        about = f"formula {shorten(model.text)!r}"
        raise ValueError(f"{about} cannot be read: {plain(error)}") from None
    spec = cast(formulaic.ModelSpec, made.model_spec)
    X = np.ascontiguousarray(made, np.float64)
    names = tuple(model.label(str(k)) for k in spec.column_names)
    if not names:
        raise ValueError(f"formula {shorten(model.text)!r} leaves no column in the design matrix")
    _refuse_infinite(X, names, rows, model)
    places, parts = {}, {}
    for term, at in spec.term_indices.items():
        if len(at):
            name = "Intercept" if str(term) == "1" else model.label(str(term))
            places[name] = tuple(at)
            parts[name] = frozenset(str(factor) for factor in term.factors)
    texts = list(model.factors)
    categories = {
        text: single[stand_in(i)]
        for i, text in enumerate(texts)
        if isinstance(single.get(stand_in(i)), pd.Categorical)
    }
    return X, Terms(model, memory, spec, names, places, parts), categories


def _factors(
    model: Formula,
    values: Mapping[str, columns.Column],
    rows: np.ndarray,
    memory: columns.Memory,
) -> tuple[dict, dict]:
    """Factors of one column and of several, by their stand-ins."""
    single, bases = {}, {}
    for i, (text, node) in enumerate(model.factors.items()):
        try:
            value = columns.factor(node, values, memory)
        except (ValueError, TypeError, IndexError) as error:  # the last two from bases
            about = f"formula {shorten(model.text)!r}: term {text!r}"
            raise ValueError(f"{about}: {plain(error)}") from None
        if isinstance(value, np.ndarray):
            value = np.broadcast_to(value, rows.shape)
        (bases if isinstance(value, FactorValues) else single)[stand_in(i)] = value
    return single, bases


def _side_by_side(single: dict, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(single, index=range(rows.size), copy=False)


def _refuse_infinite(
    X: np.ndarray, names: tuple[str, ...], rows: np.ndarray, model: Formula
) -> None:
    if not np.all(np.isfinite(X)):
        i, j = np.argwhere(~np.isfinite(X))[0]
        about = f"formula {shorten(model.text)!r}"
        raise ValueError(f"{about}: {names[j]!r} must be finite, found {X[i, j]} at row {rows[i]}")
