"""Data sets of a user's generator: traced and drawn at once, or made one after the other.

A generator that JAX can trace runs as one compiled function over a block of keys. Any other
Python function is called for one replicate at a time; where it raises, that data set failed.
"""

from functools import partial

import jax
import numpy as np

from jaxlogit.study.designs import DataSets, Drawn, Generator
from jaxlogit.study.measures import Array

TRIED = 10
"""Replicates tried for a first data set before a generator counts as broken."""


def generated(source: Generator, p: int, key: jax.Array, start: int, stop: int) -> DataSets:
    """The data sets start, ..., stop − 1 from a cell's key.

    Parameters
    ----------
    source : Generator
    p : int
        Columns that X must have.
    key : key
        Of the cell: a replicate has the key fold_in(key, number).
    start, stop : int

    Raises
    ------
    ValueError, TypeError
        Arrays of a wrong shape, or y outside [0, trials]: naming the replicate.
    """
    numbers = np.arange(start, stop, dtype=np.uint32)
    if source.traceable:
        made = _compiled(key, numbers, source)
        parts = {name: _floats(name, part) for name, part in made._asdict().items()}
        failed = np.zeros(len(numbers), bool)
    else:
        each = [_attempt(source, key, number) for number in numbers]
        failed = np.array([made is None for made in each])
        whole = [made for made in each if made is not None]
        if not whole:
            return DataSets(
                np.zeros((len(numbers), 1, p)), np.zeros((len(numbers), 1)), failed=failed
            )
        parts = {name: _stacked(name, each, whole[0], start) for name in Drawn._fields}
    return _checked(parts, failed, p, start)


def first_data_set(source: Generator, key: jax.Array) -> Drawn:
    """The first data set that a generator makes.

    Raises
    ------
    ValueError
        It made none in `TRIED` replicates: with its last error.
    """
    error: Exception | None = None
    for number in range(TRIED):
        try:
            made = source.draw(jax.random.fold_in(key, np.uint32(number)))
            parts = {name: _floats(name, part) for name, part in made._asdict().items()}
        except Exception as raised:  # whatever a user's function raises
            error = raised
            continue
        X, y = parts["X"], parts["y"]
        if X is None or y is None or X.ndim != 2 or y.shape != X.shape[:1] or 0 in X.shape:
            raise ValueError("generate must return X (n, p) and y (n,): found shapes "
                             f"{np.shape(made.X)} and {np.shape(made.y)}")  # fmt: skip
        if all(part is None or np.all(np.isfinite(part)) for part in parts.values()):
            return Drawn(**parts)
    said = f"{type(error).__name__}: {error}" if error else "a nan or an infinity in each"
    raise ValueError(f"generate made no data set in {TRIED} replicates: {said}") from error


@partial(jax.jit, static_argnames="source")
def _compiled(key: jax.Array, numbers: np.ndarray, source: Generator) -> Drawn:
    return jax.vmap(lambda number: source.draw(jax.random.fold_in(key, number)))(numbers)


def _attempt(source: Generator, key: jax.Array, number: np.uint32) -> Drawn | None:
    """One data set; None where the user's function raised: it is counted, and can be replayed."""
    try:
        made = source.draw(jax.random.fold_in(key, number))
        return Drawn(*(_floats(name, part) for name, part in made._asdict().items()))
    except Exception:  # whatever a user's function raises
        return None


def _floats(name: str, part: object) -> Array | None:
    return None if part is None else np.asarray(part, dtype=np.float64)


def _stacked(name: str, each: list[Drawn | None], like: Drawn, start: int) -> Array | None:
    """One array of all data sets; 0 where they failed."""
    first = getattr(like, name)
    if first is None:
        return None
    out = np.zeros((len(each), *first.shape))
    for b, made in enumerate(each):
        if made is None:
            continue
        part = getattr(made, name)
        if np.shape(part) != first.shape:
            raise ValueError(
                f"generate must return {name} of one shape in all replicates: found "
                f"{np.shape(part)} in replicate {start + b}, {first.shape} before"
            )
        out[b] = part
    return out


def _checked(parts: dict[str, Array | None], failed: np.ndarray, p: int, start: int) -> DataSets:
    """Data sets from arrays with a leading axis; those with nan or infinities have failed."""
    X, y = parts["X"], parts["y"]
    if X is None or y is None or X.ndim != 3 or X.shape[2] != p or y.shape != X.shape[:2]:
        shapes = " and ".join(str(None if a is None else a.shape[1:]) for a in (X, y))
        raise ValueError(f"generate must return X (n, {p}) and y (n,): found shapes {shapes}")
    for name in ("trials", "weights", "offset"):
        part = parts[name]
        if part is not None and part.shape != y.shape:
            raise ValueError(
                f"generate must return {name} ({y.shape[1]},): found shape {part.shape[1:]}"
            )
    failed = failed.copy()
    for part in parts.values():
        if part is not None:
            failed |= ~np.all(np.isfinite(part), axis=tuple(range(1, part.ndim)))
    whole = {name: None if part is None else np.where(_as(failed, part), 0.0, part)
             for name, part in parts.items()}  # fmt: skip
    most = 1.0 if whole["trials"] is None else whole["trials"]
    y = whole["y"]
    assert y is not None
    bad = np.argwhere((y < 0) | (y > most))
    if bad.size:
        b, row = bad[0]
        raise ValueError(f"generate must return y in [0, trials]: found {y[b, row]} in replicate "
                         f"{start + b} at row {row}")  # fmt: skip
    return DataSets(**whole, failed=failed if failed.any() else None)  # pyright: ignore[reportArgumentType]


def _as(failed: np.ndarray, part: Array) -> np.ndarray:
    return failed.reshape(-1, *[1] * (part.ndim - 1))
