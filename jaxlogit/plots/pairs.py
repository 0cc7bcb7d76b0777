"""Joint regions of every two terms, with their signed roots on the diagonal."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxlogit.core.status import Status
from jaxlogit.core.tails import chi2_quantile, p_value
from jaxlogit.data import check_contrasts, check_level
from jaxlogit.model import Fit
from jaxlogit.plots import paper
from jaxlogit.plots.curves import draw_root
from jaxlogit.plots.paper import GUIDE, LOOKS, SMALL
from jaxlogit.plots.subject import Subject, rising_part, subject_of, wald_name
from jaxlogit.results import Region

PANEL = 1.75  # inches
POINTS = 96
OPEN_ROOT = 0.3  # signed root at which a panel's axis ends where the estimate is infinite
OPEN_POINTS = 360  # where a region is open: its last points then lie far out


def pairs(fit: Any, terms: Any = None, level: float = 0.95, fig: Any = None) -> np.ndarray:
    """Draw the joint profile-likelihood region of every two terms, and each term's signed root.

    Parameters
    ----------
    fit : Fit
        One model: `fit[i]` of many.
    terms : None, names, or (q, p) array
        As the contrasts of `Fit.confint`, at least two: every coefficient by default.
    level : float
        Of each region, jointly for its two terms, and of each interval on the diagonal.
    fig : matplotlib Figure, optional
        A new one by default, as large as the number of terms asks for.

    Returns
    -------
    (q, q) array of Axes
        Regions below the diagonal (solid; dashed: the Wald ellipse; cross: the estimate),
        signed roots on it; None above it. A region that separation leaves open ends at the
        edges of its panel. Of a robust fit the likelihood is the model's, and the ellipse its own.

    Raises
    ------
    ValueError, TypeError
        More than one model, a model without a supremum, fewer than two terms, an unknown term,
        a level outside (0, 1); not a Fit, not a Figure.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> grid = jl.plots.pairs(fitted)
    >>> grid.shape, grid[1, 0].get_ylabel()
    ((2, 2), 'dose')
    """
    fit, level = paper.one_model(fit), check_level(level)
    rows, names = check_contrasts(terms, fit.names, "terms")
    if len(rows) < 2:
        raise ValueError(f"terms must be two or more: found {len(rows)}")
    paper.refuse_without_supremum(fit)
    count = len(rows)
    fig = _figure(fig, count)
    subjects = [
        subject_of(fit, row)._replace(name=name) for row, name in zip(rows, names, strict=True)
    ]
    limits = [_limits(subject, level) for subject in subjects]
    grid = np.full((count, count), None, object)
    for i in range(count):
        for j in range(i + 1):
            ax = fig.add_subplot(count, count, i * count + j + 1)
            ax.tick_params(labelsize="x-small")
            if i == j:
                _diagonal(ax, subjects[i], level, limits[i])
            else:
                region = _region(fit, rows[[j, i]], level)
                _draw_region(ax, region, limits[j], limits[i])
                estimate = (subjects[j].estimate, subjects[i].estimate)
                ax.plot(*estimate, "+", color="black", markersize=7)
                ax.set_ylim(limits[i])
            ax.set_xlim(limits[j])
            _label(ax, subjects, i, j)
            grid[i, j] = ax
    fig.align_labels()
    _legend(fig, level, wald_name(fit), fit.status == Status.CONVERGED)
    return grid


def _figure(fig: Any, count: int) -> Figure:
    if fig is None:
        return Figure(figsize=(PANEL * count + 0.4, PANEL * count + 0.2), layout="constrained")
    if not isinstance(fig, Figure):
        raise TypeError(f"fig must be a matplotlib Figure: found {type(fig).__name__}")
    return fig


def _limits(subject: Subject, level: float) -> tuple[float, float]:
    """The extent of a term's joint regions: where its interval with their cutoff ends."""
    alone = float(1.0 - p_value(np.array(chi2_quantile(level, 2)), 1))
    ends = subject.fit.confint(alone, "lr", subject.contrast)
    lower, upper = float(ends.lower[0]), float(ends.upper[0])
    low, high = rising_part(subject, OPEN_ROOT)
    low = lower if np.isfinite(lower) else low
    high = upper if np.isfinite(upper) else high
    margin = 0.07 * (high - low)
    return low - margin, high + margin


def _diagonal(ax: Axes, subject: Subject, level: float, edges: tuple[float, float]) -> None:
    draw_root(ax, subject, level, edges)
    most = 1.15 * float(np.sqrt(chi2_quantile(level, 2)))
    ax.set_ylim(-most, most)
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.set_ylabel("signed root", fontsize="x-small")
    ax.spines[["top", "left"]].set_visible(False)


def _region(fit: Fit, pair: np.ndarray, level: float) -> Region:
    """The region; by more points where it is open, since the last ones then lie farther out."""
    region = fit.region(pair, level, POINTS)
    if np.any(region.status == Status.INFINITE):
        return fit.region(pair, level, OPEN_POINTS)
    return region


def _draw_region(ax: Axes, region: Region, across, along) -> None:
    """Boundary and ellipse; an open boundary goes on along its tangents to the panel's edges."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.axvline(0.0, **GUIDE)
    ax.axhline(0.0, **GUIDE)
    look = LOOKS["wald"]
    ellipse = np.vstack([region.wald, region.wald[:1]])
    if np.all(np.isfinite(ellipse)):
        ax.plot(*ellipse.T, color=look.color, linestyle=look.line, linewidth=1.1, gid="wald")
    boundary = boundary_line(region, max(np.ptp(across), np.ptp(along)))
    if len(boundary):
        look = LOOKS["lr"]
        ax.plot(*boundary.T, color=look.color, linewidth=1.4, gid="region")
    else:
        ax.text(0.5, 0.5, "no limits", fontsize=SMALL, ha="center", va="center",
                transform=ax.transAxes)  # fmt: skip


def boundary_line(region: Region, reach: float) -> np.ndarray:
    """A region's boundary as one line (k, 2): closed, or with both its open ends `reach` longer.

    At its last point in direction u the boundary goes on at a right angle to u.
    """
    found = np.isfinite(region.value[:, 0])
    if not np.any(found):
        return np.zeros((0, 2))
    if not np.any(region.status == Status.INFINITE):
        value = region.value[found]
        return np.vstack([value, value[:1]])
    first = int(np.argmax(found & ~np.roll(found, 1)))  # after the gap
    value, direction = (np.roll(a, -first, axis=0) for a in (region.value, region.direction))
    kept = np.isfinite(value[:, 0])
    value, direction = value[kept], direction[kept]
    turn = np.column_stack([-direction[:, 1], direction[:, 0]])
    turn = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    return np.vstack([value[0] - reach * turn[0], value, value[-1] + reach * turn[-1]])


def _label(ax: Axes, subjects: list[Subject], i: int, j: int) -> None:
    """Names at the left and below; the diagonal's own unit at its right."""
    if i == len(subjects) - 1:
        ax.set_xlabel(subjects[j].name, fontsize=SMALL)
    else:
        ax.tick_params(labelbottom=False)
    if i != j:
        ax.set_ylabel(subjects[i].name if j == 0 else "", fontsize=SMALL)
        ax.tick_params(labelleft=j == 0)
    if i == j:
        ax.set_title(subjects[i].label, fontsize=SMALL)


def _legend(fig: Figure, level: float, name: str, finite: bool) -> None:
    """In the empty corner above the diagonal."""
    lr, wald = LOOKS["lr"], LOOKS["wald"]
    words = name if finite else f"{name}: undefined"
    handles = [
        Line2D([], [], color=lr.color, linewidth=1.4, label="profile likelihood"),
        Line2D([], [], color=wald.color, linestyle=wald.line, linewidth=1.1, label=words),
        Line2D([], [], color="black", linestyle="none", marker="+", label="estimate"),
    ]
    fig.legend(
        handles=handles, loc="upper right", fontsize=SMALL, frameon=False, handlelength=2.6,
        title=f"{paper.percent(level)} regions", title_fontsize=SMALL, alignment="left",
    )  # fmt: skip
