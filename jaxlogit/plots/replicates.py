"""The replicates of a bootstrap as a histogram, with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.data import check_choice, check_level
from jaxlogit.plots import paper
from jaxlogit.plots.drawn import Drawn, drawn_of, right, write_lost
from jaxlogit.plots.paper import LOOKS, SMALL
from jaxlogit.resampling import Bootstrap, kinds
from jaxlogit.resampling.inference import kinds_of

BAR = {"facecolor": "0.85", "edgecolor": "0.45", "linewidth": 0.6}
KIND_LOOKS = {
    "bca": LOOKS["lr"],
    "percentile": LOOKS["score"],
    "basic": LOOKS["wald"],
    "normal": LOOKS["rstar"],
    "studentized": LOOKS["lr"]._replace(color="black", line=(0, (1, 1)), marker="v"),
}
NAMES = {"bca": "BCa"}
BINS = 40
ROW = 0.13  # of the highest bar: one interval beneath the histogram
FAR = 5.0  # interquartile ranges beyond the quartiles: farther replicates are counted, not drawn


def bootstrap(
    boot: Any, term: Any, level: float = 0.95, kinds: Sequence[str] | None = None, ax: Any = None
) -> Axes:
    """Draw a histogram of the replicates of a term, and its intervals beneath.

    Parameters
    ----------
    boot : Bootstrap
        Of one data set, under any scheme but "jackknife".
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    level : float
    kinds : sequence of {"normal", "basic", "percentile", "studentized", "bca"}, optional
        By default those that the scheme has, but "studentized".
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        An infinite end is an arrow. The share of replicates that are infinite, or too far away to
        be drawn, is written on the side where they are. An interval that does not exist is
        replaced by the reason.

    Raises
    ------
    ValueError, TypeError
        More than one data set, a jackknife, an unknown kind or term, a level outside (0, 1) or
        too high for the number of replicates; not a Bootstrap, not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(30)]
    >>> y = [0, 1, 0, 0, 1, 0, 1, 0, 1, 1] * 3
    >>> boot = jl.bootstrap(X, y, replicates=999, names=["const", "dose"])
    >>> ax = jl.plots.bootstrap(boot, "dose", kinds=["percentile", "bca"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['percentile', 'BCa']
    """
    level, drawn = check_level(level), drawn_of(boot, term)
    chosen = _chosen(boot, kinds)
    found = [_ends(boot, drawn, level, kind) for kind in chosen]
    ax = paper.axes(ax)
    low, high = _limits(drawn, found)
    ax.set_xlim(low, high)
    if not len(drawn.finite) and not np.any(np.isfinite([drawn.estimate, *np.ravel(found)])):
        ax.set_xticks([])  # there is no number that a tick could help to read
    shown = drawn.finite[(drawn.finite >= low) & (drawn.finite <= high)]
    if len(shown):
        counts, edges = np.histogram(shown, BINS, (np.min(shown), np.max(shown) + 1e-12))
        ax.bar(edges[:-1], counts / np.max(counts), np.diff(edges), align="edge", **BAR)
    ax.axhline(0.0, color="0.45", linewidth=0.6)
    _draw_estimate(ax, drawn)
    _write_shares(ax, drawn, (low, high))
    for i, (kind, ends) in enumerate(zip(chosen, found, strict=True)):
        _draw_interval(ax, -ROW * (i + 0.9), kind, ends, (low, high))
    ax.set_ylim(-ROW * (len(chosen) + 0.4), 1.22)
    ax.set_yticks(
        [-ROW * (i + 0.9) for i in range(len(chosen))], [NAMES.get(kind, kind) for kind in chosen]
    )
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    ax.spines["left"].set_visible(False)
    count = f"{boot.n_replicates:,} replicates"
    ax.set_xlabel(f"{drawn.name} (log odds), {count}, {paper.percent(level)} intervals")
    return ax


def _chosen(boot: Bootstrap, given: Sequence[str] | None) -> list[str]:
    if given is None:
        allowed, _ = kinds_of(boot._scheme)
        return [kind for kind in allowed if kind != "studentized"]
    chosen = [given] if isinstance(given, str) else list(given)
    for kind in chosen:
        check_choice("kinds", kind, kinds.KINDS)
    return chosen


def _ends(boot: Bootstrap, drawn: Drawn, level: float, kind: str) -> tuple[float, float]:
    found = boot.confint(level, kind, drawn.row)
    return float(np.ravel(found.lower)[0]), float(np.ravel(found.upper)[0])


def _limits(drawn: Drawn, found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of the finite replicates that are not far away, with the estimate and all finite ends."""
    t = drawn.finite
    places = [value for value in (drawn.estimate, *np.ravel(found)) if np.isfinite(value)]
    if len(t):
        low, high = np.quantile(t, [0.25, 0.75])
        reach = FAR * (high - low)
        places += [max(float(np.min(t)), low - reach), min(float(np.max(t)), high + reach)]
    low, high = min(places, default=-1.0), max(places, default=1.0)
    margin = 0.05 * ((high - low) or 1.0)
    return low - margin, high + margin


def _draw_estimate(ax: Axes, drawn: Drawn) -> None:
    """A line from the intervals to the top; without a finite estimate the words alone."""
    words = f"estimate {paper.number(drawn.estimate)}"
    if np.isnan(drawn.estimate):
        words = "estimate indeterminate"
    if np.isfinite(drawn.estimate):
        ax.axvline(drawn.estimate, 0.0, 0.9, color="black", linewidth=1.1, gid="estimate")
        ax.text(drawn.estimate, 1.12, words, fontsize=SMALL, ha="center", va="bottom")
    else:
        ax.text(0.5, 1.0, words, fontsize=SMALL, ha="center", va="top", transform=ax.transAxes)


def _write_shares(ax: Axes, drawn: Drawn, limits: tuple[float, float]) -> None:
    """What is not in the histogram, on its side; what has no side above."""
    t, (low, high) = drawn.t, limits
    for sign, at, align in ((-1, 0.0, "left"), (1, 1.0, "right")):
        infinite, far = t == sign * np.inf, np.isfinite(t) & ((t < low) if sign < 0 else (t > high))
        words = []
        if np.any(infinite):
            words.append(f"{drawn.share(infinite)} {paper.number(sign * np.inf)}")
        if np.any(far):
            words.append(f"{drawn.share(far)} beyond")
        if words:
            ax.text(at, 0.88, "\n".join(words), fontsize=SMALL, ha=align, va="top",
                    transform=ax.transAxes, gid="share")  # fmt: skip
    lost = np.isnan(t)
    write_lost(ax, [f"{drawn.share(lost)} without a value"] if np.any(lost) else [])


def _draw_interval(ax: Axes, height: float, kind: str, ends, limits) -> None:
    look = KIND_LOOKS[kind]
    if np.isnan(ends[0]) and np.isnan(ends[1]):
        what = "finite moments" if kind == "normal" else "a finite estimate"
        ax.text(0.5, height, f"undefined without {what}", color=look.color, fontsize=SMALL,
                ha="center", va="center",
                bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 0.5},
                transform=ax.get_yaxis_transform())  # fmt: skip
        return
    inside = np.clip(np.nan_to_num(ends, nan=np.mean(limits), posinf=np.inf, neginf=-np.inf),
                     *limits)  # fmt: skip
    ax.plot(inside, [height] * 2, color=look.color, linestyle=look.line, linewidth=1.6, gid=kind)
    span = limits[1] - limits[0]
    for end, edge in zip(ends, inside, strict=True):
        if np.isinf(end):
            start = edge - np.sign(end) * 0.06 * span
            paper.arrow(ax, (start, height), (edge, height), look.color)
        elif np.isfinite(end):
            ax.plot([edge], [height], "|", color=look.color, markersize=8, markeredgewidth=1.6)
    right(ax, height, paper.interval_words(*ends))
