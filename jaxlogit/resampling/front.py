"""`bootstrap`: the front door for resampling."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxlogit import data
from jaxlogit.checks import rectangular
from jaxlogit.clusters import coded
from jaxlogit.data import Models, check_count
from jaxlogit.front import fit_models
from jaxlogit.penalties import Penalty, check_penalty
from jaxlogit.resampling.replicates import run
from jaxlogit.resampling.result import Bootstrap
from jaxlogit.resampling.scheme import MOST, Scheme, check_scheme


def bootstrap(
    X: Any,
    y: Any,
    *,
    replicates: int = 10_000,
    scheme: str = "pairs",
    seed: int = 0,
    strata: Any = None,
    clusters: Any = None,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
    penalty: Any = None,
    names: Sequence[str] | None = None,
    size: int | None = None,
    multiplier: str | None = None,
) -> Bootstrap:
    """Bootstrap a logistic regression: thousands of refits, with nothing dropped or redrawn.

    Parameters
    ----------
    X, y, trials, weights, offset, penalty, names
        As for `jaxlogit.fit`. With y (B, n) each of B data sets is resampled. A case weight goes
        with its row; rows of weight 0 or without trials are left out, so that weights or trials
        (B, n), of each data set's own, must not be 0.
    replicates : int
        How many, R. A jackknife has one for each unit, whatever is given.
    scheme : str
        "pairs": rows drawn with replacement, as counts. "bayesian": Dirichlet weights, which are
        never 0, so that no replicate is separated unless the data are. "poisson": independent
        Poisson counts. "parametric": outcomes drawn from the fitted probabilities. "score": one
        Newton step on scores with random multipliers, no refits. "jackknife": each unit left out.
    seed : int
        With the data set's and the replicate's number it determines what is drawn.
    strata : (n,) labels, optional
        Rows are drawn within strata, each as often as it has rows; of "score" the multiplied
        scores are centred within them. Not with "poisson", which does not keep their sizes.
    clusters : (n,) labels, optional
        What is drawn, weighted or left out are whole clusters of rows.
    size : int, optional
        Units drawn in each replicate of "pairs" or "poisson" (m-out-of-n); all by default.
        Intervals and moments shrink deviations by √(m/n).
    multiplier : {"rademacher", "webb"}, optional
        Of scheme "score": ±1, or Webb's six points (the default with at most 12 units).

    Returns
    -------
    Bootstrap
        Coefficients and statuses of all replicates; intervals and tests when asked for.

    Raises
    ------
    ValueError, TypeError
        Bad input, naming argument, rule, value and place: also a scheme that cannot use what is
        given, labels of another length, a cluster in two strata.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> from jaxlogit import datasets
    >>> births = datasets.load("birthwt").columns
    >>> X = [[1, age, smoke] for age, smoke in zip(births["age"], births["smoke"])]
    >>> boot = jl.bootstrap(X, births["low"], replicates=2000, names=["const", "age", "smoke"])
    >>> boot.confint(kind="bca").upper.round(1)[2]  # of smoke, with a Monte Carlo error of 0.02
    np.float64(1.3)
    """
    models, checked, penalty = prepared(
        X, y, scheme=scheme, seed=seed, strata=strata, clusters=clusters, trials=trials,
        weights=weights, offset=offset, penalty=penalty, names=names, size=size,
        multiplier=multiplier,
    )  # fmt: skip
    count = check_count("replicates", replicates, 1)
    if count > MOST:
        raise ValueError(f"replicates must be at most 2**32: found {count}")
    if checked.name == "jackknife":
        count = checked.n_units
    fit = fit_models(models, penalty)
    return Bootstrap(fit, checked, *run(fit, checked, np.arange(count, dtype=np.uint32)))


def prepared(
    X: Any,
    y: Any,
    *,
    scheme: Any = "pairs",
    seed: Any = 0,
    strata: Any = None,
    clusters: Any = None,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
    penalty: Any = None,
    names: Sequence[str] | None = None,
    size: Any = None,
    multiplier: Any = None,
) -> tuple[Models, Scheme, Penalty | None]:
    """The data, the scheme and the penalty of `bootstrap`, checked; nothing is fitted yet."""
    checked_penalty = check_penalty(penalty)
    given = data.collect(X, y, trials, weights, offset, names)
    models, used = used_rows(given)
    strata, clusters = (
        _labels(name, value, given, used)
        for name, value in (("strata", strata), ("clusters", clusters))
    )
    drawn = (seed, strata, clusters, size, multiplier)
    return models, check_scheme(models, scheme, *drawn, checked_penalty, used), checked_penalty


def used_rows(models: Models) -> tuple[Models, np.ndarray | None]:
    """The models without rows of weight 0 or without trials, and the others; None: all are left.

    Such rows are not part of the data, and must not be drawn.
    """
    used = np.ones(models.n_rows, bool)
    for name in ("weights", "trials"):
        counts = getattr(models, name)
        if counts is None or np.all(counts > 0):
            continue
        if counts.ndim == 2:
            model, row = (int(i) for i in np.argwhere(counts == 0)[0])
            raise ValueError(f"{name} must not be 0 where data sets have {name} of their own: "
                             f"found 0 at model {model}, row {row}")  # fmt: skip
        used &= counts > 0
    if np.all(used):
        return models, None
    cut: dict[str, Any] = {"design": models.design[..., used, :]}
    for name in ("y", "trials", "weights", "offset"):
        array = getattr(models, name)
        cut[name] = None if array is None else array[..., used]
    if cut["weights"] is not None and np.all(cut["weights"] == 1):
        cut["weights"] = None  # they only said which rows to leave out
    return replace(models, **cut), np.flatnonzero(used)


def _labels(argument: str, given: Any, models: Models, used: np.ndarray | None) -> Any:
    """Labels of the rows left, one for each; errors have the rows' numbers among those given."""
    if given is None:
        return None
    found = rectangular(argument, given)
    if found.shape != (models.n_rows,):
        raise ValueError(f"{argument} must have one label for each of the {models.n_rows} rows of "
                         f"X, the same for all data sets: found shape {found.shape}")  # fmt: skip
    coded(found, models, argument)  # refuses missing ones
    return found if used is None else found[used]
