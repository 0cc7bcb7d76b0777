"""Searches side by side: how `vmap` lays out in memory what they have of their own.

Products with a shared X leave models as the last axis, which is what makes them and all that
follows fast. But wherever `vmap` has to choose it puts its axis first, and an operation on arrays
of both kinds turns one of them around, row by row. Here the axis comes last before a search begins.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def last(search: Callable[..., Any], *arguments: Any) -> Any:
    """`search(*arguments)`, where under `vmap` the new axis of every argument is the last."""
    one = jax.custom_batching.custom_vmap(lambda *arguments: search(*arguments))

    @one.def_vmap
    def many(_, in_batched, *arguments):
        return _of_all(_last(search, arguments, in_batched))

    return one(*arguments)


def abreast(search: Callable[[Any, Any], Any], common: Any, own: Any) -> Any:
    """`search(common, row)` for every row of `own` (q, …): results (q, …).

    Under `vmap` models and their searches become one axis: two would be put together for each
    product and taken apart again for all else. What a model's searches have in common is repeated
    for each of them: it should not have a design of its own.
    """
    one = jax.custom_batching.custom_vmap(
        lambda common, own: jax.vmap(search, in_axes=(None, 0))(common, own)
    )

    @one.def_vmap
    def many(n_models, in_batched, common, own):
        differs, own_differs = in_batched
        own = jax.tree.map(
            lambda row, many: row if many else jnp.broadcast_to(row, (n_models, *row.shape)),
            own, own_differs,
        )  # fmt: skip
        q = jax.tree.leaves(own)[0].shape[1]
        common = jax.tree.map(
            lambda leaf, many: jnp.repeat(leaf, q, axis=0) if many else leaf, common, differs
        )
        rows = jax.tree.map(lambda row: row.reshape(-1, *row.shape[2:]), own)
        found = _last(search, (common, rows), (differs, jax.tree.map(lambda _: True, rows)))
        return _of_all(jax.tree.map(lambda a: a.reshape(n_models, q, *a.shape[1:]), found))

    return one(common, own)


def _last(search, arguments, in_batched):
    """`search` of many, axis 0 of what is batched moved last; results have it first."""
    leaves, structure = jax.tree.flatten(arguments)
    batched = jax.tree.leaves(in_batched)
    leaves = [
        # Moved once: XLA would rather read what lies the other way wherever it is used.
        jax.lax.optimization_barrier(jnp.moveaxis(leaf, 0, -1)) if many else leaf
        for leaf, many in zip(leaves, batched, strict=True)
    ]
    axes = [-1 if many else None for many in batched]
    return jax.vmap(lambda *leaves: search(*structure.unflatten(leaves)), in_axes=axes)(*leaves)


def _of_all(found):
    """Results as a `custom_vmap` rule gives them: all of them batched."""
    return found, jax.tree.map(lambda _: True, found)
