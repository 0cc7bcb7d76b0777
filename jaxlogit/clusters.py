"""Clusters of rows at the edge: numbered from labels, and counted with the rows of each model."""

from typing import Any, NamedTuple

import numpy as np

from jaxlogit.checks import rectangular
from jaxlogit.data import Models

CHUNK = 1 << 20  # numbers of the data at a time


class Counts(NamedTuple):
    """What each model's units are made of, over the rows that it uses."""

    frequency: np.ndarray
    """(B,) bool: all weights are whole numbers, and count equal rows."""
    n_rows: np.ndarray
    """(B,) rows, equal ones counted one by one."""
    n_clusters: np.ndarray
    """(B,) clusters; 0 where the rows are the units."""


def coded(clusters: Any, models: Models, argument: str = "clusters") -> np.ndarray:
    """Clusters of the rows from 0, (n,) or (B, n) int32, from labels of any hashable kind.

    Shared ones are numbered in the order of their first rows, whatever the labels' type.

    `argument` is what errors call them.

    Raises
    ------
    TypeError
        A label that cannot be hashed.
    ValueError
        A wrong shape, or a missing label in a row that its model uses.
    """
    labels = rectangular(argument, clusters)
    n, count = models.n_rows, models.n_models
    if labels.shape not in ((n,), (count, n)):
        raise ValueError(
            f"{argument} must have one label for each of the {n} rows of X, or of each of the "
            f"{count} models' rows: found shape {labels.shape}"
        )
    if models.single:
        labels = labels.reshape(n)
    _refuse_missing(labels, models, argument)
    if labels.dtype.kind != "O":
        _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
        codes = np.argsort(np.argsort(first))[codes].reshape(labels.shape)
    else:
        codes = _numbered(labels, argument)
    if codes.ndim == 1:
        return codes.astype(np.int32)
    dense = np.empty(codes.shape, np.int32)  # each model's own clusters from 0
    for part in _chunks(*codes.shape):
        order = np.argsort(codes[part], axis=1)
        sorted_ = np.take_along_axis(codes[part], order, axis=1)
        steps = np.diff(sorted_, axis=1, prepend=sorted_[:, :1]) != 0
        np.put_along_axis(dense[part], order, np.cumsum(steps, axis=1, dtype=np.int32), axis=1)
    return dense


def count(models: Models, codes: np.ndarray | None) -> Counts:
    """Rows and clusters of every model."""
    fields = (models.weights, models.trials, codes)
    if all(field is None or field.ndim == 1 for field in fields):
        parts = [_count(*fields, models.n_rows)]
    else:
        parts = []
        for part in _chunks(models.n_models, models.n_rows):
            own = [f[part] if f is not None and f.ndim == 2 else f for f in fields]
            parts.append(_count(own[0], own[1], own[2], models.n_rows))
    whole = Counts(*map(np.concatenate, zip(*parts, strict=True)))
    return Counts(*(np.broadcast_to(field, models.n_models) for field in whole))


def _count(weights, trials, codes, n: int) -> Counts:
    weights = np.ones((1, n)) if weights is None else np.atleast_2d(weights)
    used = weights > 0
    if trials is not None:
        used = used & (np.atleast_2d(trials) > 0)
    whole = np.all(weights == np.rint(weights), axis=1)
    n_rows = np.sum(np.where(whole[:, None], weights, 1.0) * used, axis=1)
    n_clusters = np.zeros(1)
    if codes is not None:
        present = np.sort(np.where(used, codes, -1), axis=1)
        n_clusters = np.sum(np.diff(present, axis=1, prepend=-1) > 0, axis=1).astype(np.float64)
    fields = np.broadcast_arrays(whole, n_rows, n_clusters)
    return Counts(*fields)


def _refuse_missing(labels: np.ndarray, models: Models, argument: str) -> None:
    if labels.dtype.kind == "O":
        missing = np.array([_is_missing(v) for v in labels.ravel()]).reshape(labels.shape)
    elif labels.dtype.kind in "fcmM":
        missing = labels != labels
    else:
        return
    for counts in (models.weights, models.trials):
        if counts is not None and np.any(missing):
            missing = missing & (counts > 0)
    if np.any(missing):
        *model, row = (int(at) for at in np.argwhere(missing)[0])
        found = labels[row] if labels.ndim == 1 else labels[model[0], row]
        where = f"model {model[0]}, row {row}" if model else f"row {row}"
        raise ValueError(f"{argument} must not be missing: found {found} at {where}")


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA is neither equal nor unequal to itself
        return True


def _numbered(labels: np.ndarray, argument: str) -> np.ndarray:
    """Labels numbered in the order of their first places."""
    numbers: dict[Any, int] = {}
    try:
        codes = [numbers.setdefault(label, len(numbers)) for label in labels.ravel()]
    except TypeError as error:
        raise TypeError(f"{argument} must hold labels that can be hashed: {error}") from error
    return np.array(codes).reshape(labels.shape)


def _chunks(count: int, n: int):
    step = max(1, CHUNK // n)
    return (slice(start, start + step) for start in range(0, count, step))
