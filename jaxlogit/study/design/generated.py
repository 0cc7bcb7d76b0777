"""Data sets of a user's generator: traced and drawn at once, or made one after the other.

A generator that JAX can trace runs as one compiled function over a block of keys. Any other
Python function is called for one replicate at a time; where it raises, that data set failed.
"""

from functools import partial

import jax
import numpy as np

from jaxlogit.study.design.varying import DataSets, Drawn, Generator
from jaxlogit.study.measures.performance import Array

TRIED = 10
"""Replicates tried for a first data set before a generator counts as broken."""

COMPARED = 64
"""Data sets whose mean tells one generator from another."""


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
        parts = {name: _floats(part) for name, part in made._asdict().items()}
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


def mean_data_set(source: Generator, key: jax.Array) -> Drawn:
    """The mean of the first data sets that a generator makes: it tells another function apart.

    Raises
    ------
    ValueError, TypeError
        It made none in `TRIED` replicates, with its last error; all are the same; a wrong shape.
    """
    first, error = None, None
    for number in range(TRIED):
        try:
            made = source.draw(jax.random.fold_in(key, np.uint32(number)))
            first = Drawn(*(_floats(part) for part in made))
            break
        except Exception as raised:  # whatever a user's function raises
            error = raised
    if first is None:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(f"generate made no data set in {TRIED} replicates: {said}") from error
    X, y = first.X, first.y
    if X is None or y is None or X.ndim != 2 or y.shape != X.shape[:1] or 0 in X.shape:
        shapes = " and ".join(str(getattr(part, "shape", None)) for part in (X, y))
        raise ValueError(f"generate must return X (n, p) and y (n,): found shapes {shapes}")
    found = generated(source, X.shape[1], key, 0, COMPARED)
    whole = np.arange(COMPARED) if found.failed is None else np.flatnonzero(~found.failed)
    if not len(whole):
        raise ValueError(f"generate made no data set in {COMPARED} replicates without nan")
    if len(whole) > 1 and np.all(found.y == found.y[whole[0]]) and np.all(found.X == found.X[0]):
        raise ValueError(f"generate must draw from its key: its first {COMPARED} data sets are "
                         "all the same")  # fmt: skip
    parts = (found.X, found.trials, found.weights, found.offset, found.y)
    return Drawn(*(None if part is None else part[whole].mean(axis=0) for part in parts))


@partial(jax.jit, static_argnames="source")
def _compiled(key: jax.Array, numbers: np.ndarray, source: Generator) -> Drawn:
    return jax.vmap(lambda number: source.draw(jax.random.fold_in(key, number)))(numbers)


def _attempt(source: Generator, key: jax.Array, number: np.uint32) -> Drawn | None:
    """One data set; None where the user's function raised: it is counted, and can be replayed."""
    try:
        made = source.draw(jax.random.fold_in(key, number))
        return Drawn(*(_floats(part) for name, part in made._asdict().items()))
    except Exception:  # whatever a user's function raises
        return None


def _floats(part: object) -> Array | None:
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
    y, trials = whole["y"], whole["trials"]
    assert y is not None
    for name in ("trials", "weights"):
        part = whole[name]
        if part is not None:
            _refuse(part < 0, f"generate must return {name} of at least 0", part, start)
    _refuse((y < 0) | (y > (1.0 if trials is None else trials)),
            "generate must return y in [0, trials]", y, start)  # fmt: skip
    return DataSets(**whole, failed=failed if failed.any() else None)  # pyright: ignore[reportArgumentType]


def _refuse(bad: np.ndarray, rule: str, part: Array, start: int) -> None:
    place = np.argwhere(bad)
    if place.size:
        b, row = place[0]
        raise ValueError(f"{rule}: found {part[b, row]} in replicate {start + b} at row {row}")


def _as(failed: np.ndarray, part: Array) -> np.ndarray:
    return failed.reshape(-1, *[1] * (part.ndim - 1))
