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
        A level does not occur in some groups: these models are rank deficient.
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
    _warn_of_absent(made, codes, np.asarray(labels), by)

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


def _warn_of_absent(made: Design, codes: np.ndarray, labels: np.ndarray, by: str) -> None:
    for text, category in made.categories.items():
        levels = category.categories
        seen = np.zeros((len(labels), len(levels)), bool)
        seen[codes, category.codes] = True
        for j in np.flatnonzero(~seen.all(axis=0)):
            which = labels[~seen[:, j]]
            warnings.warn(
                f"level {str(levels[j])!r} of {text} does not occur in {len(which):,} of "
                f"{len(labels):,} groups, the first {by}={which[0]}: these models are rank "
                "deficient, without estimates; merge levels that do not occur everywhere, or "
                "leave those groups out",
                stacklevel=4,
            )
