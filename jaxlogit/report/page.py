"""A study as one HTML file: sentences, tables, pictures, settings and protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxlogit.report import headline, pictures, protocol, tables
from jaxlogit.report.warnings import warnings
from jaxlogit.report.words import POLICY
from jaxlogit.rows import levels, significances

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult


def write_report(
    result: "StudyResult", path: str | Path, *, exact: Any = None, differences: bool = False
) -> Path:
    """Write the study as one HTML file that needs nothing else: no network, no other file.

    Parameters
    ----------
    result : StudyResult
    path : path
        The file to write.
    exact : DataFrame, optional
        Coverages without Monte Carlo error, drawn beside the simulated ones; see
        `jaxlogit.plots.coverage`.
    differences : bool
        Add the paired differences between methods.

    Returns
    -------
    path
        The file written. Tables are sorted by a click on a heading; colours follow the reader's
        light or dark setting.

    Raises
    ------
    ImportError
        The extra `plots` is not installed.
    ValueError, TypeError
        `exact` lacks columns, or nothing has been simulated yet.
    """
    file = Path(path)
    file.write_text(page(result, exact=exact, differences=differences), encoding="utf-8")
    return file


def page(result: "StudyResult", *, exact: Any = None, differences: bool = False) -> str:
    """The text of the HTML file; see `write_report`."""
    import jinja2

    if not result.parts:
        raise ValueError(f"store {result.store} has no replicates to report: run the study first")
    # Every name in a study is someone's text: all of it is escaped, but the pictures' own SVG.
    house = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxlogit.report", ""), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    record = result.record
    return house.get_template("page.html").render(
        name=record.name,
        facts=_facts(result),
        headlines=headline.headlines(result),
        warnings=warnings(result),
        verdicts=headline.verdict_table(result),
        tables={
            "coverage": tables.coverage(result),
            "extremes": tables.extremes(result),
            "limits": tables.limits(result),
            "estimates": tables.estimates(result),
            "statuses": tables.statuses(result),
            "differences": tables.differences(result) if differences else None,
        },
        pictures=pictures.gallery(result, exact),
        policy=POLICY,
        settings=_settings(result),
        protocol=protocol.sections(record),
        light=pictures.palette(False),
        dark=pictures.palette(True),
    )


def _facts(result: "StudyResult") -> str:
    """One line: how large the study is."""
    record = result.record
    held = {result.n_replicates(c.label, m) for c in record.cells for m in record.methods}
    number = f"{max(held):,}" if len(held) == 1 else f"{min(held):,} to {max(held):,}"
    terms = len({name for cell in record.cells for name in cell.names})
    counts = ((len(record.cells), "cell"), (terms, "coefficient"), (len(record.methods), "method"))
    rest = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)
    return f"{number} simulated data sets in each cell; {rest}"


def _settings(result: "StudyResult") -> list[tuple[str, str]]:
    record = result.record
    found = [
        ("seed", str(record.seed)),
        ("replicates asked for", f"{record.replicates:,}"),
        ("level", ", ".join(f"{level:g}" for level in levels(record))),
        ("null value", f"{record.null:g}"),
        ("significance", significances(record)),
        ("methods", ", ".join(record.methods)),
        ("cells", "; ".join(cell.label for cell in record.cells)),
    ]
    if record.keep == "summary":
        found.append(("kept", "sums of the replicates"))
    if record.bootstrap is not None:
        found += [(f"bootstrap {key}", f"{value}") for key, value in
                  record.bootstrap.to_dict().items()]  # fmt: skip
    found += [(key, str(value)) for key, value in record.source.items() if value is not None]
    found += [("random numbers", str(record.random["implementation"]))]
    return found + [(f"version of {name}", version) for name, version in record.versions.items()]
