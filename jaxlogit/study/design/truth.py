"""The coefficients that outcomes are simulated with: given, fitted, or solved for an event rate."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from jaxlogit.checks import check_finite, nearest, numeric
from jaxlogit.study.measures.performance import Array

INTERCEPT = "Intercept"


def truth_vector(truth: Any, names: tuple[str, ...]) -> Array:
    """Coefficients in the order of `names`, from an array, or by name from a table or a Series.

    Raises
    ------
    ValueError, TypeError
        An unknown or missing name, a wrong length, text, nan or infinity.
    """
    if isinstance(truth, pd.Series):
        if truth.index.dtype == object or pd.api.types.is_string_dtype(truth.index.dtype):
            truth = truth.to_dict()
    if isinstance(truth, Mapping):
        truth = {str(name): value for name, value in truth.items()}
        for name in truth:
            if name not in names:
                hint = nearest(name, names)
                raise ValueError(
                    f'truth names the unknown coefficient "{name}": the design has '
                    f"{', '.join(names)}{hint}"
                )
        missing = [name for name in names if name not in truth]
        if missing:
            raise ValueError(f"truth must give every coefficient: {', '.join(missing)} missing")
        truth = [truth[name] for name in names]
    vector = numeric("truth", truth, (0, 1, 2)).copy()
    if vector.shape != (len(names),):
        rule = f"be {len(names)} coefficients ({', '.join(names)})"
        raise ValueError(f"truth must {rule}: found shape {vector.shape}")
    check_finite("truth", vector)
    return vector


def with_intercept(truth: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A truth by name with 0 for the intercept that an event rate is to be solved for.

    Raises
    ------
    ValueError
        The intercept is given.
    """
    if INTERCEPT in truth:
        raise ValueError(f"truth must not give the {INTERCEPT} where event_rate is given, which it "
                         f"is solved for: found {truth[INTERCEPT]!r}")  # fmt: skip
    return {**truth, INTERCEPT: 0.0} if INTERCEPT in names else dict(truth)


def solved_intercept(
    truth: Array,
    names: tuple[str, ...],
    rate: float,
    rows: Array,
    trials: Array | None = None,
    offset: Array | None = None,
) -> Array:
    """The coefficients with the intercept that gives an expected share of successes.

    Parameters
    ----------
    truth : (p,) array
        What it has in the intercept's place is ignored.
    names : tuple of str
    rate : float
        Successes over trials, in (0, 1).
    rows : (m, p) array
        The rate is meant over their mean.
    trials, offset : (m,) array or None
        Of the rows.

    Raises
    ------
    ValueError
        The design has no intercept.

    Examples
    --------
    >>> rows = np.column_stack([np.ones(3), [-1.0, 0.0, 1.0]])
    >>> solved_intercept(np.array([9.0, 2.0]), ("Intercept", "x"), 0.5, rows).round(12) + 0.0
    array([0., 2.])
    """
    from scipy.optimize import brentq  # 0.2 s that a truth that is given need not wait for

    if INTERCEPT not in names:
        raise ValueError(f'event_rate needs a column "{INTERCEPT}", which it is solved for: the '
                         f"design has {', '.join(names)}")  # fmt: skip
    j, found = names.index(INTERCEPT), truth.copy()
    found[j] = 0.0
    rest = rows @ found + (0.0 if offset is None else offset)
    share = np.ones(len(rows)) if trials is None else trials
    if not np.all(np.isfinite(rest)):
        raise ValueError("event_rate has no intercept where linear predictors are infinite: "
                         "give columns lighter tails, or smaller coefficients")  # fmt: skip
    share, middle = share / np.sum(share), logit(rate)
    low, high = middle - np.max(rest) - 1.0, middle - np.min(rest) + 1.0
    found[j] = brentq(lambda b: float(share @ expit(b + rest)) - rate, low, high, xtol=1e-13)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return found
