"""Intervals by several methods for every term."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from jaxlogit.core.status import Status
from jaxlogit.data import check_choice, check_contrasts, check_level
from jaxlogit.intervals import estimates
from jaxlogit.model import Fit
from jaxlogit.penalties import default_method
from jaxlogit.plots import paper
from jaxlogit.plots.paper import GUIDE, LOOKS, SMALL, Look

SLOT = 0.19  # inches of one interval, so that its numbers fit beside it
FRAME = 1.0  # inches for the axis and the legend
MARGIN, ARROW = 0.06, 0.25  # shares of the data's width: beside them, where an arrow leaves
STEP = 1.0 / 4  # of a term's row between methods, from the middle


class _Line(NamedTuple):
    """One interval of one term, on the scale of the picture."""

    estimate: float
    lower: float
    upper: float
    status: tuple[Status, Status]


def forest(
    fit: Any,
    level: float = 0.95,
    methods: Sequence[str] | None = None,
    terms: Any = None,
    odds_ratio: bool = False,
    ax: Any = None,
) -> Axes:
    """Draw the intervals of every term, by method, one below the other.

    Parameters
    ----------
    fit : Fit
        One model: `fit[i]` of many.
    level : float
    methods : sequence of {"wald", "lr", "score", "rstar"}, optional
        The first three by default; "wald" alone for a robust fit, or one whose likelihood leaves
        out the intercept (FLIC).
    terms : None, names, (q, p) array or mapping
        As the contrasts of `Fit.confint`: every coefficient by default; {"10 years": {"age": 10}}
        gives a term another unit.
    odds_ratio : bool
        Estimates and ends as odds ratios, on a logarithmic axis.
    ax : matplotlib Axes, optional
        Those of a new Figure, as high as there are terms, by default.

    Returns
    -------
    Axes
        An infinite end is an arrow to the edge. An interval that does not exist, such as
        Wald's under separation, is replaced by the reason.

    Raises
    ------
    ValueError, TypeError
        More than one model, an unknown method or term, a level outside (0, 1); not a Fit, not
        Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> ax = jl.plots.forest(fitted, terms="dose", odds_ratio=True)
    >>> ax.get_xlabel()
    'odds ratio, 95 % intervals'
    """
    fit, level = paper.one_model(fit), check_level(level)
    methods = _usual(fit) if methods is None else methods
    methods = [methods] if isinstance(methods, str) else list(methods)
    looks = [LOOKS[check_choice("methods", method, tuple(LOOKS))] for method in methods]
    if not methods:
        raise ValueError("methods must name at least one method: found none")
    rows, names = check_contrasts(terms, fit.names, "terms")
    size = (6.4, FRAME + SLOT * len(names) * (len(methods) + 1))
    ax = paper.axes(ax, size)
    tables = [_lines(fit, level, method, rows, odds_ratio) for method in methods]
    low, high = _limits([line for table in tables for line in table], odds_ratio)
    if odds_ratio:
        _logarithmic(ax, high / low)
    ax.set_xlim(low, high)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.axvline(1.0 if odds_ratio else 0.0, **GUIDE)
    for i in range(len(names)):
        for j, look in enumerate(looks):
            height = i + STEP * (j - 0.5 * (len(looks) - 1)) * 3 / max(3, len(looks))
            _draw(ax, tables[j][i], height, look, (low, high), odds_ratio)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    unit = "odds ratio" if odds_ratio else "log odds"
    ax.set_xlabel(f"{unit}, {paper.percent(level)} intervals")
    _legend(ax, looks)
    return ax


def _usual(fit: Fit) -> tuple[str, ...]:
    """The methods that every coefficient of the fit has."""
    robust = fit._solution.sandwich is not None
    penalty = fit._penalty
    return ("wald",) if robust or default_method(penalty) == "wald" else ("wald", "lr", "score")


def _lines(fit: Fit, level: float, method: str, rows: np.ndarray, odds_ratio: bool) -> list[_Line]:
    ends = fit.confint(level, method, rows)
    estimate = np.ravel(estimates(fit._solution, fit._solution.wide(rows)))
    values = np.array([estimate, ends.lower, ends.upper])
    values = np.exp(values) if odds_ratio else values
    lines = []
    for i, (estimate, lower, upper) in enumerate(values.T):
        codes = Status(int(ends.lower_status[i])), Status(int(ends.upper_status[i]))
        lines.append(_Line(float(estimate), float(lower), float(upper), codes))
    return lines


def _limits(lines: list[_Line], odds_ratio: bool) -> tuple[float, float]:
    """From the least to the largest finite number, and some room for arrows."""
    drawn = np.array([line[:3] for line in lines])
    drawn = drawn[np.isfinite(drawn) & ((drawn > 0) | (not odds_ratio))]
    null = 1.0 if odds_ratio else 0.0
    drawn = np.append(drawn, null)
    drawn = np.log(drawn) if odds_ratio else drawn
    low, high = np.min(drawn), np.max(drawn)
    span = (high - low) or 1.0
    ends = np.array([line[1:3] for line in lines])
    beyond = np.any(ends <= (0.0 if odds_ratio else -np.inf)), np.any(np.isposinf(ends))
    low -= (ARROW if beyond[0] else MARGIN) * span
    high += (ARROW if beyond[1] else MARGIN) * span
    return (float(np.exp(low)), float(np.exp(high))) if odds_ratio else (float(low), float(high))


def _draw(ax: Axes, line: _Line, height: float, look: Look, limits, odds_ratio: bool) -> None:
    """One interval with its numbers at the right edge, or the reason why there is none."""
    if np.isnan(line.lower) and np.isnan(line.upper):
        ax.text(0.5, height, f"{look.name}: {_reason(line, odds_ratio)}", color=look.color,
                fontsize=SMALL, ha="center", va="center",
                bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 0.5},
                transform=ax.get_yaxis_transform())  # fmt: skip
        return
    inside = [np.clip(end, *limits) for end in (line.lower, line.upper)]
    middle = np.clip(line.estimate, *limits) if np.isfinite(line.estimate) else np.nan
    known = [v for v in (inside[0], middle, inside[1]) if not np.isnan(v)]
    ax.plot([known[0], known[-1]], [height] * 2, color=look.color, linestyle=look.line,
            linewidth=1.4, gid=look.name)  # fmt: skip
    ax.plot([line.estimate], [height], look.marker, color=look.color, markersize=5)
    for end, edge, known_end in zip((line.lower, line.upper), limits, inside, strict=True):
        beyond = np.isinf(end) or (odds_ratio and end == 0)
        if beyond:
            other = known[0] if edge > known[0] else known[-1]
            start = _near(edge, other, odds_ratio)
            paper.arrow(ax, (start, height), (edge, height), look.color)
        elif not np.isnan(end):
            ax.plot([known_end], [height], "|", color=look.color, markersize=6)
    estimate, lower, upper = (paper.number(value) for value in line[:3])
    ax.text(1.02, height, f"{estimate} ({lower}, {upper})", fontsize=SMALL, va="center",
            transform=ax.get_yaxis_transform())  # fmt: skip


def _near(edge: float, other: float, odds_ratio: bool) -> float:
    """A little before the edge, coming from the other end."""
    if odds_ratio:
        return float(np.exp(_near(np.log(edge), np.log(other), False)))
    return edge + 0.05 * (other - edge)


def _logarithmic(ax: Axes, ratio: float) -> None:
    """A logarithmic axis with plain numbers, those between powers of ten where there is room."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if ratio < 1e3 else (1.0,)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _reason(line: _Line, odds_ratio: bool) -> str:
    status = line.status[0]
    if status in (Status.SEPARATED_QUASI, Status.SEPARATED_COMPLETE):
        if np.isfinite(line.estimate) and not (odds_ratio and line.estimate == 0):
            return "undefined, other coefficients are infinite"
        return paper.why_undefined(line.estimate)
    return f"undefined, {status.name.lower().replace('_', ' ')}"


def _legend(ax: Axes, looks: list[Look]) -> None:
    """Above the rows, so that it covers none."""
    for look in looks:
        ax.plot([], [], color=look.color, linestyle=look.line, marker=look.marker, markersize=5,
                linewidth=1.4, label=look.name)  # fmt: skip
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(looks), frameon=False,
        fontsize=SMALL, handlelength=3.2, borderaxespad=0.2,
    )  # fmt: skip
