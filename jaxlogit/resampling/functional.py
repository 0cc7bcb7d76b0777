"""Functions of the coefficients whose replicates are looked at: contrasts, odds ratios, any."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit import batch
from jaxlogit.checks import nearest
from jaxlogit.data import check_contrasts
from jaxlogit.delta import function_shape


@dataclass(frozen=True)
class _Own:
    """A user's function: equal where the function is the same object, so compiled once for it."""

    function: Callable

    def __call__(self, coef, contrasts):
        return jnp.ravel(self.function(coef))


def _linear(coef, contrasts):
    return contrasts @ coef


def _odds_ratio(coef, contrasts):
    return jnp.exp(contrasts @ coef)


def _probability(coef, contrasts):
    return jax.lax.logistic(contrasts @ coef)


WORDS = {"odds_ratio": _odds_ratio, "probability": _probability}


@dataclass(frozen=True, eq=False)
class Functional:
    """g(β), (q,): a function of contrasts (q, p), or of the coefficients themselves."""

    function: Callable
    """(coef, contrasts) to (q,); hashable, since it is compiled."""
    contrasts: np.ndarray
    size: int
    names: tuple[str, ...]

    def values(self, coef: np.ndarray) -> np.ndarray:
        """g of coefficients (k, p), which may be infinite, (k, q); nan where it has no limit."""
        if isinstance(self.function, _Own):
            return batch.run(
                _value, len(coef), coef, self.contrasts, row_elements=coef.shape[1] * self.size,
                function=self.function,
            )  # fmt: skip
        linear = np.stack([combined(coef, row) for row in self.contrasts], axis=1)
        with np.errstate(over="ignore"):
            if self.function is _odds_ratio:
                return np.exp(linear)
            return 1.0 / (1.0 + np.exp(-linear)) if self.function is _probability else linear


def functional(contrasts: Any, transform: Any, names: Sequence[str]) -> Functional:
    """Check the arguments `contrasts` and `transform` of an interval.

    Raises
    ------
    TypeError, ValueError
        Unknown names or words; a function that does not give a number or a vector of real
        numbers; contrasts beside a function, which has the coefficients themselves.
    """
    rows, labels = check_contrasts(contrasts, names)
    if transform is None:
        return Functional(_linear, rows, len(rows), labels)
    if isinstance(transform, str) and transform in WORDS:
        return Functional(WORDS[transform], rows, len(rows), labels)
    if not callable(transform):
        words = ", ".join(repr(word) for word in WORDS)
        raise ValueError(f"transform must be one of {words} or a function of the coefficients: "
                         f"found {transform!r}{nearest(transform, WORDS)}")  # fmt: skip
    if contrasts is not None:
        raise ValueError("contrasts must be None where transform is a function, which is called "
                         "with all coefficients: found both")  # fmt: skip
    size = int(np.prod(function_shape(transform, len(names), "transform")))
    own = getattr(transform, "__name__", "transform")
    labels = (own,) if size == 1 else tuple(f"{own}[{i}]" for i in range(size))
    return Functional(_Own(transform), rows, size, labels)


def derivative(wanted: Functional, coef: np.ndarray) -> np.ndarray:
    """dg/dβ at coefficients (p,), (q, p)."""
    with jax.enable_x64(True):
        return np.asarray(jax.jacfwd(wanted.function)(jnp.asarray(coef), wanted.contrasts))


def combined(coef: np.ndarray, row: np.ndarray) -> np.ndarray:
    """c'β where β may be infinite: a coefficient that c leaves out does not count."""
    used = row != 0
    with np.errstate(invalid="ignore"):
        return coef[:, used] @ row[used] if np.sum(used) > 1 else coef[:, used][:, 0] * row[used]


def _value(coef, contrasts, *, function):
    return function(coef, contrasts)
