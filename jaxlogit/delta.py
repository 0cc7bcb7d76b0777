"""The delta method: functions of the coefficients, and average marginal effects.

A smooth function g of the estimate has, to first order, the covariance G V G' with G = dg/dβ at
the estimate, made by autodiff, and V the fit's covariance; intervals and tests are Wald's on the
scale of g. Where the profile is far from quadratic (`Fit.diagnose`) they share Wald's weakness,
and they change with the scale: an odds ratio wants `Interval.odds_ratio`.
Source: van der Vaart (1998), Asymptotic Statistics, chapter 3, doi:10.1017/CBO9780511802256.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxlogit import batch
from jaxlogit.core import tails
from jaxlogit.core.status import Status
from jaxlogit.core.working import merge
from jaxlogit.data import check_choice, check_level, check_null
from jaxlogit.penalties import constants
from jaxlogit.results import Record

if TYPE_CHECKING:
    from jaxlogit.model import Fit


@dataclass(frozen=True, eq=False, repr=False)
class Transform(Record):
    """A function of the coefficients by the delta method; from `Fit.transform`.

    Attributes
    ----------
    estimate, std_error : (B,) or (B, q) arrays
        Values of the function at the estimates, and first-order standard errors. The function is
        called with JAX arrays (p,) in double precision and must be made of JAX operations; define
        it once, since it is compiled for each function object.
    lower, upper : arrays like `estimate`
        Estimate ± z standard errors, on the function's own scale.
    z, p_value, log_p : arrays like `estimate`
        (estimate − null)/std_error, its two-sided normal tail, and the logarithm of that.
    status : int32 array like `estimate`
        The model's; NONFINITE_INPUT where the function or its derivative is not finite at the
        estimate, or where the derivative is 0, so that the first order says nothing. All else
        is nan unless converged.
    level, null : float, and float or (q,) array

    Raises
    ------
    TypeError, ValueError
        By `Fit.transform`: a function that is none or does not give a number or a vector of real
        numbers; a level outside (0, 1); a null of another length.

    Notes
    -----
    Source: van der Vaart (1998), Asymptotic Statistics, chapter 3,
    doi:10.1017/CBO9780511802256.

    Examples
    --------
    The dose at which half of the subjects respond:

    >>> import jaxlogit as jl
    >>> X = [[1, d] for d in range(6)]
    >>> fit = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3)
    >>> def median_dose(coef):
    ...     return -coef[0] / coef[1]
    >>> found = fit.transform(median_dose)
    >>> found.estimate.round(4), found.std_error.round(4)
    (np.float64(2.8788), np.float64(0.6487))
    """

    estimate: np.ndarray
    std_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    z: np.ndarray
    p_value: np.ndarray
    log_p: np.ndarray
    status: np.ndarray
    level: float
    null: Any


@dataclass(frozen=True, eq=False, repr=False)
class Margins(Record):
    """Average marginal effects on the probability; from `Fit.margins`.

    The rows' effects averaged with weights × trials. Of a column with other values than 0 and 1
    the effect on a row is dmu/dx; of a 0/1 column it is mu(x = 1) − mu(x = 0), all other columns
    as they are. Each column moves alone here, also where it is an interaction or a power of
    another, or one of several indicators of a factor: arrays do not say so, a fit by formula warns.
    For what moves together write the average as a function of the coefficients and hand it to
    `Fit.transform`.

    Attributes
    ----------
    estimate, std_error : (B, q) arrays
        Averages on the scale of the probability (per unit of the column), and standard errors by
        the delta method; the rows are taken as given, not as a sample.
    lower, upper : (B, q) arrays
        Estimate ± z standard errors.
    z, p_value, log_p : (B, q) arrays
        Tests that the average effect is 0.
    status : (B, q) int32 array
        The model's; NONFINITE_INPUT where the effect has no standard error above 0. All else is
        nan unless converged.
    discrete : (B, q) bool array
        Whether the column is 0 or 1 in all of the model's rows, so that the effect is that of the
        step from 0 to 1.
    level : float
    names : tuple of str
        By default all columns but those that hold one number in all rows, whatever the statuses.

    Raises
    ------
    ValueError
        By `Fit.margins`: unknown terms, or none where every column is constant; a level outside
        (0, 1).

    Notes
    -----
    Source: Bartus (2005), Stata Journal 5:309–329, doi:10.1177/1536867X0500500303.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, d] for d in range(6)]
    >>> fit = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> effect = fit.margins()
    >>> effect.names, effect.estimate.round(4), effect.std_error.round(4)
    (('dose',), array([0.146]), array([0.0247]))
    """

    estimate: np.ndarray
    std_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    z: np.ndarray
    p_value: np.ndarray
    log_p: np.ndarray
    status: np.ndarray
    discrete: np.ndarray
    level: float
    names: tuple[str, ...]


def transform(fit: "Fit", function: Callable, level: float = 0.95, *, null: Any = 0.0) -> Transform:
    """A JAX function of the coefficients, (p,) to a number or (q,), by the delta method.

    `Transform` has shapes, statuses and errors.
    """
    level = check_level(level)
    shape = function_shape(function, len(fit.names))
    values = check_null(null, int(np.prod(shape)))
    lanes, status = _moments(fit)
    (estimate, std_error), index = _room(len(status), len(values)), _good(status)
    if len(index):
        estimate[index], std_error[index] = batch.run(
            _transformed, len(status), lanes, (),
            row_elements=len(fit.names) * len(values), index=index, function=function,
        )  # fmt: skip
    parts = _wald(estimate, std_error, status, level, values)
    parts = (fit._shown(part.reshape(len(status), *shape)) for part in parts)
    return Transform(*parts, level=level, null=values.reshape(shape)[()])


def _warn_of_parts(together: dict[str, list[str]], wanted: set[str]) -> None:
    """Say which variables move several columns, where each column is moved alone."""
    for name, columns in together.items():
        if wanted.isdisjoint(columns):
            continue
        warnings.warn(
            f"margins move one column at a time, and {name!r} is in {', '.join(columns[:4])}"
            f"{', …' if len(columns) > 4 else ''}: for the effect of the variable hand its average "
            "to Fit.transform",
            stacklevel=4,
        )


def margins(fit: "Fit", terms: Any = None, level: float = 0.95) -> Margins:
    """Average marginal effects of columns on the probability: `Margins` says which."""
    level = check_level(level)
    models = fit._models
    varying = np.flatnonzero(constants(models) == 0)
    if not len(varying):
        raise ValueError("terms must hold a column that varies: every column is constant")
    wanted = varying if terms is None else _places(terms, fit.names)
    if fit._origin is not None:
        _warn_of_parts(fit._origin.terms.together(), {fit.names[j] for j in wanted})
    lanes, status = _moments(fit)
    (estimate, std_error), index = _room(len(status), len(wanted)), _good(status)
    discrete = np.zeros(estimate.shape, bool)
    if len(index):
        data, shared = (arrays._replace(y=None) for arrays in models.split())
        found = batch.run(
            _average_effects, len(status), (data, *lanes), (shared, wanted),
            row_elements=models.n_rows * models.n_terms, index=index, place=models.place,
        )  # fmt: skip
        for whole, part in zip((estimate, std_error, discrete), found, strict=True):
            whole[index] = part
    parts = _wald(estimate, std_error, status, level, np.zeros(len(wanted)))
    names = tuple(fit.names[j] for j in wanted)
    return Margins(*map(fit._shown, (*parts, discrete)), level=level, names=names)


class _Moments(NamedTuple):
    """What the delta method starts from, (B, p) and (B, p, p)."""

    coef: np.ndarray
    covariance: np.ndarray


def _moments(fit: "Fit") -> tuple[_Moments, np.ndarray]:
    found = (fit.coef, fit.covariance, fit.status)
    if fit._models.single:
        found = tuple(np.asarray(part)[None] for part in found)
    return _Moments(*found[:2]), found[2]


def _good(status: np.ndarray) -> np.ndarray:
    return np.flatnonzero(status == Status.CONVERGED)


def _room(count: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Nothing yet, as estimates and standard errors (B, q)."""
    return np.full((count, q), np.nan), np.full((count, q), np.nan)


def function_shape(function: Any, p: int, argument: str = "function") -> tuple[int, ...]:
    """() or (q,): what a function of p coefficients gives; checked, with errors by `argument`."""
    if not callable(function):
        raise TypeError(f"{argument} must be a function of the coefficients: found {function!r}")
    with jax.enable_x64(True):
        _refuse_beyond(function, p, argument)
        try:
            found = jax.eval_shape(function, jax.ShapeDtypeStruct((p,), jnp.float64))
        except jax.errors.TracerArrayConversionError as error:
            rule = f"{argument} must be made of JAX operations, jax.numpy in place of numpy"
            raise TypeError(f"{rule}: found {str(error).splitlines()[0]}") from error
    kind = getattr(getattr(found, "dtype", None), "kind", None)
    if kind != "f":
        raise TypeError(
            f"{argument} must return a number or a vector of real numbers: found {found}"
        )
    if len(found.shape) > 1 or 0 in found.shape:
        raise ValueError(f"{argument} must return a number or a vector: found shape {found.shape}")
    return found.shape


def _refuse_beyond(function: Callable, p: int, argument: str) -> None:
    """Refuse an index beyond the coefficients, which JAX would take for the last one."""
    try:
        with np.errstate(all="ignore"):
            function(np.zeros(p))
    except IndexError as error:
        raise ValueError(f"{argument} must index the {p} coefficients from 0 to {p - 1}: "
                         f"found {error}") from error  # fmt: skip
    except Exception:
        return  # what only JAX's arrays can do: JAX looks at it next


def _places(terms: Any, names: tuple[str, ...]) -> np.ndarray:
    """Numbers of the named columns."""
    terms = [terms] if isinstance(terms, str) else list(terms)
    if not terms:
        raise ValueError("terms must name at least one column: found none")
    return np.array([names.index(check_choice("terms", term, names)) for term in terms])


def _transformed(lane: _Moments, shared, *, function: Callable):
    """Values (q,) and standard errors (q,) of one model."""

    def vector(coef):
        return jnp.ravel(function(coef))

    slopes = jax.jacfwd(vector)(lane.coef)
    return vector(lane.coef), jnp.sqrt(jnp.sum(slopes @ lane.covariance * slopes, axis=1))


def _average_effects(lane, shared, *, place: int):
    """Effects (k,) of one model's columns, standard errors, and whether the column is 0/1.

    One column at a time: memory is that of a few vectors of rows.
    """
    own, coef, covariance = lane
    common, wanted = shared
    data = merge(own, common)
    design = data.design
    assert design is not None
    if data.own is not None:
        column = jnp.asarray(data.own, design.dtype)[:, None]
        design = jnp.concatenate([design[:, :place], column, design[:, place:]], axis=1)
    cases = jnp.ones(design.shape[0], design.dtype)
    for counts in (data.weights, data.trials):
        cases = cases if counts is None else cases * jnp.asarray(counts, design.dtype)
    used = (cases > 0)[:, None]
    share = cases / jnp.sum(cases)
    rest = 0.0 if data.offset is None else jnp.asarray(data.offset, design.dtype)
    discrete = jnp.all((design == 0) | (design == 1) | ~used, axis=0)

    def effect(coef, column, unit, steps):
        eta, slope = design @ coef + rest, unit @ coef
        without = eta - slope * column
        step = jax.lax.logistic(without + slope) - jax.lax.logistic(without)
        change = jax.jvp(jax.lax.logistic, (eta,), (slope * jnp.ones_like(eta),))[1]
        return share @ jnp.where(steps, step, change)

    def one(term):
        value, slopes = jax.value_and_grad(effect)(coef, *term)
        return value, jnp.sqrt(slopes @ covariance @ slopes)

    units = jnp.eye(len(coef), dtype=coef.dtype)
    each = jax.lax.map(one, (design.T[wanted], units[wanted], discrete[wanted]))
    return *each, discrete[wanted]


def _wald(estimate, std_error, status, level: float, null: np.ndarray) -> tuple:
    """Fields of `Transform` and `Margins` from the estimate to the status, each (B, q)."""
    status = np.broadcast_to(status[:, None], estimate.shape).astype(np.int32)
    known = np.isfinite(estimate) & np.isfinite(std_error) & (std_error > 0)
    status[(status == Status.CONVERGED) & ~known] = int(Status.NONFINITE_INPUT)
    estimate, std_error = (np.where(known, a, np.nan) for a in (estimate, std_error))
    reach = -scipy.special.ndtri(0.5 * (1 - level)) * std_error
    z = (estimate - null) / std_error
    p_value, log_p = tails.p_value(z**2, 1), tails.log_p(z**2, 1)
    return estimate, std_error, estimate - reach, estimate + reach, z, p_value, log_p, status
