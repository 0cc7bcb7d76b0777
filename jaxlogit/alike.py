"""Rows and models that are alike, taken once.

A likelihood depends on the response only through the success totals of the design's distinct
rows, and then only through X'y. On a discrete design these are few whole numbers: rows that are
alike become one with trials, and models with the same totals become one model. The results are
the same: neither the maximum nor the log-likelihood (without binomial coefficients) can tell.
Designs of models that differ in one column are one design and a column for each: its products
with itself are made once for all models.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxlogit.cores import n_threads, spread
from jaxlogit.data import Models

LEAST_MODELS = 64  # fewer are fitted sooner than compared
SHARE = 2  # rows that a distinct one must stand for on average
LIKELY = 1000.0  # possible outcomes for each model: with more of them few would repeat
CHUNK = 1 << 20  # numbers of the data at a time
EXACT = 2.0**53  # whole numbers below it add without rounding


def gather(models: Models, *, own: bool = True) -> tuple[Models, np.ndarray | None]:
    """Models to fit, with fewer rows where some are alike, and which of them each model is.

    `own` is whether designs that differ in one column become a shared one and that column.

    Returns
    -------
    models : Models
        As given where nothing can be gained.
    which : (B,) int array or None
        The number in `models` of each model given; None where all are there in their order.
    """
    if models.n_models < LEAST_MODELS or models.own is not None:
        return models, None
    if models.design.ndim == 3:
        # On the rows of one model alone the shared columns would be far from orthogonal.
        return _own_column(models) if own and not models.ragged else models, None
    others = (models.trials, models.weights, models.offset)
    if models.y.ndim == 1 or any(array is not None and array.ndim == 2 for array in others):
        return models, None
    models = _distinct_rows(models)
    return _distinct_models(models)


def _own_column(models: Models) -> Models:
    """Models that share all columns of X but one, as a shared design and a column of their own."""
    designs = models.design
    some = designs[[1, models.n_models // 2, -1]] != designs[0]
    differs = np.any(some, axis=(0, 1))
    if models.n_terms < 2 or np.sum(differs) != 1:
        return models
    place = int(np.argmax(differs))
    step = max(1, CHUNK // designs[0].size)

    def others_agree(start: int) -> bool:
        unequal = designs[start : start + step] != designs[0]
        unequal[:, :, place] = False
        return not np.any(unequal)

    if not all(spread(others_agree, range(0, len(designs), step), n_threads())):
        return models
    shared = np.delete(designs[0], place, axis=1)
    return replace(models, design=shared, own=designs[:, :, place], place=place)


def _distinct_rows(models: Models) -> Models:
    """The models on the distinct rows of X and offset, with case totals as trials."""
    design, offset = models.design, models.offset
    first, which = _first_places(design if offset is None else np.column_stack([design, offset]))
    cases = np.ones(models.n_rows)
    for counts in (models.weights, models.trials):
        cases = cases if counts is None else cases * counts
    # Case totals that are rounded could hide a separation, or fall below their successes. Those
    # of y may be rounded: a sum never is to more than the sum of larger whole numbers.
    exact = _whole(cases, models.weights) and np.sum(cases) <= EXACT
    if SHARE * len(first) > models.n_rows or not exact:
        return models
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(first)))
    weights = None if models.weights is None else models.weights[order].astype(np.float64)
    successes = np.empty((models.n_models, len(first)))
    for part, y in _chunks(models.y):
        y = y[:, order] if weights is None else y[:, order] * weights
        np.add.reduceat(y, starts, axis=1, dtype=np.float64, out=successes[part])
    return replace(
        models,
        design=design[first],
        y=successes,
        trials=np.add.reduceat(cases[order], starts),
        weights=None,
        offset=None if offset is None else offset[first],
    )


def _distinct_models(models: Models) -> tuple[Models, np.ndarray | None]:
    """The models with different X'y, or with different y where X'y is not enough or not exact."""
    cases = np.ones(models.n_rows) if models.trials is None else models.trials
    if models.weights is not None or not _whole(cases):
        return models, None
    sizes = {"y": cases}
    exact = np.max(np.abs(models.design)) <= EXACT / max(1.0, np.sum(cases))
    if models.offset is None and exact and _whole(models.design):
        sizes["total"] = np.abs(models.design).T @ cases
    outcomes = {name: np.sum(np.log1p(size)) for name, size in sizes.items()}
    key = min(outcomes, key=lambda name: outcomes[name])
    if outcomes[key] > np.log(LIKELY * models.n_models):
        return models, None
    parts = []
    for _, y in _chunks(models.y):
        if not _whole(y):
            return models, None
        parts.append(y @ models.design if key == "total" else y)
    first, which = _first_places(np.concatenate(parts))
    if SHARE * len(first) > models.n_models:
        return models, None
    return models.take(first, single=False), which


def _chunks(y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    step = max(1, CHUNK // y.shape[1])
    for start in range(0, len(y), step):
        part = slice(start, start + step)
        yield part, y[part]


def _whole(*arrays: np.ndarray | None) -> bool:
    """Whether all numbers are whole."""
    return all(
        array is None or array.dtype.kind in "bui" or bool(np.all(array == np.rint(array)))
        for array in arrays
    )


def _first_places(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First places of the distinct rows of a matrix, and the number of each row among them."""
    rows = np.asarray(rows, np.float64) + 0.0  # no negative zeros: equal numbers, equal bits
    _, first, which = np.unique(_hashes(rows), return_index=True, return_inverse=True)
    if not np.array_equal(rows[first][which], rows):  # two rows with one hash
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


def _hashes(rows: np.ndarray) -> np.ndarray:
    """One uint64 for each row: a random combination of its numbers' bits."""
    bits = np.ascontiguousarray(rows).view(np.uint64)
    bits = bits ^ (bits >> np.uint64(32))  # small whole numbers have all theirs at the top
    odd = np.random.default_rng(1).integers(1 << 62, size=rows.shape[1]).astype(np.uint64)
    return bits @ (odd * np.uint64(2) + np.uint64(1))
