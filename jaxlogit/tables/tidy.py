"""A fit as tables: a row for each model and term, or for each model."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import criteria
from jaxlogit.core.status import Status
from jaxlogit.core.working import RANK_LIMIT

if TYPE_CHECKING:
    from jaxlogit.model import Fit


def to_frame(
    fit: "Fit", level: float = 0.95, method: str | None = None, *, exponentiate: bool = False
) -> Any:
    """A tidy table, one row for each model and term (needs pandas).

    Columns: model, term, estimate, std_error, statistic, p_value, conf_low, conf_high,
    status; intervals and tests by `method`; before them the group's label, where there are
    groups. With `exponentiate` odds ratios and their ends: the columns are then odds_ratio and
    log_std_error, the error of its logarithm.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> fit = jl.fit_formula("low ~ age", "birthwt", by="smoke")
    >>> fit.to_frame()[["smoke", "term", "estimate", "conf_low"]].round(3)
       smoke       term  estimate  conf_low
    0      0  Intercept     0.805    -1.157
    1      0        age    -0.083    -0.176
    2      1  Intercept    -0.158    -2.349
    3      1        age    -0.010    -0.105
    """
    return frame(terms(fit, level, fit._method(method, "wald"), exponentiate))


def to_xarray(fit: "Fit", level: float = 0.95, method: str | None = None) -> Any:
    """The tidy table as an xarray data set, model × term, with statuses by their codes.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> found = jl.fit_formula("low ~ age", "birthwt", by="smoke").to_xarray()
    >>> dict(found.sizes), found["group"].values
    ({'model': 2, 'term': 2}, array([0, 1]))
    """
    return array(fit, level, fit._method(method, "wald"))


def glance(fit: "Fit") -> Any:
    """A table with one row for each model (needs pandas).

    Columns: n_obs, null_deviance, df_null, deviance, df_residual, loglik, aic, bic, n_steps,
    status. The null model has the intercept alone.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> jl.fit_formula("low ~ age", "birthwt").glance()[["n_obs", "deviance", "aic"]].round(2)
       n_obs  deviance     aic
    0    189    231.91  235.91
    """
    return frame(models(fit))


def terms(fit: "Fit", level: float, method: str, exponentiate: bool = False) -> dict[str, Any]:
    """Columns of the tidy table, one row for each model and term."""
    ends, tested = fit.confint(level, method), fit.test(method)
    estimate = fit.coef
    if exponentiate:
        ends = ends.odds_ratio
        with np.errstate(over="ignore"):
            estimate = np.exp(estimate)
    names = np.array(fit.names)
    flat = {
        "model": np.repeat(np.arange(fit.n_models), len(names)),
        "term": np.tile(names, fit.n_models),
        "odds_ratio" if exponentiate else "estimate": estimate,
        "log_std_error" if exponentiate else "std_error": fit.std_error,
        "statistic": tested.statistic,
        "p_value": tested.p_value,
        "conf_low": ends.lower,
        "conf_high": ends.upper,
        "status": np.repeat(words(fit.status), len(names)),
    }
    return labelled(*groups(fit), {name: np.ravel(value) for name, value in flat.items()})


def models(fit: "Fit") -> dict[str, Any]:
    """Columns of `Fit.glance`, one row for each model."""
    checked = fit._models
    null, p = criteria.null_deviance(checked)
    flat = {
        "model": np.arange(fit.n_models),
        "n_obs": fit.n_obs,
        "null_deviance": null,
        "df_null": np.maximum(fit.n_obs - p, 0),
        "deviance": fit.deviance,
        "df_residual": np.maximum(fit.n_obs - len(fit.names), 0),
        "loglik": fit.loglik,
        "aic": fit.aic,
        "bic": fit.bic,
        "n_steps": fit.n_steps,
        "status": words(fit.status),
    }
    return labelled(*groups(fit), {name: np.atleast_1d(value) for name, value in flat.items()})


def dependent(fit: "Fit") -> list[str]:
    """Names of the columns of one model's design that those before them determine."""
    X = np.asarray(fit._models.design, np.float64)
    X = X[0] if X.ndim == 3 else X
    if fit._models.own is not None:
        X = np.column_stack([X, np.atleast_2d(fit._models.own)[0]])
    if fit._models.weights is not None:
        X = np.where(np.ravel(fit._models.weights)[:, None] > 0, X, 0.0)
    lengths = np.linalg.norm(X, axis=0)
    left = np.abs(np.diagonal(np.linalg.qr(X / np.where(lengths > 0, lengths, 1.0)).R))
    left = np.append(left, np.zeros(X.shape[1] - len(left)))  # fewer rows than columns
    return [name for name, new in zip(fit.names, left, strict=True) if new < RANK_LIMIT]


def words(status: Any) -> np.ndarray:
    """Statuses by name, in lower case."""
    codes = np.atleast_1d(status)
    known, which = np.unique(codes, return_inverse=True)
    return np.array([Status(int(code)).name.lower() for code in known])[which.reshape(codes.shape)]


def groups(fit: "Fit") -> tuple[str | None, np.ndarray | None]:
    """The column that divides the rows, and its values (B,), where there is one."""
    return (None, None) if fit._origin is None else (fit._origin.by, fit._origin.groups)


def labelled(by: str | None, labels: np.ndarray | None, columns: dict[str, Any]) -> dict[str, Any]:
    """The columns after that of the groups' labels, where there are groups."""
    if labels is None:
        return columns
    name = "group" if by is None or by in columns else by
    return {name: labels[columns["model"]], **columns}


def frame(columns: dict[str, Any]) -> Any:
    """Columns as a pandas data frame."""
    return needed("to_frame", "pandas", "study").DataFrame(columns)


def array(fit: "Fit", level: float, method: str) -> Any:
    """The tidy table as an xarray data set, model × term; see `Fit.to_xarray`."""
    xarray = needed("to_xarray", "xarray", "frames")
    flat = terms(fit, level, method)
    shape = (fit.n_models, len(fit.names))
    values = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
    found: dict[str, Any] = {
        name: (("model", "term"), flat[name].reshape(shape)) for name in values
    }
    found["status"] = (("model",), np.atleast_1d(fit.status))
    place: dict[str, Any] = {"model": np.arange(shape[0]), "term": list(fit.names)}
    if fit.groups is not None:
        place["group"] = (("model",), fit.groups)
    return xarray.Dataset(found, coords=place, attrs={"level": level, "method": method})


def needed(what: str, package: str, extra: str) -> ModuleType:
    """A package that arrays alone do without.

    Raises
    ------
    ImportError
        It is not installed; names the extra that brings it.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError:
        raise ImportError(f"{what} needs {package}: install jaxlogit-inference[{extra}]") from None
