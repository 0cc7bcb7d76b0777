"""Coverage by cell, term and method with its Monte Carlo error; which side intervals miss on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from jaxlogit.plots import paper, studied
from jaxlogit.plots.paper import GUIDE, SMALL
from jaxlogit.plots.studied import BAR_Z, arrange, beside, chosen, look_of, rows_axes
from jaxlogit.rows import Row, undefined
from jaxlogit.text import share

Names = str | Sequence[str] | None


def coverage(
    result: Any,
    terms: Names = None,
    methods: Names = None,
    cells: Names = None,
    level: float | None = None,
    exact: Any = None,
    ax: Any = None,
) -> Axes:
    """Draw coverage with its Monte Carlo interval for every cell, term and method.

    Parameters
    ----------
    result : StudyResult
    terms, methods, cells : str or sequence of str, optional
        Which to show; all by default.
    level : float, optional
        Of the intervals, where a study has several; its first by default.
    exact : DataFrame, optional
        Coverages without Monte Carlo error: columns `cell`, `method`, `term`, `coverage`, and
        `level` where there are several.
    ax : matplotlib Axes, optional
        Those of a new Figure, as high as there are rows, by default.

    Returns
    -------
    Axes
        A dot and Wilson's 95 % interval for each, over the replicates in which the method is
        defined. Where there are others, a pale line leads from the coverage that counts them as
        misses to the one that counts them as hits.

    Raises
    ------
    ValueError, TypeError
        An unknown name or level, missing columns of `exact`; not a StudyResult, not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, X=[[1, 0], [1, 1]],
    ...                  trials=[40, 40], truth=[-1.0, 0.5])
    >>> ax = jl.plots.coverage(study.run(progress=False), terms="x1")
    >>> ax.get_xlabel()
    'coverage of 95 % intervals, with 95 % Monte Carlo intervals'
    """
    shown = chosen(result, cells, methods, terms, level)
    truths = _exact_rows(exact, shown.level)
    layout = arrange(shown)
    ax = rows_axes(ax, layout)
    ax.set_xlim(_limits(shown, truths))
    ax.axvline(shown.level, **GUIDE)
    for height, row in layout.places:
        _draw(ax, height, row, shown)
        place = row["cell"], row["method"], row["term"]
        if place in truths:
            ax.plot([truths[place]], [height], "|", color="black", markersize=9,
                    markeredgewidth=1.6, gid="exact", zorder=4)  # fmt: skip
    words = f"coverage of {paper.percent(shown.level)} intervals, with 95 % Monte Carlo intervals"
    ticks = "\nthick ticks: exact" if truths else ""
    ax.set_xlabel(words + studied.only_one(shown) + ticks, fontsize=SMALL)
    return ax


def _exact_rows(exact: Any, level: float) -> dict[tuple[str, str, str], float]:
    if exact is None:
        return {}
    columns = ("cell", "method", "term", "coverage")
    if not hasattr(exact, "columns"):
        raise TypeError(f"exact must be a data frame: found {type(exact).__name__}")
    missing = [name for name in columns if name not in exact.columns]
    if missing:
        raise ValueError(f"exact must have the columns {', '.join(columns)}: "
                         f"{', '.join(missing)} missing")  # fmt: skip
    rows = [r for r in exact.to_dict("records") if abs(r.get("level", level) - level) < 1e-9]
    return {(r["cell"], r["method"], r["term"]): float(r["coverage"]) for r in rows}


def _limits(shown: studied.Chosen, truths: dict) -> tuple[float, float]:
    """Every Monte Carlo interval and the level itself; the bounds may lead out."""
    drawn = {(r["cell"], r["method"], r["term"]) for r in shown.rows}
    values = [shown.level, *(truths[place] for place in truths if place in drawn)]
    for row in shown.rows:
        values += [row["coverage_wilson_low"], row["coverage_wilson_high"]]
    low, high = np.nanmin(values), np.nanmax(values)
    margin = max(0.04 * (high - low), 0.002)
    return float(low - margin), float(min(high + margin, 1.0 + margin))


def _draw(ax: Axes, height: float, row: Row, shown: studied.Chosen) -> None:
    look, fill = look_of(row["method"])
    if row["coverage_n"] == 0:
        words = "undefined" if row["n_replicates"] else "not run"
        beside(ax, height, studied.label_of(row["method"], shown, words), look.color)
        return
    if undefined(row):
        bounds = [row["coverage_undefined_miss"], row["coverage_undefined_cover"]]
        ax.plot(bounds, [height] * 2, color=look.color, alpha=0.35, linewidth=3.0,
                solid_capstyle="butt", gid="bounds")  # fmt: skip
    ends = [row["coverage_wilson_low"], row["coverage_wilson_high"]]
    ax.plot(ends, [height] * 2, color=look.color, linewidth=1.2, gid="bar")
    ax.plot([row["coverage"]], [height], look.marker, color=look.color, markerfacecolor=fill,
            markersize=4.5, gid="coverage", zorder=3)  # fmt: skip
    words = share(row["coverage"])
    if undefined(row):
        words += f" of {studied.share_words(row['coverage_n'] / row['n_replicates'])}"
    beside(ax, height, studied.label_of(row["method"], shown, words), look.color)


def misses(
    result: Any,
    terms: Names = None,
    methods: Names = None,
    cells: Names = None,
    level: float | None = None,
    ax: Any = None,
) -> Axes:
    """Draw how often the truth lies below and above the interval, to both sides of zero.

    Parameters
    ----------
    result : StudyResult
    terms, methods, cells : str or sequence of str, optional
        Which to show; all by default.
    level : float, optional
        Of the intervals, where a study has several; its first by default.
    ax : matplotlib Axes, optional
        Those of a new Figure, as high as there are rows, by default.

    Returns
    -------
    Axes
        Per cent of the defined intervals, with 95 % Monte Carlo intervals. Dotted lines show half
        of one minus the level on each side: where the bars of a method that misses both ways
        alike would end.

    Raises
    ------
    ValueError, TypeError
        An unknown name or level; not a StudyResult, not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, X=[[1, 0], [1, 1]],
    ...                  trials=[40, 40], truth=[-1.0, 0.5])
    >>> ax = jl.plots.misses(study.run(progress=False), methods="ml:lr")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['x0', 'x1']
    """
    shown = chosen(result, cells, methods, terms, level)
    layout = arrange(shown)
    ax = rows_axes(ax, layout)
    half = 50 * (1 - shown.level)
    reach = half
    for height, row in layout.places:
        look, fill = look_of(row["method"])
        hollow = fill != look.color
        both = [(side, 100 * row[name], 100 * BAR_Z * row[f"{name}_mcse"])
                for side, name in ((-1, "missed_low"), (1, "missed_high"))]  # fmt: skip
        if row["coverage_n"] == 0:
            words = "undefined" if row["n_replicates"] else "not run"
            beside(ax, height, studied.label_of(row["method"], shown, words), look.color)
            continue
        for side, value, error in both:
            ax.barh(height, side * value, 0.66, facecolor="white" if hollow else look.color,
                    edgecolor=look.color, alpha=0.75, gid="miss")  # fmt: skip
            ends = [side * max(value - error, 0.0), side * (value + error)]
            ax.plot(ends, [height] * 2, color="black", linewidth=0.8, gid="bar")
            reach = max(reach, value + error)
        words = " | ".join(f"{value:.2f}" for _, value, _ in both)
        beside(ax, height, studied.label_of(row["method"], shown, words), look.color)
    ax.set_xlim(-1.05 * reach, 1.05 * reach)
    ax.axvline(0.0, color="black", linewidth=0.8)
    for side in (-half, half):
        ax.axvline(side, **GUIDE)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    words = f"% of {paper.percent(shown.level)} intervals"
    words = f"truth below the interval  ←  {words}  →  truth above it{studied.only_one(shown)}"
    ax.set_xlabel(words, fontsize=SMALL)
    return ax
