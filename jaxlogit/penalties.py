"""Penalties by word or record: what they are, and what they ask of the data.

A penalty is added to the log-likelihood. `log_f` is a likelihood of pseudo-cases, so that its
data are augmented and all else stays; `ridge` and `normal` are quadratic; Firth's depends on the
design.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxlogit.checks import check_finite, is_number, nearest, numeric, refuse
from jaxlogit.data import Models, check_choice

__all__ = ["Firth", "LogF", "Normal"]

WORDS = ("firth", "flic", "flac", "logf", "ridge")
LEAST_STD_DEV = 1e-150  # 1e-154 squared is the least number whose inverse is finite
STD_ERRORS = ("information", "augmented")


@dataclass(frozen=True)
class Firth:
    """Firth's penalty: strength·log|I(β)|, I the information of the full design.

    Attributes
    ----------
    strength : float
        1/2 is Firth's own (Jeffreys's prior), which removes the first-order bias; more shrinks
        more.
    std_error : {"information", "augmented"}
        Standard errors from the inverse of X'WX, or of X'W(1 + h)X with the leverages h, each
        of its cases a row (grouped data give the same).
    intercept : {"penalized", "flic", "flac"}
        Corrections for predicted probabilities, whose mean Firth's penalty moves towards 1/2.
        "flic": the intercept alone is estimated again, by maximum likelihood, with the other
        coefficients held. "flac": maximum likelihood on the data and their pseudo-cases, which
        an indicator tells apart (Puhr et al. 2017, Statistics in Medicine 36:2302–2317,
        doi:10.1002/sim.7273). Standard errors under "flic" are those of Firth's estimates; where
        all responses are alike its intercept is infinite: status INFINITE, and nan.

    Notes
    -----
    Estimates and both ends of every likelihood-ratio interval are finite whenever X has full
    rank, separated or not. Restricted fits keep the penalty of the full design (Heinze and
    Schemper 2002, Statistics in Medicine 21:2409–2419, doi:10.1002/sim.1047).
    l + strength·log|I| need not be concave: what is certified is a maximum with its neighbourhood.
    It may have several where a row is far out, and, restricted, near separation; where that can
    be, fits, intervals and tests search from other starts too, and the highest one found counts.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> jl.fit([[1]], [0], trials=5, penalty=jl.penalties.Firth()).coef.round(3)
    array([-2.398])
    """

    strength: float = 0.5
    std_error: str = "information"
    intercept: str = "penalized"


@dataclass(frozen=True)
class LogF:
    """A log-F(m, m) prior for coefficients: m/2·β − m·log(1 + exp(β)).

    Attributes
    ----------
    m : number, (p,) array, or mapping of names to numbers
        Degrees of freedom: the prior weighs as much as m cases, half of them successes, with
        a covariate of 1 and no other. 0 leaves a coefficient free. A number is for all
        coefficients but the intercept (a constant column).

    Notes
    -----
    It depends on the units of a column. m = 1 puts 95 % of the odds ratios between 1/648 and
    648, m = 2 between 1/39 and 39. Source: Greenland and Mansournia (2015), Statistics in
    Medicine 34:3133–3143, doi:10.1002/sim.6537.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> jl.fit([[1]], [0], trials=5, penalty=jl.penalties.LogF(m=[2])).coef.round(3)
    array([-1.792])
    """

    m: Any = 1.0


@dataclass(frozen=True)
class Normal:
    """Independent normal priors: −½ Σ (β − mean)²/std_dev².

    Attributes
    ----------
    std_dev : number, (p,) array, or mapping of names to numbers
        Positive; inf leaves a coefficient free. A number is for all coefficients but the
        intercept (a constant column).
    mean : number, (p,) array, or mapping of names to numbers

    Notes
    -----
    The ridge penalty ½λ Σ β² is std_dev = 1/√λ; the word "ridge" is λ = 1.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> jl.fit([[1]], [0], trials=5, penalty=jl.penalties.Normal(std_dev=[0.5])).coef.round(3)
    array([-0.478])
    """

    std_dev: Any = 1.0
    mean: Any = 0.0


Penalty = Firth | LogF | Normal


def word(penalty: Penalty) -> str:
    """The penalty in a word or two, for people."""
    match penalty:
        case Firth(intercept="flic" | "flac"):
            return penalty.intercept.upper()
        case Firth():
            return "Firth's penalty"
        case LogF():
            return "log-F prior"
    return "normal prior"


def default_method(penalty: Penalty | None) -> str:
    """Likelihood ratios, but under FLIC, whose intercept has another likelihood than the rest."""
    return "wald" if isinstance(penalty, Firth) and penalty.intercept == "flic" else "lr"


def check_method(penalty: Penalty | None, method: str) -> None:
    """Refuse methods that have no meaning under a penalty."""
    if penalty is not None and method == "rstar":
        raise ValueError(
            "method must be 'wald', 'lr' or 'score' of a penalised fit: found 'rstar', which is "
            "defined for maximum likelihood alone"
        )


def check_rows_alone(penalty: Penalty | None, what: str) -> None:
    """Refuse what has no meaning where pseudo-cases or two likelihoods make the estimate."""
    if isinstance(penalty, LogF) or (
        isinstance(penalty, Firth) and penalty.intercept != "penalized"
    ):
        raise ValueError(f"penalty must be None, 'firth' or a normal prior for {what}: "
                         f"found a fit with {word(penalty)}")  # fmt: skip


def check_penalty(penalty: Any) -> Penalty | None:
    """A penalty record from a word or a record.

    Raises
    ------
    ValueError, TypeError
        Another word (the allowed ones are listed), another type, or a record whose fields are
        out of range.
    """
    if penalty is None:
        return None
    if isinstance(penalty, str):
        check_choice("penalty", penalty, WORDS)
        records = {"firth": Firth(), "flic": Firth(intercept="flic"),
                   "flac": Firth(intercept="flac"), "logf": LogF(), "ridge": Normal()}  # fmt: skip
        return records[penalty]
    if isinstance(penalty, Firth):
        if not is_number(penalty.strength) or not 0 < float(penalty.strength) < np.inf:
            raise ValueError(f"strength must be a positive number: found {penalty.strength!r}")
        check_choice("std_error", penalty.std_error, STD_ERRORS)
        check_choice("intercept", penalty.intercept, ("penalized", "flic", "flac"))
    elif not isinstance(penalty, LogF | Normal):
        words = ", ".join(repr(word) for word in WORDS)
        raise TypeError(f"penalty must be None, one of {words}, or a record of "
                        f"jaxlogit.penalties: found {penalty!r}")  # fmt: skip
    return penalty


def constants(models: Models) -> np.ndarray:
    """(p,) the number that a column is in every row of every model: an intercept's; else 0.

    Rows that do not count, by their weight or their trials, may hold anything.
    """
    found = _constant(models.design, models)
    if models.own is None:
        return found
    return np.insert(
        found, models.place, _constant(np.atleast_2d(models.own)[:, :, None], models)[0]
    )


def _constant(design: np.ndarray, models: Models) -> np.ndarray:
    """(p,) the number that a column of a design (n, p) or (B, n, p) is in all rows that count."""
    used = np.ones(models.n_rows, bool)
    for counts in (models.weights, models.trials):
        used = used if counts is None else used & (counts > 0)
    if used.ndim == design.ndim:  # rows that any of the models counts
        used = np.any(used, axis=0)
    every = design.reshape(-1, design.shape[-1])
    rows = every if np.all(used) else every[np.broadcast_to(used, design.shape[:-1]).ravel()]
    if not len(rows):
        return np.zeros(design.shape[-1])
    return np.where(np.all(rows == rows[0], axis=0), rows[0], 0.0)


def per_coefficient(name: str, value: Any, models: Models, others: float) -> np.ndarray:
    """(p,) values; one number is for all coefficients but the intercept, which gets `others`."""
    names = models.names
    if isinstance(value, Mapping):
        out = np.full(len(names), others)
        for key, number in value.items():
            if key not in names:
                raise ValueError(f"{name} must name coefficients: found {key!r}"
                                 f"{nearest(key, names)}")  # fmt: skip
            if not is_number(number):
                raise TypeError(f"{name} must be numeric: found {number!r} for {key!r}")
            out[list(names).index(key)] = float(number)
        return out
    array = numeric(name, value, (0, 1))
    if array.ndim == 0:
        return np.where(constants(models) != 0, others, array)
    if len(array) != len(names):
        raise ValueError(f"{name} must have one value for each of the {len(names)} coefficients: "
                         f"found {len(array)}")  # fmt: skip
    return array


def with_pseudo_cases(models: Models, penalty: LogF) -> Models:
    """The models with a row for each penalised coefficient: m cases, m/2 successes, offset 0."""
    m = per_coefficient("m", penalty.m, models, 0.0)
    check_finite("m", m)
    refuse("m", "not be negative", m, m < 0)
    used = np.flatnonzero(m > 0)
    n, p = models.n_rows, models.n_terms
    unit = np.eye(p)[used]
    design, own = models.design, models.own
    if own is not None:
        column = np.broadcast_to(unit[:, models.place], (len(own), len(used)))
        own = np.concatenate([own, column], axis=1)
        unit = np.delete(unit, models.place, axis=1)
    unit = np.broadcast_to(unit, (*design.shape[:-2], *unit.shape))
    trials = np.ones(n) if models.trials is None else models.trials
    return replace(
        models,
        design=np.concatenate([design, unit], axis=-2),
        own=own,
        y=_longer(models.y, 0.5 * m[used]),
        trials=_longer(trials, m[used]),
        weights=None if models.weights is None else _longer(models.weights, np.ones(len(used))),
        offset=None if models.offset is None else _longer(models.offset, np.zeros(len(used))),
    )


def _longer(rows: np.ndarray, more: np.ndarray) -> np.ndarray:
    more = np.broadcast_to(more, (*rows.shape[:-1], len(more)))
    return np.concatenate([rows, more], axis=-1)


def normal_prior(models: Models, penalty: Normal) -> tuple[np.ndarray, np.ndarray]:
    """Means and precisions, (p,) and (p,)."""
    std_dev = per_coefficient("std_dev", penalty.std_dev, models, np.inf)
    refuse("std_dev", "be positive", std_dev, ~(std_dev > 0))
    rule = f"be at least {LEAST_STD_DEV:g}, its precision to be finite"
    refuse("std_dev", rule, std_dev, std_dev < LEAST_STD_DEV)
    mean = per_coefficient("mean", penalty.mean, models, 0.0)
    check_finite("mean", mean)
    return mean, std_dev**-2.0
