"""What this site needs of Sphinx: tables of measured figures, and signatures worth reading."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks.report import number

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
HANDED_OUT = ("Fit", "Bootstrap", "Maximum", "StudyResult", "ExactResult", "Design", "Dataset")
"""Beside the records: nobody makes these, so how they are made is no part of the reference."""

DOI = re.compile(r"doi:(10\.[^\s,;)]*[^\s,;).:])")
LINK = r"`doi:\1 <https://doi.org/\1>`__"

Record = dict[str, Any]


class Measured(SphinxDirective):
    """```{measured} workloads```: Markdown tables from benchmarks/results/*.json."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The tables' nodes; a sentence where this copy has no results."""
        found = sorted(RESULTS.glob("*.json"), key=lambda path: (len(path.stem), path.stem))
        for path in found:
            self.env.note_dependency(str(path))
        records = [json.loads(path.read_text(encoding="utf-8")) for path in found]
        lines = list(TABLES[self.arguments[0]](records))
        text = "\n".join(lines) if lines else "*This copy of the source has no such results.*"
        return self.parse_text_to_nodes(text)


def machines(records: list[Record]) -> Iterator[str]:
    """Where and with what the figures were measured, each machine once."""
    parts = ("cpu", "cores", "device", "python", "jax", "numpy", "R", "plink2")
    seen = dict.fromkeys(
        tuple((part, str(record["environment"][part])) for part in parts
              if part in record["environment"])
        for record in records if "environment" in record
    )  # fmt: skip
    for machine in seen:
        yield "- " + ", ".join(_machine_part(*part) for part in machine)


def _machine_part(part: str, value: str) -> str:
    words = {"cpu": value, "cores": f"{value} cores", "device": f"device {value}",
             "R": value.removeprefix("Rscript (R) version ").join(["R ", ""]),
             "plink2": value}  # fmt: skip
    return words.get(part, f"{part} {value}")


def workloads(records: list[Record]) -> Iterator[str]:
    """A table for each workload: jaxlogit and its peers."""
    for record in records:
        for work in record.get("workloads", ()):
            rows = [_line(line) for line in work["lines"] if "skipped" not in line]
            yield f"**{work['title']}**{_where(record, records)}\n"
            yield from table(
                ["", "µs per model", "times jaxlogit's", "deviation", "first call, s"], rows
            )


def _where(record: Record, records: list[Record]) -> str:
    """On which machine, where there are figures of several."""
    device, processor = (
        {str(other["environment"].get(part)) for other in records if "environment" in other}
        for part in ("device", "cpu")
    )
    if len(device) == len(processor) == 1:
        return ""
    part = "cpu" if record["environment"].get("device", "cpu") == "cpu" else "device"
    return f", on {record['environment'][part]}"


def _line(line: Record) -> list[str]:
    away = line["deviation"]
    return [line["name"], number(line["us_per_model"]), number(line["ratio"]),
            "" if away is None else f"{away:.0e}", number(line.get("first_call_s"))]  # fmt: skip


def bootstrap(records: list[Record]) -> Iterator[str]:
    """Schemes, and R's boot where it took part."""
    rows = [
        [work["title"], number(work["median_us"]), number(work["ratio"]), work["status"].lower()]
        for record in records
        for work in record.get("bootstrap", ())
    ]
    header = ["scheme, data, replicates", "µs per replicate", "R boot takes, times", "statuses"]
    yield from table(header, rows)


def growth(records: list[Record]) -> Iterator[str]:
    """From a thousand models to a million."""
    rows = [
        [f"{size['models']:,}", number(size["us_per_model"]), f"{size['peak_mib']:,.0f}"]
        for record in records
        for size in record.get("growth", ())
    ]
    yield from table(["models", "µs per model", "peak memory, MiB"], rows)


def studies(records: list[Record]) -> Iterator[str]:
    """Whole commands."""
    for record in records:
        if not (study := record.get("study")):
            continue
        many, exact = study["million"], study["exact"]
        rows = [
            [f"`examples/birthwt.toml`, {many['replicates']:,} data sets × 5 methods, compilation "
             "included", f"{number(many['seconds'])} s"],
            ["its peak memory", f"{number(many['peak_mib'])} MiB"],
            [f"all {exact['outcomes']:,} outcomes of two groups of 50, five methods; again",
             f"{number(exact['seconds'])} s; {number(exact['again_s'])} s"],
        ]  # fmt: skip
        if "again_s" in (loop := study.get("r", {})):
            ours = (1e6 * loop[key] / loop["replicates"] for key in ("seconds", "again_s"))
            rows.append([
                "glm and its profile intervals in R on the same data, a data set; the same "
                f"intervals of {loop['replicates']:,} data sets here, compilation included; again",
                f"{1e3 * loop['replicate_s']:.0f} ms; {' µs; '.join(map(number, ours))} µs",
            ])  # fmt: skip
        yield from table(["command", f"measured{_where(record, records)}"], rows)


def frames(records: list[Record]) -> Iterator[str]:
    """Groups of rows from a table, and a large file, by formula."""
    for record in records:
        if not (found := record.get("frames")):
            continue
        task = f"{found['groups']:,} groups, {found['rows']:,} rows"
        rows = [[f"jaxlogit, {task}", number(found["seconds"])]]
        rows += [["the same, first call of a process", number(found["first_s"])]]
        rows += [[f"a loop: {peer}", number(taken)] for peer, taken in found["loops_s"].items()]
        large = found["large"]
        rows += [[f"jaxlogit, one model from a file of {large['rows']:,} rows; again",
                  f"{number(large['seconds'])}; {number(large['again_s'])}"]]  # fmt: skip
        yield from table(["", "seconds"], rows)


def memory(records: list[Record]) -> Iterator[str]:
    """A million replicates in one call."""
    for record in records:
        if found := record.get("memory"):
            yield (
                f"{found['replicates']:,} replicates of {found['rows']} rows and {found['terms']} "
                f"coefficients, fitted in one call with Wald intervals, took "
                f"{number(found['fit_and_wald_seconds'])} s and {number(found['wald_peak_mib'])} "
                f"MiB at the peak; all likelihood-ratio intervals "
                f"{number(found['lr_seconds'])} s more and {number(found['peak_mib'])} MiB. The "
                f"responses alone are {number(found['responses_mib'])} MiB.\n"
            )


TABLES: dict[str, Callable[[list[Record]], Iterator[str]]] = {
    made.__name__: made
    for made in (machines, workloads, bootstrap, growth, frames, studies, memory)
}


def table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Lines of a Markdown table, numbers to the right; nothing without rows."""
    if not rows:
        return
    rule = ["---", *["---:"] * (len(header) - 1)]
    for row in (header, rule, *rows):
        yield "| " + " | ".join(row) + " |"
    yield ""


def without_making(app, what, name, found, options, signature, returns):
    """Records are handed out, never made by readers: leave their signatures out."""
    record = what == "class" and any(base.__name__ == "Record" for base in found.__mro__)
    if record or (what == "class" and found.__name__ in HANDED_OUT):
        return "", None
    return None


def readable(app, what, name, found, options, lines):
    """Formulas as written: a bar is a bar, and indented parts of modules as they stand."""
    made: list[str] = []
    doctest = literal = False
    for line in lines:
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        indented = line.startswith("    ") and what == "module"
        if indented and made and not made[-1].strip() and not literal:
            made += ["::", ""]
        literal = indented or (not line.strip() and bool(made) and literal)
        made.append(line if doctest or literal else DOI.sub(LINK, line.replace("|", r"\|")))
    lines[:] = made


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("measured", Measured)
    app.connect("autodoc-process-signature", without_making)
    app.connect("autodoc-process-docstring", readable, priority=400)  # before numpydoc
    return {"parallel_read_safe": True}
