"""What all pictures share: one model, Axes to draw on, looks of methods, and text for numbers."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxlogit.core.status import Status
from jaxlogit.model import Fit


class Look(NamedTuple):
    """How a method is drawn: told apart by line and marker too, where colours are not seen."""

    name: str
    color: str
    line: Any
    marker: str


# Colours of Okabe and Ito (2008), for any colour vision; the green darker, since text has it too.
LOOKS = {
    "lr": Look("likelihood ratio", "#0072B2", "-", "o"),
    "wald": Look("Wald", "#D55E00", (0, (5, 2)), "s"),
    "score": Look("score", "#007A5A", (0, (5, 1.5, 1, 1.5)), "^"),
    "rstar": Look("r*", "#8A3B77", (0, (1, 1.2)), "D"),
}
GUIDE = {"color": "0.45", "linewidth": 0.8, "linestyle": ":"}
SIZE = (5.2, 3.8)  # inches: one column of a page, with room for a legend
SMALL = "small"
DROP = "profile log-likelihood − maximum"


def one_model(fit: Any) -> Fit:
    """The fit of one model, without a leading axis."""
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be a Fit of one model: found {type(fit).__name__}")
    if fit.n_models != 1:
        raise ValueError(
            f"fit must be of one model: found {fit.n_models:,}; take one of them, fit[i]"
        )
    return fit[0]


def refuse_without_supremum(fit: Fit) -> None:
    """There is nothing to draw for a model whose log-likelihood has no known supremum."""
    if not np.isfinite(fit.loglik):
        status = Status(int(fit.status)).name
        raise ValueError(f"fit must have a maximum or a supremum: found status {status}")


def axes(ax: Any, size: tuple[float, float] = SIZE) -> Axes:
    """The Axes to draw on: those given, or of a new Figure, which no display needs to show."""
    if ax is None:
        ax = Figure(figsize=size, layout="constrained").add_subplot()
    elif not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib Axes: found {type(ax).__name__}")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def headroom(ax: Axes, low: float, high: float, share: float) -> None:
    """Limits of y with room for a legend above the data, as a share of the whole, and no ticks."""
    ax.set_ylim(low, high + (high - low) * share / (1 - share))
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])


def legend(ax: Axes) -> None:
    """In the room above the data."""
    ax.legend(
        loc="upper left", bbox_to_anchor=(0.01, 1.0), fontsize=SMALL, frameon=False,
        handlelength=3.2, borderaxespad=0.1, borderpad=0.2, labelspacing=0.35,
    )  # fmt: skip


def number(value: float, digits: int = 3) -> str:
    """Significant digits, powers of ten only far from 1; ∞ and minus as such."""
    if np.isnan(value):
        return "none"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = rf"{mantissa}·10$^{{{int(exponent)}}}$"
    elif abs(value) >= 10**digits:
        text = f"{value:.0f}"
    else:
        text = f"{value:#.{digits}g}".rstrip(".")
    return text.replace("-", "−")


def p_words(p_value: float) -> str:
    """A p-value as papers print it."""
    return "p < 0.0001" if p_value < 1e-4 else f"p = {number(p_value, 2)}"


def interval_words(lower: float, upper: float) -> str:
    """Both ends, or why there are none."""
    if np.isnan(lower) and np.isnan(upper):
        return "undefined"
    return f"{number(lower)} to {number(upper)}"


def why_undefined(estimate: float) -> str:
    """Why a Wald test or interval does not exist, by the estimate."""
    words = "indeterminate" if np.isnan(estimate) else number(estimate)
    return f"undefined, the estimate is {words}"


def percent(level: float) -> str:
    """A level as it is printed: 95 %."""
    return f"{100 * level:.10g} %"


def arrow(ax: Axes, start: tuple, end: tuple, color: str, linestyle: Any = "-") -> None:
    """An arrow to the edge of a picture: what goes on to infinity."""
    ax.annotate(
        "", xy=end, xytext=start, annotation_clip=False, gid="infinite",
        arrowprops={"arrowstyle": "-|>", "color": color, "linestyle": linestyle, "linewidth": 1.3,
                    "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11},
    )  # fmt: skip
