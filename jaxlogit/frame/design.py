"""Data frames and formulas: from a file or table and one line of text to arrays and names."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from jaxlogit.data import check_choice
from jaxlogit.frame import columns
from jaxlogit.frame.formula import Formula, parse, plain, shorten
from jaxlogit.frame.read import as_table, column_names, opened
from jaxlogit.frame.terms import Terms, matrix


@dataclass(frozen=True, eq=False)
class Design:
    """Arrays of a model and the names that belong to them.

    Attributes
    ----------
    X : float64 array (n, p)
        Design matrix, with its intercept unless the formula removes it.
    y : float64 array (n,)
        Successes: 0 or 1, or counts out of `trials`.
    trials, weights, offset : float64 array (n,) or None
        Trials per row, case weights and offset in log-odds, None where not given.
    names : tuple of str
        Names of the p columns, `Intercept` and `race[T.white]` for instance.
    response : str
        The left-hand side as written; for text with its event, as in `outcome[yes]`.
    n_dropped : int
        Rows of the table left out because a column in use is missing there.
    clusters, strata, groups : array (n,) or None
        Labels of the same rows, as they are in the table; None where not given.
    terms : Terms or None
        What makes the same columns from other rows: `terms.matrix(table)`.
    categories : dict
        The categories (n,) among the factors, by the factor as written.
    """

    X: np.ndarray
    y: np.ndarray
    trials: np.ndarray | None
    weights: np.ndarray | None
    offset: np.ndarray | None
    names: tuple[str, ...]
    response: str
    n_dropped: int
    clusters: np.ndarray | None = None
    strata: np.ndarray | None = None
    groups: np.ndarray | None = None
    terms: Terms | None = None
    categories: dict[str, pd.Categorical] = field(default_factory=dict)


def design(
    formula: str,
    table: Any,
    *,
    trials: str | None = None,
    weights: str | None = None,
    offset: str | None = None,
    clusters: str | None = None,
    strata: str | None = None,
    by: str | None = None,
    missing: str = "drop",
) -> Design:
    """Make the arrays of a model from a formula and a table.

    Rows in which a column in use is missing are dropped, and counted in `n_dropped`, or refused.

    Parameters
    ----------
    formula
        `response ~ terms`. Terms are columns, `C(x)` (numbers as categories; a base other than
        the first level: `C(x, Treatment("level"))`), `log`, `log2`, `log10`, `log1p`, `exp`,
        `sqrt`, `abs`, `center`, `scale`, `I(...)` around arithmetic and comparisons, `poly(x, 2)`
        and `bs(x, df=5)`, joined by `+ - * : / ( )**k`; `.` is every other column, `0 +` or `- 1`
        removes the intercept. Text is categorical, coded against its first level. Nothing is
        run as Python. A name that is no plain word goes in backticks.

        The response is a column of 0 and 1 or booleans, text with two levels (the second in
        sorted order, or in the order of a categorical column, is the event),
        `cbind(successes, failures)`, counts together with `trials`, or arithmetic such as
        `1 - low`.
    table
        Rows are observations: a pandas, polars or pyarrow table, a DuckDB relation, a mapping of
        columns, a path or the name of a bundled data set (see `read_table`).
    trials, weights, offset
        Names of columns: trials per row, case weights, and an offset in log-odds.
    clusters, strata, by
        Names of columns with labels of any kind; those of `by` are the groups of `fit_formula`.
    missing : {"drop", "error"}
        What happens to rows in which a column in use is missing.

    Raises
    ------
    ValueError
        For a formula that is not allowed (see `formula.parse`), unknown columns, a response that
        is not binary, text where numbers are needed, a factor with one level, no rows left,
        missing values where they are errors, or a design matrix that is not finite; says where.
    TypeError
        If the table is none, or a column is not named by text.

    Examples
    --------
    >>> table = pd.DataFrame({"low": [0, 1, 1, 0], "age": [19, 33, None, 21], "s": list("abab")})
    >>> d = design("low ~ age + s", table)
    >>> d.names, d.n_dropped
    (('Intercept', 'age', 's[T.b]'), 1)
    """
    check_choice("missing", missing, ("drop", "error"))
    source = opened(table)
    known = column_names(source)
    extras = {"trials": trials, "weights": weights, "offset": offset}
    labels = {"clusters": clusters, "strata": strata, "by": by}
    named = {**extras, **labels}
    _check_named(named, known)
    model = parse(formula, known, named.values())
    numbers = list(dict.fromkeys([*model.columns, *_given(extras)]))
    used = list(dict.fromkeys([*numbers, *_given(labels)]))
    table = as_table(source, used)
    rows = _whole_rows(table, used, missing)
    values = {name: columns.read(_at(table, name, rows)) for name in numbers}
    with np.errstate(all="ignore"):  # what is not finite is refused with its place instead
        y, counted, response = _response(model, values, rows, trials)
        X, terms, categories = matrix(model, values, rows)
    given = {name: _numbers(name, k, values, rows) for name, k in extras.items()}
    if given["trials"] is not None and (over := np.flatnonzero(y > given["trials"])).size:
        i = over[0]
        raise ValueError(f"response {model.response!r} must lie in [0, trials]: found {y[i]:g} "
                         f"of {given['trials'][i]:g} at row {rows[i]}")  # fmt: skip
    given = {name: None if a is None else np.array(a) for name, a in given.items()}
    return Design(
        X=X,
        y=np.array(y),  # copies: the table may change
        trials=given["trials"] if counted is None else counted,
        weights=given["weights"],
        offset=given["offset"],
        names=terms.names,
        response=response,
        n_dropped=len(table) - rows.size,
        clusters=_labels(table, clusters, rows),
        strata=_labels(table, strata, rows),
        groups=_labels(table, by, rows),
        terms=terms,
        categories=categories,
    )


def subset(table: pd.DataFrame, condition: str) -> pd.DataFrame:
    """The rows of a table for which a condition holds; not those where its columns are missing.

    Parameters
    ----------
    table, condition
        A comparison in the language of `design`, as in `ftv == 0`.

    Raises
    ------
    ValueError, TypeError
        The condition is not allowed, or holds for no row.

    Examples
    --------
    >>> subset(pd.DataFrame({"visits": [0, 3, None, 0], "low": [1, 0, 1, 0]}), "visits == 0").low
    0    1
    3    0
    Name: low, dtype: int64
    """
    if not isinstance(condition, str):
        raise TypeError(f"subset must be text, as in 'visits == 0': found {condition!r}")
    try:
        model = parse(f"I({condition}) ~ 1", [k for k in table.columns if isinstance(k, str)], ())
        rows = _whole_rows(table, list(model.columns), "drop")
        values = {name: columns.read(_at(table, name, rows)) for name in model.columns}
        holds = columns.evaluate(model.outcome[0], values)
    except ValueError as error:
        raise ValueError(f"subset {condition!r}: {plain(error)}") from None
    kept = rows[np.nan_to_num(np.broadcast_to(holds, rows.shape)) != 0]
    if not kept.size:
        raise ValueError(f"subset {condition!r} holds for none of the {len(table)} rows")
    return table.iloc[kept]


def _given(named: dict[str, str | None]) -> list[str]:
    return [column for column in named.values() if column is not None]


def _check_named(named: dict[str, str | None], known: Sequence[str]) -> None:
    for name, column in named.items():
        if not isinstance(column, str | None):
            raise TypeError(f"{name} must name a column, found {type(column).__name__}")
        if column is not None and column not in known:
            raise ValueError(
                f"{name} must name a column of the table, found {column!r}"
                f"{columns.hint(column, known)}"
            )


def _whole_rows(table: pd.DataFrame, used: list[str], missing: str) -> np.ndarray:
    """Return the positions of the rows in which no column in use is missing."""
    twice = table.columns[table.columns.duplicated()].intersection(used)
    if len(twice):
        raise ValueError(f"the table has the column {twice[0]!r} more than once")
    if not len(table):
        raise ValueError("the table has no rows")
    lacks = {name: table[name].isna().to_numpy() for name in used}
    incomplete = np.logical_or.reduce([*lacks.values(), np.zeros(len(table), bool)])
    rows = np.flatnonzero(~incomplete)
    if missing == "error" and rows.size < len(table):
        row = int(np.argmax(incomplete))
        first = next(name for name in used if lacks[name][row])
        raise ValueError(
            f"{first!r} is missing at row {row}, and values are in "
            f'{len(table) - rows.size} of {len(table)} rows: missing="drop" leaves these out'
        )
    if rows.size:
        return rows
    worst = max(used, key=lambda name: lacks[name].sum())
    raise ValueError(
        f"no row is complete: of {len(table)} rows, {lacks[worst].sum()} lack {worst!r}"
    )


def _at(table: pd.DataFrame, name: str, rows: np.ndarray) -> pd.Series:
    """The rows of a column; all of them are no copy."""
    return table.loc[:, name] if len(rows) == len(table) else table.loc[:, name].iloc[rows]


def _labels(table: pd.DataFrame, name: str | None, rows: np.ndarray) -> np.ndarray | None:
    """Labels as they are: whole numbers beside missing ones must not have become floats."""
    return None if name is None else _at(table, name, rows).infer_objects().to_numpy()


def _numbers(
    argument: str, name: str | None, values: dict[str, columns.Column], rows: np.ndarray
) -> np.ndarray | None:
    """The numbers of one column, in the range of its argument."""
    value = None if name is None else values[name]
    if isinstance(value, pd.Categorical):
        raise ValueError(f"{argument} must be numbers, found text in column {name!r}")
    if value is not None:
        rule = "be finite" if argument == "offset" else "be finite and not negative"
        bad = ~np.isfinite(value) | ((value < 0) & (argument != "offset"))
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(f"{argument} must {rule}: column {name!r} has {value[i]:g} "
                             f"at row {rows[i]}")  # fmt: skip
    return value


def _response(
    model: Formula, values: dict[str, columns.Column], rows: np.ndarray, trials: str | None
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Return the successes, the trials that `cbind` implies, and the response's name."""
    about = f"response {model.response!r} of formula {shorten(model.text)!r}"
    only = model.outcome[0]
    if isinstance(only, ast.Name) and isinstance(text := values[only.id], pd.Categorical):
        return _event(text, about, trials), None, f"{model.response}[{text.categories[-1]}]"
    try:
        parts = [columns.evaluate(node, values) for node in model.outcome]
    except ValueError as error:
        raise ValueError(f"{about}: {error}") from None
    if any(part.shape != rows.shape for part in parts):
        raise ValueError(f"{about} must use a column of the table")
    if len(parts) == 2:
        if trials is not None:
            raise ValueError(f"{about} already gives the trials; leave out trials={trials!r}")
        return parts[0], parts[0] + parts[1], model.response
    wrong = np.flatnonzero((parts[0] != 0) & (parts[0] != 1))
    if trials is None and wrong.size:
        raise ValueError(
            f"{about} must be 0 or 1, found {parts[0][wrong[0]]:g} at row {rows[wrong[0]]}; "
            "counts need cbind(successes, failures) or trials"
        )
    return parts[0], None, model.response


def _event(text: pd.Categorical, about: str, trials: str | None) -> np.ndarray:
    """Return 1 where a text of two levels has the second."""
    levels = [str(level) for level in text.categories]
    if trials is not None:
        raise ValueError(f"{about} must be counts where trials are given, found text")
    if len(levels) != 2:
        raise ValueError(
            f"{about} must have two levels, found {len(levels)}: {', '.join(levels[:5])}"
            + (", …" if len(levels) > 5 else "")
        )
    return text.codes.astype(np.float64)
