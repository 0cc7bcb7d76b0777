"""Where a study's estimates lie: a histogram for every cell and estimator, with the truth."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.plots import paper, studied
from jaxlogit.plots.coverage import Names
from jaxlogit.plots.paper import SMALL
from jaxlogit.rows import short

SLOT = 0.36  # inches of one histogram
HEAD = 0.5  # slots of a cell's name
BINS = 60
FAR = 4.0  # interquartile ranges beyond the quartiles: farther estimates are counted, not drawn
COLORS = {"ml": "#0072B2", "firth": "#D55E00", "bootstrap": "#4D4D4D", "firth-bootstrap": "#8A6100"}


def estimates(
    result: Any, term: str | None = None, methods: Names = None, cells: Names = None, ax: Any = None
) -> Axes:
    """Draw the distribution of a term's estimates, by cell and estimator, with the truth.

    Parameters
    ----------
    result : StudyResult
    term : str, optional
        Needed where the study has more than one.
    methods, cells : str or sequence of str, optional
        Which to show; all by default. Methods of one estimator share its estimates.
    ax : matplotlib Axes, optional
        Those of a new Figure, as high as there are rows, by default.

    Returns
    -------
    Axes
        Histograms of the same height. A black line is the truth, a triangle the mean of the
        finite estimates. The shares of infinite estimates, of those without a value, and of
        those too far away to be drawn are written beside.

    Raises
    ------
    ValueError, TypeError
        An unknown name, or one that must be given; not a StudyResult, not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, X=[[1, 0], [1, 1]],
    ...                  trials=[40, 40], truth=[-1.0, 0.5])
    >>> ax = jl.plots.estimates(study.run(progress=False), "x1")
    >>> ax.get_xlabel()
    'estimates of x1 (log odds)'
    """
    studied.check_result(result)
    record = result.record
    names = list(dict.fromkeys(name for cell in record.cells for name in cell.names))
    term = studied.only("term", term, names)
    cells = studied.some("cells", cells, [cell.label for cell in record.cells])
    first: dict[str, str] = {}
    for method in studied.some("methods", methods, list(record.methods)):
        first.setdefault(method.partition(":")[0], method)
    found = {
        (cell, estimator): table.loc[table["cell"] == cell, "estimate"].to_numpy(np.float64)
        for estimator, method in first.items()
        for table in [_one_level(result.frame(method, term))]
        for cell in cells
    }
    order = [(cell, estimator) for cell in cells for estimator in first]
    # A cell's name stands above its histograms, where there is room for a long one.
    heads = HEAD * (len(cells) > 1)
    places = [i + heads * (1 + cells.index(cell)) for i, (cell, _) in enumerate(order)]
    bottom = len(order) + heads * len(cells)
    ax = paper.axes(ax, (studied.WIDTH, studied.FRAME + SLOT * bottom))
    truths = {c.label: float(c.truth[c.names.index(term)]) for c in record.cells if term in c.names}
    low, high = _limits(list(found.values()), [truths[cell] for cell in cells if cell in truths])
    ax.set_xlim(low, high)
    for i, (cell, estimator) in zip(places, order, strict=True):
        values = found[cell, estimator]
        if heads and estimator == next(iter(first)):
            ax.text(0.0, i - 0.5, cell, fontsize=SMALL, fontweight="bold", va="bottom", gid="cell",
                    transform=ax.get_yaxis_transform())  # fmt: skip
        _strip(ax, i, values, COLORS.get(estimator, "#4D4D4D"), (low, high))
        if cell in truths:
            ax.plot([truths[cell]] * 2, [i + 0.42, i - 0.48], color="black", linewidth=1.1,
                    gid="truth")  # fmt: skip
    ax.set_yticks([i + 0.1 for i in places], [estimator for _, estimator in order])
    ax.tick_params(axis="y", length=0)
    ax.tick_params(labelsize=SMALL)
    ax.set_ylim(bottom - 0.45, -0.6)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"estimates of {short(term, 40)} (log odds)", fontsize=SMALL)
    return ax


def _one_level(table: Any) -> Any:
    """A study at several levels has the same estimates at each."""
    return table[table["level"] == table["level"].iloc[0]] if "level" in table.columns else table


def _limits(found: list[np.ndarray], truths: list[float]) -> tuple[float, float]:
    places = list(truths)
    for values in found:
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = np.quantile(finite, [0.25, 0.75])
            reach = FAR * (high - low)
            places += [
                max(float(finite.min()), low - reach),
                min(float(finite.max()), high + reach),
            ]
    low, high = min(places, default=-1.0), max(places, default=1.0)
    margin = 0.03 * ((high - low) or 1.0)
    return low - margin, high + margin


def _strip(
    ax: Axes, place: float, values: np.ndarray, color: str, limits: tuple[float, float]
) -> None:
    """A histogram on the line at `place` + 0.4, its mean, and what is not in it in words."""
    finite = values[np.isfinite(values)]
    inside = finite[(finite >= limits[0]) & (finite <= limits[1])]
    base = place + 0.4
    if inside.size:
        # A coarse design has few distinct estimates: wide bins would merge, narrow ones are fine.
        counts, edges = np.histogram(inside, BINS, limits)
        ax.stairs(base - 0.8 * counts / counts.max(), edges, baseline=base, fill=True, color=color,
                  alpha=0.55, linewidth=0, gid="estimates")  # fmt: skip
    ax.plot(limits, [base] * 2, color="0.45", linewidth=0.6)
    words = ["none finite"]
    if finite.size:
        mean = float(np.mean(finite))
        words = [f"mean {paper.number(mean)}"]
        if limits[0] <= mean <= limits[1]:
            ax.plot([mean], [base + 0.06], "^", color=color, markersize=4.5, clip_on=False,
                    gid="mean", zorder=3)  # fmt: skip
    lost = [
        (values == np.inf, "∞"), (values == -np.inf, "−∞"), (np.isnan(values), "none"),
        (np.isfinite(values) & ((values < limits[0]) | (values > limits[1])), "beyond"),
    ]  # fmt: skip
    words += [f"{studied.share_words(float(np.mean(which)))} {what}"
              for which, what in lost if which.any()]  # fmt: skip
    if not values.size:
        words = ["not run"]
    ax.text(1.015, place + 0.1, ", ".join(words), fontsize=SMALL, va="center", gid="beside",
            transform=ax.get_yaxis_transform())  # fmt: skip
