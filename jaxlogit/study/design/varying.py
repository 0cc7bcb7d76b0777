"""Designs that differ by replicate: resampled rows, named distributions, a user's function."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxlogit.study.design.distributions import (
    Array,
    Column,
    check_columns,
    check_correlation,
    matrix_of,
)


class Drawn(NamedTuple):
    """One drawn design: X (n, p), and what else a row has, (n,) or None; y where it came with X."""

    X: Any
    trials: Any = None
    weights: Any = None
    offset: Any = None
    y: Any = None


@dataclass(frozen=True, eq=False)
class DataSets:
    """B data sets of n rows and p columns.

    Attributes
    ----------
    X : (n, p) or (B, n, p) array
        One design for all, or each its own.
    y : (B, n) array
        Successes.
    trials, weights, offset : (n,) or (B, n) array, or None
    failed : (B,) array of bool, or None
        Of a generator: those that it could not make, or made with nan or infinities; their
        entries in the other arrays are 0.
    """

    X: Array
    y: NDArray
    trials: Array | None = None
    weights: Array | None = None
    offset: Array | None = None
    failed: NDArray[np.bool_] | None = None

    def take(self, which: Any) -> "DataSets":
        """Some of them, none failed, by index."""
        own: dict[str, Any] = {"y": self.y[which], "failed": None}
        for name, shared in (("X", 2), ("trials", 1), ("weights", 1), ("offset", 1)):
            array = getattr(self, name)
            if array is not None and array.ndim > shared:
                own[name] = array[which]
        return replace(self, **own)


@dataclass(frozen=True)
class ResampledRows:
    """`n` rows drawn with replacement from those of a table."""

    n: int

    def draw(self, key: jax.Array, table: Drawn) -> Drawn:
        """One design, (n, p) and (n,), from the rows of a table, (N, p) and (N,)."""
        row = jax.random.randint(key, (self.n,), 0, table.X.shape[0])
        return Drawn(*(None if part is None else jnp.asarray(part)[row] for part in table))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store, which holds the table beside it."""
        return {"resampled": self.n}


@dataclass(frozen=True, eq=False)
class RandomColumns:
    """Columns with named distributions; see `jaxlogit.study.design.distributions`.

    Attributes
    ----------
    columns : tuple of Column
    n : int
        Rows of a replicate.
    correlation : (k, k) array or None
    intercept : bool
    """

    columns: tuple[Column, ...]
    n: int
    correlation: Array | None = None
    intercept: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the design's columns."""
        own = tuple(name for column in self.columns for name in column.names)
        return ("Intercept", *own) if self.intercept else own

    def draw(self, key: jax.Array, table: Drawn | None = None) -> Drawn:
        """One design; no table is needed."""
        k = sum(column.distribution != "product" for column in self.columns)
        normal, chi_square = jax.random.split(key)
        z = jax.random.normal(normal, (self.n, k), jnp.float64)
        if self.correlation is not None:
            z = mixed(z, np.linalg.cholesky(self.correlation))

        def of_column(i: int, df: float) -> jax.Array:
            gamma = jax.random.gamma(jax.random.fold_in(chi_square, i), 0.5 * df, (self.n,))
            return 2.0 * gamma

        X = matrix_of(self.columns, z, of_column)
        return Drawn(jnp.column_stack([jnp.ones(self.n), X]) if self.intercept else X)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store."""
        return {
            # A list: the order of columns is that of the design matrix.
            "columns": [{"name": column.name, **column.to_dict()} for column in self.columns],
            "n": self.n,
            "correlation": None if self.correlation is None else self.correlation.tolist(),
            "intercept": self.intercept,
        }


@dataclass(frozen=True, eq=False)
class Generator:
    """A user's function of a key and the cell's values.

    Attributes
    ----------
    function : callable
        `function(key, cell)` gives X (n, p) and y (n,), and may give a mapping with trials,
        weights and offset (n,) as a third. `cell` is the mapping of the cell's values.
    values : mapping
    """

    function: Callable[..., Any]
    values: Mapping[str, Any]

    @cached_property
    def traceable(self) -> bool:
        """Whether JAX can trace it, so that many are drawn at once."""
        try:
            jax.eval_shape(self.draw, jax.random.key(0))
        except Exception:  # what a user's function raises when traced is not known beforehand
            return False
        return True

    def draw(self, key: jax.Array, table: Drawn | None = None) -> Drawn:
        """One design and its outcomes; no table is needed.

        Raises
        ------
        ValueError, TypeError
            The function's own errors, and a return value of another form.
        """
        made = self.function(key, dict(self.values))
        if not isinstance(made, tuple) or len(made) not in (2, 3):
            raise TypeError(
                f"generate must return X and y, or X, y and a mapping: found {made!r:.60}"
            )
        extras = dict(made[2]) if len(made) == 3 else {}
        unknown = [name for name in extras if name not in ("trials", "weights", "offset")]
        if unknown:
            raise ValueError("generate may return trials, weights and offset in its mapping: "
                             f"found {unknown[0]!r}")  # fmt: skip
        return Drawn(made[0], y=made[1], **extras)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store, which holds its first data set beside it."""
        return {"generate": self.name}

    @property
    def name(self) -> str:
        """The function's module and name."""
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"{getattr(self.function, '__module__', '')}:{name}"


@dataclass(frozen=True)
class Unknown:
    """A generator of which a store knows the name: it draws nothing."""

    name: str

    def draw(self, key: jax.Array, table: Drawn | None = None) -> Drawn:
        """Refuse, saying where the function is to come from."""
        raise ValueError(f"the function {self.name} is not in the store: replay from the study")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store."""
        return {"generate": self.name}


Source = ResampledRows | RandomColumns | Generator | Unknown


def source_from(plain: Mapping[str, Any] | None) -> Source | None:
    """The source that a store describes; None: the design is fixed."""
    if plain is None:
        return None
    if "resampled" in plain:
        return ResampledRows(plain["resampled"])
    if "generate" in plain:
        return Unknown(plain["generate"])
    listed = [dict(column) for column in plain["columns"]]
    columns = check_columns({column.pop("name"): column for column in listed})
    correlation = check_correlation(plain["correlation"], columns)
    return RandomColumns(columns, plain["n"], correlation, plain["intercept"])


def mixed(z: jax.Array, factor: np.ndarray) -> jax.Array:
    """Rows z (n, k) times the transpose of a factor (k, k), term by term.

    A product's rounding may depend on how many data sets are drawn at once; this sum's does not.
    """
    out = jnp.zeros_like(z)
    for i in range(z.shape[1]):
        out = out + z[:, i, None] * factor.T[None, i]
    return out


def words(source: Source) -> str:
    """The source as canonical text."""
    return json.dumps(source.to_dict(), sort_keys=True)
