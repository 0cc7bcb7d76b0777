"""Quantiles of a bootstrap's replicates: against the normal's, and without single units."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.special import ndtri

from jaxlogit.plots import paper
from jaxlogit.plots.drawn import Drawn, drawn_of, right, write_lost
from jaxlogit.plots.paper import GUIDE, LOOKS, SMALL
from jaxlogit.resampling import kinds

POINTS = 2000  # more could not be told apart
LABELLED = 3  # units at each end


def quantiles(boot: Any, term: Any, ax: Any = None) -> Axes:
    """Draw the replicates of a term against normal quantiles.

    Parameters
    ----------
    boot : Bootstrap
        Of one data set, under any scheme but "jackknife".
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        With the line of the replicates' mean and standard deviation, which replicates from a
        normal distribution would follow; through their quartiles where some are infinite and
        there are no moments. Infinite replicates keep their rank, and their share is written.

    Raises
    ------
    ValueError, TypeError
        As for `bootstrap`; fewer than two finite replicates.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(30)]
    >>> y = [0, 1, 0, 0, 1, 0, 1, 0, 1, 1] * 3
    >>> boot = jl.bootstrap(X, y, replicates=999, names=["const", "dose"])
    >>> ax = jl.plots.quantiles(boot, "dose")
    >>> ax.get_xlabel()
    'standard normal quantile'
    """
    drawn = drawn_of(boot, term)
    t = np.sort(drawn.t[~np.isnan(drawn.t)])
    if np.sum(np.isfinite(t)) < 2:
        raise ValueError("term must have two finite replicates or more to draw: found "
                         f"{np.sum(np.isfinite(t))} of {len(drawn.t):,}")  # fmt: skip
    ax = paper.axes(ax)
    z = ndtri(np.arange(1, len(t) + 1) / (len(t) + 1))
    # Evenly along the axis of quantiles: the tails whole, the middle thinned.
    near = np.searchsorted(z, np.linspace(z[0], z[-1], POINTS))
    keep = np.unique(np.clip(near, 0, len(t) - 1))
    keep = keep[np.isfinite(t[keep])]
    ax.plot(z[keep], t[keep], ".", color=LOOKS["lr"].color, markersize=3.5, gid="replicates")
    line = _line(t)
    if line is not None:
        middle, slope, label = line
        reach = np.array([z[0], z[-1]])
        ax.plot(reach, middle + slope * reach, color="black", linewidth=1.1, label=label)
    low, high = np.min(t[keep]), np.max(t[keep])
    margin = 0.04 * ((high - low) or 1.0)
    paper.headroom(ax, low - margin, high + margin, 0.12)
    ax.set_xlim(1.05 * z[0], 1.05 * z[-1])
    ax.set_xlabel("standard normal quantile")
    ax.set_ylabel(f"{drawn.name} (log odds), {boot.n_replicates:,} replicates")
    if line is not None:
        paper.legend(ax)
    _write_lost(ax, drawn)
    return ax


def jackknife_after(boot: Any, term: Any, ax: Any = None) -> Axes:
    """Draw quantiles of the replicates without each unit against the units' influence.

    Parameters
    ----------
    boot : Bootstrap
        Of one data set, under scheme "pairs" or "poisson".
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        A line for each quantile of the deviation from the estimate, one point for each unit
        left out; dotted lines are quantiles of all replicates. Where a line bends away from its
        dotted one, a single unit makes the replicates as spread as they are. Without finite
        estimates the quantiles themselves, by the units' numbers. Three units with the least and
        three with the most influence are named by number, from 0.

    Raises
    ------
    ValueError, TypeError
        As for `Bootstrap.jackknife_after` and `bootstrap`; no finite quantiles.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(30)]
    >>> y = [0, 1, 0, 0, 1, 0, 1, 0, 1, 1] * 3
    >>> boot = jl.bootstrap(X, y, replicates=999, names=["const", "dose"])
    >>> ax = jl.plots.jackknife_after(boot, "dose")
    >>> ax.get_xlabel()
    'standardised influence of the row left out'
    """
    drawn = drawn_of(boot, term)
    # Of what it has only the quantiles are drawn, which need no more replicates than this level.
    found = boot.jackknife_after(0.9, "percentile", drawn.row)
    unit = "row" if boot._scheme.unit is None else "cluster"
    influence, without = found.influence[:, 0], found.quantiles_without[:, :, 0]
    whole = found.quantiles[:, 0]
    if not np.any(np.isfinite(without)):
        raise ValueError("term must have finite quantiles to draw: found none")
    ax = paper.axes(ax)
    centred = bool(np.all(np.isfinite(found.estimate_without)) and np.std(influence) > 0)
    if centred:
        place = influence / np.std(influence, ddof=1)
        without, whole = without - found.estimate_without, whole - drawn.estimate
        ax.set_xlabel(f"standardised influence of the {unit} left out")
        ax.set_ylabel(f"{drawn.name}: quantiles of replicates − estimate")
    else:
        place = np.arange(len(influence), dtype=float)
        ax.set_xlabel(f"{unit} left out")
        ax.set_ylabel(f"{drawn.name} (log odds): quantiles of replicates")
    order = np.argsort(place, kind="stable")
    span = place[order[0]], place[order[-1]]
    for k, share in enumerate(found.shares):
        line = np.where(np.isfinite(without[order, k]), without[order, k], np.nan)
        ax.plot(place[order], line, ".-", color="black" if share == 0.5 else LOOKS["lr"].color,
                linewidth=0.8, markersize=3, gid="quantile")  # fmt: skip
        if np.isfinite(whole[k]):
            ax.axhline(whole[k], **GUIDE)
            right(ax, float(whole[k]), paper.percent(float(share)))
    margin = 0.04 * (span[1] - span[0])
    ax.set_xlim(span[0] - margin, span[1] + margin)
    if centred:
        _name_units(ax, order)
    _write_lost(ax, drawn)
    return ax


def _line(t: np.ndarray) -> tuple[float, float, str] | None:
    """Where sorted replicates from a normal distribution would lie: middle, slope, label."""
    if np.all(np.isfinite(t)):
        mean, spread = float(np.mean(t)), float(np.std(t, ddof=1))
        words = f"mean {paper.number(mean)}, standard deviation {paper.number(spread)}"
        return mean, spread, words
    low, high = (kinds.interpolated(t, share, share > 0.5)[0] for share in (0.25, 0.75))
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    slope = (high - low) / (2 * ndtri(0.75))
    return 0.5 * (low + high), slope, f"quartiles {paper.number(low)}, {paper.number(high)}"


def _write_lost(ax: Axes, drawn: Drawn) -> None:
    """Shares of the replicates that have no point."""
    words = [
        f"{drawn.share(which)} {name}"
        for which, name in (
            (drawn.t == -np.inf, "−∞"), (drawn.t == np.inf, "∞"),
            (np.isnan(drawn.t), "without a value"),
        )
        if np.any(which)
    ]  # fmt: skip
    write_lost(ax, words)


def _name_units(ax: Axes, order: np.ndarray) -> None:
    """Numbers of the units with the least and the most influence, below the lines."""
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.08 * (high - low), high)
    for at, align, units in ((0.01, "left", order[:LABELLED]), (0.99, "right", order[-LABELLED:])):
        words = ", ".join(str(unit) for unit in units)
        ax.text(at, 0.02, words, fontsize=SMALL, ha=align, va="bottom", transform=ax.transAxes,
                gid="unit")  # fmt: skip
