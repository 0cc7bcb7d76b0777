"""Small symmetric positive-definite systems, written so that `vmap` makes them fast.

A packed matrix (its lower triangle by rows) gets the Cholesky recurrence unrolled over
scalars: under `vmap` every scalar is a vector over models, so that the factorisation fuses,
where XLA's own Cholesky runs the batch one matrix at a time. An ordinary (p, p) array goes to
LAPACK: for p above `UNROLL_LIMIT`, and for the careful searches of a few models, which would
take longer to compile unrolled than to run.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core.kinds import Array

VANISHED = 1e-12  # of the largest eigenvalue: an information that is all rounding
UNROLL_LIMIT = 16  # p**3/6 scalar operations: compile time grows faster than speed beyond


class Factor(NamedTuple):
    """A Cholesky factor: rows of scalars (unrolled) or one lower-triangular array."""

    rows: list | Array
    inverse_diagonal: list | Array
    smallest_pivot: Array
    """Least pivot relative to its diagonal entry: the share of a column not explained
    by the columns before it; 0 or below when the matrix is singular to rounding."""


def packed_size(p: int) -> int:
    """Number of entries in the lower triangle of a (p, p) matrix."""
    return p * (p + 1) // 2


def unrolls(p: int) -> bool:
    """Whether (p, p) systems are small enough to be kept packed and unrolled."""
    return p <= UNROLL_LIMIT


def column_products(design):
    """Products of all pairs of columns, (p(p+1)/2, n), in packed order."""
    p = design.shape[1]
    return jnp.stack([design[:, i] * design[:, j] for i in range(p) for j in range(i + 1)])


def pack(matrix):
    """Lower triangle of a symmetric matrix by rows, (p(p+1)/2,)."""
    p = matrix.shape[-1]
    return jnp.stack([matrix[i, j] for i in range(p) for j in range(i + 1)])


def unpack(symmetric, p: int):
    """The full (p, p) matrix of a packed one; a full one as it is."""
    if symmetric.ndim == 2:
        return symmetric
    entry = [[_at(i, j) for j in range(p)] for i in range(p)]
    return jnp.stack([jnp.stack([symmetric[k] for k in row]) for row in entry])


def _at(i: int, j: int) -> int:
    return packed_size(max(i, j)) + min(i, j)


def cholesky(symmetric, p: int) -> Factor:
    """Cholesky factor of a symmetric matrix, packed (unrolled) or full (LAPACK).

    A matrix that is not positive definite gives a factor made with clamped pivots and a
    `smallest_pivot` at or below zero; nothing becomes nan unless the input holds one.
    """
    if symmetric.ndim == 2:
        return _lapack_cholesky(symmetric)
    rows: list[list] = []
    inverse_diagonal = []
    smallest = None
    for i in range(p):
        row = []
        for j in range(i):
            value = symmetric[_at(i, j)]
            for k in range(j):
                value = value - row[k] * rows[j][k]
            row.append(value * inverse_diagonal[j])
        diagonal = symmetric[_at(i, i)]
        pivot = diagonal
        for k in range(i):
            pivot = pivot - row[k] * row[k]
        tiny = jnp.finfo(diagonal.dtype).tiny
        relative = pivot / jnp.maximum(diagonal, tiny)
        smallest = relative if smallest is None else jnp.minimum(smallest, relative)
        inverse = jax.lax.rsqrt(jnp.maximum(pivot, tiny))
        rows.append(row)
        inverse_diagonal.append(inverse)
    return Factor(rows, inverse_diagonal, smallest)  # pyright: ignore[reportArgumentType]


def small_factor(matrix) -> Factor:
    """Cholesky factor of a (q, q) matrix of constraints: one number as a rule."""
    q = matrix.shape[0]
    return cholesky(pack(matrix) if q == 1 else matrix, q)


def _lapack_cholesky(matrix) -> Factor:
    lower = jnp.linalg.cholesky(matrix)
    diagonal = jnp.diagonal(lower)
    relative = diagonal**2 / jnp.maximum(jnp.diagonal(matrix), jnp.finfo(matrix.dtype).tiny)
    smallest = jnp.where(jnp.all(jnp.isfinite(diagonal)), jnp.min(relative), -1.0)
    return Factor(lower, 1.0 / diagonal, smallest)


def half_solve(factor: Factor, vector):
    """L⁻¹v for the factor L: its squared length is v'H⁻¹v. A list of scalars if unrolled."""
    if not isinstance(factor.rows, list):
        return jax.scipy.linalg.solve_triangular(factor.rows, vector, lower=True)
    out = []
    for i, row in enumerate(factor.rows):
        value = vector[i]
        for k, entry in enumerate(row):
            value = value - entry * out[k]
        out.append(value * factor.inverse_diagonal[i])
    return out


def back_solve(factor: Factor, half):
    """L⁻ᵀh, (p,): the second half of a solve."""
    if not isinstance(factor.rows, list):
        return jax.scipy.linalg.solve_triangular(factor.rows, half, lower=True, trans=1)
    p = len(factor.rows)
    out: list = [None] * p
    for i in reversed(range(p)):
        value = half[i]
        for k in range(i + 1, p):
            value = value - factor.rows[k][i] * out[k]
        out[i] = value * factor.inverse_diagonal[i]
    return jnp.stack(out)


def solve(factor: Factor, vector):
    """H⁻¹v, (p,)."""
    return back_solve(factor, half_solve(factor, vector))


def dot(a, b):
    """Inner product of two vectors, each an array or a list of scalars."""
    if isinstance(a, list) or isinstance(b, list):
        return sum(x * y for x, y in zip(a, b, strict=True))
    return jnp.vdot(a, b)


def inverse(factor: Factor, p: int):
    """H⁻¹ as a full (p, p) matrix."""
    if not isinstance(factor.rows, list):
        return jax.scipy.linalg.cho_solve((factor.rows, True), jnp.eye(p, dtype=factor.rows.dtype))
    dtype = jnp.asarray(factor.inverse_diagonal[0]).dtype
    return jnp.stack([solve(factor, jnp.eye(p, dtype=dtype)[i]) for i in range(p)])


def pseudo_length(matrix, vector):
    """v'H⁺v, leaving out directions in which H has vanished, ().

    Along a separated direction score and information both fall as e⁻ᵗ, and what they add to
    the statistic, e⁻²ᵗ/e⁻ᵗ, goes to nothing: it is left out before rounding takes its place.
    """
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), jnp.finfo(matrix.dtype).tiny))
    values, vectors = jnp.linalg.eigh(matrix / (size[:, None] * size[None, :]))
    along = vectors.T @ (vector / size)
    kept = values > VANISHED * jnp.max(values)
    return jnp.sum(jnp.where(kept, along**2 / jnp.where(kept, values, 1.0), 0.0))


def trace_inverse(factor: Factor):
    """Trace of H⁻¹: the squared entries of L⁻¹."""
    if not isinstance(factor.rows, list):
        eye = jnp.eye(factor.rows.shape[-1], dtype=factor.rows.dtype)
        return jnp.sum(jax.scipy.linalg.solve_triangular(factor.rows, eye, lower=True) ** 2)
    p = len(factor.rows)
    total = 0.0
    for start in range(p):  # column `start` of L⁻¹, forward substitution on a unit vector
        out = {start: factor.inverse_diagonal[start]}
        for i in range(start + 1, p):
            value = sum(factor.rows[i][k] * out[k] for k in range(start, i))
            out[i] = -value * factor.inverse_diagonal[i]
        total = total + sum(v * v for v in out.values())
    return total
