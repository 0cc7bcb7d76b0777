"""The tables of a study as text, for a terminal of 100 columns or as Markdown."""

import textwrap
from typing import TYPE_CHECKING

from jaxlogit.report import tables
from jaxlogit.report.tables import Tabled
from jaxlogit.report.warnings import warnings
from jaxlogit.report.words import markdown as escaped
from jaxlogit.rows import short
from jaxlogit.text import p_text, plain, table

if TYPE_CHECKING:
    from jaxlogit.study import Replay, StudyResult

COLUMNS = 100
"""Of a terminal."""


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
    notes = [escaped(note) if markdown else note for note in warnings(result)]
    blocks = [_heading(result, markdown), _written(tables.coverage(result), markdown)]
    blocks.append("\n".join(_wrapped(note, "- " if markdown else "") for note in notes))
    made = [tables.extremes(result), tables.limits(result), tables.estimates(result)]
    blocks += [_written(one, markdown) for one in (*made, tables.statuses(result)) if one]
    if differences:
        found = tables.differences(result)
        none = "Differences: there is one method only"
        if len(result.record.methods) > 1:
            none = "Differences: no two methods were run together"
        blocks.append(_written(found, markdown) if found else none)
    return "\n\n".join(block for block in blocks if block) + "\n"


def replay_text(replay: "Replay") -> str:
    """One data set's estimates, intervals and statuses."""
    numbers = ("estimate", "std_error", "lower", "upper")
    found = replay.table.to_dict("records")
    level = ["level"] if len({r["level"] for r in found}) > 1 else []
    header = ["term", "truth", "method", *level, *numbers, "p", "status"]
    rows = []
    for r in found:
        row = [short(r["term"]), plain(r["truth"]), r["method"]]
        row += [f"{100 * r['level']:g} %" for _ in level]
        row += [*(plain(r[name]) for name in numbers), p_text(r["p_value"])]
        rows.append([*row, r["status"]])
    counts = f"{replay.y.size} rows, {replay.y.sum():,.0f} successes"
    title = f"Cell {replay.cell}, replicate {replay.replicate}: {counts}"
    return f"{title}\n\n{table(header, rows)}\n"


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


def _heading(result: "StudyResult", markdown: bool) -> str:
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
        shape = f"{cell.n_rows:,} rows, {len(cell.names)} coefficients"
        if cell.n_dropped:
            shape += f" ({cell.n_dropped:,} rows with missing values left out)"
        done = ""
        if record.precision is not None and result.settled(cell.label):
            done = f" (done: every coverage's error is below {record.precision.target_mcse:g})"
        lines.append(f"Cell {cell.label}: {text} replicates{done}, {shape}")
    if result.damaged:
        lines.append(f"{len(result.damaged)} damaged parts are left out: run the study again")
    # Two spaces end a line in Markdown.
    return "  \n".join(map(escaped, lines)) if markdown else "\n".join(lines)


def _written(made: Tabled, markdown: bool) -> str:
    """Title, notes and table; what stands once is left out of the rows below."""
    shown = []
    for i, row in enumerate(made.rows):
        above = made.rows[i - 1] if i else None
        n = made.header.index(made.once[0]) if made.once else 0
        again = above is not None and bool(made.once) and row[: n + 1] == above[: n + 1]
        shown.append([
            "" if again and name in made.once else _cell(name, cell, markdown)
            for name, cell in zip(made.header, row, strict=True)
        ])  # fmt: skip
    notes = [escaped(line) if markdown else line for line in (made.title, *made.notes)]
    return "\n".join([*notes, "", table(made.header, shown, markdown)])


def _cell(name: str, text: str, markdown: bool) -> str:
    """A cell of a table; a term's middle is left out where it would take the line's width."""
    if markdown:
        return escaped(text)
    return short(text) if name == "term" else text


def _wrapped(note: str, mark: str) -> str:
    if mark:
        return mark + note
    return textwrap.fill(note, COLUMNS, subsequent_indent="  ", break_long_words=False)
