"""A study's protocol: aims, data-generating mechanisms, estimands, methods, performance measures.

References
----------
Morris TP, White IR, Crowther MJ (2019). Using simulation studies to evaluate statistical
methods. Statistics in Medicine 38:2074-2102, section 3. doi:10.1002/sim.8086
"""

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxlogit.report.words import MEASURES, POLICY, listed, markdown, method_words
from jaxlogit.rows import factors, levels, significances
from jaxlogit.text import plain, share, table

if TYPE_CHECKING:
    from jaxlogit.study.design.cells import Cell
    from jaxlogit.study.store.record import Record

WORST = 0.5
"""The coverage whose Monte Carlo error is largest."""

SUMS = (
    "Sums over replicates are kept, not the replicates. The median width is from counts in bins, "
    "and so within 0.1 % of the replicates' own; bias-eliminated coverage is too, with bins that "
    "near the truth are narrower than 1 % of the bias."
)

TOLD = ("data", "formula", "truth", "generate")


class Items(NamedTuple):
    """A list."""

    items: list[str]


class Table(NamedTuple):
    """A table of words."""

    header: list[str]
    rows: list[list[str]]


class Section(NamedTuple):
    """A heading and what stands below it: paragraphs, lists, tables."""

    title: str
    blocks: list[str | Items | Table]


def protocol_text(record: "Record") -> str:
    """The protocol of a study in the order ADEMP, as Markdown.

    Parameters
    ----------
    record : Record

    Returns
    -------
    str
        Names from the study are escaped.
    """
    lines = [f"# Protocol of the simulation study {markdown(record.name)}"]
    for section in sections(record):
        lines.append(f"## {section.title}")
        for block in section.blocks:
            match block:
                case Items(items):
                    lines.append("\n".join(f"- {markdown(item)}" for item in items))
                case Table(header, rows):
                    safe = [[markdown(cell) for cell in row] for row in (header, *rows)]
                    lines.append(table(safe[0], safe[1:], markdown=True))
                case _:
                    lines.append(markdown(block))
    return "\n\n".join(lines) + "\n"


def sections(record: "Record") -> list[Section]:
    """The protocol's sections, for whatever writes them."""
    return [
        Section("Aims", [_aims(record)]),
        Section("Data-generating mechanisms", _mechanisms(record)),
        Section("Estimands", _estimands(record)),
        Section("Methods", _methods(record)),
        Section("Performance measures", _measures(record)),
        Section("Number of replicates", _replicates(record)),
        Section("Failures", [POLICY]),
        Section("Computation", _computation(record)),
    ]


def _levels(record: "Record") -> str:
    return listed([f"{100 * level:g} %" for level in levels(record)])


def _aims(record: "Record") -> str:
    return (
        f"To find out how often {_levels(record)} intervals by {_count(record.methods, 'method')} "
        "hold the true coefficients of a logistic regression, on which side they miss, how wide "
        "they are and how often their tests reject; and how far the estimates and their standard "
        "errors can be trusted."
    )


def _mechanisms(record: "Record") -> list[str | Items | Table]:
    cells, found = record.cells, factors(record)
    blocks: list[str | Items | Table] = [_design(record)]
    if found:
        each = [f"{name} ({', '.join(map(str, values))})" for name, values in found.items()]
        full = math.prod(len(values) for values in found.values()) == len(cells)
        kind = "fully factorial: every combination of" if full else "some combinations of"
        blocks.append(f"There are {_count(cells, 'cell')}, {kind} {listed(each)}.")
        header = [*found, "rows", "coefficients", "successes %"]
        rows = [[str(cell.values.get(name, "")) for name in found] + _shape(cell) for cell in cells]
        blocks.append(Table(header, rows))
    else:
        rows_, coefficients, successes = _shape(cells[0])
        words = "" if successes == "varies" else (
            f"; under the true coefficients {successes} % of the outcomes are expected to be "
            "successes"
        )  # fmt: skip
        blocks.append(f"There is one cell, with {rows_} rows and {coefficients} coefficients"
                      f"{words}.")  # fmt: skip
    blocks.append(_outcomes(cells[0], record.source))
    rest = {
        key: value for key, value in record.source.items() if key not in TOLD and value is not None
    }
    if rest:
        blocks.append(Items([f"{key}: {_plainly(value)}" for key, value in rest.items()]))
    return blocks


def _design(record: "Record") -> str:
    source, first = record.source, record.cells[0]
    if first.source is not None:
        words = _drawn(record)
    elif source.get("columns"):
        words = ("The columns were drawn once from their distributions, and are the same in every "
                 "replicate.")  # fmt: skip
    elif source.get("formula"):
        data = f"data set {source['data']}" if source.get("data") else "given data"
        words = (f"The covariates are those of the {data} under the formula {source['formula']}. "
                 "They are the same in every replicate.")  # fmt: skip
    else:
        words = "The design matrix is given, and the same in every replicate."
    if first.n_dropped:
        words += f" {first.n_dropped:,} rows of the data with missing values are left out."
    return words


def _drawn(record: "Record") -> str:
    """How every replicate draws its design."""
    source = record.source
    if source.get("generate"):
        return (f"Designs and outcomes are drawn by the function {source['generate']} for every "
                "replicate.")  # fmt: skip
    if source.get("columns"):
        return "The columns are drawn from their distributions for every replicate, as follows."
    rows = f"data set {source['data']}" if source.get("data") else "given table"
    formula = f", under the formula {source['formula']}" if source.get("formula") else ""
    return f"Rows are drawn with replacement from the {rows}{formula}, for every replicate."


def _outcomes(cell: "Cell", source: Any) -> str:
    if source.get("generate"):
        return ("The function draws from random numbers of the replicate's own, and every method "
                "sees the same data sets. Replicates in which it fails are counted.")  # fmt: skip
    trials = "one trial" if cell.trials is None else "its number of trials, as in the design,"
    offset = "" if cell.offset is None else " plus the row's offset"
    words = (
        f"Outcomes are independent and binomial, with {trials} in each row and the success "
        f"probability 1/(1 + exp(−η)), where η is the row's linear predictor{offset} at the true "
        "coefficients. Each replicate draws its outcomes from random numbers of its own, and every "
        "method sees the same data sets."
    )
    return words + (
        "" if cell.weights is None else
        " Case weights enter the fits, and not the simulation."
    )  # fmt: skip


def _shape(cell: "Cell") -> list[str]:
    """Rows, coefficients and expected share of successes in per cent."""
    p = str(len(cell.names))
    if cell.source is not None:
        return [f"{cell.n_rows:,}", p, "varies"]
    eta = cell.X @ cell.truth + (0.0 if cell.offset is None else cell.offset)
    mu = 0.5 * (1.0 + np.tanh(0.5 * eta))
    trials = np.ones(len(eta)) if cell.trials is None else cell.trials
    successes = 100 * float(np.sum(trials * mu)) / max(float(np.sum(trials)), 1.0)
    return [f"{cell.n_rows:,}", p, f"{successes:.1f}"]


def _estimands(record: "Record") -> list[str | Items | Table]:
    origin = {
        "mle": "the maximum-likelihood estimates of the data",
        "solved": "given, but for the intercept, which is solved for the event rate",
    }.get(record.source.get("truth", ""), "given")
    intro = ("The estimands are the coefficients, log odds ratios for one unit of their column. "
             f"Their true values are {origin}.")  # fmt: skip
    truths = [dict(zip(cell.names, map(float, cell.truth), strict=True)) for cell in record.cells]
    if all(truth == truths[0] for truth in truths):
        rows = [[name, f"{value:.6g}"] for name, value in truths[0].items()]
        return [intro, Table(["coefficient", "truth"], rows)]
    names = list(dict.fromkeys(name for truth in truths for name in truth))
    rows = [
        [cell.label, *(f"{truth[name]:.4g}" if name in truth else "" for name in names)]
        for cell, truth in zip(record.cells, truths, strict=True)
    ]
    return [intro, Table(["cell", *names], rows)]


def _methods(record: "Record") -> list[str | Items | Table]:
    blocks: list[str | Items | Table] = [
        f"Intervals are two-sided, at a level of {_levels(record)}; each is the inversion of the "
        "test that rejection rates are of, at a null value of "
        f"{plain(record.null)} and p ≤ {significances(record)}.",
        Items([f"{method}: {method_words(method)}" for method in record.methods]),
    ]
    if record.bootstrap is not None:
        blocks.append(
            f"Every data set is resampled {record.bootstrap.replicates:,} times (scheme "
            f"{record.bootstrap.scheme}). A bootstrap method has no p-value: it rejects a null "
            "value outside its interval."
        )
    return blocks


def _measures(record: "Record") -> list[str | Items | Table]:
    header = ["measure", "definition", "Monte Carlo standard error"]
    intro = ("d is the estimate minus the truth, V the squared model standard error, n the number "
             "of replicates in which the measure is defined.")  # fmt: skip
    return [intro, Table(header, [list(row) for row in MEASURES])]


def _replicates(record: "Record") -> list[str | Items | Table]:
    n = record.replicates
    blocks: list[str | Items | Table] = []
    for level in levels(record):
        worst, nominal = (math.sqrt(c * (1 - c) / n) for c in (WORST, level))
        blocks.append(
            f"With {n:,} replicates in each cell, the Monte Carlo standard error of a coverage is "
            f"at most √(0.25/n) = {share(worst)}, and {share(nominal)} where the coverage is "
            f"{100 * level:g} %: a method that holds its level is then seen within "
            f"±{100 * 1.96 * nominal:.2f} percentage points of it in 95 % of studies."
        )
    found: list[str | Items | Table] = blocks
    if len(blocks) > 1:
        found = [Items([str(block) for block in blocks])]
    if record.precision is not None:
        looks = listed([f"{look:,}" for look in record.precision.looks])
        found.append(
            f"That is the most: a cell ends at the first look, after {looks} replicates, at which "
            "the Monte Carlo standard error of every coverage is certain to be below "
            f"{record.precision.target_mcse:g}, whatever coverage Wilson's 95 % interval allows."
        )
    return found


def _computation(record: "Record") -> list[str | Items | Table]:
    made = listed([f"{name} {version}" for name, version in record.versions.items()])
    random = record.random
    words = (
        f"Simulated with {made}. Random numbers are from {random['implementation']} with seed "
        f"{record.seed}; a replicate's are a function of seed, cell and its number alone, so that "
        "order, block size and device change nothing and each can be rebuilt by itself."
    )
    return [words, SUMS] if record.keep == "summary" else [words]


def _count(things: Any, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _plainly(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
