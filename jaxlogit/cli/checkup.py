"""The self-check of `jaxlogit doctor`: fits whose answers are known, and how long they take."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np

from jaxlogit import datasets
from jaxlogit.core.status import Status
from jaxlogit.forms import hurried
from jaxlogit.front import fit
from jaxlogit.model import Fit
from jaxlogit.results import Interval

BIRTHS = "0.437240 -0.018256 -0.016285 1.280641 0.901880 1.027571 1.857617 0.895387"
"""R's glm: intercept, age, lwt, race black and other, smoke, ht, ui (tests/reference)."""
PRINTED = 0.51e-6
"""Half the last of six printed decimals, and a little for a tie."""
ENDOMETRIAL = (-27.696630, 1.284112)
"""R: supremum of the log-likelihood; lower end of the profile-likelihood interval of NV."""
MODELS = 2_000
LEAST_DECREMENT = 1e-9
"""Standard errors that a score may leave: a certified search ends two digits below."""


@dataclass(frozen=True)
class Check:
    """One fit or interval that was compared with what is known of it."""

    name: str
    trouble: str
    """What is wrong; "" where nothing is."""
    first_seconds: float
    """Of the first call, which compiles, or reads what was compiled before."""
    warm_seconds: float
    """Of the second; nan where the first failed."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.trouble


def checks() -> list[Check]:
    """Run every check; an error inside one is its trouble, and the others go on."""
    return [_check(*check) for check in CHECKS]


def _check(name: str, work: Callable, judge: Callable[..., str], timed: bool) -> Check:
    seconds, found, trouble = [float("nan")] * 2, None, ""
    try:
        with nullcontext() if timed else hurried():
            for call in range(2):
                begun = time.perf_counter()
                found = work()
                seconds[call] = time.perf_counter() - begun
        trouble = judge(found)
    except Exception as error:  # whatever is broken here is what the command is asked to say
        trouble = " ".join(f"{type(error).__name__}: {error}".split())
    return Check(name, trouble, *seconds)


def _births() -> Fit:
    table = datasets.load("birthwt").columns
    black, other = (table["race"] == name for name in ("black", "other"))
    columns = [np.ones(189), table["age"], table["lwt"], black, other]
    columns += [table[name] for name in ("smoke", "ht", "ui")]
    return fit(np.column_stack(columns), table["low"])


def _judge_births(fitted: Fit) -> str:
    known = np.array(BIRTHS.split(), float)
    return _status(fitted, Status.CONVERGED) or _differs("coef", fitted.coef, known)


def _endometrial() -> tuple[Fit, Interval]:
    table = datasets.load("endometrial").columns
    columns = [np.ones(79), *(table[name] for name in ("NV", "PI", "EH"))]
    names = ["Intercept", "NV", "PI", "EH"]
    fitted = fit(np.column_stack(columns), table["HG"], names=names)
    return fitted, fitted.confint(contrasts="NV")


def _judge_endometrial(found: tuple[Fit, Interval]) -> str:
    fitted, ends = found
    return (
        _status(fitted, Status.SEPARATED_QUASI)
        or _differs("loglik", fitted.loglik, ENDOMETRIAL[0])
        or _differs("lower end of NV", ends.lower[0], ENDOMETRIAL[1])
        or ("" if fitted.coef[1] == ends.upper[0] == np.inf else "NV is not infinite")
    )


@cache
def _many() -> tuple[np.ndarray, np.ndarray]:
    """One design of 100 rows and 5 columns, and the outcomes of many models."""
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(100), rng.standard_normal((100, 4))])
    return X, rng.binomial(1, 0.4, (MODELS, 100))


def _fit_many() -> Fit:
    return fit(*_many())


def _judge_many(fitted: Fit) -> str:
    """At a maximum the score is 0, here in standard errors: computed anew, by NumPy alone."""
    X, Y = _many()
    mu = 1.0 / (1.0 + np.exp(-fitted.coef @ X.T))
    score = (Y - mu) @ X
    information = np.einsum("bn,np,nq->bpq", mu * (1.0 - mu), X, X, optimize=True)
    step = np.linalg.solve(information, score[..., None])[..., 0]
    left = np.sqrt(np.max(np.sum(step * score, axis=1)))
    return _status(fitted, Status.CONVERGED) or (
        "" if left < LEAST_DECREMENT else f"a score is {left:.1e} standard errors from 0"
    )


def _intervals_of_many() -> tuple[Fit, Interval]:
    fitted = _fit_many()
    return fitted, fitted.confint()


def _judge_intervals(found: tuple[Fit, Interval]) -> str:
    """An end carries a bound on its error, and the estimate lies inside."""
    fitted, ends = found
    inside = (ends.lower < fitted.coef) & (fitted.coef < ends.upper)
    certified = np.all(ends.residual < LEAST_DECREMENT)
    return "" if np.all(inside) and certified else "an interval end is not certified"


def _status(fitted: Fit, known: Status) -> str:
    odd = np.unique(fitted.status[fitted.status != known])
    names = ", ".join(Status(int(code)).name for code in odd)
    return f"status {names} instead of {known.name}" if names else ""


def _differs(what: str, found, known) -> str:
    """How a number differs from the known one to six decimals, or ""."""
    found, known = np.broadcast_arrays(found, known)
    far = np.abs(found - known)
    if np.all(far <= PRINTED):
        return ""
    at = int(np.argmax(np.where(np.isnan(far), np.inf, far)))
    return f"{what} is {np.ravel(found)[at]:.6f} instead of {np.ravel(known)[at]:.6f}"


CHECKS = (
    ("birthwt: coefficients as R's glm has them", _births, _judge_births, False),
    ("endometrial: separation, LR interval (1.284, inf)", _endometrial, _judge_endometrial,
     False),
    (f"{MODELS:,} models n=100 p=5: fit, scores are 0", _fit_many, _judge_many, True),
    (f"{MODELS:,} models n=100 p=5: fit and all LR intervals", _intervals_of_many,
     _judge_intervals, True),
)  # fmt: skip
"""Name, work, verdict, and whether its time is that of users' work: the others are compiled in
a hurry."""
