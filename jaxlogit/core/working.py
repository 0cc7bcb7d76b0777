"""Working coordinates: the design with orthogonal columns, so that raw units lose no digits.

Every search runs on X T with T chosen so that (X T)'(X T) = n·identity; β = T·(working β) and
a contrast c becomes T'c. Columns of any units and any location (a column near 1.02 with
spread 0.007 beside one in the hundreds) then cost no digits in the information, which a
Cholesky factorisation of X'WX would square away.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core import linalg, separation
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Rows, case_count, row_reach
from jaxlogit.core.newton import Scale

RANK_LIMIT = (
    1e-11  # share of a column's length that must be new (R's lm.fit uses 1e-7, dqrls 1e-11)
)


class Arrays(NamedTuple):
    """One model's data; fields that all models share may be split off and merged back."""

    design: Array | None = None
    """(n, p): X T where `transform` is given, else X in the user's units."""
    transform: Array | None = None
    """(p, p) T."""
    products: Array | None = None
    """(p(p+1)/2, n) column products of X T, where X is shared and p small."""
    columns: Array | None = None
    """(p, n) the columns of X T, where X is shared."""
    y: Array | None = None
    trials: Array | None = None
    weights: Array | None = None
    offset: Array | None = None
    score_total: Array | None = None
    """(p,) (X T)'(weights·y): with it y is no longer needed."""
    offset_total: Array | None = None
    """() sum of weights·y·offset."""
    direction: Array | None = None
    """(p,) separating direction (working): the model is then its overlapping rows alone."""


class Problem(NamedTuple):
    """One model in working coordinates."""

    rows: Rows
    transform: Array
    scale: Scale
    successes: Array | None


def merge(lane: Arrays, shared: Arrays) -> Arrays:
    """The fields of one model put together from its own and the shared ones."""
    return Arrays(*(b if a is None else a for a, b in zip(lane, shared, strict=True)))


def problem(arrays: Arrays) -> Problem:
    """Working rows of one model, from its arrays."""
    design, transform = arrays.design, arrays.transform
    assert design is not None
    weights, trials, y, offset = (
        None if field is None else jnp.asarray(field, design.dtype)
        for field in (arrays.weights, arrays.trials, arrays.y, arrays.offset)
    )
    total = trials if weights is None else weights if trials is None else weights * trials
    if transform is None:
        used = None if total is None else total > 0
        design, transform = orthogonal_columns(design, used)
    successes = None
    score_total, offset_total = arrays.score_total, arrays.offset_total
    if y is not None:
        successes = y if weights is None else weights * y
        score_total = design.T @ successes
        offset_total = None if offset is None else successes @ offset
    free = None
    if arrays.direction is not None:
        assert successes is not None
        whole = jnp.ones(design.shape[0], design.dtype) if total is None else total
        direction = arrays.direction
        total, free = separation.overlapping_part(design, successes, whole, direction)
        successes = jnp.where(total > 0, successes, 0.0)
        score_total = design.T @ successes
        offset_total = None if offset is None else successes @ offset
    assert score_total is not None
    rows = Rows(
        design, score_total, arrays.products, arrays.columns, total, offset, offset_total, free
    )
    reach = row_reach(rows)
    error = float(jnp.finfo(design.dtype).eps) * case_count(rows) * reach
    return Problem(rows, transform, Scale(reach, error), successes)


def orthogonal_columns(design, used=None):
    """X T and T for one model's X (n, p), by modified Gram–Schmidt, twice; rows unused: 0.

    A column that the ones before it explain becomes zero, in X T and in T.
    """
    n, p = design.shape
    if used is not None:
        design = jnp.where(used[:, None], design, 0.0)
    if not linalg.unrolls(p):
        return _orthogonal_columns_lapack(design)
    identity = jnp.eye(p, dtype=design.dtype)
    columns: list = []
    combinations: list = []
    for j in range(p):
        size = jnp.max(jnp.abs(design[:, j]))
        size = jnp.where(size > 0, size, 1.0)  # squares of 1e200 would overflow
        column, combination = design[:, j] / size, identity[j] / size
        length = jnp.linalg.norm(column)
        safe = jnp.where(length > 0, length, 1.0)
        column, combination = column / safe, combination / safe
        for _ in range(2):
            for other, its_combination in zip(columns, combinations, strict=True):
                share = column @ other / n
                column = column - share * other
                combination = combination - share * its_combination
        left = jnp.linalg.norm(column)
        factor = jnp.where((left > RANK_LIMIT) & (length > 0), np.sqrt(n) / left, 0.0)
        factor = jnp.where(jnp.isfinite(factor), factor, 0.0)
        columns.append(column * factor)
        combinations.append(combination * factor)
    return jnp.stack(columns, axis=1), jnp.stack(combinations, axis=1)


def _orthogonal_columns_lapack(design):
    """The same by Householder reflections, for p too large to unroll."""
    n, p = design.shape
    size = jnp.max(jnp.abs(design), axis=0)
    size = jnp.where(size > 0, size, 1.0)
    q, r = jnp.linalg.qr(design / size[None, :])
    if n < p:
        return jnp.zeros_like(design), jnp.zeros((p, p), design.dtype)
    new = jnp.abs(jnp.diagonal(r)) > RANK_LIMIT * jnp.linalg.norm(r, axis=0)
    full = jnp.all(new)
    r = jnp.where(full, r, jnp.eye(p, dtype=design.dtype))
    identity = jnp.eye(p, dtype=design.dtype)
    transform = jax.scipy.linalg.solve_triangular(r, identity) * np.sqrt(n) / size[:, None]
    return jnp.where(full, q * np.sqrt(n), 0.0), jnp.where(full, transform, 0.0)


def shared_coordinates(design: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """X T and T for a shared X (n, p) in NumPy; None where X has not full column rank."""
    n, p = design.shape
    if n < p:
        return None
    size = np.max(np.abs(design), axis=0)
    if not np.all(size > 0):
        return None
    q, r = np.linalg.qr(design / size)
    lengths = np.linalg.norm(r, axis=0)
    if np.any(np.abs(np.diag(r)) <= RANK_LIMIT * lengths):
        return None
    transform = np.linalg.solve(r, np.eye(p)) * np.sqrt(n) / size[:, None]
    return q * np.sqrt(n), transform
