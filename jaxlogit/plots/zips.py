"""The zip plot: a method's intervals, ranked by how far the truth lies from the estimate."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from jaxlogit.plots import paper, studied
from jaxlogit.plots.paper import GUIDE, SMALL
from jaxlogit.rows import summary_rows

MOST = 500
"""Intervals drawn, at even steps of the rank: more lie on top of each other at paper size."""

COVERS, MISSES = "#7A9DB8", "#D55E00"
REACH = 0.02  # share of the finite ends beyond each edge of the picture


class Intervals(NamedTuple):
    """One method's defined intervals of one term, by rank from the smallest |z|."""

    lower: np.ndarray
    upper: np.ndarray
    covers: np.ndarray
    rank: np.ndarray
    """Shares in (0, 1)."""
    n_replicates: int


def zip_plot(
    result: Any,
    method: str | None = None,
    term: str | None = None,
    cell: str | None = None,
    level: float | None = None,
    top: float = 1.0,
    ax: Any = None,
) -> Axes:
    """Draw one method's intervals for a term, ranked by |z| of the truth.

    The interval that fits the truth best is at the bottom. Those that miss are at the top, above
    the line of the coverage; on which side they miss, and how the intervals of bad samples
    differ from those of good ones, is seen at a glance.

    Parameters
    ----------
    result : StudyResult
    method, term, cell : str, optional
        Needed where the study has more than one.
    level : float, optional
        Of the intervals, where a study has several; its first by default.
    top : float
        The share of the ranks to draw, in (0, 1]: 0.2 looks closer at the highest fifth.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        |z| is measured along the interval itself: the distance from estimate to truth as a share
        of that from estimate to end. For a Wald interval this is the usual |z|, up to a factor;
        for any other the interval misses exactly where it exceeds 1 too. Intervals with an
        infinite estimate, whose share is 1, are ranked by their finite end. Dashed lines are the
        95 % Monte Carlo (Wilson) interval of the coverage.

    Raises
    ------
    ValueError, TypeError
        An unknown name or level, one that must be given, `top` outside (0, 1], a method that is
        defined nowhere; not a StudyResult, not Axes.

    References
    ----------
    Morris TP, White IR, Crowther MJ (2019). Using simulation studies to evaluate statistical
    methods. Statistics in Medicine 38:2074-2102, section 5. doi:10.1002/sim.8086

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, X=[[1, 0], [1, 1]],
    ...                  trials=[40, 40], truth=[-1.0, 0.5])
    >>> ax = jl.plots.zip_plot(study.run(progress=False), "ml:lr", "x1")
    >>> ax.get_ylabel()
    'rank of |z| (%)'
    """
    studied.check_result(result)
    if not 0 < top <= 1:
        raise ValueError(f"top must lie in (0, 1]: found {top!r}")
    record = result.record
    cell = studied.only("cell", cell, [one.label for one in record.cells])
    where = record.cell(cell)
    method = studied.only("method", method, list(record.methods))
    term = studied.only("term", term, list(where.names))
    level = studied.one_level(record, level)
    truth = float(where.truth[where.names.index(term)])
    shown = _ranked(result, cell, method, term, level, truth)
    row = next(r for r in summary_rows(result) if abs(r["level"] - level) < 1e-9
               and (r["cell"], r["method"], r["term"]) == (cell, method, term))  # fmt: skip
    ax = paper.axes(ax, (4.2, 4.2))
    _draw(ax, shown, top)
    ax.axvline(truth, color="black", linewidth=0.9, gid="truth")
    for share in (row["coverage_wilson_low"], row["coverage_wilson_high"]):
        ax.axhline(100 * share, **GUIDE | {"linestyle": "--", "color": "black"}, gid="wilson")
    ax.set_ylim(100 * (1 - top), 100)
    ax.locator_params(axis="x", nbins=6)
    ax.set_ylabel("rank of |z| (%)", fontsize=SMALL)
    ax.tick_params(labelsize=SMALL)
    ax.set_xlabel(f"{studied.short(term, 40)} (log odds), truth {paper.number(truth)}",
                  fontsize=SMALL)  # fmt: skip
    words = f"{method}: coverage {studied.share_words(row['coverage'])}"
    lost = shown.n_replicates - shown.rank.size
    if lost:
        share = studied.share_words(lost / shown.n_replicates)
        words += f"\nof those drawn; undefined in {share}"
    ax.set_title(words, fontsize=SMALL, loc="left")
    return ax


def _ranked(
    result: Any, cell: str, method: str, term: str, level: float, truth: float
) -> Intervals:
    table = result.frame(method, term)
    table = table[table["cell"] == cell]
    if "level" in table.columns:
        table = table[np.abs(table["level"] - level) < 1e-9]
    n = len(table)
    estimate, lower, upper = (
        table[name].to_numpy(np.float64) for name in ("estimate", "lower", "upper")
    )
    defined = ~(np.isnan(lower) | np.isnan(upper))
    if not defined.any():
        raise ValueError(f"method must be defined somewhere: {method} has no interval for {term}")
    lower, upper = lower[defined], upper[defined]
    covers = (lower <= truth) & (truth <= upper)
    order = np.lexsort(distances(estimate[defined], lower, upper, truth)[::-1])
    rank = (np.arange(order.size) + 0.5) / order.size
    return Intervals(lower[order], upper[order], covers[order], rank, n)


def distances(
    estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray, truth: float
) -> tuple[np.ndarray, np.ndarray]:
    """|z| in units of the interval's own half, and what ranks those that share a value.

    Both (n,). The first is at most 1 exactly where the interval covers the truth; an infinite
    estimate, or an infinite end on the truth's side, leaves 1 and 0: there the second is the
    truth's distance beyond the nearest finite end, negative inside.
    """
    end = np.where(truth >= estimate, upper, lower)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = np.abs(truth - estimate) / np.abs(end - estimate)
        beyond = np.fmax(lower - truth, truth - upper)
    covers = beyond <= 0
    ratio = np.where(np.isfinite(estimate), ratio, 1.0)
    # Estimates on or outside an end (a modified root may leave them there) keep the rule too.
    ratio = np.where(np.isnan(ratio), 1.0, ratio)
    ratio = np.where(covers, np.minimum(ratio, 1.0), np.maximum(ratio, 1.0))
    return ratio, beyond


def _draw(ax: Axes, shown: Intervals, top: float) -> None:
    """Every so many of the ranks, clipped at the edges: the far ends say little."""
    high = np.flatnonzero(shown.rank >= 1 - top)
    take = high[np.unique(np.linspace(0, high.size - 1, min(MOST, high.size)).astype(int))]
    low, up = _limits(shown)
    lower, upper = np.clip(shown.lower[take], low, up), np.clip(shown.upper[take], low, up)
    heights = 100 * shown.rank[take]
    ends = np.stack([np.column_stack([lower, heights]), np.column_stack([upper, heights])], axis=1)
    # As wide as an interval's share of the height in points, and some overlap: no stripes.
    height = 72 * ax.bbox.height / ax.figure.dpi
    width = 1.25 * height / max(take.size, 1)
    for covers, color in ((True, COVERS), (False, MISSES)):
        some = shown.covers[take] == covers
        ax.add_collection(LineCollection(list(ends[some]), colors=color, linewidths=min(width, 3.0),
                                         gid="covers" if covers else "misses"))  # fmt: skip
    ax.set_xlim(low, up)
    for sign, ends_, at, align in (
        (-1, shown.lower, 0.02, "left"),
        (1, shown.upper, 0.98, "right"),
    ):
        share = float(np.mean(ends_ == sign * np.inf))
        if share:
            words = f"{studied.share_words(share)} {paper.number(sign * np.inf)}"
            ax.text(at, 0.02, words, fontsize=SMALL, ha=align, va="bottom", gid="infinite",
                    transform=ax.transAxes, bbox={"facecolor": "white", "edgecolor": "none",
                                                  "pad": 1.0, "alpha": 0.8})  # fmt: skip


def _limits(shown: Intervals) -> tuple[float, float]:
    """Of most finite ends; where all ends of one side are infinite, of those of the other."""
    lower, upper = (ends[np.isfinite(ends)] for ends in (shown.lower, shown.upper))
    both = np.concatenate([lower, upper, [0.0] if not lower.size + upper.size else []])
    low = np.quantile(lower if lower.size else both, REACH)
    high = np.quantile(upper if upper.size else both, 1 - REACH)
    margin = 0.05 * ((high - low) or 1.0)
    return float(low - margin), float(high + margin)
