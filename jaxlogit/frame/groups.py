"""Rows divided by one column: a model for each value, in one batch padded by rows of weight 0."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from jaxlogit import memory
from jaxlogit.frame.design import Design


def divide(made: Design, by: str, *, warn: bool = True) -> tuple[np.ndarray, dict[str, Any]]:
    """The groups' labels (B,), sorted, and the arguments of `fit` with a leading axis B.

    Models are as long as the longest; the rows that a shorter one lacks have weight 0.

    Warns
    -----
    UserWarning
        With `warn`, where a level does not occur in some groups: without a prior these models are
        rank deficient.
    """
    assert made.groups is not None
    codes, labels = pd.factorize(made.groups, sort=True)
    sizes = np.bincount(codes, minlength=len(labels))
    largest = int(sizes.max())
    memory.demand(
        8 * len(labels) * largest * (made.X.shape[1] + 4),
        f"{len(labels):,} groups, each with as many rows as the largest ({largest:,}),",
    )
    labels = np.asarray(labels)
    if warn:
        _warn_of_absent(made, codes, labels, by)
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(codes), np.intp)
    place[order] = np.arange(len(codes)) - starts[codes[order]]

    def spread(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        out = np.zeros((len(labels), largest, *values.shape[1:]))
        out[codes, place] = values
        return out

    ragged = made.weights is None and np.ptp(sizes) > 0
    arrays = {name: spread(getattr(made, name)) for name in ("X", "y", "trials", "offset")}
    arrays["weights"] = spread(np.ones(len(codes)) if ragged else made.weights)
    return labels, arrays


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
