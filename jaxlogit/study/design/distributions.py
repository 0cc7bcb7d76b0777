"""Named distributions of a design's columns, correlated by one normal variable for each.

A column is a monotone function of a standard normal z (of z and a chi-square for t). Columns
are correlated through their z: a Gaussian copula, whose correlations are those of normal
columns, and of the logarithms of lognormal ones. The same functions serve the simulation
(pseudo-random z) and the solution of an intercept (z from a Sobol sequence).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from jaxlogit.checks import is_number, nearest
from jaxlogit.study.measures.performance import Array

DISTRIBUTIONS: dict[str, dict[str, Any]] = {
    "normal": {"mean": 0.0, "sd": 1.0},
    "bernoulli": {"probability": 0.5},
    "uniform": {"low": 0.0, "high": 1.0},
    "lognormal": {"meanlog": 0.0, "sdlog": 1.0},
    "t": {"df": None, "mean": 0.0, "scale": 1.0},
    "categorical": {"probabilities": None},
}
"""Allowed words and their parameters with what they are by default; None: must be given."""

POSITIVE = ("sd", "sdlog", "scale", "df")
SOBOL = 1 << 16
"""Points for an expectation: means are right to 1e-5 standard deviations, of t columns to 1e-3."""


@dataclass(frozen=True)
class Column:
    """One random column, or several indicators of a categorical one.

    Attributes
    ----------
    name : str
    distribution : str
        One of `DISTRIBUTIONS`, or "product" of columns before it.
    parameters : dict
        Numbers; of "categorical" the probabilities of its levels; of "product" the names.
    """

    name: str
    distribution: str
    parameters: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the design's columns: one, or one for each level after the first."""
        if self.distribution != "categorical":
            return (self.name,)
        return tuple(
            f"{self.name}[{k}]" for k in range(2, len(self.parameters["probabilities"]) + 1)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store."""
        if self.distribution == "product":
            return {"product": list(self.parameters["of"])}
        return {"distribution": self.distribution, **self.parameters}


def check_columns(given: Any) -> tuple[Column, ...]:
    """The columns of a design from a table of them.

    Raises
    ------
    ValueError, TypeError
        An unknown distribution or parameter, a parameter missing or out of its range, a name
        that is repeated, a product of columns that are not there.
    """
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f"columns must be a table of one or more columns: found {given!r}")
    found: list[Column] = []
    for name, words in given.items():
        words = {"distribution": words} if isinstance(words, str) else words
        if not isinstance(words, Mapping):
            raise TypeError(f"columns.{name} must be a distribution or a table: found {words!r}")
        make = _product if "product" in words else _column
        if str(name).startswith("("):
            raise ValueError(f"columns must not have names in parentheses: found {name!r}")
        numbers = [column.name for column in found if len(column.names) == 1]
        found.append(make(str(name), words, numbers))
    names = [one for column in found for one in column.names]
    twice = [name for name in names if names.count(name) > 1]
    if twice or "Intercept" in names:
        raise ValueError(
            f"columns must have names of their own: found {(twice or ['Intercept'])[0]!r}"
        )
    return tuple(found)


def _column(name: str, words: Mapping[str, Any], _: Sequence[str]) -> Column:
    about = f"columns.{name}"
    if "distribution" not in words:
        raise ValueError(f"{about}.distribution is missing: allowed are {', '.join(DISTRIBUTIONS)}")
    word = words["distribution"]
    if not isinstance(word, str) or word not in DISTRIBUTIONS:
        raise ValueError(f"{about}.distribution must be one of {', '.join(DISTRIBUTIONS)}: "
                         f"found {word!r}{nearest(word, DISTRIBUTIONS)}")  # fmt: skip
    allowed = DISTRIBUTIONS[word]
    for key in words:
        if key not in (*allowed, "distribution"):
            raise ValueError(f'unknown key "{about}.{key}": a {word} column has '
                             f"{', '.join(allowed)}{nearest(key, allowed)}")  # fmt: skip
    parameters = {key: words.get(key, usual) for key, usual in allowed.items()}
    for key, value in parameters.items():
        if value is None:
            raise ValueError(f"{about}.{key} is missing: a {word} column needs it")
    if word == "categorical":
        return Column(name, word, {"probabilities": _shares(about, parameters["probabilities"])})
    for key, value in parameters.items():
        parameters[key] = _parameter(f"{about}.{key}", key, value)
    if word == "uniform" and not parameters["low"] < parameters["high"]:
        raise ValueError(f"{about}.low must be below high: found {parameters['low']:g} and "
                         f"{parameters['high']:g}")  # fmt: skip
    return Column(name, word, parameters)


def _product(name: str, words: Mapping[str, Any], before: Sequence[str]) -> Column:
    of = words["product"]
    if len(words) > 1 or not isinstance(of, Sequence) or isinstance(of, str) or len(of) < 2:
        raise ValueError(f"columns.{name}.product must be a list of two or more columns, and "
                         f"nothing else: found {dict(words)!r}")  # fmt: skip
    for one in of:
        if one not in before:
            raise ValueError(f"columns.{name}.product must name columns of numbers above it "
                             f"({', '.join(before) or 'there are none'}): found {one!r}"
                             f"{nearest(one, before)}")  # fmt: skip
    return Column(name, "product", {"of": tuple(of)})


def _parameter(about: str, key: str, value: Any) -> float:
    if not is_number(value) or isinstance(value, bool) or not np.isfinite(value):
        raise TypeError(f"{about} must be a finite number: found {value!r}")
    if key in POSITIVE and not value > 0:
        raise ValueError(f"{about} must be above 0: found {value!r}")
    if key == "probability" and not 0 < value < 1:
        raise ValueError(f"{about} must lie strictly between 0 and 1: found {value!r}")
    return float(value)


def _shares(about: str, given: Any) -> tuple[float, ...]:
    listed = isinstance(given, Sequence) and not isinstance(given, str)
    if not listed or len(given) < 2 or not all(is_number(v) and 0 < float(v) < 1 for v in given):
        raise ValueError(f"{about}.probabilities must be two or more numbers between 0 and 1: "
                         f"found {given!r}")  # fmt: skip
    if abs(sum(given) - 1) > 1e-9:
        raise ValueError(f"{about}.probabilities must sum to 1: found {sum(given):.10g}")
    return tuple(float(v) for v in given)


def check_correlation(given: Any, columns: tuple[Column, ...]) -> Array | None:
    """The correlation matrix of the columns' normal variables; None: independent.

    Parameters
    ----------
    given : None, number or (k, k) array-like
        One correlation for every pair, or a matrix in the order of the columns, products left
        out.
    columns : tuple of Column

    Raises
    ------
    ValueError, TypeError
        Not a correlation matrix: its shape, its diagonal, not symmetric, not positive definite.
    """
    if given is None:
        return None
    drawn = [column.name for column in columns if column.distribution != "product"]
    k = len(drawn)
    if is_number(given):
        matrix = np.full((k, k), float(given))
        np.fill_diagonal(matrix, 1.0)
    else:
        try:
            matrix = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"correlation must be a number or a matrix: found {given!r}") from None
    rule = f"correlation must be a number or a {k} x {k} matrix ({', '.join(drawn)})"
    if matrix.shape != (k, k):
        raise ValueError(f"{rule}: found shape {matrix.shape}")
    if not (np.allclose(np.diag(matrix), 1.0) and np.array_equal(matrix, matrix.T)):
        raise ValueError(f"{rule}, symmetric and with ones on its diagonal: found {given!r}")
    lowest = float(np.min(np.linalg.eigvalsh(matrix)))
    if not lowest > 1e-10:
        raise ValueError(f"{rule}, positive definite: found a smallest eigenvalue of {lowest:.3g}")
    return matrix


def matrix_of(
    columns: tuple[Column, ...], z: jax.Array, chi_square: Callable[[int, float], jax.Array]
) -> jax.Array:
    """The design's columns (n, p) from standard normals (n, k), without an intercept.

    `chi_square(i, df)` gives the (n,) chi-square variable of the i-th drawn column.
    """
    made: dict[str, jax.Array] = {}
    out, i = [], 0
    for column in columns:
        if column.distribution == "product":
            value = jnp.ones(z.shape[0])
            for name in column.parameters["of"]:
                value = value * made[name]
            out.append(value)
        elif column.distribution == "categorical":
            shares = np.cumsum(column.parameters["probabilities"])[:-1]
            level = jnp.sum(z[:, i, None] > jnp.asarray(ndtri(shares))[None, :], axis=1)
            out += [(level == k).astype(z.dtype) for k in range(1, len(shares) + 1)]
        else:
            value = _value(column, z[:, i], lambda df, i=i: chi_square(i, df))
            out.append(value)
        if len(column.names) == 1:
            made[column.name] = out[-1]
        i += column.distribution != "product"
    return jnp.stack(out, axis=1)


def _value(column: Column, z: jax.Array, chi_square: Callable[[float], jax.Array]) -> jax.Array:
    of = column.parameters
    match column.distribution:
        case "normal":
            return of["mean"] + of["sd"] * z
        case "bernoulli":
            return (z > ndtri(1.0 - of["probability"])).astype(z.dtype)
        case "uniform":
            return of["low"] + (of["high"] - of["low"]) * jax.scipy.special.ndtr(z)
        case "lognormal":
            return jnp.exp(of["meanlog"] + of["sdlog"] * z)
        case _:  # t: a normal over the root of a chi-square by its degrees of freedom
            return of["mean"] + of["scale"] * z * jnp.sqrt(of["df"] / chi_square(of["df"]))


def sobol_rows(columns: tuple[Column, ...], correlation: Array | None) -> Array:
    """Rows (SOBOL, p) whose plain means are expectations over the columns' distribution."""
    from scipy import stats  # 0.4 s that only an event rate to be solved for needs

    k = sum(column.distribution != "product" for column in columns)
    points = stats.qmc.Sobol(2 * k, scramble=False).random(SOBOL)
    points = (points + 0.5 / SOBOL) % 1.0  # the sequence begins at 0, whose normal is infinite
    z = ndtri(points[:, :k])
    if correlation is not None:
        z = z @ np.linalg.cholesky(correlation).T
    with jax.enable_x64(True):
        made = matrix_of(
            columns, jnp.asarray(z), lambda i, df: jnp.asarray(stats.chi2.ppf(points[:, k + i], df))
        )
        return np.asarray(made)
