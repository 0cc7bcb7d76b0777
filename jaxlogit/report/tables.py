"""The tables of a study as words, for text, Markdown and a page alike."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxlogit.core.status import Status
from jaxlogit.rows import Row, by_term, levels, significances, summary_rows, undefined, with_level
from jaxlogit.text import number, plain, share

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult

USUAL_STATUSES = {
    "converged": "converged",
    "infinite": "infinite",
    "separated_quasi": "separated: quasi",
    "separated_complete": "complete",
    "no_bound_found": "no bound",
}
"""Always shown; any other status has a column of its own once it occurs."""


class Tabled(NamedTuple):
    """A table, its title, and what must be said of it first.

    `once` names columns whose text stands for the rows below too, as long as it is the same.
    """

    title: str
    notes: list[str]
    header: list[str]
    rows: list[list[str]]
    once: tuple[str, ...] = ()


def coverage(result: "StudyResult") -> Tabled:
    """Coverage, misses, rejections and widths."""
    rows, record = by_term(summary_rows(result)), result.record
    place = _place_header(rows)
    header = [*place, "term", "truth", "method", "coverage", "low", "high", "rejects", "width"]
    notes = [
        "low, high: the truth lies below, above the interval; "
        f"rejects: {record.null:g} at p <= {significances(record)}"
    ]
    if record.bootstrap is not None:
        notes.append(f"bootstrap methods reject {record.null:g} outside their interval")
    if any(undefined(r) for r in rows):
        notes.append("over the replicates on which the method is defined; see the next table")
    lines = [
        [
            *_place(r, place), r["term"], plain(r["truth"]), r["method"],
            share(r["coverage"], r["coverage_mcse"]), share(r["missed_low"]),
            share(r["missed_high"]), share(r["rejection"], r["rejection_mcse"]), plain(r["width"]),
        ]
        for r in rows
    ]  # fmt: skip
    which = " and ".join(f"{100 * level:g} %" for level in levels(record))
    title = f"Coverage of {which} intervals (Monte Carlo standard error)"
    return Tabled(title, notes, header, lines, once=("term", "truth"))


def extremes(result: "StudyResult") -> Tabled | None:
    """What undefined and infinite intervals do to coverage and width; None without them."""
    odd = [r for r in by_term(summary_rows(result)) if undefined(r) or r["width_infinite"] > 0]
    if not odd:
        return None
    place = _place_header(summary_rows(result))
    header = [*place, "term", "method", "undefined", "if miss", "if cover", "infinite"]
    header += ["median width"]
    rows = [
        [
            *_place(r, place), r["term"], r["method"], f"{undefined(r):,}",
            share(r["coverage_undefined_miss"]), share(r["coverage_undefined_cover"]),
            share(r["width_infinite"]), plain(r["width_median"]),
        ]
        for r in odd
    ]  # fmt: skip
    note = ("undefined: replicates, and coverage if they miss, if they cover; "
            "infinite: share of the others")  # fmt: skip
    return Tabled("Undefined and infinite intervals", [note], header, rows)


def limits(result: "StudyResult") -> Tabled | None:
    """Coverage with infinitely many bootstrap replicates; None without bootstrap methods."""
    settings = result.record.bootstrap
    if settings is None:
        return None
    summary = by_term(summary_rows(result))
    place = _place_header(summary)
    rows = [
        [
            *_place(r, place), r["term"], r["method"],
            share(r["coverage"], r["coverage_mcse"]),
            share(r["coverage_limit"], r["coverage_limit_mcse"]),
        ]
        for r in summary
        if "bootstrap:" in r["method"]
    ]  # fmt: skip
    title = (f"Coverage with {settings.replicates:,} bootstrap replicates ({settings.scheme}) of "
             "each data set")  # fmt: skip
    note = "limit: with infinitely many, extrapolated from subsets of them"
    header = [*place, "term", "method", f"with {settings.replicates:,}", "limit"]
    return Tabled(title, [note], header, rows)


def estimates(result: "StudyResult") -> Tabled:
    """Bias and standard errors, a row for each estimator."""
    # Methods that share an estimator share its estimates, at every level: one row for them all.
    first: dict[tuple[str, ...], Row] = {}
    for r in by_term(summary_rows(result)):
        first.setdefault((r["cell"], r["term"], r["method"].partition(":")[0]), r)
    some_infinite = any(r["bias_n"] < r["n_replicates"] for r in first.values())
    estimators = list(dict.fromkeys(estimator for *_, estimator in first))
    several = len(estimators) > 1
    measures = ("bias", "empirical_se", "model_se", "model_se_error")
    place = [name for name in _place_header(summary_rows(result)) if name == "cell"]
    header = [*place, "term", *(["estimator"] if several else [])]
    header += ["bias", "empirical SE", "model SE", "its error %"]
    header += ["not finite"] if some_infinite else []
    rows = []
    for (_, term, estimator), r in first.items():
        row = [*_place(r, place), term, *([estimator] if several else [])]
        row += [number(r[name], r[f"{name}_mcse"]) for name in measures]
        rows.append([*row, *([f"{r['n_replicates'] - r['bias_n']:,}"] if some_infinite else [])])
    given = ", over the replicates with a finite estimate" if some_infinite else ""
    title = f"Estimates by {', '.join(estimators)}{given} (Monte Carlo standard error)"
    return Tabled(title, [], header, rows)


def statuses(result: "StudyResult") -> Tabled:
    """Counts of statuses; terms that agree in all of them share a row."""
    counts = with_level(result.statuses(), result.record)
    names = [status.name.lower() for status in Status]
    unusual = [n for n in names if n not in USUAL_STATUSES and any(r[n] for r in counts)]
    shown = [*USUAL_STATUSES, *unusual]
    place = _place_header(counts)
    header = [*place, "method", "term"]
    header += [USUAL_STATUSES.get(name, name.replace("_", " ")) for name in shown]
    rows = []
    for _, group in groupby(counts, key=lambda r: (r["cell"], r["method"], r["level"])):
        alike: dict[tuple[int, ...], list[Row]] = {}
        for r in group:
            alike.setdefault(tuple(r[name] for name in shown), []).append(r)
        for found, same in alike.items():
            term = same[0]["term"] if len(same) == 1 else f"each of {len(same)}"
            row = [*_place(same[0], place), same[0]["method"], term]
            rows.append([*row, *(f"{count:,}" for count in found)])
    return Tabled("Statuses (counts of replicates)", [], header, rows)


def differences(result: "StudyResult") -> Tabled | None:
    """Paired differences between methods; None where there is one method only."""
    found = with_level(result.differences(), result.record)
    if not found:
        return None
    shown = {"coverage": "coverage", "rejection": "rejects", "width": "width"}
    place = _place_header(found)
    header = [*place, "term", "difference", *shown.values(), "common n"]
    estimators = {r[side].partition(":")[0] for r in found for side in ("first", "second")}
    rows = []
    for _, group in groupby(
        found, lambda r: (r["cell"], r["level"], r["first"], r["second"], r["term"])
    ):
        by_measure = {r["measure"]: r for r in group}
        r = by_measure["coverage"]
        # One estimator throughout need not be repeated in every name.
        pair = [
            m.partition(":")[2] if len(estimators) == 1 else m for m in (r["first"], r["second"])
        ]
        row = [*_place(r, place), r["term"], " - ".join(pair)]
        row += [number(by_measure[name]["value"], by_measure[name]["mcse"]) for name in shown]
        mark = "*" if any(by_measure[name]["sets_differ"] for name in shown) else ""
        rows.append([*row, f"{r['n_common']:,}{mark}"])
    title = "Differences on the same data sets (paired Monte Carlo standard error)"
    note = "* defined on different data sets: differs from the methods' own coverages"
    return Tabled(title, [note] if any(row[-1].endswith("*") for row in rows) else [], header, rows)


def _place_header(rows: Sequence[Row]) -> list[str]:
    """Columns for cell and level, where there is more than one."""
    return [name for name in ("cell", "level") if len({r[name] for r in rows}) > 1]


def _place(row: Row, header: Sequence[str]) -> list[str]:
    words: dict[str, Any] = {"cell": row["cell"], "level": f"{100 * row['level']:g} %"}
    return [words[name] for name in header]
