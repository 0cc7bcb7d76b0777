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
from jaxlogit.core.likelihood import (
    Beside,
    Jeffreys,
    Prior,
    Rows,
    across,
)
from jaxlogit.core.newton import Scale
from jaxlogit.core.reach import case_count, row_reach

RANK_LIMIT = (
    1e-11  # share of a column's length that must be new (R's lm.fit uses 1e-7, dqrls 1e-11)
)
SINGLE_RANK_LIMIT = 1e-4  # the same in float32, a thousand roundings


SHIFT = 10.0  # times (p + √n) machine epsilons, more than the rounding of X'X and of its factor
LARGEST_SQUARE = 1e200  # of a column's length; beyond, and below its inverse, squares may be lost
CLEAR_PIVOT = 1e-4  # above it one round leaves columns orthogonal to 1e-12
MAX_ROUNDS = 5


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
    own: Array | None = None
    """(n,) a column of the model's own, in the user's units, beside a shared design (n, p − 1)."""
    place: Array | None = None
    """(p,) 1 where the own column stands among the user's, else 0; `transform` is (p, p − 1).
    Without `columns` the design is the user's, and `transform` only puts its columns in place."""
    direction: Array | None = None
    """(p,) separating direction (working): the model is then its overlapping rows alone."""
    strength: Array | None = None
    """() of Firth's penalty, τ in l + τ·log|I|."""
    correction: Array | None = None
    """(p(p+1)/2,) see `likelihood.Jeffreys`."""
    augmented: Array | None = None
    """() the same."""
    prior_mean: Array | None = None
    """(p,) of the user's coefficients, with `prior_precision`."""
    prior_precision: Array | None = None
    """(p,) 1/variance; 0 where a coefficient has no prior."""
    present: Array | None = None
    """(n,) bool: which rows the model has, where weights say no more and its design is its own."""


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
    assert arrays.design is not None
    dtype = arrays.design.dtype
    weights, trials, y, offset = (
        None if field is None else jnp.asarray(field, dtype)
        for field in (arrays.weights, arrays.trials, arrays.y, arrays.offset)
    )
    total = trials if weights is None else weights if trials is None else weights * trials
    columns, transform, beside = _coordinates(arrays, total)
    design = arrays.design if columns is arrays.columns else columns.T
    prior, jeffreys = _penalty(arrays, transform)
    successes = free = None
    score_total, offset_total = arrays.score_total, arrays.offset_total
    if y is not None:
        successes = y if weights is None else weights * y
        score_total = across(Rows(design, successes, columns=columns, beside=beside), successes)
        offset_total = None if offset is None else successes @ offset
    if arrays.direction is not None:
        assert successes is not None
        n = design.shape[0]
        judged = judged_rows(design, successes, total, prior)
        total, free = separation.overlapping_part(*judged, arrays.direction)
        total, free = total[:n], free * (n / judged[0].shape[0])
        successes = jnp.where(total > 0, successes, 0.0)
        score_total = columns @ successes
        offset_total = None if offset is None else successes @ offset
    assert score_total is not None
    by_row = None if arrays.products is None else jax.lax.optimization_barrier(arrays.products.T)
    rows = Rows(
        design, score_total, arrays.products, by_row, columns, total, offset, offset_total, free,
        beside, prior, jeffreys,
    )  # fmt: skip
    reach = row_reach(rows)
    slow = None if jeffreys is None else jnp.asarray(jnp.inf, dtype)
    error = float(jnp.finfo(dtype).eps) * case_count(rows) * reach
    return Problem(rows, transform, Scale(reach, error, slow=slow), successes)


def with_absent(arrays: Arrays, model: Problem) -> tuple[Problem, Array | float]:
    """The model with the rows it does not have as rows of zeros, and what that takes from l.

    Each takes log 2 and changes nothing else: no search has to weigh rows then.
    """
    rows, present = model.rows, arrays.present
    if present is None or arrays.direction is not None:  # of which the moved rows do not count
        return model, 0.0
    offset = None if rows.offset is None else jnp.where(present, rows.offset, 0.0)
    taken = np.log(2.0) * jnp.sum(~present, dtype=rows.design.dtype)
    return model._replace(rows=rows._replace(total=None, offset=offset)), taken


def _coordinates(arrays: Arrays, total) -> tuple[Array, Array, Beside | None]:
    """(X T)' (p, n), T, and the design in two parts where one column is the model's own."""
    design, transform = arrays.design, arrays.transform
    assert design is not None
    used = None if total is None else total > 0
    if arrays.own is not None:
        assert arrays.place is not None and transform is not None
        if arrays.columns is None:  # rows differ: nothing can be shared
            own = jnp.asarray(arrays.own, design.dtype)[:, None]
            columns, inner = orthogonal_columns(jnp.concatenate([own, design], axis=1), used)
            return (
                columns,
                jnp.concatenate([arrays.place[:, None], transform], axis=1) @ inner,
                None,
            )
        beside, first = own_coordinates(arrays, total)
        columns = jnp.concatenate([beside.own[None], beside.columns])  # for careful searches
        return columns, jnp.concatenate([first[:, None], transform], axis=1), beside
    if transform is None:
        n, p = design.shape
        if arrays.prior_precision is not None:  # counts as rows: p may then exceed n
            design = jnp.concatenate([design, jnp.diag(jnp.sqrt(arrays.prior_precision))])
            used = None if used is None else jnp.concatenate([used, jnp.ones(p, bool)])
        columns, transform = orthogonal_columns(design, used)
        return columns[:, :n], transform, None
    return design.T if arrays.columns is None else arrays.columns, transform, None


def judged_rows(design, successes, total, prior: Prior | None):
    """Design, successes and case totals by which separation is judged.

    A normal prior counts as rows in which both outcomes occur: no direction may move them.
    """
    total = jnp.ones_like(design[:, 0]) if total is None else total
    if prior is None:
        return design, successes, total
    held = jnp.where(prior.precision > 0, 1.0, 0.0).astype(design.dtype)
    pull = jnp.sqrt(prior.precision)[:, None] * prior.transform
    return (
        jnp.concatenate([design, pull]),
        jnp.concatenate([successes, 0.5 * held]),
        jnp.concatenate([total, held]),
    )


def _penalty(arrays: Arrays, transform) -> tuple[Prior | None, Jeffreys | None]:
    prior = jeffreys = None
    if arrays.prior_precision is not None:
        prior = Prior(transform, arrays.prior_mean, arrays.prior_precision)
    if arrays.strength is not None:
        jeffreys = Jeffreys(arrays.strength, arrays.correction, arrays.augmented)
    return prior, jeffreys


def own_coordinates(arrays: Arrays, total) -> tuple[Beside, Array]:
    """A model's own column made orthogonal to the shared ones, of length √n, and its T, (p,).

    Projected twice, which is enough for orthogonality to rounding (Giraud and others 2005,
    Computers & Mathematics with Applications 50:1069–1075, doi:10.1016/j.camwa.2005.08.009).
    A column that depends on the shared ones becomes 0.
    """
    design, columns, transform, place = (
        arrays.design, arrays.columns, arrays.transform, arrays.place
    )  # fmt: skip
    assert design is not None and columns is not None
    assert transform is not None and place is not None
    n = design.shape[0]
    own = jnp.asarray(arrays.own, design.dtype)
    own = own if total is None else jnp.where(total > 0, own, 0.0)
    size = jnp.max(jnp.abs(own))
    own = own / jnp.where(size > 0, size, 1.0)
    rest, share = own, 0.0
    for _ in range(2):
        part = columns @ rest / n
        rest, share = rest - design @ part, share + part
    length = jnp.sqrt(jnp.sum(rest**2))
    kept = length > RANK_LIMIT * jnp.sqrt(jnp.sum(own**2))
    scale = jnp.where(kept, jnp.sqrt(n) / jnp.where(kept, length, 1.0), 0.0)
    unit = place / jnp.where(size > 0, size, 1.0)
    return Beside(scale * rest, design, columns), scale * (unit - transform @ share)


class _Round(NamedTuple):
    columns: Array
    transform: Array
    share: Array
    settled: Array
    n_rounds: Array


def orthogonal_columns(design, used=None):
    """(X T)' (p, n) and T (p, p) for one model's X (n, p); rows unused become 0.

    Cholesky QR: with LL' = X'X, scaled to a unit diagonal, X L⁻ᵀ has orthogonal columns up to
    rounding over the smallest pivot. Products and one small factor are all it takes, where
    Gram–Schmidt and reflections work column by column. A shift of the diagonal keeps the factor
    in the numbers' range, and a pivot below `CLEAR_PIVOT` asks for another round on the result.
    A column that the ones before it explain becomes zero, in X T and in T.
    Source: Fukaya et al. (2020), SIAM Journal on Scientific Computing 42:A477–A503,
    doi:10.1137/18M1218212.
    """
    n, p = design.shape
    if used is not None:
        design = jnp.where(used[:, None], design, 0.0)
    size = jnp.max(jnp.abs(design), axis=0)
    size = jnp.where(size > 0, size, 1.0)  # squares of 1e200 would overflow
    identity = jnp.eye(p, dtype=design.dtype)
    shift = SHIFT * (p + n**0.5) * float(jnp.finfo(design.dtype).eps)
    least = RANK_LIMIT if jnp.finfo(design.dtype).bits == 64 else SINGLE_RANK_LIMIT

    def advance(state: _Round) -> _Round:
        gram = state.columns @ state.columns.T
        length = jnp.sqrt(jnp.diagonal(gram))
        first = state.n_rounds == 0
        share = jnp.where(first & (length > 0), 1.0, state.share * length / n**0.5)
        length = jnp.where(length > 0, length, 1.0)
        scaled = gram / (length[:, None] * length[None, :])
        scaled = jnp.where(identity > 0, 1.0 + shift, scaled)
        packed = linalg.pack(scaled) if linalg.unrolls(p) else scaled
        factor = linalg.cholesky(packed, p, *identity)
        inverse = jnp.stack([linalg.vector(half) for half in factor.halves], axis=1)
        roots = 1.0 / linalg.vector(factor.inverse_diagonal)
        share = share * roots
        kept = (share > least) & jnp.isfinite(share)
        step = jnp.where(kept[:, None], inverse * (n**0.5 / length)[None, :], 0.0)
        return _Round(
            step @ state.columns,
            step @ state.transform,
            share,
            jnp.all((roots**2 > CLEAR_PIVOT) | ~kept),
            state.n_rounds + 1,
        )

    start = _Round(
        (design / size[None, :]).T,
        identity / size[:, None],
        jnp.zeros(p, design.dtype),
        jnp.asarray(False),
        jnp.int32(0),
    )
    end = jax.lax.while_loop(
        lambda state: ~state.settled & (state.n_rounds < MAX_ROUNDS), advance, start
    )
    return end.columns, end.transform.T


def shared_coordinates(design: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """X T and T for a shared X (n, p) in NumPy; None where X has not full column rank."""
    n, p = design.shape
    if n < p:
        return None
    scaled, size = design, np.ones(p)
    with np.errstate(over="ignore", invalid="ignore"):
        gram = scaled.T @ scaled
    squares = np.diag(gram)
    if not (np.min(squares) > 1.0 / LARGEST_SQUARE and np.max(squares) < LARGEST_SQUARE):
        size = np.max(np.abs(design), axis=0)
        if not np.all(size > 0):
            return None
        scaled = design / size
        gram = scaled.T @ scaled
    length = np.sqrt(np.diag(gram))
    try:
        lower = np.linalg.cholesky(gram / np.outer(length, length))
    except np.linalg.LinAlgError:
        lower = np.zeros_like(gram)
    if np.all(np.diag(lower) ** 2 > CLEAR_PIVOT):  # as `orthogonal_columns`, in one round
        step = np.linalg.solve(lower, np.diag(np.sqrt(n) / length)).T
        return scaled @ step, step / size[:, None]
    q, r = np.linalg.qr(scaled)
    lengths = np.linalg.norm(r, axis=0)
    if np.any(np.abs(np.diag(r)) <= RANK_LIMIT * lengths):
        return None
    transform = np.linalg.solve(r, np.eye(p)) * np.sqrt(n) / size[:, None]
    return q * np.sqrt(n), transform
