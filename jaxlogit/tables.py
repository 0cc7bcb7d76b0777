"""A fit as a tidy table, and as text for a terminal."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.results import tally
from jaxlogit.text import table

if TYPE_CHECKING:
    from jaxlogit.model import Fit

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
UNSAFE = "unsafe"
EXPLANATION = f"{UNSAFE}: the Wald interval misleads, or there is none (see Fit.diagnose)"
METHOD_NAMES = {"lr": "likelihood ratio", "wald": "Wald", "score": "score", "rstar": "r*"}


def columns(fit: "Fit", level: float, method: str) -> dict[str, np.ndarray]:
    """Columns of the tidy table, one row for each model and term."""
    ends, tested = fit.confint(level, method), fit.test(method)
    count, names = fit.n_models, np.array(fit.names)
    flat = {
        "model": np.repeat(np.arange(count), len(names)),
        "term": np.tile(names, count),
        "estimate": fit.coef,
        "std_error": fit.std_error,
        "statistic": tested.statistic,
        "p_value": tested.p_value,
        "conf_low": ends.lower,
        "conf_high": ends.upper,
        "status": np.repeat(np.atleast_1d(fit.status), len(names)),
    }
    return {name: np.ravel(value) for name, value in flat.items()}


def tidy(fit: "Fit", level: float, method: str) -> Any:
    """The tidy table as a pandas data frame; statuses by name."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: install jaxlogit-inference[study]") from error
    flat = columns(fit, level, method)
    flat["status"] = np.array([Status(int(code)).name.lower() for code in flat["status"]])
    return pd.DataFrame(flat)


def summary(fit: "Fit", level: float, method: str) -> str:
    """A table of terms for one model; for many, quantiles by term and a tally of statuses."""
    head = [repr(fit).strip("<>")]
    if fit.n_models == 1:
        loglik, deviance = float(np.ravel(fit.loglik)[0]), float(np.ravel(fit.deviance)[0])
        kind = "log-likelihood" if fit._penalty is None else "penalised log-likelihood"
        head.append(f"{kind} {loglik:.6g}, deviance {deviance:.6g}")
        body = _one(columns(fit, level, method), _unsafe(fit, level))
    else:
        body = _many(fit)
    percent = f"{100 * level:g}"
    if fit.n_models == 1:
        likelihood = method == "lr" and fit._penalty is not None
        name = f"penalised {METHOD_NAMES[method]}" if likelihood else METHOD_NAMES[method]
        head.append(f"{percent} % intervals and tests by {name}")
    return "\n".join([*head, "", body]) + "\n"


def _unsafe(fit: "Fit", level: float) -> np.ndarray:
    """(p,) whether Wald's standard errors mislead; a robust fit's are not those diagnosed."""
    if fit._solution.sandwich is not None:
        return np.zeros(len(fit.names), bool)
    return np.ravel(fit.diagnose(level).wald_unsafe)


def _one(flat: dict[str, np.ndarray], unsafe: np.ndarray) -> str:
    """One row for each term; those whose standard errors mislead are marked, if there are any."""
    header = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    rows = [
        [str(flat["term"][i]), *(_number(flat[name][i]) for name in header[1:])]
        for i in range(len(flat["term"]))
    ]
    if not np.any(unsafe):
        return table(header, rows)
    marked = [[*row, UNSAFE if bad else ""] for row, bad in zip(rows, unsafe, strict=True)]
    return f"{table([*header, 'wald'], marked)}\n\n{EXPLANATION}"


def _many(fit: "Fit") -> str:
    finite = np.where(np.isfinite(fit.coef), fit.coef, np.nan)
    header = ["term", "finite", *("min" if q == 0 else "max" if q == 1 else f"{q:.0%}"
                                  for q in QUANTILES)]  # fmt: skip
    rows = []
    for j, name in enumerate(fit.names):
        known = finite[:, j][~np.isnan(finite[:, j])]
        values = np.quantile(known, QUANTILES) if len(known) else [np.nan] * len(QUANTILES)
        rows.append([name, f"{len(known):,}", *(_number(value) for value in values)])
    return f"{table(header, rows)}\n\nstatuses: {tally(fit.status)}"


def _number(value: float) -> str:
    return f"{value:.5g}"
