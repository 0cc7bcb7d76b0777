"""The pictures of a study's page: SVG that takes its colours from the page, light or dark."""

import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxlogit.report.headline import verdicts
from jaxlogit.rows import factors, levels

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult

MOST = 12
"""Pictures of one kind: a page of a hundred is not looked at."""

MOST_ZIPS = 9

# A colour of the pictures in the light, and the one that reads as well in the dark.
COLORS = {
    "#000000": "#e8e8e6", "#ffffff": "#16191d", "#0072b2": "#5ab1e8", "#d55e00": "#ff8b3d",
    "#007a5a": "#3fc79a", "#8a3b77": "#dd8fca", "#8a6100": "#d9a93a", "#3a84b8": "#8cc4ea",
    "#4d4d4d": "#bdbdbd", "#7a7a7a": "#a0a0a0", "#a6324a": "#f08a9d", "#7a9db8": "#5d7f9b",
    "#dce6ee": "#2d3944", "#7fb2d6": "#4f8db8", "#e69f00": "#e6a817", "#303030": "#d0d0d0",
    "#737373": "#8f8f8f",
}  # fmt: skip


class Picture(NamedTuple):
    """A drawing as SVG for a page, and what it shows."""

    caption: str
    svg: str


class Gallery(NamedTuple):
    """Pictures by kind, and in words which coefficients have one of their own, if not all."""

    coverage: list[Picture]
    loops: list[Picture]
    misses: list[Picture]
    zips: list[Picture]
    estimates: list[Picture]
    statuses: list[Picture]
    few: str
    rows: bool
    """Whether there are replicates to draw, not sums alone."""


def palette(dark: bool) -> dict[str, str]:
    """Names of the colours as CSS variables, and their values."""
    return {f"--c{light[1:]}": dim if dark else light for light, dim in COLORS.items()}


def gallery(result: "StudyResult", exact: Any = None) -> Gallery:
    """All pictures of a study.

    Raises
    ------
    ImportError
        There is no matplotlib.
    """
    from jaxlogit import plots

    record = result.record
    terms = list(dict.fromkeys(name for cell in record.cells for name in cell.names))
    few = terms[:MOST]
    # With several cells a picture of each term, whose cells can be compared; else one of all.
    groups: list[Any] = [None] if len(record.cells) == 1 else list(few)
    each = [(_caption(g, level, result), g, level) for level in levels(record) for g in groups]
    has_rows = record.keep == "all"
    drawn = {
        "coverage": [(c, plots.coverage(result, g, level=level, exact=exact))
                     for c, g, level in each],
        "misses": [(c, plots.misses(result, g, level=level)) for c, g, level in each],
        "loops": [(t, plots.nested_loop(result, t)) for t in few]
        if len(factors(record)) > 1 and len(record.cells) > 2 else [],
        "estimates": [(t, plots.estimates(result, t)) for t in few if has_rows],
        "statuses": [(None, plots.statuses(result))],
        "zips": _zips(result) if has_rows else [],
    }  # fmt: skip
    some = f"the first {MOST} of {len(terms)} coefficients" if len(terms) > MOST else ""
    return Gallery(few=some, rows=has_rows, **{
        kind: [Picture(caption or "", inline_svg(ax, f"{kind}{i}"))
               for i, (caption, ax) in enumerate(found)]
        for kind, found in drawn.items()
    })  # fmt: skip


def _caption(term: str | None, level: float, result: "StudyResult") -> str:
    """What the heading of a section leaves open: the term, and the level where there are more."""
    several = len(levels(result.record)) > 1
    return ", ".join([*([term] if term else []), *([f"{100 * level:g} %"] if several else [])])


def _zips(result: "StudyResult") -> list[tuple[str, Any]]:
    """Every method where the coverages of all are farthest from the level."""
    from jaxlogit import plots

    known = [v for v in verdicts(result) if v.rows]
    if not known:
        return []
    worst = max(known, key=lambda v: abs(v.worst["coverage"] - v.level))
    place, level = worst.worst, worst.level
    methods = [v.method for v in known if v.level == level and any(
        (r["cell"], r["term"]) == (place["cell"], place["term"]) for r in v.rows)]  # fmt: skip
    return [
        (method, plots.zip_plot(result, method, place["term"], place["cell"], level))
        for method in methods[:MOST_ZIPS]
    ]


def inline_svg(ax: Any, name: str) -> str:
    """A picture as an SVG element whose colours are CSS variables.

    Parameters
    ----------
    ax : matplotlib Axes
    name : str
        Starts every id, since all pictures of a page share one space of ids.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        ax.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="([\d.]+)pt" height="[\d.]+pt"',
                  r'\1 style="width: \2pt" role="img"', text, count=1)  # fmt: skip
    text = text.replace("xlink:href", "href")
    # Only what the picture itself refers to needs an id.
    known = {"".join(found) for found in re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text)}
    text = re.sub(r' id="([^"]*)"',
                  lambda m: f' id="{name}-{m[1]}"' if m[1] in known else "", text)  # fmt: skip
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    # The page's own font, at the size that the picture was laid out for.
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*(?:;|(?=\"))", "", text)
    return re.sub(r"#[0-9a-f]{6}\b", _variable, text)


def _variable(match: re.Match[str]) -> str:
    color = match.group(0)
    return f"var(--c{color[1:]})" if color in COLORS else color
