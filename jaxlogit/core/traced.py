"""Functions that JAX traces once for each kind of arguments, and then calls.

Otherwise every `vmap` around a loop goes through all operations of its body three times: once to
learn which arrays have a new axis, once to know, and once because the loop's condition has one. A
function traced on its own is gone through once. XLA puts its operations in the place of the call:
programs stay the same.
"""

from collections.abc import Callable
from typing import TypeVar

import jax

Function = TypeVar("Function", bound=Callable)
_TRACED: list = []


def traced(*static: str) -> Callable[[Function], Function]:
    """A decorator; `static` names the arguments that are no arrays."""

    def decorate(function: Function) -> Function:
        _TRACED.append(jax.jit(function, static_argnames=static))
        return _TRACED[-1]

    return decorate


def forget() -> None:
    """Give up all traces: a megabyte for each shape of data."""
    for function in _TRACED:
        function.clear_cache()
