"""The three tests of one hypothesis on one curve."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.core.status import Status
from jaxlogit.data import check_null
from jaxlogit.plots import paper
from jaxlogit.plots.paper import GUIDE, LOOKS
from jaxlogit.plots.subject import CURVE, Subject, curve_around, limits, subject_of


def three_tests(fit: Any, term: Any, null: float = 0.0, ax: Any = None) -> Axes:
    """Draw the Wald, likelihood-ratio and score test of one null value on the log-likelihood.

    On the profile log-likelihood of the term the Wald test measures the horizontal distance
    between estimate and null value, the likelihood-ratio test the drop from the maximum, and
    the score test the slope at the null value (after Fox 2016, Applied Regression Analysis and
    Generalized Linear Models, 3rd edition, appendix D, ISBN 978-1-4522-0566-3).

    Parameters
    ----------
    fit : Fit
        One model: `fit[i]` of many.
    term : str, int or (p,) array
        A coefficient by name or number, or a contrast.
    null : number
        The hypothesised value, in log odds.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        Heights are log-likelihoods below the maximum. Under separation the maximum is the
        supremum, at an infinite estimate; the Wald test is then undefined, and said to be.

    Raises
    ------
    ValueError, TypeError
        More than one model, a robust fit, whose tests are of no likelihood, a model without a
        supremum, an unknown term, a null value that is
        not finite or too far from the estimate for a restricted maximum to be found; not a Fit,
        not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> ax = jl.plots.three_tests(fitted, "dose")
    >>> [text.get_text() for text in ax.get_legend().get_texts()][0]
    'likelihood ratio: 2 × drop = 7.09, p = 0.0078'
    """
    subject = subject_of(fit, term)
    if subject.shown._solution.sandwich is not None:
        raise ValueError("fit must not be robust: its tests are not those of the curve; found "
                         f"{subject.shown!r}")  # fmt: skip
    null = float(np.ravel(check_null(null, 1))[0])
    ax = paper.axes(ax)
    at = subject.fit.profile(subject.contrast, [null])
    height, root = float(subject.drop(at)[0]), abs(float(at.signed_root[0]))
    if np.isnan(height):
        status = Status(int(at.status[0])).name
        raise ValueError(f"null must have a restricted maximum: found status {status} at {null}")
    curve = curve_around(subject, null, root)
    drop = subject.drop(curve)
    ax.plot(curve.value, drop, **CURVE)
    low = 1.04 * min(float(np.min(drop)), 1.25 * height)
    low = low if low < -1e-6 else -1.0  # a flat profile: anything else would show its rounding
    ax.set_xlim(*limits(curve))
    _draw_lr(ax, subject, null, height)
    _draw_wald(ax, subject, null, height, low)
    _draw_score(ax, subject, null, height, low)
    ax.plot([null], [height], "o", color="black", markersize=4.5, zorder=4)
    ax.set_xlabel(subject.label)
    ax.set_ylabel(paper.DROP)
    paper.headroom(ax, low, 0.0, 0.25)
    paper.legend(ax)
    return ax


def _tested(subject: Subject, method: str, null: float) -> tuple[float, str]:
    """The statistic and the p-value's words."""
    found = subject.fit.test(method, null, subject.contrast)
    return float(found.statistic[0]), paper.p_words(float(found.p_value[0]))


def _draw_lr(ax: Axes, subject: Subject, null: float, height: float) -> None:
    """The drop from the maximum at the null value."""
    statistic, p = _tested(subject, "lr", null)
    look = LOOKS["lr"]
    label = f"{look.name}: 2 × drop = {paper.number(statistic)}, {p}"
    ax.axhline(0.0, **GUIDE)
    ax.plot([null, null], [height, 0.0], color=look.color, linestyle=look.line, marker="_",
            markersize=9, linewidth=1.6, label=label)  # fmt: skip


def _draw_wald(ax: Axes, subject: Subject, null: float, height: float, low: float) -> None:
    """The distance of the estimate from the null value."""
    look = LOOKS["wald"]
    style = {"color": look.color, "linestyle": look.line, "marker": "|", "markersize": 9}
    if not subject.finite:
        why = paper.why_undefined(subject.estimate)
        ax.plot([], [], **style, linewidth=1.6, label=f"{look.name}: {why}")
        ax.plot([null, null], [low, height], **GUIDE)
        return
    statistic, p = _tested(subject, "wald", null)
    label = f"{look.name}: (distance / std. error)² = {paper.number(statistic)}, {p}"
    ax.plot([null, subject.estimate], [0.94 * low] * 2, **style, linewidth=1.6, label=label)
    ax.plot([null, null], [low, height], **GUIDE)
    ax.plot([subject.estimate] * 2, [low, 0.0], **GUIDE)


def _draw_score(ax: Axes, subject: Subject, null: float, height: float, low: float) -> None:
    """The slope at the null value."""
    statistic, p = _tested(subject, "score", null)
    look = LOOKS["score"]
    left, right = ax.get_xlim()
    step = 1e-4 * (right - left)
    around = subject.fit.profile(subject.contrast, [null - step, null + step])
    slope = float(np.diff(around.loglik)[0] / (2 * step))
    reach = 0.3 * (right - left)
    if slope != 0:  # up to the maximum's height, and as far down
        reach = min(reach, -height / abs(slope))
    ends = np.array([null - reach, null + reach])
    label = f"{look.name}: slope² × variance = {paper.number(statistic)}, {p}"
    ax.plot(ends, height + slope * (ends - null), color=look.color, linestyle=look.line,
            linewidth=1.8, label=label, zorder=3)  # fmt: skip
