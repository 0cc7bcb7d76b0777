"""What a certificate needs to know of a design: its longest row, and how many cases there are."""

import jax
import jax.numpy as jnp

from jaxlogit.core.likelihood import MANY_ROWS, Rows, by_blocks, columns


def row_reach(rows: Rows):
    """The longest row of X among rows that count: ‖x‖·‖v‖ bounds |x'v| for all of them."""
    if rows.beside is not None:
        squares = rows.beside.own**2 + jnp.sum(rows.beside.columns**2, axis=0)
    elif rows.total is None and rows.design.shape[0] > MANY_ROWS:
        return jnp.sqrt(_largest_square(columns(rows)))
    else:
        squares = jnp.sum(columns(rows) ** 2, axis=0)
    if rows.total is None:
        return jnp.sqrt(jnp.max(squares))
    # For certificates alone: it needs no derivatives, and with an own rule for `vmap` has none.
    return jnp.sqrt(_largest_counted(*jax.lax.stop_gradient((squares, rows.total))))


@jax.custom_batching.custom_vmap
def _largest_counted(squares, total):
    """The largest of the squares (n,) whose rows have cases."""
    return jnp.max(jnp.where(total > 0, squares, 0.0), axis=0)


@_largest_counted.def_vmap
def _largest_counted_of_many(_size, in_batched, squares, total):
    squares = jnp.moveaxis(squares, 0, -1) if in_batched[0] else squares[:, None]
    total = jnp.moveaxis(total, 0, -1) if in_batched[1] else total[:, None]
    return _largest_counted(squares, total), True


def _largest_square(across_rows):
    """The largest squared length of a row of a long X, from its columns, by blocks of rows."""
    p, n = across_rows.shape

    def block(start, size):
        part = jax.lax.dynamic_slice_in_dim(across_rows, start, size, axis=1)
        return jnp.max(jnp.ones(p, part.dtype) @ part**2, initial=0.0)

    return by_blocks(block, jnp.maximum, n)


def case_count(rows: Rows):
    """Σ k, the number of cases behind the likelihood."""
    n = rows.design.shape[0]
    dtype = rows.design.dtype  # `@`: a sum is slower with models last
    return jnp.asarray(n, dtype) if rows.total is None else jnp.ones(n, dtype) @ rows.total
