"""A table of estimates, one row per replicate and method: read, checked, and completed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from jaxlogit.checks import nearest
from jaxlogit.study.measures.performance import Array, Replicates

NUMBERS = ("estimate", "std_error", "lower", "upper", "p_value")

SAME_LEVEL = 1e-9
"""One minus a level is a significance up to rounding."""


@dataclass(frozen=True)
class Columns:
    """Checked columns of a table of n rows; nan where a number is missing.

    Attributes
    ----------
    rows : Replicates
        Arrays (n,), intervals and p-values derived where they were not given.
    truth : (n,) array
    labels : DataFrame
        The columns that divide the table.
    method : (n,) array or None
    replicate : (n,) array or None
        Which data set each row is of.
    """

    rows: Replicates
    truth: Array
    labels: pd.DataFrame
    method: NDArray | None
    replicate: NDArray | None


def read_estimates(
    table: Any, given: Mapping[str, str | None], named: Mapping[str, Any], level: float,
    significance: float, null: float,
) -> Columns:  # fmt: skip
    """Find, check and derive the columns."""
    known = _names(table)
    used = {name: _chosen(name, column, known) for name, column in given.items()}
    numbers = {
        name: _numbers(name, table, column) for name, column in used.items() if column is not None
    }
    if not numbers:
        raise ValueError(f"the table must have one of {', '.join(NUMBERS)}: found {listed(known)}")
    if ("lower" in numbers) != ("upper" in numbers):
        lone = "lower" if "lower" in numbers else "upper"
        raise ValueError(f"lower and upper go together: found {lone} only")
    n = next(iter(numbers.values())).size
    if n == 0:
        raise ValueError("the table must have rows: found none")
    truth = _number_or_column("truth", named["truth"], table, known, n)
    if np.isnan(truth).any():
        raise ValueError(
            f"truth must not be missing: found nan at row {np.argmax(np.isnan(truth))}"
        )
    df = named["df"]
    if df is not None:
        df = _number_or_column("df", df, table, known, n)
    method, replicate = (
        None if column is None else np.asarray(table[column])
        for column in (_chosen(name, named[name], known) for name in ("method", "replicate"))
    )
    if method is not None and pd.isna(method).any():
        row = int(np.argmax(pd.isna(method)))
        raise ValueError(f"method must not be missing: found {method[row]!r} at row {row}")
    by = [named["by"]] if isinstance(named["by"], str) else list(named["by"])
    labels = pd.DataFrame({_chosen("by", name, known): np.asarray(table[name]) for name in by},
                          index=range(n))  # fmt: skip
    if replicate is not None:
        _check_replicates(labels, method, replicate)
    _check_numbers(numbers)
    rows = _derived(numbers, df, level, significance, null)
    return Columns(rows, truth, labels, method, replicate)


def _derived(
    numbers: Mapping[str, Array], df: Array | None, level: float, significance: float, null: float
) -> Replicates:
    """Intervals and rejections from what there is."""
    missing = np.full(next(iter(numbers.values())).size, np.nan)
    estimate, se = (numbers.get(name, missing) for name in ("estimate", "std_error"))
    p_value, rejects = numbers.get("p_value"), None
    if "lower" in numbers:
        lower, upper = numbers["lower"], numbers["upper"]
        if p_value is None:
            p_value, rejects = missing, np.where(np.isnan(lower) | np.isnan(upper), np.nan,
                                                 (null < lower) | (upper < null))  # fmt: skip
            if abs(significance - (1 - level)) > SAME_LEVEL:
                rejects = missing
    else:
        tail = 0.5 * (1.0 - level)
        quantile = -special.ndtri(tail) if df is None else -special.stdtrit(df, tail)
        estimate_or_nan = np.where(np.isfinite(estimate), estimate, np.nan)
        lower, upper = estimate_or_nan - quantile * se, estimate_or_nan + quantile * se
        if p_value is None:
            with np.errstate(divide="ignore", invalid="ignore"):
                wald = -np.abs((estimate_or_nan - null) / se)
            p_value = 2 * (special.ndtr(wald) if df is None else special.stdtr(df, wald))
    return Replicates(estimate, se, lower, upper, p_value, rejects)


def _check_numbers(numbers: Mapping[str, Array]) -> None:
    """Refuse what no analysis gives: negative errors, ends in the wrong order, p outside [0, 1]."""
    rules = []
    if "std_error" in numbers:
        rules.append(("std_error", numbers["std_error"] < 0, "must not be negative"))
    if "lower" in numbers:
        rules.append(("lower", numbers["lower"] > numbers["upper"], "must not exceed upper"))
    if "p_value" in numbers:
        outside = (numbers["p_value"] < 0) | (numbers["p_value"] > 1)
        rules.append(("p_value", outside, "must lie in [0, 1]"))
    for name, broken, rule in rules:
        if broken.any():
            row = int(np.argmax(broken))
            raise ValueError(f"{name} {rule}: found {numbers[name][row]:g} at row {row}")


def _check_replicates(labels: pd.DataFrame, method: NDArray | None, replicate: NDArray) -> None:
    twice = labels.assign(**{"(method)": method, "(replicate)": replicate}).duplicated()
    if twice.any():
        row = int(np.argmax(twice))
        raise ValueError(
            "replicate must occur once in each group and method: found "
            f"{replicate[row]} again at row {row}; name in by all columns that divide the table"
        )


def _names(table: Any) -> list[str]:
    for attribute in ("column_names", "columns"):  # of a pyarrow table, columns are the data
        if hasattr(table, attribute):
            return list(getattr(table, attribute))
    if isinstance(table, Mapping):
        return list(table)
    raise TypeError(f"table must be a data frame or a mapping of arrays: found {type(table)!r}")


def _chosen(argument: str, column: str | None, known: Sequence[str]) -> str | None:
    """The column an argument names, its own name where it names none and there is such one."""
    if column is None:
        return argument if argument in known else None
    if column not in known:
        raise ValueError(
            f"{argument} must name a column: found {column!r}, there are {listed(known)}"
            f"{nearest(str(column), [str(name) for name in known])}"
        )
    return column


def _numbers(argument: str, table: Any, column: str) -> Array:
    series = pd.Series(np.asarray(table[column]))
    if series.dtype == object:
        series = series.convert_dtypes()
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise TypeError(f"{argument} must be numbers: column {column!r} holds {series.dtype}")
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _number_or_column(argument: str, value: Any, table: Any, known: Sequence[str], n: int) -> Array:
    if isinstance(value, str):
        _chosen(argument, value, known)
        return _numbers(argument, table, value)
    return np.full(n, one_number(argument, value, " or the name of a column"))


def one_number(argument: str, value: Any, otherwise: str = "") -> float:
    """A number that an argument gives.

    Raises
    ------
    TypeError
        It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{argument} must be a number{otherwise}: found {value!r}")
    return float(value)


def listed(names: Sequence[Any]) -> str:
    """Names for a sentence."""
    return ", ".join(str(name) for name in names)
