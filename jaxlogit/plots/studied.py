"""What the pictures of a study share: the rows to draw, their places, and looks of methods."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.checks import nearest
from jaxlogit.plots import paper
from jaxlogit.plots.paper import LOOKS, SMALL, Look
from jaxlogit.rows import Row, levels, short, summary_rows

SLOT = 0.155  # inches of one method, so that the words beside it do not touch the next
GAP = 0.7  # slots between groups of methods
FRAME = 0.75  # inches for the axis and its label
WIDTH = 6.4
BAR_Z = 1.959963984540054  # Monte Carlo intervals are at 95 % whatever the level studied

# Kinds of interval beside those of a fit: told apart by marker first, nine colours are too many.
KINDS = LOOKS | {
    "normal": Look("normal", "#8A6100", "-", "P"),
    "basic": Look("basic", "#3A84B8", (0, (5, 2)), "v"),
    "percentile": Look("percentile", "#4D4D4D", (0, (5, 1.5, 1, 1.5)), "<"),
    "studentized": Look("studentized", "#7A7A7A", (0, (1, 1.2)), ">"),
    "bca": Look("BCa", "#A6324A", "-", "X"),
}
OTHER = Look("", "#4D4D4D", "-", "*")


class Chosen(NamedTuple):
    """The rows of a study's table that a picture shows."""

    rows: list[Row]
    cells: list[str]
    methods: list[str]
    terms: list[str]
    level: float


class Layout(NamedTuple):
    """Where the rows go: heights in slots from the top."""

    places: list[tuple[float, Row]]
    ticks: list[tuple[float, str]]
    heads: list[tuple[float, str]]
    bottom: float


def look_of(method: str) -> tuple[Look, str]:
    """How a method is drawn, and what fills its marker: penalised estimators are hollow."""
    estimator, _, kind = method.partition(":")
    look = KINDS.get(kind, OTHER)
    return look, "white" if "firth" in estimator else look.color


def chosen(
    result: Any, cells: Any = None, methods: Any = None, terms: Any = None, level: Any = None
) -> Chosen:
    """Checked: a study's result, and what of it to show; all that it has by default."""
    check_result(result)
    record = result.record
    has = [cell.label for cell in record.cells]
    names = list(dict.fromkeys(name for cell in record.cells for name in cell.names))
    cells, terms = some("cells", cells, has), some("terms", terms, names)
    methods = some("methods", methods, list(record.methods))
    level = one_level(record, level)
    rows = [
        row for row in summary_rows(result)
        if row["cell"] in cells and row["method"] in methods and row["term"] in terms
        and abs(row["level"] - level) < 1e-9
    ]  # fmt: skip
    return Chosen(rows, cells, methods, terms, level)


def check_result(result: Any) -> None:
    """Whether this is what a study's run gives."""
    if not (hasattr(result, "record") and hasattr(result, "summary")):
        raise TypeError(f"result must be a StudyResult: found {type(result).__name__}")


def some(name: str, given: Any, has: Sequence[str]) -> list[str]:
    """Those named, in the order of the study; all of them by default."""
    wanted = list(has) if given is None else [given] if isinstance(given, str) else list(given)
    if not wanted:
        raise ValueError(f"{name} must name at least one: found none")
    for one in wanted:
        if one not in has:
            raise ValueError(f"{name} must be among {', '.join(has)}: found {one!r}"
                             f"{nearest(str(one), has)}")  # fmt: skip
    return [one for one in has if one in wanted]


def only(name: str, given: Any, has: Sequence[str]) -> str:
    """The one named, or the only one that there is."""
    if given is None and len(has) > 1:
        raise ValueError(f"{name} must name one of {', '.join(has)}: found none")
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{name} must be a name: found {given!r}")
    return some(name, given, has)[0]


def one_level(record: Any, level: Any) -> float:
    """The level named, or the study's first."""
    has = levels(record)
    if level is None:
        return has[0]
    for known in has:
        if abs(known - level) < 1e-9:
            return known
    raise ValueError(f"level must be among {', '.join(map(str, has))}: found {level!r}")


def arrange(shown: Chosen) -> Layout:
    """Methods beneath each other, grouped by cell and term."""
    places, ticks, heads, height = [], [], [], 0.0
    for cell in shown.cells:
        if len(shown.cells) > 1:  # names of cells are long: above, not beside
            heads.append((height, cell))
            height += 1 + 0.4 * GAP
        for term in shown.terms:
            group = [r for r in shown.rows if r["cell"] == cell and r["term"] == term]
            if not group:  # cells may differ in their terms
                continue
            if len(shown.cells) == 1 or len(shown.terms) > 1:
                ticks.append((height + 0.5 * (len(group) - 1), short(term, 30)))
            places += [(height + i, row) for i, row in enumerate(group)]
            height += len(group) + GAP
        height += 0.5 * GAP if heads else 0.0
    return Layout(places, ticks, heads, height - GAP * (1.5 if heads else 1))


def rows_axes(ax: Any, layout: Layout) -> Axes:
    """Axes with the groups named on the left, as high as they need where they are new."""
    ax = paper.axes(ax, (WIDTH, FRAME + SLOT * (layout.bottom + 1)))
    ax.set_ylim(layout.bottom - 0.2, -0.8)
    ax.set_yticks([at for at, _ in layout.ticks], [label for _, label in layout.ticks])
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    ax.tick_params(axis="x", labelsize=SMALL)
    ax.spines["left"].set_visible(False)
    for at, label in layout.heads:
        ax.text(0.0, at, label, fontsize=SMALL, fontweight="bold", va="center", gid="cell",
                transform=ax.get_yaxis_transform())  # fmt: skip
    return ax


def beside(ax: Axes, height: float, words: str, color: str) -> None:
    """Words at the right edge, in the colour of what they are about."""
    ax.text(1.015, height, words, fontsize=SMALL, va="center", color=color, gid="beside",
            transform=ax.get_yaxis_transform())  # fmt: skip


def label_of(method: str, shown: Chosen, words: str) -> str:
    """A method's figures with its name, where there is more than one."""
    return f"{method} {words}" if len(shown.methods) > 1 else words


def only_one(shown: Chosen) -> str:
    """For an axis label, a line of its own: the term and the method that the rows do not name."""
    named = [shown.terms[0]] if len(shown.cells) > 1 and len(shown.terms) == 1 else []
    named += [shown.methods[0]] if len(shown.methods) == 1 else []
    return f"\n{', '.join(short(name, 30) for name in named)}" if named else ""


def share_words(value: float) -> str:
    """A share in per cent with the digits that a study of thousands can tell."""
    if np.isnan(value):
        return "none"
    percent = 100 * value
    if 0 < percent < 0.05:
        return "< 0.1 %"
    return f"{percent:.1f} %"
