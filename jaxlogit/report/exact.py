"""The tables of an exact study for a terminal, or as Markdown."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from jaxlogit.core.status import Status
from jaxlogit.report.tables import USUAL_STATUSES
from jaxlogit.report.words import markdown as escaped
from jaxlogit.rows import Row, by_term, significances
from jaxlogit.text import table

if TYPE_CHECKING:
    from jaxlogit.study.exact.result import ExactResult

Rows = list[Row]

DIGITS = 6
"""Decimals of a probability."""


def exact_text(result: "ExactResult", *, differences: bool = False, markdown: bool = False) -> str:
    """Settings and tables of an exact study: coverage, estimates, statuses.

    Parameters
    ----------
    result : ExactResult
    differences : bool
        Add the differences between methods.
    markdown : bool
        Markdown tables instead of aligned columns.
    """
    summary = result.summary().to_dict("records")
    statuses = result.statuses().to_dict("records")
    blocks = [
        _heading(result, markdown), _coverage(summary, result, markdown),
        _extremes(summary, markdown), _estimates(summary, markdown),
        _statuses(statuses, markdown),
    ]  # fmt: skip
    if differences:
        blocks.append(_differences(result.differences().to_dict("records"), markdown))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(result: "ExactResult", markdown: bool) -> str:
    record = result.record
    lines = [f"Study {record.name}, exact: every outcome counts by its probability"]
    if record.source.get("formula"):
        lines.append(f"{record.source['formula']}   (data {record.source['data'] or 'given'})")
    for label, found in result.enumerations.items():
        size = found.probability.size
        count = f"{found.n_outcomes:,} outcomes" if found.n_outcomes < 1e12 else (
            f"about 1e{len(str(found.n_outcomes)) - 1} outcomes")  # fmt: skip
        if size < found.n_outcomes:
            count += f" in {size:,} classes of equal fits"
        rows = f"{len(found.cell.X):,} rows that differ, {len(found.cell.names)} coefficients"
        lines.append(f"Cell {label}: enumeration of {count}, {rows}")
    return "  \n".join(escaped(line) for line in lines) if markdown else "\n".join(lines)


def _coverage(summary: Rows, result: "ExactResult", markdown: bool) -> str:
    names = ("coverage", "missed_low", "missed_high", "rejection")
    rows = [
        [*_place(r, summary), _plain(r["truth"]), r["method"],
         *(_share(r[name]) for name in names), _plain(r["width"])]
        for r in by_term(summary)
    ]  # fmt: skip
    header = [*_place_names(summary), "truth", "method", "coverage", "low", "high", "rejects"]
    record = result.record
    lines = [
        "Coverage of intervals, without Monte Carlo error",
        "low, high: the truth lies below, above the interval; "
        f"rejects: {record.null:g} at p <= {significances(record)}",
    ]
    if any(r["coverage_probability"] < 1 - 1e-12 for r in summary):
        lines.append("given that the method is defined; see the next table")
    return "\n".join([*lines, "", _written([*header, "width"], rows, markdown)])


def _extremes(summary: Rows, markdown: bool) -> str:
    """What undefined and infinite intervals do; empty if there are none."""
    odd = [
        r for r in by_term(summary)
        if r["coverage_n"] < r["n_replicates"] or r["width_infinite"] > 0
    ]  # fmt: skip
    if not odd:
        return ""
    rows = [
        [
            *_place(r, summary), r["method"],
            _share(r["coverage_undefined_cover"] - r["coverage_undefined_miss"]),
            _share(r["coverage_undefined_miss"]), _share(r["coverage_undefined_cover"]),
            _share(r["width_infinite"]), _plain(r["width_median"]),
        ]
        for r in odd
    ]  # fmt: skip
    header = [*_place_names(summary), "method", "undefined", "if miss", "if cover", "infinite"]
    lines = [
        "Undefined and infinite intervals",
        "undefined: probability, and coverage if they miss, if they cover; "
        "infinite: share of the others",
    ]
    return "\n".join([*lines, "", _written([*header, "median width"], rows, markdown)])


def _estimates(summary: Rows, markdown: bool) -> str:
    first: dict[tuple[str, ...], Row] = {}
    for r in summary:  # methods that share an estimator share its estimates
        first.setdefault((r["cell"], r["term"], r["method"].partition(":")[0]), r)
    rows = []
    for (*_, estimator), r in first.items():
        numbers = [_plain(r[name]) for name in ("bias", "empirical_se", "model_se")]
        error = [_plain(r["model_se_error"]), _share(max(1.0 - r["bias_probability"], 0.0))]
        rows.append([*_place(r, summary), estimator, *numbers, *error])
    header = [*_place_names(summary), "estimator", "bias", "empirical SE", "model SE"]
    title = "Estimates, given a finite one; not finite: probability"
    return f"{title}\n\n{_written([*header, 'its error %', 'not finite'], rows, markdown)}"


def _statuses(statuses: Rows, markdown: bool) -> str:
    names = [status.name.lower() for status in Status]
    unusual = [n for n in names if n not in USUAL_STATUSES and any(r[n] for r in statuses)]
    shown = [*USUAL_STATUSES, *unusual]
    rows = []
    for _, group in groupby(statuses, key=lambda r: (r["cell"], r["method"], r["level"])):
        alike: dict[tuple[str, ...], Rows] = {}
        for r in group:
            alike.setdefault(tuple(_share(r[name]) for name in shown), []).append(r)
        for shares, same in alike.items():
            *cell, term = _place(same[0], statuses)
            term = term if len(same) == 1 else f"each of {len(same)}"
            rows.append([*cell, same[0]["method"], term, *shares])
    *cell, term = _place_names(statuses)
    header = [*cell, "method", term]
    header += [USUAL_STATUSES.get(name, name.replace("_", " ")) for name in shown]
    return f"Statuses (probabilities)\n\n{_written(header, rows, markdown)}"


def _differences(differences: Rows, markdown: bool) -> str:
    if not differences:
        return "Differences: there is one method only"
    shown = {"coverage": "coverage", "rejection": "rejects", "width": "width"}
    rows = []
    keys = ("cell", "first", "second", "level", "term")
    for _, group in groupby(differences, lambda r: tuple(r[key] for key in keys)):
        found = {r["measure"]: r for r in group}
        r = found["coverage"]
        values = [_signed(found[name]["value"]) for name in shown]
        pair = f"{r['first']} - {r['second']}"
        rows.append([*_place(r, differences), pair, *values, _share(r["probability"])])
    header = [*_place_names(differences), "difference", *shown.values(), "both defined"]
    title = "Differences where both are defined"
    return f"{title}\n\n{_written(header, rows, markdown)}"


def _place_names(rows: Rows) -> list[str]:
    """Columns that say where a row belongs: the cell and the level where there are several."""
    several = [name for name in ("cell", "level") if len({r.get(name) for r in rows}) > 1]
    return [*several, "term"]


def _place(row: Row, rows: Rows) -> list[str]:
    return [f"{row[name]}" for name in _place_names(rows)]


def _share(value: float) -> str:
    """A probability as .950850; n/a where there is nothing to divide."""
    if math.isnan(value):
        return "n/a"
    text = f"{value:.{DIGITS}f}"
    return text[1:] if text.startswith("0.") else text


def _signed(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.{DIGITS}f}"


def _plain(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.6g}"


def _written(header: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """A table, in Markdown with names that mean nothing in it."""
    if not markdown:
        return table(header, rows)
    return table(header, [[escaped(cell) for cell in row] for row in rows], markdown=True)
