"""A study's table of measures for other tools: long frames, labelled arrays, LaTeX, Markdown."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.report.text import study_text
from jaxlogit.report.warnings import several_levels, warnings
from jaxlogit.report.words import latex
from jaxlogit.rows import PLACE, Row, by_term, factors, levels, significances, summary_rows
from jaxlogit.tables.tidy import needed
from jaxlogit.text import plain, share

if TYPE_CHECKING:
    import pandas
    import polars
    import xarray

    from jaxlogit.study import StudyResult

LONG = ("truth", "n_replicates", "measure", "value", "mcse", "n_defined")
"""Columns of the long form, after the place."""


def to_frame(result: "StudyResult") -> "pandas.DataFrame":
    """The measures in long form, a row for each.

    Returns
    -------
    pandas.DataFrame
        One row per cell × method × level × term × measure: `cell`, a column for each factor,
        `method`, `level`, `term`, `truth`, `n_replicates`, `measure`, `value`, `mcse`,
        `n_defined`; the last two are nan and 0 of a measure without an error of its own.

    Examples
    --------
    >>> from jaxlogit import Study
    >>> study = Study(name="dose", seed=1, replicates=200, methods=["ml:lr"],
    ...               X=[[1, 0], [1, 1]], trials=[40, 40], truth=[-1.0, 0.5])
    >>> table = study.run(progress=False).to_frame()
    >>> table[table.measure == "coverage"][["method", "term", "n_defined"]]
       method term  n_defined
    5   ml:lr   x0        200
    23  ml:lr   x1        200
    """
    import pandas as pd

    columns = [*_places(result), *LONG]
    return pd.DataFrame(_long(result), columns=columns)


def to_polars(result: "StudyResult") -> "polars.DataFrame":
    """As `to_frame`, in polars; needs the extra `frames`."""
    polars = needed("to_polars", "polars", "frames")
    columns = [*_places(result), *LONG]
    return polars.DataFrame(
        _long(result), schema=columns, orient="row", strict=False, infer_schema_length=None
    )


def to_xarray(result: "StudyResult") -> "xarray.Dataset":
    """The measures as labelled arrays; needs the extra `frames`.

    Returns
    -------
    xarray.Dataset
        A variable for each column of `summary`, with the dimensions cell × method × term, and
        × level where a study has several; `truth` is cell × term. Factors are
        coordinates along `cell`. nan where a cell has no such term. The attributes hold name,
        seed, null, significance and versions. Choose a method by `.sel({"method": "ml:lr"})`:
        the keyword of that name is xarray's own.
    """
    xarray = needed("to_xarray", "xarray", "frames")
    rows, record = summary_rows(result), result.record
    axes = {key: list(dict.fromkeys(r[key] for r in rows)) for key in PLACE}
    dims = ["cell", "method", "term", *(["level"] if several_levels(result) else [])]
    where = {key: {value: i for i, value in enumerate(axes[key])} for key in dims}
    at = tuple(np.array([where[key][row[key]] for row in rows]) for key in dims)
    shape = [len(axes[key]) for key in dims]
    variables: dict[str, Any] = {}
    for name in _measures(result, ("truth",)):
        values = np.full(shape, np.nan)
        values[at] = [row[name] for row in rows]
        variables[name] = (dims, values)
    truth = np.full((len(axes["cell"]), len(axes["term"])), np.nan)
    truth[at[0], at[2]] = [row["truth"] for row in rows]
    variables["truth"] = (["cell", "term"], truth)
    values_of = {cell.label: cell.values for cell in record.cells}
    coords: dict[str, Any] = {key: axes[key] for key in dims}
    for name in factors(record):
        values = [values_of[label].get(name) for label in axes["cell"]]
        found = np.array([str(v) if isinstance(v, list) else v for v in values])
        coords[name if name not in variables and name not in dims else f"{name}_"] = "cell", found
    attributes = {
        "name": record.name, "seed": record.seed, "null": record.null,
        "significance": significances(record), "versions": json.dumps(dict(record.versions)),
    }  # fmt: skip
    if not several_levels(result):
        attributes["level"] = levels(record)[0]
    return xarray.Dataset(variables, coords, attributes)


def to_markdown(result: "StudyResult", differences: bool = False) -> str:
    """All tables of the study in Markdown; see `jaxlogit study summary --markdown`."""
    return study_text(result, differences=differences, markdown=True)


def to_latex(result: "StudyResult") -> str:
    r"""The table of coverages in LaTeX, for the package booktabs.

    Returns
    -------
    str
        A `table` environment: a row for each cell, term and method with coverage, misses,
        rejection rate and width. Special characters of names are escaped; what `warnings` says
        stands below the table.

    Examples
    --------
    >>> from jaxlogit import Study
    >>> study = Study(name="dose", seed=1, replicates=200, methods=["ml:lr"],
    ...               X=[[1, 0], [1, 1]], trials=[40, 40], truth=[-1.0, 0.5])
    >>> print(study.run(progress=False).to_latex().splitlines()[5])
    \begin{tabular}{lrlrrrrr}
    """
    record, rows = result.record, by_term(summary_rows(result))
    places = [name for name, shown in (
        ("cell", len(record.cells) > 1), ("level", several_levels(result))
    ) if shown]  # fmt: skip
    header = [*places, "term", "truth", "method", "coverage", "low", "high", "rejects", "width"]
    lines, previous = [], None
    for row in rows:
        group = row["cell"], row["term"]
        if previous is not None and group != previous:
            lines.append(r"\addlinespace")
        lines.append(" & ".join(_latex_row(row, places, group != previous)) + r" \\")
        previous = group
    kinds = "".join("l" if name in ("cell", "term", "method") else "r" for name in header)
    what = ", ".join(f"{100 * level:g} %" for level in levels(record))
    note = [f"Coverage of {what} intervals, Monte Carlo standard errors in parentheses; low, high: "
            "the truth lies below, above the interval; rejects: the null value "
            f"{record.null:g}."]  # fmt: skip
    return "\n".join([
        r"\begin{table}", r"\centering",
        rf"\caption{{Study {latex(record.name)}: {max(r['n_replicates'] for r in rows):,} "
        r"replicates.}",
        rf"\label{{tab:{''.join(c for c in record.name if c.isalnum() or c in '-.')}}}",
        r"\small", rf"\begin{{tabular}}{{{kinds}}}", r"\toprule",
        " & ".join(header) + r" \\", r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", "",
        r"\smallskip", *(f"{latex(sentence)}" for sentence in note + _sentences(result)),
        r"\end{table}",
    ]) + "\n"  # fmt: skip


def _latex_row(row: Row, places: list[str], first: bool) -> list[str]:
    """Cells of one line; cell, term and truth where they differ from the line above."""
    place = [f"{100 * row['level']:g}" if key == "level" else row[key] for key in places]
    group = [row["term"], plain(row["truth"])]
    if not first:
        group = ["", ""]
        place = ["" if key == "cell" else text for key, text in zip(places, place, strict=True)]
    figures = [
        share(row["coverage"], row["coverage_mcse"]), share(row["missed_low"]),
        share(row["missed_high"]), share(row["rejection"]),
    ]  # fmt: skip
    width = r"$\infty$" if row["width"] == np.inf else plain(row["width"])
    return [*(latex(text) for text in (*place, *group, row["method"], *figures)), width]


def _sentences(result: "StudyResult") -> list[str]:
    return [f"{sentence[0].upper()}{sentence[1:]}." if sentence[0].isdigit() else f"{sentence}."
            for sentence in warnings(result)]  # fmt: skip


def _places(result: "StudyResult") -> list[str]:
    # A factor called like another column is still told by the cell's label.
    free = [name for name in factors(result.record) if name not in (*PLACE, *LONG)]
    return ["cell", *free, "method", "level", "term"]


def _measures(result: "StudyResult", leave_out: tuple[str, ...] = ()) -> list[str]:
    """Columns of the summary that are numbers of a method, not its place."""
    place = {*_places(result), *leave_out}
    return [name for name in summary_rows(result)[0] if name not in place]


def _long(result: "StudyResult") -> list[tuple]:
    values_of = {cell.label: cell.values for cell in result.record.cells}
    names = [
        name for name in _measures(result, ("truth", "n_replicates"))
        if not name.endswith(("_mcse", "_n"))
    ]  # fmt: skip
    found = []
    for row in summary_rows(result):
        whole = dict(values_of[row["cell"]]) | row
        place = [whole.get(name) for name in _places(result)]
        place += [row["truth"], row["n_replicates"]]
        for name in names:
            error, n = row.get(f"{name}_mcse", np.nan), row.get(f"{name}_n", 0)
            found.append((*place, name, float(row[name]), float(error), int(n)))
    return found
