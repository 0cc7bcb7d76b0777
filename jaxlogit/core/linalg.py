"""Small symmetric positive-definite systems, written so that `vmap` makes them fast.

A packed matrix (its lower triangle by columns) gets the Cholesky recurrence unrolled over
scalars: under `vmap` every scalar is a vector over models, so that the factorisation fuses,
where XLA's own Cholesky runs the batch one matrix at a time. An ordinary (p, p) array goes to
LAPACK: for p above `UNROLL_LIMIT`, and for the careful searches of a few models, which would
take longer to compile unrolled than to run.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core.kinds import Array
from jaxlogit.core.traced import traced

VANISHED = 1e-12  # of the largest eigenvalue: an information that is all rounding
PIVOTS = 4  # multiplied before one logarithm, within the range of single precision; 8 in double
UNROLL_LIMIT = 16  # p**3/6 scalar operations: compile time grows faster than speed beyond


class Factor(NamedTuple):
    """A Cholesky factor L: its columns from the diagonal down (unrolled), or one (p, p) array."""

    lower: Array
    inverse_diagonal: Array
    smallest_pivot: Array
    """Least pivot relative to its diagonal entry: the share of a column not explained
    by the columns before it; 0 or below when the matrix is singular to rounding."""
    halves: tuple = ()
    """L⁻¹v for each vector v that the factor was made with."""

    @property
    def unrolled(self) -> bool:
        """Whether it is made of scalars."""
        return isinstance(self.lower, list)


def packed_size(p: int) -> int:
    """Number of entries in the lower triangle of a (p, p) matrix."""
    return p * (p + 1) // 2


def unrolls(p: int) -> bool:
    """Whether (p, p) systems are small enough to be kept packed and unrolled."""
    return p <= UNROLL_LIMIT


def column_products(design: np.ndarray) -> np.ndarray:
    """Products of all pairs of columns of a design (n, p), in packed order, (p(p+1)/2, n)."""
    p = design.shape[1]
    return np.stack([design[:, i] * design[:, j] for j in range(p) for i in range(j, p)])


@jax.custom_batching.custom_vmap
def _stack(*numbers):
    return jnp.stack(numbers)


@_stack.def_vmap
def _stack_many(size, in_batched, *numbers):
    numbers = [
        number if many else jnp.broadcast_to(number, (size, *jnp.shape(number)))
        for number, many in zip(numbers, in_batched, strict=True)
    ]
    return jnp.moveaxis(jax.lax.optimization_barrier(jnp.stack(numbers)), 1, 0), True


def stack(numbers):
    """Numbers, or arrays, as one array; in memory models are last: see `abreast`."""
    return _stack(*numbers)


def pack(matrix):
    """Lower triangle of a symmetric matrix by columns, (p(p+1)/2,)."""
    p = matrix.shape[-1]
    return jnp.concatenate([matrix[j:, j] for j in range(p)])


def unpack(packed, p: int):
    """The symmetric matrix (p, p) of a packed lower triangle."""
    at = np.zeros((p, p), np.int32)
    start = 0
    for j in range(p):
        at[j:, j] = at[j, j:] = np.arange(start, start + p - j)
        start += p - j
    return packed[at]


def trace(matrix, p: int):
    """The sum of the diagonal of a symmetric matrix, packed or full."""
    if matrix.ndim == 2:
        return jnp.trace(matrix)
    return sum(matrix[packed_size(p) - packed_size(p - j)] for j in range(p))


@traced("p")
def cholesky(symmetric, p: int, *vectors) -> Factor:
    """Cholesky factor of a symmetric matrix, packed (unrolled) or full (LAPACK).

    Vectors (p,) that come along are half solved in the same sweep, as further rows of the
    matrix: forward substitution done on its own takes as long as the factorisation.

    A matrix that is not positive definite gives a factor made with clamped pivots and a
    `smallest_pivot` at or below zero.
    """
    if symmetric.ndim == 2:
        return _lapack_cholesky(symmetric, vectors)
    columns: list[list] = []
    inverse_diagonal = []
    smallest = None
    for j in range(p):
        start = packed_size(p) - packed_size(p - j)
        column = [symmetric[start + i] for i in range(p - j)]
        diagonal = column[0]
        column += [vector[j] for vector in vectors]
        for k, earlier in enumerate(columns):
            below = earlier[j - k :]
            column = [a - b * below[0] for a, b in zip(column, below, strict=True)]
        pivot = column[0]
        tiny = jnp.finfo(diagonal.dtype).tiny
        relative = pivot / jnp.maximum(diagonal, tiny)
        smallest = relative if smallest is None else jnp.minimum(smallest, relative)
        inverse = jax.lax.rsqrt(jnp.maximum(pivot, tiny))
        columns.append([a * inverse for a in column])
        inverse_diagonal.append(inverse)
    assert smallest is not None
    halves = tuple([column[p - j + i] for j, column in enumerate(columns)]
                   for i in range(len(vectors)))  # fmt: skip
    return Factor(columns, inverse_diagonal, smallest, halves)


def small_factor(matrix) -> Factor:
    """Cholesky factor of a (q, q) matrix of constraints: one number as a rule."""
    q = matrix.shape[0]
    return cholesky(pack(matrix) if q == 1 else matrix, q)


def _lapack_cholesky(matrix, vectors) -> Factor:
    lower = jnp.linalg.cholesky(matrix)
    diagonal = jnp.diagonal(lower)
    relative = diagonal**2 / jnp.maximum(jnp.diagonal(matrix), jnp.finfo(matrix.dtype).tiny)
    smallest = jnp.where(jnp.all(jnp.isfinite(diagonal)), jnp.min(relative), -1.0)
    halves = ()
    if vectors:
        right = jnp.stack(vectors, axis=1)
        halves = tuple(jax.scipy.linalg.solve_triangular(lower, right, lower=True).T)
    return Factor(lower, 1.0 / diagonal, smallest, halves)


@traced()
def half_solve(factor: Factor, vector):
    """L⁻¹v for the factor L: its squared length is v'H⁻¹v. A list of scalars if unrolled."""
    if not factor.unrolled:
        return jax.scipy.linalg.solve_triangular(factor.lower, vector, lower=True)
    out = []
    for i, inverse in enumerate(factor.inverse_diagonal):
        value = vector[i]
        for k, done in enumerate(out):
            value = value - factor.lower[k][i - k] * done
        out.append(value * inverse)
    return out


@traced()
def back_solve(factor: Factor, half):
    """L⁻ᵀh, (p,): the second half of a solve."""
    if not factor.unrolled:
        return jax.scipy.linalg.solve_triangular(factor.lower, half, lower=True, trans=1)
    p = len(factor.lower)
    out: list = [None] * p
    for i in reversed(range(p)):
        value = half[i]
        for k in range(i + 1, p):
            value = value - factor.lower[i][k - i] * out[k]
        out[i] = value * factor.inverse_diagonal[i]
    return stack(out)


def solve(factor: Factor, vector):
    """H⁻¹v, (p,)."""
    return back_solve(factor, half_solve(factor, vector))


def vector(a):
    """A vector as an array, be it an array or a list of scalars."""
    return stack(a) if isinstance(a, list) else a


def dot(a, b):
    """Inner product of two vectors, each an array or a list of scalars."""
    if isinstance(a, list) or isinstance(b, list):
        return sum(x * y for x, y in zip(a, b, strict=True))
    return jnp.vdot(a, b)


def rows_dot(matrix, vector):
    """Mv for a few rows, written as sums: products of such a size under `vmap` are slow loops."""
    if not unrolls(matrix.shape[1]):
        return jnp.sum(matrix * vector[None, :], axis=1)
    return sum(matrix[:, j] * vector[j] for j in range(matrix.shape[1]))  # nor is a sum over p fast


@traced("p")
def inverse(factor: Factor, p: int):
    """H⁻¹ as a full (p, p) matrix."""
    if not factor.unrolled:
        identity = jnp.eye(p, dtype=factor.lower.dtype)
        return jax.scipy.linalg.cho_solve((factor.lower, True), identity)
    identity = jnp.eye(p, dtype=factor.smallest_pivot.dtype)
    return jnp.stack([solve(factor, row) for row in identity])


def log_determinant(factor: Factor):
    """log|H|, from the diagonal of its factor."""
    if not factor.unrolled:
        return -2.0 * jnp.sum(jnp.log(factor.inverse_diagonal))
    roots = factor.inverse_diagonal
    together = PIVOTS if jnp.finfo(roots[0].dtype).bits < 64 else 2 * PIVOTS
    groups = [roots[i : i + together] for i in range(0, len(roots), together)]
    return -2.0 * sum(jnp.log(math.prod(group[1:], start=group[0])) for group in groups)


@traced("p")
def packed_inverse(factor: Factor, p: int):
    """H⁻¹ in the form of H: packed where the factor is unrolled, else (p, p)."""
    if not factor.unrolled:
        return inverse(factor, p)
    columns = _inverse_lower(factor)
    pairs = [(i, j) for j in range(p) for i in range(j, p)]
    return stack([sum(columns[i][k] * columns[j][k] for k in range(i, p)) for i, j in pairs])


def _inverse_lower(factor: Factor) -> list[dict]:
    """Columns of L⁻¹ of an unrolled factor: by forward substitution on unit vectors."""
    lower, p = factor.lower, len(factor.lower)
    columns = []
    for start in range(p):
        out = {start: factor.inverse_diagonal[start]}
        for i in range(start + 1, p):
            value = sum(lower[k][i - k] * out[k] for k in range(start, i))
            out[i] = -value * factor.inverse_diagonal[i]
        columns.append(out)
    return columns


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


@traced()
def trace_inverse(factor: Factor):
    """Trace of H⁻¹: the squared entries of L⁻¹."""
    lower = factor.lower
    if not isinstance(lower, list):
        identity = jnp.eye(lower.shape[-1], dtype=lower.dtype)
        return jnp.sum(jax.scipy.linalg.solve_triangular(lower, identity, lower=True) ** 2)
    return sum(v * v for column in _inverse_lower(factor) for v in column.values())
