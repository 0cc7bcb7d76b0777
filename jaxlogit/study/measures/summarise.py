"""Performance measures of anybody's table of estimates, one row per replicate and method."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jaxlogit import text
from jaxlogit.checks import nearest
from jaxlogit.data import check_choice
from jaxlogit.report.words import latex
from jaxlogit.study.measures.estimates import NUMBERS, Columns, listed, one_number, read_estimates
from jaxlogit.study.measures.performance import Array, Measure, Replicates, compare, measure
from jaxlogit.study.measures.relative import relative_bias, relative_precision, rmse

SHARES = ("coverage", "missed", "rejection", "bias_eliminated_coverage")
"""Beginnings of the names of measures that are shares."""


def summarise(
    table: Any,
    *,
    truth: float | str,
    estimate: str | None = None,
    std_error: str | None = None,
    lower: str | None = None,
    upper: str | None = None,
    p_value: str | None = None,
    method: str | None = None,
    by: str | Sequence[str] = (),
    replicate: str | None = None,
    ref: Any = None,
    level: float = 0.95,
    significance: float | None = None,
    null: float = 0.0,
    df: float | str | None = None,
) -> pd.DataFrame:
    """Bias, coverage, power and the other measures of a simulation study, from its table.

    Every measure comes with its Monte Carlo standard error and the replicates that it is defined
    on: a missing estimate, standard error or interval is left out of the measures that need it, and
    of no other.

    Parameters
    ----------
    table : data frame or mapping of arrays
        One row for each replicate and method: a pandas, polars or pyarrow table, or a dict.
    truth : float or str
        What is estimated: a number, or the column that holds it.
    estimate, std_error, lower, upper, p_value : str, optional
        Columns. Where none is named, the column of the argument's own name is taken if there is
        one. Without `lower` and `upper`, intervals are estimate ± quantile · std_error. Without
        `p_value`, a null value outside the given interval is rejected, or by the Wald
        statistic where there are no ends. Ends may be infinite.
    method : str, optional
        Column with the names of the methods ("method", if there is one).
    by : str or sequence of str
        Columns whose values divide the table: scenarios, terms.
    replicate : str, optional
        Column with the number of the data set ("replicate", if there is one): it pairs the
        methods.
    ref : optional
        The method that the others are compared with: adds `relative_precision`, and paired
        differences m_difference for each measure m that is a mean (method − ref).
    level : float
        Level of the intervals.
    significance : float, optional
        A test rejects where p ≤ significance; 1 − level by default.
    null : float
        The value that is tested where there are no p-values.
    df : float or str, optional
        Degrees of freedom of Student's t for derived intervals and p-values, or their column;
        the normal distribution by default.

    Returns
    -------
    DataFrame
        One row for each value of `by` and method: these, `truth` (nan where it varies),
        `n_replicates`, then each measure as `m`, `m_mcse` and `m_n`, see
        `jaxlogit.study.measures.performance.measure`; also `rmse` and `relative_bias`. Where the
        truth varies, the empirical SE is that of estimate − truth.

    Raises
    ------
    ValueError, TypeError
        A column is missing or not of numbers, nothing to measure is given, a standard error is
        negative, an interval's ends are in the wrong order, a p-value is outside [0, 1], or a
        data set occurs twice in one method.

    Examples
    --------
    >>> table = {"estimate": [0.8, 1.3, 1.1], "std_error": [0.3, 0.2, 0.4]}
    >>> found = summarise(table, truth=1.0)
    >>> found[["n_replicates", "bias", "coverage", "rejection"]].round(4)
       n_replicates    bias  coverage  rejection
    0             3  0.0667       1.0        1.0
    """
    level = _share("level", level)
    significance = round(1 - level, 12) if significance is None else significance
    significance = _share("significance", significance)
    given = {"estimate": estimate, "std_error": std_error, "lower": lower, "upper": upper,
             "p_value": p_value}  # fmt: skip
    named = {"method": method, "by": by, "replicate": replicate, "truth": truth, "df": df}
    null = one_number("null", null)
    columns = read_estimates(table, given, named, level, significance, null)
    if ref is not None:
        _check_ref(ref, columns)
    rows = [
        row
        for label, group in _groups(columns.labels)
        for row in _group_rows(columns, label, group, ref, significance)
    ]
    return pd.DataFrame(rows)


def _group_rows(
    columns: Columns, label: dict[str, Any], group: NDArray, ref: Any, significance: float
) -> Iterator[dict[str, Any]]:
    """One row for each method of a group; where the group's rows are."""
    if columns.method is None:
        yield label | _measures(columns, group, significance)
        return
    methods = columns.method[group]
    for name in dict.fromkeys(methods.tolist()):
        where = group[methods == name]
        row = label | {"method": name} | _measures(columns, where, significance)
        if ref is not None:
            row |= _relative(columns, where, group[methods == ref], significance)
        yield row


def _measures(columns: Columns, where: NDArray, significance: float) -> dict[str, Any]:
    """All measures of one method over the rows at `where`."""
    rows, truth, constant = _centred(columns, where)
    found = measure(rows, constant, significance)
    finite = np.isfinite(columns.rows.estimate[where])
    relative = relative_bias(columns.rows.estimate[where][finite], truth[finite])
    varies = np.any(truth != truth[0])
    return {
        "truth": np.nan if varies else float(truth[0]), **found.to_row(),
        **_flat("rmse", rmse(found.mse)), **_flat("relative_bias", relative),
    }  # fmt: skip


def _relative(
    columns: Columns, where: NDArray, there: NDArray, significance: float
) -> dict[str, Any]:
    """Precision of one method relative to another, and paired differences."""
    if columns.replicate is not None:
        _, here, place = np.intersect1d(
            columns.replicate[where], columns.replicate[there], True, return_indices=True
        )
        where, there = where[here], there[place]
    estimate, reference = columns.rows.estimate[where], columns.rows.estimate[there]
    if columns.replicate is None:
        estimate, reference = estimate[np.isfinite(estimate)], reference[np.isfinite(reference)]
        return _flat("relative_precision", relative_precision(estimate, reference, paired=False))
    both = np.isfinite(estimate) & np.isfinite(reference)
    result = _flat("relative_precision", relative_precision(estimate[both], reference[both]))
    if where.size:
        first, *_ = _centred(columns, where, always=True)
        second, *_ = _centred(columns, there, always=True)  # each by its own truth
        for name, found in compare(first, second, 0.0, significance).items():
            result |= _flat(f"{name}_difference", Measure(found.value, found.mcse, found.n))
    return result


def _centred(
    columns: Columns, where: NDArray, always: bool = False
) -> tuple[Replicates, Array, float]:
    """Rows, their truths, and the one truth to measure them against.

    Where the truth varies, or `always`, it is subtracted from estimates and ends, which leaves 0:
    an exact comparison of two numbers is an exact comparison of their difference with 0.
    """
    truth = columns.truth[where]
    rows = _take(columns.rows, where)
    if truth.size == 0 or (not always and np.all(truth == truth[0])):
        return rows, truth, float(truth[0]) if truth.size else np.nan
    shifted = {name: getattr(rows, name) - truth for name in ("estimate", "lower", "upper")}
    return replace(rows, **shifted), truth, 0.0


def _share(name: str, value: Any) -> float:
    number = one_number(name, value)
    if not 0 < number < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1: found {value!r}")
    return number


def _check_ref(ref: Any, columns: Columns) -> None:
    methods = [] if columns.method is None else list(dict.fromkeys(columns.method.tolist()))
    if ref not in methods:
        raise ValueError(
            f"ref must be one of the methods, {listed(methods) or 'of which there are none'}: "
            f"found {ref!r}{nearest(str(ref), [str(m) for m in methods])}"
        )


def _groups(labels: pd.DataFrame) -> Iterator[tuple[dict[str, Any], NDArray]]:
    """Labels and row numbers of each group, in the order of their first appearance."""
    names = list(labels)
    if not names:
        yield {}, np.arange(len(labels))
        return
    number = labels.groupby(names, sort=False, dropna=False).ngroup().to_numpy()
    for group in range(number.max() + 1):
        where = np.flatnonzero(number == group)
        yield {name: labels[name].iloc[where[0]] for name in names}, where


def _take(rows: Replicates, where: NDArray) -> Replicates:
    taken = Replicates(**{name: getattr(rows, name)[where] for name in NUMBERS})
    return taken if rows.rejects is None else replace(taken, rejects=rows.rejects[where])


def _flat(name: str, found: Measure) -> dict[str, float | int]:
    return {name: found.value, f"{name}_mcse": found.mcse, f"{name}_n": found.n}


def summary_table(
    summary: pd.DataFrame,
    measures: Sequence[str] = ("bias", "empirical_se", "model_se", "coverage", "rejection"),
    form: str = "text",
) -> str:
    """Measures with their Monte Carlo standard errors in parentheses, for a terminal or a paper.

    Parameters
    ----------
    summary : DataFrame
        Of `summarise`, or of a study's `summary()`.
    measures : sequence of str
        Columns of it that have an `_mcse`.
    form : str
        "text", "markdown" or "latex" (a tabular).

    Examples
    --------
    >>> found = summarise({"estimate": [0.8, 1.3, 1.1], "std_error": [0.3, 0.2, 0.4]}, truth=1.0)
    >>> print(summary_table(found, ["bias", "coverage"]))
    bias (MCSE)  coverage (MCSE)
    ----------------------------
    0.07 (0.15)   1.0000 (.0000)
    """
    check_choice("form", form, ("text", "markdown", "latex"))
    known = [name for name in summary if f"{name}_mcse" in summary]
    for name in measures:
        if name not in known:
            raise ValueError(
                f"no measure {name!r}: there are {listed(known)}{nearest(name, known)}"
            )
    places = list(summary)[: list(summary).index("truth")]
    header = [*places, *(f"{name} (MCSE)" for name in measures)]
    rows = [
        [*(f"{r[name]}" for name in places), *(_cell(name, r) for name in measures)]
        for r in summary.to_dict("records")
    ]
    if form != "latex":
        return text.table(header, rows, markdown=form == "markdown")
    ends = "".join("l" if isinstance(summary[name].iloc[0], str) else "r" for name in places)
    lines = [" & ".join(map(latex, row)) + r" \\" for row in (header, *rows)]
    body = [lines[0], r"\hline", *lines[1:]]
    return "\n".join(
        [rf"\begin{{tabular}}{{{ends}{'r' * len(measures)}}}", *body, r"\end{tabular}"]
    )


def _cell(name: str, row: dict[str, Any]) -> str:
    value, mcse = row[name], row[f"{name}_mcse"]
    is_share = name.startswith(SHARES) and not name.endswith("_difference")
    return text.share(value, mcse) if is_share else text.number(value, mcse)
