"""A fit as text for a terminal, and as HTML for a notebook."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import criteria, penalties
from jaxlogit.core.status import Status
from jaxlogit.data import check_level
from jaxlogit.results import tally
from jaxlogit.tables import tidy
from jaxlogit.text import plain, table

if TYPE_CHECKING:
    from jaxlogit.model import Fit

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
UNSAFE = "unsafe"
EXPLANATION = f"{UNSAFE}: the Wald interval misleads, or there is none (see Fit.diagnose)"
METHOD_NAMES = {"lr": "likelihood ratio", "wald": "Wald", "score": "score", "rstar": "r*"}
SHOWN = 5
"""Models that are named of each kind."""

CELL = "text-align:right;padding:0.1em 0.6em"


@dataclass(frozen=True)
class Summary:
    """What is said of a fit: lines, a table, and lines under it."""

    head: list[str]
    header: list[str]
    rows: list[list[str]]
    foot: list[str]

    def text(self) -> str:
        """For a terminal."""
        foot = ["", *self.foot] if self.foot else []
        return "\n".join([*self.head, "", table(self.header, self.rows), *foot]) + "\n"

    def html(self) -> str:
        """For a notebook; colours and fonts are its own."""
        names = "".join(f'<th style="{CELL}">{escape(name)}</th>' for name in self.header[1:])
        first = f'<th style="text-align:left">{escape(self.header[0])}</th>'
        body = "".join(
            f'<tr><th style="text-align:left">{escape(row[0])}</th>'
            + "".join(f'<td style="{CELL}">{escape(cell)}</td>' for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        head, foot = ("<br>".join(escape(line) for line in part) for part in (self.head, self.foot))
        return (
            f"<div><p>{head}</p><table><thead><tr>{first}{names}</tr></thead>"
            f"<tbody>{body}</tbody></table><p>{foot}</p></div>"
        )


def line(fit: "Fit") -> str:
    """Shapes and a tally of statuses."""
    p, used = fit._models.n_terms, criteria.n_rows(fit._models)
    low, high = used.min(initial=fit._models.n_rows), used.max(initial=0)
    rows = f"{low}" if low >= high else f"{low} to {high}"
    count = "1 model" if fit._models.single else f"{fit.n_models:,} models"
    units, penalty = fit._solution.sandwich, fit._penalty
    kind = "" if units is None else f", {units.layout.kind} covariance"
    kind += "" if penalty is None else f", {penalties.word(penalty)}"
    return f"<Fit: {count}, {rows} rows, {p} coefficients{kind}; {tally(fit.status)}>"


def text(fit: "Fit", level: float = 0.95, method: str | None = None) -> str:
    """The fit as text: a table for one model; tallies, quantiles, worst cases for many."""
    return describe(fit, level, fit._method(method, "wald")).text()


def html(fit: "Fit") -> str:
    """The summary, in notebooks."""
    return describe(fit, 0.95, fit._method(None, "wald")).html()


def every(frame: Any) -> str:
    """All rows of a data frame as a table; columns without any number are left out."""
    columns = [name for name in frame.columns if name != "model" and not frame[name].isna().all()]
    rows = [
        [_number(value) if isinstance(value, float) else str(value) for value in row]
        for row in frame[columns].itertuples(index=False)
    ]
    return table(columns, rows) + "\n"


def describe(fit: "Fit", level: float, method: str, *, exponentiate: bool = False) -> Summary:
    """A table of terms for one model; for many, quantiles by term, statuses and worst cases."""
    check_level(level)
    head = [repr(fit).strip("<>")]
    if fit.formula is not None:
        whose = "" if fit.groups is None or fit.n_models != 1 else f"   ({_label(fit, 0)})"
        head.insert(0, fit.formula + whose + _event(fit))
    if fit.n_models > 1:
        tallied = f"statuses: {tally(fit.status)}"
        return Summary([*head, tallied, "estimates in log-odds"], *_many(fit), _worst(fit))
    head += _measures(fit)
    likelihood = method == "lr" and fit._penalty is not None
    name = f"penalised {METHOD_NAMES[method]}" if likelihood else METHOD_NAMES[method]
    head.append(f"{100 * level:g} % intervals and tests by {name}")
    header, rows, unsafe = _one(fit, level, method, exponentiate)
    return Summary(head, header, rows, _remarks(fit, unsafe))


def _event(fit: "Fit") -> str:
    """Of a response in words, the one whose probability is modelled."""
    response = "" if fit._origin is None else fit._origin.response
    named = response.endswith("]") and response not in (fit.formula or "")
    return f"   (probability of {response})" if named else ""


def _measures(fit: "Fit") -> list[str]:
    """Log-likelihood, deviance and criteria of one model in a line; of counts in two."""
    loglik, deviance, aic, bic = (
        float(np.ravel(value)[0]) for value in (fit.loglik, fit.deviance, fit.aic, fit.bic)
    )
    kind = "log-likelihood" if fit._penalty is None else "penalised log-likelihood"
    line = f"{kind} {loglik:.6g}, deviance {deviance:.6g}"
    if np.isnan(aic):
        return [line]
    both = f"AIC {aic:.6g}, BIC {bic:.6g}"
    if fit._models.trials is None:
        return [f"{line}, {both}"]
    return [line, f"{both} (without binomial coefficients)"]


def _remarks(fit: "Fit", unsafe: bool) -> list[str]:
    """What a reader of one model's table has to know."""
    found = [EXPLANATION] if unsafe else []
    status = Status(int(np.ravel(fit.status)[0]))
    if status in (Status.SEPARATED_QUASI, Status.SEPARATED_COMPLETE):
        names = np.array(fit.names)[~np.isfinite(np.ravel(fit.coef))]
        kind = "complete" if status == Status.SEPARATED_COMPLETE else "quasi-complete"
        found.append(
            f"{kind} separation: {', '.join(names)} without a finite estimate (see "
            'Fit.separation, penalty="firth")'
        )
    elif status == Status.RANK_DEFICIENT:
        which = ", ".join(tidy.dependent(fit))
        found.append(f"linearly dependent on the columns before: {which}; leave it out")
    elif status != Status.CONVERGED:
        found.append(f"no estimate: {status.name}")
    if fit.n_dropped:
        found.append(f"{_rows(fit.n_dropped)}{_of_table(fit)} with missing values left out")
    origin = fit._origin
    if origin is not None and origin.clusters is not None and fit._solution.sandwich is None:
        found.append("errors take rows as independent: Fit.robust() has those of the clusters")
    return found


def _of_table(fit: "Fit") -> str:
    return "" if fit.groups is None else " of the table"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _unsafe(fit: "Fit", level: float) -> np.ndarray:
    """(p,) whether Wald's standard errors mislead; a robust fit's are not those diagnosed."""
    if fit._solution.sandwich is not None or not np.any(np.isfinite(fit.coef)):
        return np.zeros(len(fit.names), bool)
    return np.ravel(fit.diagnose(level).wald_unsafe)


def _one(
    fit: "Fit", level: float, method: str, exponentiate: bool
) -> tuple[list[str], list[list[str]], bool]:
    """One row for each term; those whose standard errors mislead are marked, if there are any."""
    flat = tidy.terms(fit, level, method, exponentiate)
    unsafe = _unsafe(fit, level)
    names = list(flat)
    header = names[names.index("term") : names.index("status", names.index("term"))]
    rows = [
        [str(flat["term"][i]), *(_number(flat[name][i]) for name in header[1:])]
        for i in range(len(flat["term"]))
    ]
    if not np.any(unsafe):
        return header, rows, False
    marked = [[*row, UNSAFE if bad else ""] for row, bad in zip(rows, unsafe, strict=True)]
    return [*header, "wald"], marked, True


def _many(fit: "Fit") -> tuple[list[str], list[list[str]]]:
    """Quantiles of the finite estimates of every term."""
    finite = np.where(np.isfinite(fit.coef), fit.coef, np.nan)
    ends = {0.0: "min", 1.0: "max"}
    header = ["term", "finite", *(ends.get(q, f"{q:.0%}") for q in QUANTILES)]
    rows = []
    for j, name in enumerate(fit.names):
        known = finite[:, j][~np.isnan(finite[:, j])]
        values = np.quantile(known, QUANTILES) if len(known) else [np.nan] * len(QUANTILES)
        rows.append([name, f"{len(known):,}", *(_number(value) for value in values)])
    return header, rows


def _worst(fit: "Fit") -> list[str]:
    """Models without an estimate by status, and those with the least certain estimates."""
    found = []
    for code in np.unique(fit.status[fit.status != Status.CONVERGED]):
        at = np.flatnonzero(fit.status == code)
        more = ", …" if len(at) > SHOWN else ""
        which = ", ".join(_label(fit, i) for i in at[:SHOWN])
        found.append(f"{Status(int(code)).name}: {which}{more}")
    errors = np.where(np.isfinite(fit.std_error), fit.std_error, -1.0)
    if errors.max(initial=-1.0) > 0:
        at = np.argmax(errors, axis=0)
        largest = [
            f"{name} {plain(errors[i, j])} in {_label(fit, i)}"
            for j, (name, i) in enumerate(zip(fit.names, at, strict=True))
        ]
        more = ", …" if len(largest) > SHOWN else ""
        found.append(f"largest standard errors: {', '.join(largest[:SHOWN])}{more}")
    if fit.n_dropped:
        found.append(f"{_rows(fit.n_dropped)}{_of_table(fit)} with missing values left out")
    return found


def _label(fit: "Fit", index: Any) -> str:
    origin = fit._origin
    if origin is None or origin.groups is None:
        return f"model {index}"
    return f"{origin.by}={origin.groups[index]}"


def _number(value: float) -> str:
    return f"{value:.5g}"
