"""Data frames and formulas: from a file or table and one line of text to arrays and names."""

import ast
from dataclasses import dataclass

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import FormulaicError
from formulaic.materializers.types import FactorValues

from jaxlogit.frame import columns
from jaxlogit.frame.formula import Formula, parse, plain, shorten, stand_in


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
    clusters, strata : array (n,) or None
        Labels of the same rows, as they are in the table; None where not given.
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


def design(
    formula: str,
    table: pd.DataFrame,
    *,
    trials: str | None = None,
    weights: str | None = None,
    offset: str | None = None,
    clusters: str | None = None,
    strata: str | None = None,
) -> Design:
    """Make the arrays of a model from a formula and a table.

    Rows in which a column in use is missing are dropped, and counted in `n_dropped`.

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
        Rows are observations.
    trials, weights, offset
        Names of columns: trials per row, case weights, and an offset in log-odds.
    clusters, strata
        Names of columns with labels of any kind, for `bootstrap`.

    Raises
    ------
    ValueError
        For a formula that is not allowed (see `formula.parse`), unknown columns, a response that
        is not binary, text where numbers are needed, a factor with one level, no rows left, or
        a design matrix that is not finite; says where.
    TypeError
        If the table is not a pandas DataFrame, or a column is not named by text.

    Examples
    --------
    >>> table = pd.DataFrame({"low": [0, 1, 1, 0], "age": [19, 33, None, 21], "s": list("abab")})
    >>> d = design("low ~ age + s", table)
    >>> d.names, d.n_dropped
    (('Intercept', 'age', 's[T.b]'), 1)
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a pandas DataFrame, found {type(table).__name__}")
    extras = {"trials": trials, "weights": weights, "offset": offset}
    labels = {"clusters": clusters, "strata": strata}
    named = {**extras, **labels}
    _check_named(named, table)
    model = parse(formula, [k for k in table.columns if isinstance(k, str)], named.values())
    numbers = list(dict.fromkeys([*model.columns, *_given(extras)]))
    rows = _whole_rows(table, list(dict.fromkeys([*numbers, *_given(labels)])))
    values = {name: columns.read(table[name].iloc[rows]) for name in numbers}
    with np.errstate(all="ignore"):  # what is not finite is refused with its place instead
        y, counted, response = _response(model, values, rows, trials)
        X, names = _matrix(model, values, rows)
    given = {name: _numbers(name, k, values) for name, k in extras.items()}
    return Design(
        X=X,
        y=y,
        trials=given["trials"] if counted is None else counted,
        weights=given["weights"],
        offset=given["offset"],
        names=names,
        response=response,
        n_dropped=len(table) - rows.size,
        clusters=None if clusters is None else table[clusters].to_numpy()[rows],
        strata=None if strata is None else table[strata].to_numpy()[rows],
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
        rows = _whole_rows(table, list(model.columns))
        values = {name: columns.read(table[name].iloc[rows]) for name in model.columns}
        holds = columns.evaluate(model.outcome[0], values)
    except ValueError as error:
        raise ValueError(f"subset {condition!r}: {plain(error)}") from None
    kept = rows[np.broadcast_to(holds, rows.shape) != 0]
    if not kept.size:
        raise ValueError(f"subset {condition!r} holds for none of the {len(table)} rows")
    return table.iloc[kept]


def _given(named: dict[str, str | None]) -> list[str]:
    return [column for column in named.values() if column is not None]


def _check_named(extras: dict[str, str | None], table: pd.DataFrame) -> None:
    for name, column in extras.items():
        if not isinstance(column, str | None):
            raise TypeError(f"{name} must name a column, found {type(column).__name__}")
        if column is not None and column not in table.columns:
            raise ValueError(
                f"{name} must name a column of the table, found {column!r}"
                f"{columns.hint(column, table.columns)}"
            )


def _whole_rows(table: pd.DataFrame, used: list[str]) -> np.ndarray:
    """Return the positions of the rows in which no column in use is missing."""
    twice = table.columns[table.columns.duplicated()].intersection(used)
    if len(twice):
        raise ValueError(f"the table has the column {twice[0]!r} more than once")
    missing = table[used].isna().to_numpy()
    rows = np.flatnonzero(~missing.any(axis=1))
    if rows.size:
        return rows
    if not len(table):
        raise ValueError("the table has no rows")
    worst = int(missing.sum(axis=0).argmax())
    raise ValueError(
        f"no row is complete: of {len(table)} rows, {missing[:, worst].sum()} lack {used[worst]!r}"
    )


def _numbers(
    argument: str, name: str | None, values: dict[str, columns.Column]
) -> np.ndarray | None:
    value = None if name is None else values[name]
    if isinstance(value, pd.Categorical):
        raise ValueError(f"{argument} must be numbers, found text in column {name!r}")
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


def _matrix(
    model: Formula, values: dict[str, columns.Column], rows: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the design matrix and the names of its columns."""
    about = f"formula {shorten(model.text)!r}"
    single, bases = {}, {}
    for i, (text, node) in enumerate(model.factors.items()):
        try:
            value = columns.factor(node, values)
        except (ValueError, TypeError, IndexError) as error:  # the last two from bases
            raise ValueError(f"{about}: term {text!r}: {plain(error)}") from None
        if isinstance(value, np.ndarray):
            value = np.broadcast_to(value, rows.shape)
        (bases if isinstance(value, FactorValues) else single)[stand_in(i)] = value
    try:
        made = formulaic.model_matrix(
            model.right,
            pd.DataFrame(single, index=range(rows.size)),
            context=bases,
            output="pandas",
            na_action="ignore",
        )
    except FormulaicError as error:
        raise ValueError(f"{about} cannot be read: {plain(error)}") from None
    matrix = pd.DataFrame(made)
    X = np.ascontiguousarray(matrix.to_numpy(np.float64))
    names = tuple(model.label(str(k)) for k in matrix.columns)
    if not names:
        raise ValueError(f"{about} leaves no column in the design matrix")
    wrong = np.argwhere(~np.isfinite(X))
    if wrong.size:
        i, j = wrong[0]
        raise ValueError(f"{about}: {names[j]!r} must be finite, found {X[i, j]} at row {rows[i]}")
    return X, names
