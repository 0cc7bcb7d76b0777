"""Rows divided by one column: a model for each value, in one batch padded by rows of weight 0."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from jaxlogit import memory
from jaxlogit.frame.design import Design


def divide(made: Design, by: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The groups' labels (B,), sorted, and the arguments of `fit` with a leading axis B.

    Models are as long as the longest; the rows that a shorter one lacks have weight 0.

    Warns
    -----
    UserWarning
        A column is 0 in all rows of some groups, as that of a level that does not occur there:
        these models are rank deficient.
    """
    assert made.groups is not None
    codes, labels = pd.factorize(made.groups, sort=True)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(labels))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    largest = int(sizes.max())
    memory.demand(
        8 * len(labels) * largest * (made.X.shape[1] + 4),
        f"{len(labels):,} groups, each with as many rows as the largest ({largest:,}),",
    )
    group = codes[order]
    place = np.arange(len(order)) - starts[group]
    X = made.X[order]
    _warn_of_absent(X, starts, made, np.asarray(labels), by)

    def spread(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        out = np.zeros((len(labels), largest, *values.shape[1:]))
        out[group, place] = values
        return out

    weights = np.ones(len(order)) if made.weights is None else made.weights[order]
    arrays = {
        "X": spread(X),
        "y": spread(made.y[order]),
        "trials": spread(None if made.trials is None else made.trials[order]),
        "weights": None if made.weights is None and np.ptp(sizes) == 0 else spread(weights),
        "offset": spread(None if made.offset is None else made.offset[order]),
    }
    return np.asarray(labels), arrays


def _warn_of_absent(
    X: np.ndarray, starts: np.ndarray, made: Design, labels: np.ndarray, by: str
) -> None:
    absent = ~np.logical_or.reduceat(X != 0, starts, axis=0)
    for j in np.flatnonzero(absent.any(axis=0)):
        which = labels[absent[:, j]]
        if len(which) == len(labels):  # the column is 0 everywhere: nothing about groups
            continue
        warnings.warn(
            f"{made.names[j]!r} is 0 in all rows of {len(which):,} of {len(labels):,} groups, the "
            f"first {by}={which[0]}: these models are rank deficient, without estimates; merge "
            "levels that do not occur everywhere, or leave those groups out",
            stacklevel=4,
        )
