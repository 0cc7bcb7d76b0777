"""The profile log-likelihood of one term with its interval, and its signed root."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.core.tails import chi2_quantile
from jaxlogit.data import check_level
from jaxlogit.plots import paper
from jaxlogit.plots.paper import GUIDE, LOOKS, SMALL
from jaxlogit.plots.subject import CURVE, EXTENDED, Subject, curve_for, limits, subject_of


def profile(fit: Any, term: Any, level: float = 0.95, ax: Any = None) -> Axes:
    """Draw the profile log-likelihood of a term, with its interval and the Wald parabola.

    Parameters
    ----------
    fit : Fit
        One model: `fit[i]` of many.
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    level : float
        Of the profile-likelihood interval, which is where the curve is above the dotted line.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        An infinite end is an arrow; where there is no Wald interval, the legend says so. Of a
        robust fit the likelihood is the model's, and Wald's interval its own.

    Raises
    ------
    ValueError, TypeError
        As for `three_tests`; a level outside (0, 1).

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> ax = jl.plots.profile(fitted, "dose")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['profile likelihood: 95 % interval 0.212 to 1.96', 'Wald: 0.0849 to 1.74']
    """
    level, subject = check_level(level), subject_of(fit, term)
    ax = paper.axes(ax)
    curve = curve_for(subject, level)
    ax.set_xlim(*limits(curve))
    cut = -0.5 * chi2_quantile(level, 1)
    low = 1.03 * min(float(np.min(subject.drop(curve))), 1.2 * cut)
    ax.plot(curve.value, subject.drop(curve), **CURVE, label=_lr_label(subject, level))
    ax.axhline(cut, **GUIDE)
    value = np.linspace(curve.value[0], curve.value[-1], EXTENDED)
    drop = -0.5 * ((value - subject.estimate) / subject.std_error) ** 2
    _draw_wald(ax, subject, level, value, drop, (cut, cut))
    low_end, high_end = _draw_ends(ax, subject, level, (cut, cut), low)
    ax.plot([low_end, high_end], [cut, cut], color=LOOKS["lr"].color, linewidth=1.4)
    _label_line(ax, cut)
    ax.set_xlabel(subject.label)
    ax.set_ylabel(paper.DROP)
    paper.headroom(ax, low, 0.0, 0.17)
    paper.legend(ax)
    return ax


def signed_root(fit: Any, term: Any, level: float = 0.95, ax: Any = None) -> Axes:
    """Draw the signed root of the likelihood-ratio statistic of a term, beside Wald's line.

    Where the two part, the profile log-likelihood is no parabola, and the intervals differ.

    Parameters
    ----------
    fit : Fit
        One model: `fit[i]` of many.
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    level : float
        Of the interval, whose ends are where the curve crosses the lines at ±z.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        An infinite end is an arrow; where there is no Wald interval, the legend says so. Of a
        robust fit the likelihood is the model's, and Wald's interval its own.

    Raises
    ------
    ValueError, TypeError
        As for `profile`.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> ax = jl.plots.signed_root(fitted, "dose", level=0.9)
    >>> ax.get_ylabel()
    'signed root of the likelihood ratio'
    """
    level, subject = check_level(level), subject_of(fit, term)
    ax = paper.axes(ax)
    low, high = draw_root(ax, subject, level)
    ax.set_xlabel(subject.label)
    ax.set_ylabel("signed root of the likelihood ratio")
    z = float(np.sqrt(chi2_quantile(level, 1)))
    _label_line(ax, -z)
    _label_line(ax, z)
    paper.headroom(ax, low, high, 0.15)
    paper.legend(ax)
    return ax


def draw_root(ax: Axes, subject: Subject, level: float, edges=None) -> tuple[float, float]:
    """The signed root with its ends and Wald's line; returns the limits of y that it needs.

    `edges` are limits of x: the curve's by default.
    """
    curve = curve_for(subject, level)
    ax.set_xlim(*(edges or limits(curve)))
    z = float(np.sqrt(chi2_quantile(level, 1)))
    most = 1.04 * max(float(np.max(np.abs(curve.signed_root))), 1.1 * z)
    ax.plot(curve.value, curve.signed_root, **CURVE, label=_lr_label(subject, level))
    for height in (-z, 0.0, z):
        ax.axhline(height, **GUIDE)
    value = curve.value[[0, -1]]
    line = (value - subject.estimate) / subject.std_error
    _draw_wald(ax, subject, level, value, line, (-z, z))
    _draw_ends(ax, subject, level, (-z, z), -most)
    return -most, most


def _label_line(ax: Axes, height: float) -> None:
    """The height of a dotted line, at its right end."""
    ax.text(1.01, height, paper.number(height), fontsize=SMALL, va="center",
            transform=ax.get_yaxis_transform())  # fmt: skip


def _lr_label(subject: Subject, level: float) -> str:
    ends = subject.fit.confint(level, "lr", subject.contrast)
    words = paper.interval_words(float(ends.lower[0]), float(ends.upper[0]))
    return f"profile likelihood: {paper.percent(level)} interval {words}"


def _draw_wald(ax: Axes, subject: Subject, level: float, value, height, cuts) -> None:
    """Wald's parabola or line, with its ends; without a finite estimate only the reason."""
    look, name = LOOKS["wald"], subject.wald_name
    style = {"color": look.color, "linestyle": look.line, "linewidth": 1.3}
    if not subject.finite:
        ax.plot([], [], **style, label=f"{name}: {paper.why_undefined(subject.estimate)}")
        return
    ends = subject.shown.confint(level, "wald", subject.contrast)
    pair = float(ends.lower[0]), float(ends.upper[0])
    ax.plot(value, height, **style, label=f"{name}: {paper.interval_words(*pair)}")
    ax.plot(pair, cuts, look.marker, color=look.color, markersize=4)


def _draw_ends(ax: Axes, subject: Subject, level: float, cuts, low: float) -> list[float]:
    """The interval's ends: dots dropped to the axis; an arrow to one that is infinite.

    Returns where they are drawn: an infinite one is where its arrow starts.
    """
    ends = subject.fit.confint(level, "lr", subject.contrast)
    edges = ax.get_xlim()
    color = LOOKS["lr"].color
    drawn = []
    for end, edge, cut in zip((ends.lower, ends.upper), edges, cuts, strict=True):
        at = float(end[0])
        if np.isfinite(at):
            ax.plot([at, at], [cut, low], color=color, linewidth=1.0, marker=LOOKS["lr"].marker,
                    markersize=4.5, markevery=[0], gid="end")  # fmt: skip
        elif np.isinf(at):
            at = edge - 0.12 * np.sign(at) * (edges[1] - edges[0])
            paper.arrow(ax, (at, cut), (edge, cut), color)
        drawn.append(at)
    return drawn
