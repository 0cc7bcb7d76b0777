"""A loop over searches side by side in which the slow ones do not keep all others waiting.

Under `vmap` a `jax.lax.while_loop` goes on for all searches until the last has ended. Most end
after as many steps as most others, a few take one or two more, and among some hundred there is
nearly always one of these. `windowed` goes through them a window at a time: a window goes on
while many of its searches do, and what is left of all windows is put together in new ones.

What a search has of its own is the last axis of every array here, as in `abreast`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import eval_jaxpr

FEW = 4  # a window waits for its searches while more than one in so many goes on


def windowed(width: int | None) -> Callable[..., Any]:
    """`jax.lax.while_loop` for searches that are one axis, `width` of them at a time.

    None: all together, as `jax.lax.while_loop` does. So it is too where they are no multiple of the
    width. Each search takes the same steps either way.
    """
    return jax.lax.while_loop if width is None else partial(_loop, width)


def _loop(width: int, unfinished, advance, state):
    leaves, structure = jax.tree.flatten(state)

    def flat(function):
        traced = jax.make_jaxpr(
            lambda *leaves: jax.tree.leaves(function(structure.unflatten(leaves)))
        )(*leaves)
        return partial(eval_jaxpr, traced.jaxpr), traced.consts

    going, known = flat(unfinished)  # what functions know beside the state becomes an argument
    step, data = flat(advance)

    @jax.custom_batching.custom_vmap
    def one(known, data, leaves):
        return jax.lax.while_loop(
            lambda leaves: going(known, *leaves)[0], lambda leaves: step(data, *leaves), leaves
        )

    @one.def_vmap
    def many(size, in_batched, known, data, leaves):
        differs = jax.tree.map(lambda many: -1 if many else None, (*in_batched[:2],))
        known, data = _turned((known, data), differs)
        leaves = [
            jnp.moveaxis(leaf, 0, -1) if many
            else jnp.broadcast_to(jnp.expand_dims(leaf, -1), (*jnp.shape(leaf), size))
            for leaf, many in zip(leaves, in_batched[2], strict=True)
        ]  # fmt: skip
        own = [-1] * len(leaves)
        go = jax.vmap(lambda known, leaves: going(known, *leaves)[0], in_axes=(differs[0], own))
        on = jax.vmap(
            lambda data, leaves: step(data, *leaves), in_axes=(differs[1], own), out_axes=-1
        )
        if size <= width or size % width:
            found, _ = _together(go, on, (known, data), leaves, go(known, leaves), 0)
        else:
            found = _through_windows(width, size, go, on, (known, data), differs, leaves)
        found = [jnp.moveaxis(leaf, -1, 0) for leaf in found]
        return found, [True] * len(found)

    return structure.unflatten(one(known, data, leaves))


def _turned(tree, axes):
    """Leaves whose axis of searches is their first have it last."""
    return jax.tree.map(
        lambda leaf, axis: leaf if axis is None else jnp.moveaxis(leaf, 0, -1), tree, axes,
    )  # fmt: skip


def _together(go, on, data, leaves, going, few):
    """Steps of all searches until no more than `few` go on; one at least, where any does."""
    known, data = data

    def wait(state):
        count = jnp.sum(state[1])
        return (count > few) | ((count > 0) & state[2])

    def advance(state):
        leaves, going, _ = state
        new = on(data, leaves)
        leaves = [jnp.where(going, a, b).astype(b.dtype) for a, b in zip(new, leaves, strict=True)]
        return leaves, going & go(known, leaves), False

    leaves, going, _ = jax.lax.while_loop(wait, advance, (leaves, going, True))
    return leaves, going


def _through_windows(width: int, size: int, go, on, data, axes, leaves):
    """The state of all searches, axis last, when every one has ended."""
    n_windows = size // width

    def sorted_anew(carry):
        leaves, order, place, going, _, _ = carry
        number = jnp.arange(size, dtype=jnp.int32)
        # A sort of plain numbers takes a fifth of one with an order of its own.
        first = jnp.sort(jnp.where(going, number, number + size)) % size
        ahead = jnp.cumsum(going, dtype=jnp.int32)
        moved = jnp.where(going, ahead - 1, ahead[-1] + number - ahead)
        leaves = [jnp.take(leaf, first, axis=-1) for leaf in leaves]
        count = (ahead[-1] + width - 1) // width
        return leaves, order[first], moved[place], going[first], jnp.int32(0), count

    def visit(carry):
        leaves, order, place, going, at, count = carry = jax.lax.cond(
            carry[4] == carry[5], sorted_anew, lambda carry: carry, carry
        )
        start = at * width
        part = partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=width, axis=-1)
        index = part(order)
        own = jax.tree.map(
            lambda leaf, axis: leaf if axis is None else jnp.take(leaf, index, axis=-1), data, axes,
        )  # fmt: skip
        few = jnp.where(count == 1, 0, width // FEW)
        state = [part(leaf) for leaf in leaves], part(going)
        found, left = _together(go, on, own, *state, few)
        put = partial(jax.lax.dynamic_update_slice_in_dim, start_index=start, axis=-1)
        leaves = [put(whole, piece) for whole, piece in zip(leaves, found, strict=True)]
        return leaves, order, place, put(going, left), at + 1, count

    number = jnp.arange(size, dtype=jnp.int32)
    begin = (leaves, number, number, go(data[0], leaves), jnp.int32(0), jnp.int32(n_windows))
    leaves, _, place, *_ = jax.lax.while_loop(lambda carry: jnp.any(carry[3]), visit, begin)
    return [jnp.take(leaf, place, axis=-1) for leaf in leaves]
