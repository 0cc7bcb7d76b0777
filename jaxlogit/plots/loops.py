"""The nested-loop plot: a measure over all combinations of a grid's factors, in one row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.data import check_choice
from jaxlogit.plots import paper, studied
from jaxlogit.plots.coverage import Names
from jaxlogit.plots.paper import GUIDE, SMALL
from jaxlogit.plots.studied import BAR_Z
from jaxlogit.rows import factors as factors_of

MEASURES = {
    "coverage": "coverage",
    "bias_eliminated_coverage": "bias-eliminated coverage",
    "missed_low": "truth below the interval",
    "missed_high": "truth above the interval",
    "rejection": "rejection rate",
    "bias": "bias (log odds)",
    "empirical_se": "empirical standard error",
    "model_se": "model standard error",
    "mse": "mean squared error",
    "width": "mean width",
}
OF_ESTIMATES = ("bias", "empirical_se", "model_se", "mse")
"""The same for all methods of an estimator: drawn once, by its name."""

BAND, STEP = 0.115, 0.055  # heights of a factor's band and of its steps, as shares of the data's
FACTOR = "#4D4D4D"
LABEL = 0.052  # of the height: the least distance between labels of lines


def nested_loop(
    result: Any,
    term: str | None = None,
    measure: str = "coverage",
    factors: Sequence[str] | None = None,
    methods: Names = None,
    level: float | None = None,
    ax: Any = None,
) -> Axes:
    """Draw a measure over all cells of a grid as steps, with the factors' steps below.

    Parameters
    ----------
    result : StudyResult
        Of a study whose cells come from factors.
    term : str, optional
        Needed where the study has more than one.
    measure : str
        A column of `StudyResult.summary`: "coverage", "bias", "empirical_se", "width", ...
    factors : sequence of str, optional
        All of them, the one that changes most slowly first; as in the study by default.
    methods : str or sequence of str, optional
        All by default.
    level : float, optional
        Of the intervals, where a study has several; its first by default.
    ax : matplotlib Axes, optional
        Those of a new Figure by default.

    Returns
    -------
    Axes
        A line for each method, with a band of ±1.96 Monte Carlo standard errors and its name at
        the right edge. It is broken where a method is defined nowhere.

    Raises
    ------
    ValueError, TypeError
        A study without factors, `factors` that are not those of the study, an unknown name,
        measure or level; not a StudyResult, not Axes.

    References
    ----------
    Rücker G, Schwarzer G (2014). Presenting simulation results in a nested loop plot. BMC
    Medical Research Methodology 14:129. doi:10.1186/1471-2288-14-129

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, methods=["ml:wald"],
    ...                  X=[[1, 0], [1, 1]], trials=[40, 40], truth={"x0": -1.0, "x1": 0.0},
    ...                  grid={"truth.x1": [0.0, 0.5, 1.0]})
    >>> ax = jl.plots.nested_loop(study.run(progress=False), "x1")
    >>> ax.get_ylabel()
    'coverage, x1'
    """
    studied.check_result(result)
    check_choice("measure", measure, tuple(MEASURES))
    record = result.record
    names = list(dict.fromkeys(name for cell in record.cells for name in cell.names))
    term = studied.only("term", term, names)
    shown = studied.chosen(result, None, methods, term, level)
    steps = _order(record, factors)
    cells = sorted(
        (cell for cell in record.cells if term in cell.names),
        key=lambda cell: [steps[name].index(cell.values.get(name)) for name in steps],
    )
    ax = paper.axes(ax, (studied.WIDTH, 3.4 + 0.28 * len(steps)))
    places = np.arange(len(cells) + 1)
    values, errors = _values(shown, [cell.label for cell in cells], measure)
    low, high = _limits(values, errors, shown.level if measure == "coverage" else None)
    if measure == "coverage":
        ax.axhline(shown.level, **GUIDE)
    if measure == "bias":
        ax.axhline(0.0, **GUIDE)
    ends, names_of = [], _drawn(shown.methods, measure)
    for method, name in names_of.items():
        look, _ = studied.look_of(method)
        y, error = values[method], errors[method]
        last = np.append(y, y[-1])
        band = BAR_Z * np.append(error, error[-1])
        ax.fill_between(places, last - band, last + band, step="post", color=look.color,
                        alpha=0.1, linewidth=0, gid="band")  # fmt: skip
        ax.step(places, last, where="post", color=look.color, linestyle=_line(method, look),
                linewidth=1.3, gid=method)  # fmt: skip
        ends.append((float(y[-1]), name, look.color))
    bottom = _draw_factors(ax, cells, steps, low, high - low)
    ax.set_ylim(bottom, high)
    _name_lines(ax, ends, low, high)
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    ax.set_xlim(0, len(cells))
    ax.set_xticks([])
    ax.tick_params(labelsize=SMALL)
    ax.set_ylabel(f"{MEASURES[measure]}, {studied.short(term)}", fontsize=SMALL)
    ax.set_xlabel(f"{len(cells)} cells" + (
        f", {paper.percent(shown.level)} intervals" if "cover" in measure else ""
    ), fontsize=SMALL)  # fmt: skip
    return ax


def _drawn(methods: list[str], measure: str) -> dict[str, str]:
    """Methods with a line of their own, and its name."""
    if measure not in OF_ESTIMATES:
        return {method: method for method in methods}
    first: dict[str, str] = {}
    for method in methods:
        first.setdefault(method.partition(":")[0], method)
    return {method: estimator for estimator, method in first.items()}


def _line(method: str, look: paper.Look) -> Any:
    return (0, (1, 1.2)) if "firth" in method else look.line


def _order(record: Any, given: Sequence[str] | None) -> dict[str, list[Any]]:
    """Factors in the order asked for, and their levels: numbers by size."""
    found = factors_of(record)
    if not found:
        raise ValueError("result must be of a study whose cells come from factors: found none")
    names = list(found) if given is None else [given] if isinstance(given, str) else list(given)
    if sorted(names) != sorted(found):
        raise ValueError(f"factors must be {', '.join(found)} in some order: "
                         f"found {', '.join(names)}")  # fmt: skip
    steps = {}
    for name in names:
        values = found[name]
        numbers = all(isinstance(value, int | float) for value in values)
        steps[name] = sorted(values) if numbers else values
        if any(name not in cell.values for cell in record.cells):
            steps[name] = [*steps[name], None]
    return steps


def _values(
    shown: studied.Chosen, cells: list[str], measure: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    table = {(r["cell"], r["method"]): r for r in shown.rows}
    values, errors = {}, {}
    for method in shown.methods:
        rows = [table[cell, method] for cell in cells]
        y = np.array([row[measure] for row in rows], dtype=np.float64)
        values[method] = np.where(np.isfinite(y), y, np.nan)
        errors[method] = np.nan_to_num([row[f"{measure}_mcse"] for row in rows])
    return values, errors


def _limits(values: dict, errors: dict, guide: float | None) -> tuple[float, float]:
    ends = [values[m] + side * BAR_Z * errors[m] for m in values for side in (-1, 1)]
    all_ends = np.concatenate([*ends, np.array([] if guide is None else [guide])])
    all_ends = all_ends[np.isfinite(all_ends)]
    low, high = (all_ends.min(), all_ends.max()) if all_ends.size else (0.0, 1.0)
    margin = 0.05 * ((high - low) or 0.1)
    return float(low - margin), float(high + margin)


def _draw_factors(
    ax: Axes, cells: Sequence[Any], steps: dict[str, list[Any]], low: float, span: float
) -> float:
    """Each factor's level as a step line beneath the data; the lowest height used."""
    places = np.arange(len(cells) + 1)
    bottom = low
    for name, levels in steps.items():
        bottom -= BAND * span
        at = np.array([levels.index(cell.values.get(name)) for cell in cells], dtype=float)
        height = bottom + STEP * span * at / max(len(levels) - 1, 1)
        ax.step(places, np.append(height, height[-1]), where="post", color=FACTOR, linewidth=0.9,
                gid=f"factor {name}")  # fmt: skip
        words = ", ".join("none" if value is None else str(value) for value in levels)
        words = studied.short(f"{name}: {words}", 90)
        ax.text(0.012 * len(cells), bottom + (STEP + 0.012) * span, words,
                fontsize="x-small", va="bottom", color=FACTOR)  # fmt: skip
    return bottom - 0.03 * span


def _name_lines(ax: Axes, ends: list, low: float, high: float) -> None:
    """Every method's name at the right edge beside its line, pushed apart where they meet."""
    bottom, top = ax.get_ylim()
    least = LABEL * (top - bottom)
    known = sorted((low if np.isnan(y) else y, name, color) for y, name, color in ends)
    heights: list[float] = []
    for y, _, _ in known:
        heights.append(max(y, heights[-1] + least) if heights else y)
    over = max(0.0, (heights[-1] - high) if heights else 0.0)
    heights = [height - over for height in heights]
    for i in range(len(heights) - 2, -1, -1):
        heights[i] = min(heights[i], heights[i + 1] - least)
    for height, (_, name, color) in zip(heights, known, strict=True):
        ax.text(1.015, height, name, color=color, fontsize=SMALL, va="center", gid="beside",
                transform=ax.get_yaxis_transform())  # fmt: skip
