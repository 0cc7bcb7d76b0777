"""The logistic log-likelihood of one model: value, score and information.

With case weights a, trials m and successes y, everything depends on the rows through
the success total s = a·y and the case total k = a·m:

    eta = Xβ + o,   l(β) = s'eta − Σ k·log(1 + exp(eta)),
    U(β) = X's − X'(k·mu),   I(β) = X' diag(k·mu(1 − mu)) X.

X's and s'o are computed once; the rows are then needed only through k·log(1 + exp(eta)).
The canonical link makes observed and expected information the same.
Source: McCullagh and Nelder (1989), Generalized Linear Models, sections 2.5 and 4.4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit.core import linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.traced import traced

MANY_ROWS = 1 << 14  # from there on one product of all rows is slower than many of a few
ROW_BLOCK = 1000
PRODUCT_SHARE = 0.4  # of the exponent range: how far a product of factors in [1/2, 1) may fall


class Beside(NamedTuple):
    """A design whose columns all models share but for one, which comes first."""

    own: Array
    """(n,) the model's own column."""
    design: Array
    """(n, p − 1) the shared ones."""
    columns: Array
    """(p − 1, n) the same by columns; `products` are theirs."""


class Prior(NamedTuple):
    """Independent normal priors of the user's coefficients Tβ."""

    transform: Array
    """(p, p) T."""
    mean: Array
    """(p,)."""
    precision: Array
    """(p,) 1/variance; 0 where a coefficient has no prior."""


class Jeffreys(NamedTuple):
    """The penalty τ·log|I(β)|."""

    strength: Array
    """() τ; Firth's is 1/2."""
    correction: Array | None = None
    """(p(p+1)/2,) what its curvature adds to the information, made once near the maximum and
    kept for searches around it; None: exact at every β."""
    augmented: Array | None = None
    """() present where standard errors come from the augmented information."""


class Rows(NamedTuple):
    """One model's rows and its response, as the likelihood needs them."""

    design: Array
    """(n, p) design matrix."""
    score_total: Array
    """(p,) X's, the sufficient statistic."""
    products: Array | None = None
    """(p(p+1)/2, n) column products, made once where X is shared; None: formed each time."""
    products_by_row: Array | None = None
    """(n, p(p+1)/2) the same laid out by rows: leverages take a third of the time with it."""
    columns: Array | None = None
    """(p, n) X' laid out by columns: products that sum over rows take half the time with it."""
    total: Array | None = None
    """(n,) case totals k; None where all are 1."""
    offset: Array | None = None
    """(n,) known part of the linear predictor; None where all are 0."""
    offset_total: Array | None = None
    """() s'o, the constant that the offset adds to the log-likelihood; None with `offset`."""
    free: Array | None = None
    """(p, p) matrix added to the information: holds a search still along directions that the
    rows say nothing about (a separated model's overlapping part); None elsewhere."""
    beside: Beside | None = None
    """The same design in two parts, where only the first column is the model's own."""
    prior: Prior | None = None
    """A normal prior of the coefficients; None where there is none."""
    jeffreys: Jeffreys | None = None
    """Firth's penalty; None where there is none. `penalty.evaluate` adds either."""

    @property
    def shared(self) -> bool:
        """Whether all models have this design, and p is small: their searches then go `abreast`."""
        return self.products is not None and self.beside is None

    @property
    def turned(self) -> bool:
        """Whether with a shared design there are numbers for each row, which `vmap` puts first."""
        return self.shared and (self.total is not None or self.offset is not None)


def in_single(tree):
    """Rows, or anything else, in single precision: for the first steps of a search.

    Exponentials cost a third and products half of what they cost in double precision.
    """
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), tree)


class Evaluation(NamedTuple):
    """Log-likelihood, score and (packed) information at one β."""

    loglik: Array
    score: Array
    information: Array
    """What Newton steps are made with: minus the second derivative, or close to it."""
    fisher: Array | None = None
    """The Fisher information, where a penalty makes it another matrix."""
    spread: Array | None = None
    """() the trace of its inverse, where that is at hand."""

    @property
    def expected(self) -> Array:
        """The Fisher information: what score statistics and standard errors are made with."""
        return self.information if self.fisher is None else self.fisher


@jax.custom_jvp
def log_partition(eta):
    """log(1 + exp(eta)) for each row, without overflow: the row term of the likelihood."""
    return jnp.maximum(eta, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(eta)))


@log_partition.defjvp
def _log_partition_jvp(primals, tangents):
    """One smooth rule instead of the derivatives of max and abs, which break at eta = 0."""
    (eta,), (tangent,) = primals, tangents
    return log_partition(eta), tangent * jax.lax.logistic(eta)


def row_derivatives(eta):
    """First and second derivative of `log_partition` by autodiff: mu and mu(1 − mu)."""
    return jax.vmap(_first_and_second)(eta)


def row_third_derivative(eta):
    """Third derivative of `log_partition` by autodiff: mu(1 − mu)(1 − 2mu)."""
    return jax.vmap(_third)(eta)


def row_higher_derivatives(eta):
    """Third and fourth derivative of `log_partition` by autodiff."""
    return jax.vmap(lambda at: _along_itself(_third, at))(eta)


def _along_itself(function, at):
    """A function of one number and its derivative: ones for a vector would turn it around."""
    return jax.jvp(function, (at,), (jnp.ones_like(at),))


def _first_and_second(at):
    return _along_itself(lambda eta: _along_itself(log_partition, eta)[1], at)


def _third(at):
    return _along_itself(lambda eta: _first_and_second(eta)[1], at)[1]


def log_partition_sum(eta, mu):
    """Σ log(1 + exp(eta)), with one logarithm for each block of rows.

    log(1 + exp(eta)) = max(eta, 0) − log max(mu, 1 − mu), without a second exponential and log1p;
    and the logarithms of factors in [1/2, 1) add up to the logarithm of their product.
    """
    factors = jnp.maximum(mu, 1.0 - mu)
    at_most = int(-PRODUCT_SHARE * jnp.finfo(eta.dtype).minexp)
    spare = None
    # Slices and `@`, since they leave models the last axis: padding and sums would not.
    for _ in range(min(len(eta).bit_length() - 1, at_most.bit_length() - 1)):
        half = len(factors) // 2
        odd = factors[2 * half :]
        if len(odd):  # all of these together are fewer rows than a factor has in the end
            spare = odd if spare is None else spare * odd
        factors = factors[:half] * factors[half : 2 * half]
    logs = jnp.log(factors)
    total = jnp.ones_like(eta) @ jnp.maximum(eta, 0.0) - jnp.ones_like(logs) @ logs
    return total if spare is None else total - jnp.log(spare)[0]


def linear_predictor(rows: Rows, coef):
    """eta = Xβ + o, (n,)."""
    eta = along(rows, coef)
    return eta if rows.offset is None else eta + rows.offset


def loglik(rows: Rows, coef):
    """The log-likelihood at β, without the binomial coefficients."""
    eta = linear_predictor(rows, coef)
    return _loglik(rows, coef, eta, jax.lax.logistic(eta))


def _loglik(rows: Rows, coef, eta, mu):
    linear = jnp.sum(rows.score_total * coef)  # `@` of two vectors is a slow loop under `vmap`
    if rows.offset_total is not None:
        linear = linear + rows.offset_total
    if rows.total is None:
        return linear - log_partition_sum(eta, mu)
    return linear - rows.total @ log_partition(eta)  # to the last digit of each, trials are many


@traced("unroll")
def evaluate(rows: Rows, coef, *, unroll: bool = True) -> Evaluation:
    """Log-likelihood, score and information at β; packed with `unroll`, where p allows it."""
    eta = linear_predictor(rows, coef)
    mu, curvature = row_derivatives(eta)
    value = _loglik(rows, coef, eta, mu)
    if rows.total is not None:
        mu, curvature = rows.total * mu, rows.total * curvature
    score = rows.score_total - across(rows, mu)
    information = weigh(rows, curvature, unroll and linalg.unrolls(len(score)))
    if rows.free is not None:
        information = information + (rows.free if information.ndim == 2 else linalg.pack(rows.free))
    return Evaluation(value, score, information)


def along(rows: Rows, vector):
    """Xv, (n,). With X shared X stands on the left, so that `vmap` leaves models the last axis."""
    if rows.beside is not None:
        return rows.beside.design @ vector[1:] + rows.beside.own * vector[0]
    if rows.products is None and rows.columns is not None:
        return vector @ rows.columns
    return rows.design @ vector


def across(rows: Rows, vector):
    """X'v, (p,), with X' on the left for the same reason."""
    if rows.beside is not None:
        own = jnp.sum(rows.beside.own * vector)
        return jnp.concatenate([own[None], rows.beside.columns @ vector])
    return columns(rows) @ vector


def columns(rows: Rows):
    """X' by columns, (p, n)."""
    return rows.design.T if rows.columns is None else rows.columns


@traced()
def leverages(rows: Rows, matrix):
    """x'Ax of every row for a symmetric A, packed or full, (n,)."""
    p = rows.score_total.shape[0]
    if matrix.ndim == 1 and rows.products_by_row is not None:
        twice = _off_diagonal_twice(p).astype(matrix.dtype)
        doubled = linalg.stack([factor * matrix[i] for i, factor in enumerate(twice)])
        if rows.beside is None:
            return rows.products_by_row @ doubled
        own, others = rows.beside.own, rows.beside.columns
        return rows.products_by_row @ doubled[p:] + (doubled[1:p] @ others + doubled[0] * own) * own
    full = linalg.unpack(matrix, p) if matrix.ndim == 1 else matrix
    across_rows = columns(rows)
    return jnp.sum((full @ across_rows) * across_rows, axis=0)


def _off_diagonal_twice(p: int) -> np.ndarray:
    """Factors with which a packed matrix counts in a quadratic form."""
    return np.concatenate([[1.0] + [2.0] * (p - j - 1) for j in range(p)])


def weigh(rows: Rows, weights, packed: bool):
    """X' diag(weights) X."""
    if packed and rows.products is not None and rows.beside is not None:
        own = weights * rows.beside.own  # by blocks: the shared one is one product for all models
        corner = jnp.sum(own * rows.beside.own)
        return jnp.concatenate([corner[None], rows.beside.columns @ own, rows.products @ weights])
    if packed and rows.products is not None:
        return rows.products @ weights
    if rows.design.shape[0] > MANY_ROWS:
        matrix = _weigh_by_blocks(columns(rows), weights)
    else:
        across_rows = columns(rows)
        matrix = (across_rows * weights[None, :]) @ across_rows.T
    return linalg.pack(matrix) if packed else matrix


def _weigh_by_blocks(across_rows, weights):
    """X' diag(weights) X of a long X, a block of rows at a time: w·X never leaves the cache."""

    def block(start, size):
        part = jax.lax.dynamic_slice_in_dim(across_rows, start, size, axis=1)
        share = jax.lax.dynamic_slice_in_dim(weights, start, size)
        return (part * share[None, :]) @ part.T

    return by_blocks(block, jnp.add, len(weights))


def by_blocks(block, combine, n: int):
    """`block(start, size)` of n rows, ROW_BLOCK of them or more, a block at a time, combined."""
    whole = n // ROW_BLOCK

    def add(i, total):
        return combine(total, block(i * ROW_BLOCK, ROW_BLOCK))

    total = jax.lax.fori_loop(1, whole, add, block(0, ROW_BLOCK))
    return combine(total, block(whole * ROW_BLOCK, n - whole * ROW_BLOCK))


@traced()
def information_derivative(rows: Rows, coef, vector):
    """Gradient with respect to β of v'I(β)v for a fixed v, (p,)."""
    third = row_third_derivative(linear_predictor(rows, coef))
    if rows.total is not None:
        third = rows.total * third
    return across(rows, third * along(rows, vector) ** 2)


def score_bend(rows: Rows, coef, step):
    """Second derivative of the score along a step s: −X' diag(third derivatives)(Xs)², (p,)."""
    return -information_derivative(rows, coef, step)
