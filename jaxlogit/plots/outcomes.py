"""How the fits of a study ended: shares of statuses by cell and method."""

from typing import Any

from matplotlib.axes import Axes

from jaxlogit.core.status import Status
from jaxlogit.plots import studied
from jaxlogit.plots.coverage import Names
from jaxlogit.plots.paper import SMALL
from jaxlogit.plots.studied import beside, some
from jaxlogit.rows import Row, levels, short, with_level

# From light to dark in the order of trouble, with hatches: told apart without colours too.
KINDS = {
    "converged": ("converged", "#DCE6EE", ""),
    "infinite": ("an infinite end", "#7FB2D6", ""),
    "separated_quasi": ("undefined: quasi-separated", "#E69F00", ""),
    "separated_complete": ("undefined: separated", "#D55E00", "//"),
    "no_bound_found": ("no bound found", "#8A3B77", ".."),
}
OTHER = ("another failure", "#303030", "")


def statuses(
    result: Any, terms: Names = None, methods: Names = None, cells: Names = None, ax: Any = None
) -> Axes:
    """Draw the shares of the statuses as stacked bars, by cell and method.

    Parameters
    ----------
    result : StudyResult
    terms, methods, cells : str or sequence of str, optional
        Which to show; all by default. A bar is about the intervals of all terms shown.
    ax : matplotlib Axes, optional
        Those of a new Figure, as high as there are rows, by default.

    Returns
    -------
    Axes
        Every share that is not 0 or "converged" is written beside its bar too, since what matters
        may be too small to be seen.

    Raises
    ------
    ValueError, TypeError
        An unknown name; not a StudyResult, not Axes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> study = jl.Study(name="dose", seed=1, replicates=200, X=[[1, 0], [1, 1]],
    ...                  trials=[40, 40], truth=[-1.0, 0.5])
    >>> ax = jl.plots.statuses(study.run(progress=False))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['ml:wald', 'ml:lr', 'ml:score']
    """
    studied.check_result(result)
    record = result.record
    names = list(dict.fromkeys(name for cell in record.cells for name in cell.names))
    terms, methods = some("terms", terms, names), some("methods", methods, list(record.methods))
    cells = some("cells", cells, [cell.label for cell in record.cells])
    counts = [r for r in with_level(result.statuses(), record) if r["term"] in terms]
    several = levels(record)
    places, ticks, heads, height = [], [], [], 0.0
    for cell in cells:
        if len(cells) > 1:
            heads.append((height, cell))
            height += 1.1
        for level in several:
            for method in methods:
                place = cell, method, level
                group = [r for r in counts if (r["cell"], r["method"], r["level"]) == place]
                label = method if len(several) == 1 else f"{method} {100 * level:g} %"
                ticks.append((height, short(label, 30)))
                places.append((height, _shares(group)))
                height += 1
        height += studied.GAP
    layout = studied.Layout(places, ticks, heads, height - studied.GAP)
    ax = studied.rows_axes(ax, layout)
    _bars(ax, layout)
    what = "all terms" if len(terms) == len(names) > 1 else ", ".join(terms)
    ax.set_xlabel(f"% of the intervals ({short(what, 60)})", fontsize=SMALL)
    return ax


def _shares(group: list[Row]) -> Row:
    """Shares of all rows by kind; those without a name of their own together."""
    total = sum(r["n_replicates"] for r in group)
    found = dict.fromkeys([*KINDS, "other"], 0.0)
    for row in group:
        for status in Status:
            name = status.name.lower()
            found[name if name in KINDS else "other"] += row[name] / max(total, 1)
    return found | {"total": total}


def _bars(ax: Axes, layout: studied.Layout) -> None:
    used = []
    for height, shares in layout.places:
        left, words = 0.0, []
        for name in [*KINDS, "other"]:
            label, color, hatch = KINDS.get(name, OTHER)
            value = 100 * shares[name]
            if value > 0:
                ax.barh(height, value, 0.7, left=left, color=color, hatch=hatch, gid=name,
                        edgecolor="white" if hatch else color, linewidth=0)  # fmt: skip
                left += value
                used += [] if name in used else [name]
                if name != "converged":
                    words.append(f"{studied.share_words(shares[name])} {SHORT[name]}")
        if not shares["total"]:
            words = ["not run"]
        beside(ax, height, ", ".join(words) or "all converged", "black")
    ax.set_xlim(0, 100)
    for name in [name for name in [*KINDS, "other"] if name in used]:
        label, color, hatch = KINDS.get(name, OTHER)
        ax.barh([0], [0], color=color, hatch=hatch, edgecolor="white" if hatch else color,
                linewidth=0, label=label)  # fmt: skip
    if used:
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False,
                  fontsize=SMALL, handlelength=1.2, columnspacing=1.2,
                  borderaxespad=0.2)  # fmt: skip


SHORT = {
    "infinite": "infinite",
    "separated_quasi": "quasi-sep.",
    "separated_complete": "separated",
    "no_bound_found": "no bound",
    "other": "failed",
}
