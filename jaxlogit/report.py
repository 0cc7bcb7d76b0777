"""Text tables for a terminal of 100 columns, or as Markdown; the tables of a study."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jaxlogit.core.status import Status

if TYPE_CHECKING:
    from jaxlogit.study import Replay, StudyResult

Rows = list[dict[str, Any]]
"""A data frame as records."""

USUAL_STATUSES = {
    "converged": "converged",
    "infinite": "infinite",
    "separated_quasi": "separated: quasi",
    "separated_complete": "complete",
    "no_bound_found": "no bound",
}
"""Always shown; any other status has a column of its own once it occurs."""


def study_text(result: "StudyResult", *, differences: bool = False, markdown: bool = False) -> str:
    """The study's settings and tables: coverage, estimates, statuses.

    Parameters
    ----------
    result : StudyResult
    differences : bool
        Add the paired differences between methods.
    markdown : bool
        Markdown tables instead of aligned columns.

    Returns
    -------
    str
        Errors in parentheses are Monte Carlo standard errors.
    """
    summary = _by_term(result.summary().to_dict("records"))
    statuses = result.statuses().to_dict("records")
    blocks = [_heading(result), _coverage(summary, result, markdown), _extremes(summary, markdown)]
    blocks += [
        _limits(summary, result, markdown),
        _estimates(summary, markdown),
        _statuses(statuses, markdown),
    ]
    if differences:
        blocks.append(_differences(result.differences().to_dict("records"), markdown))
    return "\n\n".join(block for block in blocks if block) + "\n"


def replay_text(replay: "Replay", markdown: bool = False) -> str:
    """One data set's estimates, intervals and statuses."""
    numbers = ("estimate", "std_error", "lower", "upper")
    header = ["term", "truth", "method", *numbers, "p", "status"]
    rows = []
    for r in replay.table.to_dict("records"):
        row = [_term(r["term"], markdown), _plain(r["truth"]), r["method"]]
        rows.append([*row, *(_plain(r[name]) for name in numbers), _p(r["p_value"]), r["status"]])
    counts = f"{replay.y.size} rows, {replay.y.sum():,.0f} successes"
    title = f"Cell {replay.cell}, replicate {replay.replicate}: {counts}"
    return f"{title}\n\n{table(header, rows, markdown)}\n"


def status_text(result: "StudyResult") -> str:
    """What a store holds, by cell and method, and what it was made with."""
    record = result.record
    rows = []
    for cell in record.cells:
        done = result.settled(cell.label)
        for method in record.methods:
            held = result.n_replicates(cell.label, method)
            left = 0 if done else max(record.replicates - held, 0)
            which = result.which(cell.label, method)
            rows.append([cell.label, method, f"{held:,}", f"{left:,}", which])
    size = sum(part.path.stat().st_size for part in result.parts)
    made = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    random = record.random
    header = ["cell", "method", "replicates", "left", "which"]
    if not any(row[-1] for row in rows):  # all of them from 0 on
        header, rows = header[:-1], [row[:-1] for row in rows]
    lines = [
        f"Study {record.name} in {result.store}: seed {record.seed}, "
        f"{record.replicates:,} replicates asked for",
        f"{len(result.parts)} parts, {size / 1e6:.1f} MB, {len(result.damaged)} damaged",
        f"made with {made}",
        f"random numbers {random['implementation']}, "
        f"threefry_partitionable {random['threefry_partitionable']}",
        "",
        table(header, rows),
    ]
    return "\n".join(lines) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool = False) -> str:
    """Columns under their headings; those whose every cell starts like a number to the right.

    Examples
    --------
    >>> print(table(["term", "coverage"], [["age", ".9501 (.0007)"], ["x", "n/a"]]))
    term       coverage
    -------------------
    age   .9501 (.0007)
    x               n/a
    """
    columns = list(zip(header, *rows, strict=True))
    numeric = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
    rule = "-" * max(len(line) for line in lines)
    if markdown:
        ends = (":" if right else "-" for right in numeric)
        dashes = ("-" * (w - 1) + end for w, end in zip(widths, ends, strict=True))
        rule = "| " + " | ".join(dashes) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def _heading(result: "StudyResult") -> str:
    record = result.record
    lines = [f"Study {record.name}, seed {record.seed}"]
    source = record.source
    if source.get("formula"):
        truth = "its maximum-likelihood estimate" if source["truth"] == "mle" else "given"
        lines.append(f"{source['formula']}   (data {source['data'] or 'given'}, truth {truth})")
    for cell in record.cells:
        held = {method: result.n_replicates(cell.label, method) for method in record.methods}
        text = f"{max(held.values()):,}"
        if len(set(held.values())) > 1:
            text = ", ".join(f"{n:,} ({method})" for method, n in held.items())
        shape = f"{cell.X.shape[0]:,} rows, {len(cell.names)} coefficients"
        if cell.n_dropped:
            shape += f" ({cell.n_dropped:,} rows with missing values left out)"
        done = ""
        if record.precision is not None and result.settled(cell.label):
            done = f" (done: every coverage's error is below {record.precision.target_mcse:g})"
        lines.append(f"Cell {cell.label}: {text} replicates{done}, {shape}")
    if result.damaged:
        lines.append(f"{len(result.damaged)} damaged parts are left out: run the study again")
    return "\n".join(lines)


def _coverage(summary: Rows, result: "StudyResult", markdown: bool) -> str:
    header = [*_cell_header(summary), "term", "truth", "method", "coverage", "low", "high"]
    header += ["rejects", "width"]
    rows, previous = [], None
    for r in summary:
        place = [_term(r["term"], markdown), _plain(r["truth"])]
        if (r["cell"], r["term"]) == previous:  # said on the line above
            place = ["", ""]
        previous = r["cell"], r["term"]
        row = [*_cell(r, header), *place, r["method"]]
        row += [_share(r["coverage"], r["coverage_mcse"])]
        row += [_share(r["missed_low"]), _share(r["missed_high"])]
        rows.append([*row, _share(r["rejection"], r["rejection_mcse"]), _plain(r["width"])])
    record = result.record
    lines = [
        f"Coverage of {100 * record.level:g} % intervals (Monte Carlo standard error)",
        "low, high: the truth lies below, above the interval; "
        f"rejects: {record.null:g} at p <= {record.significance:g}",
    ]
    if record.bootstrap is not None:
        lines.append(f"bootstrap methods reject {record.null:g} outside their interval")
    if any(r["coverage_n"] < r["n_replicates"] for r in summary):
        lines.append("over the replicates on which the method is defined; see the next table")
    return "\n".join([*lines, "", table(header, rows, markdown)])


def _extremes(summary: Rows, markdown: bool) -> str:
    """What undefined and infinite intervals do to coverage and width; empty if there are none."""
    odd = [r for r in summary if r["coverage_n"] < r["n_replicates"] or r["width_infinite"] > 0]
    if not odd:
        return ""
    header = [*_cell_header(summary), "term", "method", "undefined", "if miss", "if cover"]
    header += ["infinite", "median width"]
    rows = []
    for r in odd:
        row = [*_cell(r, header), _term(r["term"], markdown), r["method"]]
        row += [f"{r['n_replicates'] - r['coverage_n']:,}", _share(r["coverage_undefined_miss"])]
        row += [_share(r["coverage_undefined_cover"]), _share(r["width_infinite"])]
        rows.append([*row, _plain(r["width_median"])])
    lines = [
        "Undefined and infinite intervals",
        "undefined: replicates, and coverage if they miss, if they cover; "
        "infinite: share of the others",
    ]
    return "\n".join([*lines, "", table(header, rows, markdown)])


def _limits(summary: Rows, result: "StudyResult", markdown: bool) -> str:
    """Coverage with infinitely many bootstrap replicates; empty without bootstrap methods."""
    settings = result.record.bootstrap
    if settings is None:
        return ""
    header = [*_cell_header(summary), "term", "method", f"with {settings.replicates:,}", "limit"]
    rows = [
        [
            *_cell(r, header), _term(r["term"], markdown), r["method"],
            _share(r["coverage"], r["coverage_mcse"]),
            _share(r["coverage_limit"], r["coverage_limit_mcse"]),
        ]
        for r in summary
        if "bootstrap:" in r["method"]
    ]  # fmt: skip
    lines = [
        f"Coverage with {settings.replicates:,} bootstrap replicates ({settings.scheme}) of each "
        "data set",
        "limit: with infinitely many, extrapolated from subsets of them",
    ]
    return "\n".join([*lines, "", table(header, rows, markdown)])


def _estimates(summary: Rows, markdown: bool) -> str:
    # Methods that share an estimator share its estimates: one row for them all.
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    for r in summary:
        first.setdefault((r["cell"], r["term"], r["method"].partition(":")[0]), r)
    some_infinite = any(r["bias_n"] < r["n_replicates"] for r in first.values())
    estimators = list(dict.fromkeys(estimator for *_, estimator in first))
    several = len(estimators) > 1
    measures = ("bias", "empirical_se", "model_se", "model_se_error")
    header = [*_cell_header(summary), "term", *(["estimator"] if several else [])]
    header += ["bias", "empirical SE", "model SE", "its error %"]
    header += ["not finite"] if some_infinite else []
    rows = []
    for (_, term, estimator), r in first.items():
        row = [*_cell(r, header), _term(term, markdown), *([estimator] if several else [])]
        row += [_number(r[name], r[f"{name}_mcse"]) for name in measures]
        rows.append([*row, *([f"{r['n_replicates'] - r['bias_n']:,}"] if some_infinite else [])])
    given = ", over the replicates with a finite estimate" if some_infinite else ""
    title = f"Estimates by {', '.join(estimators)}{given} (Monte Carlo standard error)"
    return f"{title}\n\n{table(header, rows, markdown)}"


def _statuses(statuses: Rows, markdown: bool) -> str:
    names = [status.name.lower() for status in Status]
    unusual = [n for n in names if n not in USUAL_STATUSES and any(r[n] for r in statuses)]
    shown = [*USUAL_STATUSES, *unusual]
    header = [*_cell_header(statuses), "method", "term"]
    header += [USUAL_STATUSES.get(name, name.replace("_", " ")) for name in shown]
    rows = []
    for _, group in groupby(statuses, key=lambda r: (r["cell"], r["method"])):
        alike: dict[tuple[int, ...], Rows] = {}
        for r in group:
            alike.setdefault(tuple(r[name] for name in shown), []).append(r)
        for counts, same in alike.items():
            term = _term(same[0]["term"], markdown) if len(same) == 1 else f"each of {len(same)}"
            place = [*_cell(same[0], header), same[0]["method"], term]
            rows.append([*place, *(f"{count:,}" for count in counts)])
    return f"Statuses (counts of replicates)\n\n{table(header, rows, markdown)}"


def _differences(differences: Rows, markdown: bool) -> str:
    if not differences:
        return "Differences: there is one method only"
    shown = {"coverage": "coverage", "rejection": "rejects", "width": "width"}
    header = [*_cell_header(differences), "term", "difference", *shown.values(), "common n"]
    estimators = {r[place].partition(":")[0] for r in differences for place in ("first", "second")}
    rows = []
    for _, group in groupby(differences, lambda r: (r["cell"], r["first"], r["second"], r["term"])):
        found = {r["measure"]: r for r in group}
        r = found["coverage"]
        # One estimator throughout need not be repeated in every name.
        pair = [
            m.partition(":")[2] if len(estimators) == 1 else m for m in (r["first"], r["second"])
        ]
        row = [*_cell(r, header), _term(r["term"], markdown), " - ".join(pair)]
        row += [_number(found[name]["value"], found[name]["mcse"]) for name in shown]
        mark = "*" if any(found[name]["sets_differ"] for name in shown) else ""
        rows.append([*row, f"{r['n']:,}{mark}"])
    lines = ["Differences on the same data sets (paired Monte Carlo standard error)"]
    if any(row[-1].endswith("*") for row in rows):
        lines.append("* defined on different data sets: differs from the methods' own coverages")
    return "\n".join([*lines, "", table(header, rows, markdown)])


def _by_term(rows: Rows) -> Rows:
    """Rows of one term together, in the order in which cells and terms first appear."""
    cells, terms = (list(dict.fromkeys(r[key] for r in rows)) for key in ("cell", "term"))
    return sorted(rows, key=lambda r: (cells.index(r["cell"]), terms.index(r["term"])))


def _cell_header(rows: Rows) -> list[str]:
    """A column for the cell, where there is more than one."""
    return ["cell"] if len({r["cell"] for r in rows}) > 1 else []


def _cell(row: dict[str, Any], header: Sequence[str]) -> list[str]:
    return [row["cell"]] if "cell" in header else []


def _term(name: str, markdown: bool) -> str:
    """A term's name, its middle left out where it would take the line's width."""
    return name if markdown or len(name) <= 24 else f"{name[:11]}…{name[-12:]}"


def _is_number(cell: str) -> bool:
    text = cell.lstrip("-.")
    return text == "" or text[0].isdigit() or text.startswith(("inf", "nan", "n/a"))


def _share(value: float, mcse: float | None = None) -> str:
    """A share as .9501 (.0007); n/a where there is nothing to divide."""
    if math.isnan(value):
        return "n/a"
    text = _bare(f"{value:.4f}")
    return text if mcse is None else f"{text} ({_bare(f'{mcse:.4f}')})"


def _bare(text: str) -> str:
    return text[1:] if text.startswith("0.") else text


def _number(value: float, mcse: float) -> str:
    """A value as precise as its error's first digit, or two where that is a 1: -0.012 (0.003)."""
    if math.isnan(value):
        return "n/a"
    if not mcse > 0 or math.isinf(value):
        return _plain(value)
    digits, _, exponent = f"{mcse:.1e}".partition("e")
    decimals = min(max(digits.startswith("1") - int(exponent), 0), 8)
    return f"{value:.{decimals}f} ({mcse:.{decimals}f})"


def _plain(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.3e}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"
