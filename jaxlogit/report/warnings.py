"""What a reader of a study's tables must know first, in sentences."""

from typing import TYPE_CHECKING

from jaxlogit.rows import Row, levels, summary_rows, undefined

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult

NOTABLE = 0.01
"""Share of undefined intervals from which a coverage is called conditional by name: one per cent
can move a coverage of 95 % by more than what separates methods."""


def warnings(result: "StudyResult") -> list[str]:
    """Sentences about undefined intervals, unequal replicates and damaged files.

    Parameters
    ----------
    result : StudyResult

    Returns
    -------
    list of str
        One sentence for each method that is undefined in more than 1 % of the replicates of a
        cell; one where methods are defined on different replicates; one where some methods
        have fewer replicates; one where methods were not run together and sums cannot compare
        them; one where parts are damaged. Empty where there is none. Methods
        that are undefined equally often are taken to be so on the same replicates; the paired
        differences know.

    Examples
    --------
    >>> from jaxlogit import Study
    >>> study = Study(name="dose", seed=1, replicates=200, methods=["ml:wald"],
    ...               X=[[1, 0], [1, 1]], trials=[8, 8], truth=[-2.0, 0.5])
    >>> study.run(progress=False).warnings()
    ['ml:wald is undefined in 55.0 % of the replicates: its coverage is conditional']
    """
    rows = summary_rows(result)
    several = len(result.record.cells) > 1
    found = [_undefined(method, rows, several) for method in result.record.methods]
    found += [_different(rows, several), _behind(result), _unpaired(result), _damaged(result)]
    return [sentence for sentence in found if sentence]


def _undefined(method: str, rows: list[Row], several: bool) -> str:
    mine = [r for r in rows if r["method"] == method and undefined(r) > NOTABLE * r["n_replicates"]]
    if not mine:
        return ""
    worst = max(mine, key=lambda r: undefined(r) / r["n_replicates"])
    share = f"{100 * undefined(worst) / worst['n_replicates']:.1f} %"
    cells = list(dict.fromkeys(r["cell"] for r in mine))
    n_cells = len({r["cell"] for r in rows})
    if not any(r["coverage_n"] for r in rows if r["method"] == method):
        return f"{method} is undefined in every replicate: it has no coverage"
    # Wald's are undefined for all terms of a separated data set or for some.
    same = {undefined(r) for r in rows if r["method"] == method and r["cell"] == worst["cell"]}
    of_term = "" if len(same) == 1 else f" for {worst['term']}"
    if len(cells) == 1:
        place = f" of cell {worst['cell']}" if several else ""
        most = "" if len(same) == 1 else "up to "
        return (f"{method} is undefined in {most}{share} of the replicates{place}{of_term}: "
                "its coverage is conditional")  # fmt: skip
    return (f"{method} is undefined in more than 1 % of the replicates of {len(cells)} of "
            f"{n_cells} cells, at most in {share} (cell {worst['cell']}{of_term}): "
            "its coverage there is conditional")  # fmt: skip


def _different(rows: list[Row], several: bool) -> str:
    """The place where the numbers of defined replicates differ most."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault((row["cell"], row["level"], row["term"]), []).append(row)
    apart = [g for g in groups.values() if len({undefined(r) for r in g}) > 1]
    if not apart:
        return ""
    group = max(apart, key=lambda g: max(map(undefined, g)) - min(map(undefined, g)))
    least, most = max(group, key=undefined), min(group, key=undefined)
    place = f" of cell {least['cell']}" if several else ""
    counts = f"{least['coverage_n']:,} and {most['coverage_n']:,} of {most['n_replicates']:,}"
    return (f"{least['method']} and {most['method']} are defined on different replicates{place} "
            f"({counts}): compare them by their paired differences")  # fmt: skip


def _behind(result: "StudyResult") -> str:
    record = result.record
    for cell in record.cells:
        held = {method: result.n_replicates(cell.label, method) for method in record.methods}
        few = min(held, key=lambda method: held[method])
        if held[few] < max(held.values()):
            return (f"{few} has {held[few]:,} of {max(held.values()):,} replicates in cell "
                    f"{cell.label}: run the study again to complete it")  # fmt: skip
    return ""


def _unpaired(result: "StudyResult") -> str:
    found = result.unpaired()
    if not found:
        return ""
    one, other, n, together = min(found, key=lambda pair: pair[3])
    more = f", and likewise {len(found) - 1} more pairs" if len(found) > 1 else ""
    if together:
        return (f"paired differences of {one} and {other} rest on the {together:,} of {n:,} "
                f"replicates of both that were run together{more}")  # fmt: skip
    return (f"{one} and {other} were not run together, and the store keeps sums: their paired "
            f"differences are not available{more}")  # fmt: skip


def _damaged(result: "StudyResult") -> str:
    n = len(result.damaged)
    if not n:
        return ""
    parts = "1 damaged part is" if n == 1 else f"{n} damaged parts are"
    return f"{parts} left out: run the study again to replace what was lost"


def several_levels(result: "StudyResult") -> bool:
    """Whether tables need a column for the level."""
    return len(levels(result.record)) > 1
