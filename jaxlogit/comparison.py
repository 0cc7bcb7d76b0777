"""Models against each other: nested likelihood-ratio tests, terms left out one by one."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import memory, robust
from jaxlogit.core import tails
from jaxlogit.core.status import Status
from jaxlogit.data import Models
from jaxlogit.penalties import constants
from jaxlogit.results import Record
from jaxlogit.solution import SEPARATED
from jaxlogit.tables import tidy

if TYPE_CHECKING:
    from jaxlogit.model import Fit

SPANNED = 1e-8
"""Of a column's variation, what may lie outside the larger model's columns."""

ROUNDING = 1e-13
"""The same of its length: what rounding leaves of a column far from 0."""


MEASURES = ("loglik", "deviance", "aic", "bic")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Record):
    """Fits of the same rows side by side; from `jaxlogit.compare`.

    Attributes
    ----------
    n_params : (k,) int array
        Coefficients of each fit.
    loglik, deviance, aic, bic : (B, k) arrays
        As `Fit` has them: without binomial coefficients, which all fits share.
    statistic, p_value, log_p : (B, k) arrays
        Likelihood-ratio test of each fit against the one before it; nan for the first, and for
        all where the fits are not nested.
    df : (k,) int array
        Degrees of freedom of the tests: coefficients more than the fit before; 0 for the first.
    status : (B, k) int32 array
        CONVERGED where the test holds, also where estimates are infinite: the suprema are
        compared. Otherwise the status of the fit that lacks a supremum, or MAX_STEPS where the
        smaller model came out more likely than the larger one.
    names : tuple of str
        Their formulas, or "fit 1", "fit 2", ….
    by, groups : str and (B,) array, or None
        The column that divides the rows, and its value for each model.
    """

    n_params: np.ndarray
    loglik: np.ndarray
    deviance: np.ndarray
    aic: np.ndarray
    bic: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    log_p: np.ndarray
    status: np.ndarray
    names: tuple[str, ...]
    by: str | None = None
    groups: np.ndarray | None = None

    def to_frame(self) -> Any:
        """A pandas table: a row for each model and fit."""
        names = ("n_params", *MEASURES, "statistic", "df", "p_value", "status")
        return _frame(self, {"fit": self.names}, names)


@dataclass(frozen=True, eq=False, repr=False)
class TermTests(Record):
    """Every term of a model tested by leaving it out; from `Fit.drop_one`.

    Attributes
    ----------
    names : tuple of str
        The terms: those of the formula that no interaction with them contains; without a
        formula every column but constant ones.
    df : (t,) int array
        Coefficients of each term.
    statistic, p_value, log_p : (B, t) arrays
    status : (B, t) int32 array
    aic : (B, t) array
        AIC of the model without the term, for the likelihood-ratio test of a fit by maximum
        likelihood; else nan.
    method : str
    by, groups : str and (B,) array, or None
        The column that divides the rows, and its value for each model.

    Notes
    -----
    A term's own columns are left out, the others stay as they are coded, as in R's `drop1`: without
    an intercept, `0 + a + b`, leaving out `a` is not the fit of `0 + b`, which codes `b` otherwise.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> found = jl.fit_formula("low ~ age + C(race)", "birthwt").drop_one()
    >>> found.names, found.df, found.p_value.round(4)
    (('age', 'C(race)'), array([1, 2]), array([0.2155, 0.1507]))
    """

    names: tuple[str, ...]
    df: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    log_p: np.ndarray
    status: np.ndarray
    aic: np.ndarray
    method: str
    by: str | None = None
    groups: np.ndarray | None = None

    def to_frame(self) -> Any:
        """A pandas table: a row for each model and term."""
        return _frame(self, {"term": self.names}, ("df", "statistic", "p_value", "aic", "status"))


def _frame(record: Comparison | TermTests, place: dict, names: tuple[str, ...]) -> Any:
    """A row for each model and place (k,), from fields (k,) or (B, k)."""
    shape = np.atleast_2d(record.statistic).shape
    values = place | {name: getattr(record, name) for name in names}
    values["status"] = tidy.words(record.status)
    flat = {"model": np.repeat(np.arange(shape[0]), shape[1])}
    flat |= {name: np.broadcast_to(value, shape).ravel() for name, value in values.items()}
    return tidy.frame(tidy.labelled(record.by, record.groups, flat))


def compare(*fits: "Fit", nested: bool = True) -> Comparison:
    """Compare fits of the same rows: likelihood-ratio tests, AIC and BIC.

    Parameters
    ----------
    *fits : Fit
        Two or more, the smallest model first: each is tested within the next.
    nested : bool
        False for models that are not nested: criteria without tests.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError
        Something that is not a fit.
    ValueError
        Fewer than two; fits of other rows, responses, trials, weights or offsets; a model that
        is not contained in the next; penalised or robust fits, which have no such tests
        (`Fit.test` has, within one penalised model).

    Examples
    --------
    >>> import jaxlogit as jl
    >>> y, dose = [0, 1, 1, 1, 2, 3], [0, 1, 2, 3, 4, 5]
    >>> null = jl.fit([[1]] * 6, y, trials=3)
    >>> line = jl.fit([[1, d] for d in dose], y, trials=3)
    >>> found = jl.compare(null, line)
    >>> found.statistic.round(4), found.df, found.p_value.round(4)
    (array([   nan, 7.0862]), array([0, 1]), array([   nan, 0.0078]))
    """
    _check_comparable(fits)
    loglik, deviance, aic, bic = (
        np.stack([np.atleast_1d(getattr(fit, name)) for fit in fits], axis=1) for name in MEASURES
    )
    n_params = np.array([len(fit.names) for fit in fits])
    df = np.diff(n_params, prepend=n_params[0])
    statistic = np.full(loglik.shape, np.nan)
    status = np.stack([np.atleast_1d(fit.status) for fit in fits], axis=1).astype(np.int32)
    status = np.where(np.isin(status, SEPARATED), np.int32(Status.CONVERGED), status)
    if nested:
        for i, (small, large) in enumerate(pairwise(fits)):
            _check_nested(i, small._models, large._models)
        gained = 2.0 * np.diff(loglik, axis=1)
        rounding = 1e-9 * (1.0 + np.abs(loglik[:, 1:]))
        statistic[:, 1:] = np.where(gained < -rounding, np.nan, np.maximum(gained, 0.0))
        worse = np.where(status[:, 1:] != 0, status[:, 1:], status[:, :-1])
        fell = (worse == 0) & np.isnan(statistic[:, 1:])
        status[:, 1:] = np.where(fell, np.int32(Status.MAX_STEPS), worse)
    degrees = np.maximum(df, 1)
    p_value, log_p = (
        np.stack([tail(statistic[:, i], int(d)) for i, d in enumerate(degrees)], axis=1)
        for tail in (tails.p_value, tails.log_p)
    )
    single = all(fit._models.single for fit in fits)
    values = (loglik, deviance, aic, bic, statistic, p_value, log_p, status)
    loglik, deviance, aic, bic, statistic, p_value, log_p, status = (
        value[0] if single else value for value in values
    )
    names = tuple(fit.formula or f"fit {i + 1}" for i, fit in enumerate(fits))
    by, groups = tidy.groups(fits[-1])
    return Comparison(
        n_params,
        loglik,
        deviance,
        aic,
        bic,
        statistic,
        df,
        p_value,
        log_p,
        status,
        names,
        by,
        groups,
    )


def _check_comparable(fits: tuple) -> None:
    if len(fits) < 2:
        raise ValueError(f"compare needs two or more fits: found {len(fits)}")
    for i, fit in enumerate(fits):
        if not hasattr(fit, "_models"):
            raise TypeError(f"fits must be results of fit: found {type(fit).__name__} at {i}")
        if fit._penalty is not None or fit._solution.sandwich is not None:
            kind = "a robust" if fit._penalty is None else "a penalised"
            raise ValueError(
                f"fits must be by maximum likelihood, with its own errors: found {kind} one at "
                f"{i}; Fit.test(contrasts=…, joint=True) tests within one model"
            )
    first = fits[0]._models
    for i, fit in enumerate(fits[1:], start=1):
        models = fit._models
        shapes = [(m.n_models, m.n_rows) for m in (first, models)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"fits must be of the same rows: fit 0 has {shapes[0][1]}, fit {i} {shapes[1][1]} "
                f"({shapes[0][0]} and {shapes[1][0]} models); where missing values leave rows out, "
                "leave them out of the table first"
            )
        for name, usual in (("y", 0.0), ("trials", 1.0), ("weights", 1.0), ("offset", 0.0)):
            if not _same(getattr(first, name), getattr(models, name), usual):
                raise ValueError(f"fits must have the same {name}: fit {i} has another than fit 0")


def _same(one: np.ndarray | None, other: np.ndarray | None, usual: float) -> bool:
    """Whether two are equal; None is the usual value in all rows."""
    if one is other:
        return True
    first, second = (np.asarray(usual if rows is None else rows) for rows in (one, other))
    return bool(np.all(first == second))


def _check_nested(place: int, small: Models, large: Models) -> None:
    """Refuse models whose columns are not combinations of the next fit's."""
    if small.n_terms >= large.n_terms:
        raise ValueError(
            f"fits must be nested, the smaller first: found {small.n_terms} coefficients at "
            f"{place}, {large.n_terms} at {place + 1}; nested=False compares AIC and BIC alone"
        )
    if small.own is not None or large.own is not None or large.design.ndim == 3:
        numbers = 3 * large.n_models * large.n_rows * large.n_terms
        memory.demand(8 * numbers, f"the designs of {large.n_models:,} models, to be compared,")
    one, other = (_design(models) for models in (small, large))
    for used in (small.weights, small.trials):
        if used is not None:  # rows without weight or trials are no part of their model
            kept = (used > 0)[..., None]
            one, other = np.where(kept, one, 0.0), np.where(kept, other, 0.0)
    basis = np.linalg.qr(other).Q
    length = np.linalg.norm(one, axis=-2)
    variation = np.linalg.norm(one - np.mean(one, axis=-2, keepdims=True), axis=-2)
    variation = np.where(variation > ROUNDING * length, variation, length)  # a constant column
    outside = np.linalg.norm(one - basis @ (np.swapaxes(basis, -1, -2) @ one), axis=-2)
    bad = outside > np.maximum(SPANNED * variation, ROUNDING * length)
    if np.any(bad):
        *model, column = (int(i) for i in np.argwhere(bad)[0])
        where = f" in model {model[0]}" if model else ""
        raise ValueError(
            f"fits must be nested: column {small.names[column]!r} of fit {place} is no combination "
            f"of the columns of fit {place + 1}{where}; nested=False compares AIC and BIC alone"
        )


def _design(models: Models) -> np.ndarray:
    """The whole design, (n, p) or (B, n, p)."""
    if models.own is None:
        return models.design
    own = np.atleast_2d(models.own)[..., None]
    shared = np.broadcast_to(models.design, (len(own), *models.design.shape))
    return np.concatenate([shared, own], axis=2)


def drop_one(fit: "Fit", method: str | None = None) -> TermTests:
    """Test each term of the formula, or column, by leaving it out: see `TermTests`."""
    method = fit._method(method, *robust.METHODS)
    terms = _terms(fit)
    if not terms:
        raise ValueError("drop_one needs a term besides the intercept: found none")
    tests = [
        fit.test(method, contrasts=[fit.names[j] for j in places], joint=True)
        for places in terms.values()
    ]
    df = np.array([test.df for test in tests])
    statistic, p_value, log_p, status = (
        np.stack([getattr(test, name) for test in tests], axis=-1)
        for name in ("statistic", "p_value", "log_p", "status")
    )
    aic = np.full(statistic.shape, np.nan)
    if method == "lr":
        aic = np.asarray(fit.aic)[..., None] + statistic - 2 * df
    return TermTests(
        tuple(terms), df, statistic, p_value, log_p, status, aic, method, *tidy.groups(fit)
    )


def _terms(fit: "Fit") -> dict[str, tuple[int, ...]]:
    """Terms that can be left out, and their columns."""
    if fit._origin is None:
        free = np.flatnonzero(constants(fit._models) == 0)
        return {fit.names[j]: (int(j),) for j in free}
    return fit._origin.terms.droppable()
