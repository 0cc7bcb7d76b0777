"""A cell of a study: one design or its distribution, one truth, the address of its numbers."""

import hashlib
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxlogit.checks import check_finite, numeric
from jaxlogit.data import check_names
from jaxlogit.study.design.truth import truth_vector
from jaxlogit.study.design.varying import Drawn, Source, words
from jaxlogit.study.measures.performance import Array

EXTRA_COLUMNS = ("trials", "weights", "offset", "y")
"""What a stored table may hold beside X, its names in parentheses, as in R's model frames."""

MAX_TRIALS = 50_000_000
"""Most trials of one design in total: the outcome table holds eight bytes for each."""

MAX_REPLICATES = 2**32
"""A replicate's number is folded into its key as 32 bits."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One truth, and one fixed design or the distribution of designs.

    Attributes
    ----------
    X : (n, p) array
        Design matrix, with its intercept column where there is one. Where designs differ by
        replicate: the rows that they are drawn from, or of a generator the mean of its first.
    truth : (p,) array
        Coefficients the outcomes are simulated with, log-odds.
    names : tuple of str
        Names of the p coefficients.
    trials, weights, offset : (n,) array or None
        Trials per row (None: one), case weights of the fits, offset of data and fits.
    values : dict
        The cell's factors and their levels; empty in a study without factors.
    n_dropped : int
        Rows of the data left out because a value was missing.
    source : ResampledRows, RandomColumns, Generator or None
        What draws a replicate's design; None where it is fixed.
    y : (n,) array or None
        Of a generator: the mean of its first outcomes; a changed function has others.
    """

    X: Array
    truth: Array
    names: tuple[str, ...]
    trials: Array | None = None
    weights: Array | None = None
    offset: Array | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    n_dropped: int = 0
    source: Source | None = None
    y: Array | None = None

    @property
    def label(self) -> str:
        """Readable name of the cell: its factors and levels, or "main" without factors."""
        return ", ".join(f"{key}={value}" for key, value in sorted(self.values.items())) or "main"

    @property
    def n_rows(self) -> int:
        """Rows of a replicate."""
        return getattr(self.source, "n", self.X.shape[0])

    @property
    def table(self) -> Drawn:
        """The arrays that designs are drawn from."""
        return Drawn(self.X, self.trials, self.weights, self.offset)

    @property
    def address(self) -> int:
        """32-bit hash of the cell's values: they alone choose its random numbers.

        A position in the grid would not do: it changes when cells are added.
        """
        text = canonical_json(dict(self.values)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")

    @property
    def design_hash(self) -> str:
        """Hash of names, arrays and source, to the last bit."""
        digest = hashlib.blake2b(canonical_json(list(self.names)).encode(), digest_size=16)
        parts = [self.X, self.trials, self.weights, self.offset]
        if self.source is not None:
            digest.update(words(self.source).encode())
            parts.append(self.y)
        for part in parts:
            digest.update(b"none" if part is None else str(part.shape).encode())
            if part is not None:
                digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with one spelling per value: sorted keys, no spaces, shortest exact floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def integer(name: str, value: Any, low: int, high: int) -> int:
    """An integer from low to high; errors name the argument, the rule and the value."""
    try:
        whole = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer: found {value!r}") from None
    if isinstance(value, bool) or not low <= whole <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}: found {value!r}")
    return whole


def cell_from_arrays(
    X: Any,
    truth: Any,
    *,
    names: Sequence[str] | None = None,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> Cell:
    """Check arrays and make them a cell.

    Parameters
    ----------
    X : array-like (n, p)
        Design matrix; no intercept is added.
    truth : array-like (p,) or mapping
        Coefficients, log-odds, in the order of X's columns or by name.
    names : sequence of str, optional
        Names of the columns; x0, x1, ... by default.
    trials, weights, offset : array-like (n,), optional
        Trials (integers), case weights (not negative), offset (log-odds).

    Raises
    ------
    ValueError, TypeError
        A wrong shape, text, nan or infinity, a negative or fractional number of trials, a
        negative weight, a name that is repeated, missing or unknown.
    """
    design = _numbers("X", X, (2,))
    n, p = design.shape
    if 0 in design.shape:
        raise ValueError(f"X must be a matrix with rows and columns: found shape {design.shape}")
    check_finite("X", design)
    names = check_names(names, p)
    for name in EXTRA_COLUMNS:
        if f"({name})" in names:
            raise ValueError(f'names must not be what a store calls {name}: found "({name})"')
    return Cell(
        X=design,
        truth=truth_vector(truth, names),
        names=names,
        trials=check_trials(trials, n),
        weights=_per_row("weights", weights, n, lowest=0.0),
        offset=_per_row("offset", offset, n),
    )


def _numbers(name: str, value: Any, dimensions: tuple[int, ...]) -> Array:
    """A checked copy: a study's arrays are its own."""
    return numeric(name, value, dimensions).copy()


def _vector(name: str, value: Any, length: int, rule: str) -> Array:
    vector = _numbers(name, value, (0, 1, 2))
    if vector.shape != (length,):
        raise ValueError(f"{name} must {rule}: found shape {vector.shape}")
    check_finite(name, vector)
    return vector


def _per_row(name: str, value: Any, n: int, lowest: float = -np.inf) -> Array | None:
    if value is None:
        return None
    array = _vector(name, value, n, f"have one entry per row, {n}")
    low = np.flatnonzero(array < lowest)
    if low.size:
        raise ValueError(
            f"{name} must be at least {lowest:g}: found {array[low[0]]} at row {low[0]}"
        )
    return array


def check_trials(value: Any, n: int) -> Array | None:
    """Trials (n,) of rows to simulate: whole numbers; None: one each."""
    array = _per_row("trials", value, n, lowest=0.0)
    if array is None:
        return None
    fractional = np.flatnonzero(array != np.floor(array))
    if fractional.size:
        row = fractional[0]
        raise ValueError(
            f"trials must be whole numbers to simulate: found {array[row]} at row {row}"
        )
    if array.sum() > MAX_TRIALS:
        raise ValueError(f"trials must sum to at most {MAX_TRIALS}: found {array.sum():.0f}")
    return array
