"""The edge: coercion and every check of user input. Below this room nothing raises."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxlogit.checks import LARGEST, check_finite, is_number, nearest, numeric, refuse, within
from jaxlogit.core.working import Arrays

OWN = "own"
"""Name of the column that models have of their own, where none is given."""


@dataclass(frozen=True)
class Models:
    """Checked data of one or many models; arrays are the user's own wherever possible."""

    design: np.ndarray
    """(n, p) shared, or (B, n, p)."""
    y: np.ndarray
    """(n,) or (B, n)."""
    trials: np.ndarray | None
    weights: np.ndarray | None
    offset: np.ndarray | None
    names: tuple[str, ...]
    n_models: int
    single: bool
    """True when nothing had a model axis: results come without one."""
    own: np.ndarray | None = None
    """(B, n) a column of each model's own, beside the shared ones."""
    place: int = 0
    """Where the own column stands among all."""

    @property
    def n_rows(self) -> int:
        """Rows of one model, n."""
        return self.design.shape[-2]

    @property
    def n_terms(self) -> int:
        """Columns of the design, p."""
        return self.design.shape[-1] + (self.own is not None)

    @property
    def ragged(self) -> bool:
        """Whether models may differ in the rows that they use."""
        counts = (self.weights, self.trials)
        return any(c is not None and c.ndim == 2 and not np.all(c) for c in counts)

    def split(self) -> tuple[Arrays, Arrays]:
        """Fields with a model axis, and fields that the models share."""
        lanes, shared = {}, {}
        for name in ("design", "y", "trials", "weights", "offset", "own"):
            array = getattr(self, name)
            if array is None:
                continue
            has_axis = array.ndim == (3 if name == "design" else 2)
            (lanes if has_axis else shared)[name] = array
        if self.single:
            lanes["y"] = shared.pop("y")[None]
        return Arrays(**lanes), Arrays(**shared)

    def number(self, index: int) -> int:
        """The number of one model, counted from the end where it is negative."""
        try:
            return range(self.n_models)[index]
        except IndexError:
            rule = f"index must name one of {self.n_models} models"
            raise IndexError(f"{rule}: found {index}") from None

    def take(self, index: Any, single: bool) -> "Models":
        """The models of an index array or slice."""
        cut = {}
        for name in ("design", "y", "trials", "weights", "offset", "own"):
            array = getattr(self, name)
            if array is not None and array.ndim == (3 if name == "design" else 2):
                cut[name] = array[index][0] if single else array[index]
        count = len(range(self.n_models)[index]) if isinstance(index, slice) else len(index)
        if not single and not cut:  # one model taken as a slice of one
            cut["y"] = self.y[None]
        return replace(self, n_models=count, single=single, **cut)


def collect(
    X: Any,
    y: Any,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
    names: Sequence[str] | None = None,
    own: Any = None,
) -> Models:
    """Check and coerce the arguments of `fit`.

    Raises
    ------
    TypeError
        An argument that is not numeric.
    ValueError
        Wrong shapes, nan or infinity, y outside [0, trials], negative weights or trials,
        empty data; the message names argument, rule, value and place.
    """
    if names is None and hasattr(X, "columns"):
        names = [*(str(column) for column in X.columns), *([OWN] if own is not None else [])]
    design = numeric("X", X, (2, 3) if own is None else (2,), keep=False)
    n, p = design.shape[-2:]
    if n == 0 or p == 0:
        raise ValueError(f"X must have at least one row and one column: found shape {design.shape}")
    response = numeric("y", y, (1, 2), keep=True)
    optional = {
        name: None if value is None else numeric(name, value, (0, 1, 2), keep=True)
        for name, value in (("trials", trials), ("weights", weights), ("offset", offset))
    }
    optional = {
        name: np.full(n, value) if value is not None and value.ndim == 0 else value
        for name, value in optional.items()
    }
    optional["own"] = None if own is None else numeric("own", own, (1, 2), keep=True)
    rows = {"y": response, **{k: v for k, v in optional.items() if v is not None}}
    for name, array in rows.items():
        if array.shape[-1] != n:
            raise ValueError(f"{name} must have one value for each of the {n} rows of X: "
                             f"found shape {array.shape}")  # fmt: skip
    n_models, single = _model_count(design, rows)
    trials, weights, offset, own = (optional[k] for k in ("trials", "weights", "offset", "own"))
    if weights is not None:
        weights = _checked("weights", weights, 0, LARGEST, "not be negative", None)
    design = _checked("X", design, -LARGEST, LARGEST, "be finite", weights)
    if own is not None:
        own = _checked("own", own, -LARGEST, LARGEST, "be finite", weights)
        names = [*(f"x{j}" for j in range(p)), OWN] if names is None else names
        if own.ndim == 1:  # no model has it alone
            design, own = np.column_stack([design, own]), None
    if offset is not None:
        offset = _checked("offset", offset, -LARGEST, LARGEST, "be finite", weights)
    if trials is None:
        response = _checked("y", response, 0, 1, "lie in [0, 1] without trials", weights)
    else:
        trials = _checked("trials", trials, 0, LARGEST, "not be negative", weights)
        response = _checked_counts(response, trials, weights)
    names = check_names(names, design.shape[-1] + (own is not None))
    return Models(design, response, trials, weights, offset, names, n_models, single, own, place=p)


def _model_count(design: np.ndarray, rows: dict[str, np.ndarray]) -> tuple[int, bool]:
    counts = {"X": len(design)} if design.ndim == 3 else {}
    counts |= {name: len(array) for name, array in rows.items() if array.ndim == 2}
    if not counts:
        return 1, True
    first = next(iter(counts))
    for name, count in counts.items():
        if count == 0:
            raise ValueError(f"{name} must hold at least one model: found shape "
                             f"{(design if name == 'X' else rows[name]).shape}")  # fmt: skip
        if count != counts[first]:
            raise ValueError(f"{name} must have as many models as {first}: "
                             f"found {count} and {counts[first]}")  # fmt: skip
    return counts[first], False


def _checked(
    name: str, array: np.ndarray, low: float, high: float, rule: str, weights: np.ndarray | None
) -> np.ndarray:
    """The array, with 0 for what is not finite in rows of weight 0, which may hold anything."""
    if within(array, low, high):
        return array
    unused = _unused(weights, array.shape[:-1] if name == "X" else array.shape)
    unused = unused[..., None] if name == "X" else unused
    refuse(name, rule, array, ~((array >= low) & (array <= high)) & ~unused)
    return array if np.all(np.isfinite(array)) else np.where(unused, 0.0, array)


def _checked_counts(y: np.ndarray, trials: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Successes that have to lie in [0, trials]."""
    if within(y, 0, trials):
        return y
    y = _checked("y", y, 0, LARGEST, "lie in [0, trials]", weights)
    bad = y > trials
    bad &= ~_unused(weights, bad.shape)
    if y.ndim < bad.ndim:  # a shared y: say where in the trials
        refuse("trials", "be at least y", trials, bad)
    refuse("y", "lie in [0, trials]", y, bad)
    return y


def _unused(weights: np.ndarray | None, rows: tuple[int, ...]) -> np.ndarray:
    """Rows (n,) that no model counts, or rows (B, n) that their model does not count."""
    unused = np.asarray(False) if weights is None else weights == 0
    return np.all(unused, axis=0) if unused.ndim > len(rows) else np.broadcast_to(unused, rows)


def check_names(names: Sequence[str] | None, p: int) -> tuple[str, ...]:
    """Names of the p coefficients; x0, x1, … by default."""
    if names is None:
        return tuple(f"x{j}" for j in range(p))
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"names must be a sequence of {p} names: found {names!r}")
    checked = tuple(str(name) for name in names)
    if len(checked) != p:
        raise ValueError(f"names must name each of the {p} coefficients: found {len(checked)}")
    if len(set(checked)) != p:
        twice = next(name for name in checked if checked.count(name) > 1)
        raise ValueError(f"names must differ: found {twice!r} twice")
    return checked


def check_level(level: Any) -> float:
    """A confidence level inside (0, 1)."""
    if not is_number(level):
        raise TypeError(f"level must be a number in (0, 1): found {level!r}")
    number = float(level)
    if not 0 < number < 1:
        raise ValueError(f"level must lie in (0, 1): found {number}")
    return number


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of the allowed words; the nearest one is suggested."""
    if value in allowed:
        return value
    words = ", ".join(repr(word) for word in allowed)
    raise ValueError(f"{name} must be one of {words}: found {value!r}{nearest(value, allowed)}")


def check_contrasts(
    contrasts: Any, names: Sequence[str], argument: str = "contrasts"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Contrasts (q, p) and their names, from None, names, an array or a mapping."""
    p = len(names)
    if contrasts is None:
        return np.eye(p), tuple(names)
    if isinstance(contrasts, Mapping):
        labels = tuple(str(label) for label in contrasts)
        rows = [_row(f"{argument}[{label!r}]", row, names) for label, row in contrasts.items()]
        return check_contrasts(rows, names, argument)[0], check_names(labels, len(rows))
    if isinstance(contrasts, str):
        contrasts = [contrasts]
    if hasattr(contrasts, "dtype") and all(isinstance(c, str) for c in np.ravel(contrasts)):
        contrasts = list(contrasts)
    if isinstance(contrasts, Sequence) and contrasts and isinstance(contrasts[0], str):
        rows = [list(names).index(check_choice(argument, name, names)) for name in contrasts]
        return np.eye(p)[rows], tuple(contrasts)
    array = np.atleast_2d(numeric(argument, contrasts, (1, 2)))
    if array.shape[1] != p or len(array) == 0:
        raise ValueError(f"{argument} must have {p} columns, one for each coefficient: "
                         f"found shape {np.shape(contrasts)}")  # fmt: skip
    check_finite(argument, array)
    if not np.all(np.any(array != 0, axis=1)):
        empty = int(np.argmin(np.any(array != 0, axis=1)))
        raise ValueError(f"{argument} must not be all zero: found such a row at {empty}")
    units = dict(enumerate(names))
    labels = tuple(
        units[int(np.argmax(row != 0))]
        if np.sum(row != 0) == 1 and np.max(row) == 1
        else f"contrast {i}"
        for i, row in enumerate(array)
    )
    return array, labels


def _row(argument: str, row: Any, names: Sequence[str]) -> np.ndarray:
    """One contrast (p,), from numbers or from a mapping of coefficients to numbers."""
    p = len(names)
    if not isinstance(row, Mapping):
        found = numeric(argument, row, (1,))
        if len(found) != p:
            raise ValueError(f"{argument} must have {p} numbers, one for each coefficient: "
                             f"found shape {found.shape}")  # fmt: skip
        return found
    places = [list(names).index(check_choice(argument, name, names)) for name in row]
    found = np.zeros(p)
    found[places] = numeric(argument, list(row.values()), (1,))
    return found


def check_null(null: Any, q: int) -> np.ndarray:
    """Hypothesised values of q contrasts, (q,), from one number or q of them."""
    values = numeric("null", null, (0, 1))
    if values.ndim == 1 and len(values) != q:
        raise ValueError(f"null must be one number or {q}, one for each contrast: "
                         f"found {len(values)}")  # fmt: skip
    values = np.broadcast_to(values, (q,)).copy()
    check_finite("null", values)
    return values


def check_hypotheses(
    contrasts: np.ndarray, null: Any, joint: bool, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Hypotheses (h, q, p) and their values (h, q), from contrasts: one each, or one of all."""
    nulls = check_null(null, len(contrasts))
    if not joint:
        return contrasts[:, None], nulls[:, None]
    if method == "rstar":
        raise ValueError("method must be 'wald', 'lr' or 'score' where joint: found 'rstar'")
    rank = np.linalg.matrix_rank(contrasts)
    if rank < len(contrasts):
        raise ValueError(f"contrasts of a joint test must be linearly independent: found "
                         f"{len(contrasts)} rows of rank {rank}")  # fmt: skip
    return contrasts[None], nulls[None]


def check_term(term: Any, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """One contrast (1, p) with its name, from a name, a number or a vector."""
    if isinstance(term, bool | np.bool_):
        raise TypeError(f"term must be a name, a number or a contrast: found {term}")
    if isinstance(term, int | np.integer):
        if not -len(names) <= term < len(names):
            raise ValueError(f"term must be one of {len(names)} coefficients: found {term}")
        term = np.eye(len(names))[term]
    rows, labels = check_contrasts(term, names, "term")
    if len(rows) != 1:
        raise ValueError(f"term must be one coefficient or contrast: found {len(rows)}")
    return rows, labels


def check_pair(terms: Any, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Two contrasts (2, p) with their names, linearly independent."""
    if isinstance(terms, str) or not isinstance(terms, Iterable):
        raise TypeError(f"terms must be two coefficients or contrasts: found {terms!r}")
    found = [check_term(term, names) for term in terms]
    if len(found) != 2:
        raise ValueError(f"terms must be two coefficients or contrasts: found {len(found)}")
    rows = np.concatenate([row for row, _ in found])
    if np.linalg.matrix_rank(rows / np.max(np.abs(rows), axis=1, keepdims=True)) < 2:
        raise ValueError("terms must be linearly independent: found one a multiple of the other")
    return rows, (found[0][1][0], found[1][1][0])


def check_count(name: str, value: Any, least: int) -> int:
    """A whole number, not below `least`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number: found {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}: found {value}")
    return int(value)


def check_grid(grid: Any) -> np.ndarray | None:
    """A vector of finite values, or None."""
    if grid is None:
        return None
    values = numeric("grid", grid, (1,))
    if len(values) == 0:
        raise ValueError("grid must hold at least one value: found none")
    check_finite("grid", values)
    return values
