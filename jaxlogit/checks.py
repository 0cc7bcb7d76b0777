"""What checks of user input are made of: numbers from anything, limits, places, nearest names."""

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxlogit.cores import n_threads, spread

CHUNK = 1 << 20  # bytes checked at a time: they stay in cache from one comparison to the next
FEW_CHUNKS = 4  # read sooner by one core than handed out
LARGEST = np.finfo(np.float64).max
AXES = {
    "X": ("model", "row", "column"),
    "X_new": ("model", "row", "column"),
    "contrasts": ("row", "column"),
    "term": ("row", "column"),
    "null": ("contrast",),
    "grid": ("point",),
    "start": ("model", "coefficient"),
    "truth": ("coefficient",),
    "m": ("coefficient",),
    "std_dev": ("coefficient",),
    "mean": ("coefficient",),
}
"""What the axes of an argument count, the last ones where it has fewer; else model and row."""


def numeric(
    name: str, value: Any, dimensions: tuple[int, ...], *, keep: bool = False
) -> np.ndarray:
    """A numeric array; float64 unless `keep` and the type is already a small number type."""
    array = rectangular(name, value)
    if array.dtype.kind in "mM":
        raise TypeError(f"{name} must be numeric: found dates ({array.dtype})")
    if array.dtype.kind in "OUSV":
        array = np.asarray(value, dtype=object)  # numbers beside text are numbers again
        bad = [v for v in array.ravel() if not (v is None or is_number(v))][:1]  # None: nan
        if bad:
            raise TypeError(f"{name} must be numeric: found {bad[0]!r}")
        array = array.astype(np.float64)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real: found complex numbers")
    if array.ndim not in dimensions:
        allowed = " or ".join(str(d) for d in dimensions)
        raise ValueError(f"{name} must have {allowed} dimensions: found shape {array.shape}")
    if not keep or array.dtype.kind not in "bui" or array.dtype.itemsize > 4:
        array = array.astype(np.float64, copy=False)
    return array


def rectangular(name: str, value: Any) -> np.ndarray:
    """An array of any type; nested sequences must be of equal lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:
        lengths = [len(part) if hasattr(part, "__len__") else 1 for part in value]
        uneven = [i for i, length in enumerate(lengths) if length != lengths[0]][:1]
        found = "nested sequences that are not"
        if uneven:
            found = f"length {lengths[uneven[0]]} at {uneven[0]}, length {lengths[0]} at 0"
        raise ValueError(f"{name} must be rectangular: found {found}") from error


def is_number(value: Any) -> bool:
    """Whether it is a single number; text is not, whatever it spells."""
    try:
        return not isinstance(value, str | bytes) and float(value) is not None
    except (TypeError, ValueError, OverflowError):
        return False


def within(array: np.ndarray, low: float, high: Any) -> bool:
    """Whether all numbers lie in [low, high], so that none is nan; reads the memory once.

    `high` is a number, or an array that broadcasts with the first.
    """
    if array.size == 0:
        return True
    several = np.ndim(high) > 0
    if several:
        array, high = np.broadcast_arrays(array, high)
    step = max(1, CHUNK // array[0].nbytes)

    def holds(start: int) -> bool:
        piece = array[start : start + step]
        below = np.all(piece <= high[start : start + step]) if several else np.max(piece) <= high
        return bool(below and np.min(piece) >= low)

    starts = range(0, len(array), step)
    return all(spread(holds, starts, n_threads() if len(starts) > FEW_CHUNKS else 1))


def refuse(name: str, rule: str, array: np.ndarray, bad: np.ndarray) -> None:
    """Raise ValueError for the first place where `bad` is true, if there is one."""
    if not np.any(bad):
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])[-array.ndim :]
    words = AXES.get(name, ("model", "row"))[-array.ndim :]
    where = ", ".join(f"{word} {at}" for word, at in zip(words, place, strict=True))
    rule = rule if np.isfinite(array[place]) else "be finite"
    raise ValueError(f"{name} must {rule}: found {array[place]} at {where}")


def check_finite(name: str, array: np.ndarray) -> None:
    """Refuse nan and infinity, naming the first place."""
    if not within(array, -LARGEST, LARGEST):
        refuse(name, "be finite", array, ~np.isfinite(array))


def nearest(name: object, known: Iterable[object]) -> str:
    """The end of an error message: the nearest known name, or nothing if none is near.

    Examples
    --------
    >>> nearest("aeg", ["age", "lwt"])
    "; did you mean 'age'?"
    """
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
