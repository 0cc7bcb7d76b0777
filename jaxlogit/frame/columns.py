"""Checked expressions on the columns of a table: arithmetic, indicators, categories and bases.

What a formula may contain is what this module can compute. It walks syntax trees that `formula`
has checked and applies NumPy functions to arrays; no text is ever evaluated.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.transforms import basis_spline, poly

from jaxlogit.checks import nearest

Column = np.ndarray | pd.Categorical
"""Numbers as a float64 array (n,), text as categories (n,)."""

ARITHMETIC: dict[type, Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
COMPARISON: dict[type, Callable] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
# On indicators, which are 0 or 1, the smaller of two is "and", the larger "or".
LOGIC: dict[type, Callable] = {
    ast.BitAnd: np.minimum,
    ast.BitOr: np.maximum,
    ast.Invert: lambda indicator: 1.0 - indicator,
}
FUNCTIONS: dict[str, Callable] = {
    "I": lambda x: x,
    "abs": np.abs,
    "center": lambda x, mean: x - mean,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "scale": lambda x, mean, std_dev: (x - mean) / std_dev,
    "sqrt": np.sqrt,
}
MOMENTS: dict[str, Callable] = {
    "center": lambda x: (np.mean(x),),
    "scale": lambda x: (np.mean(x), np.sqrt(np.sum((x - np.mean(x)) ** 2) / (x.size - 1))),
}
"""What functions take from the whole column, for their arguments after the first."""

BASES: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "poly": (poly, ("degree", "raw")),
    "bs": (basis_spline, ("df", "knots", "degree")),
}
"""Functions that give several columns, and the names of their arguments after the first."""


@dataclass(frozen=True)
class Memory:
    """What factors take from the rows they are first made from, and keep for new rows.

    Levels of categories, means and deviations, the knots of splines.
    """

    known: dict[str, Any] = field(default_factory=dict)
    closed: bool = False
    """Whether nothing more is learned: the rows are new ones."""

    def recall(self, node: ast.expr, learn: Callable[[], Any]) -> Any:
        """What the expression needs to know, learned once."""
        key = ast.unparse(node)
        if key not in self.known:
            self.known[key] = learn()
        return self.known[key]


def hint(name: object, known: Iterable[object]) -> str:
    """Return the end of an error message: the nearest known name, or else the first of them."""
    names = [str(k) for k in known]
    some = f"; there are {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
    return nearest(name, names) or some


def read(series: pd.Series) -> Column:
    """Convert a complete column of a table.

    Parameters
    ----------
    series
        Numbers, booleans (as 0 and 1), text or categories (n,), nothing missing. Categories
        keep their order, text is sorted, and levels that do not occur are left out.

    Raises
    ------
    ValueError
        For anything else: dates, lists, text mixed with numbers.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        used = series.cat.remove_unused_categories()
        labels = [_label(level) for level in used.cat.categories]
        return pd.Categorical.from_codes(used.cat.codes.to_numpy(), labels)
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype):
        if not pd.api.types.is_complex_dtype(series.dtype):
            return series.to_numpy(dtype=np.float64)
    elif pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype):
        values = series.tolist()
        if all(isinstance(v, str) for v in values):
            return pd.Categorical(np.array(values, dtype=object), sorted(set(values)))
        if not any(isinstance(v, str) for v in values):
            try:
                return np.array([float(v) for v in values])
            except (TypeError, ValueError):
                pass
    raise ValueError(
        f"column {series.name!r} must hold numbers, booleans or text, found {series.dtype} values "
        f"such as {series.iloc[0]!r}"
    )


def _label(level: object) -> str:
    """Name a level; 2.0 is called 2, since a missing value elsewhere turns integers into floats."""
    return f"{level:.0f}" if isinstance(level, float) and level.is_integer() else str(level)


def evaluate(
    node: ast.expr, values: Mapping[str, Column], memory: Memory | None = None
) -> np.ndarray:
    """Compute a checked expression.

    Parameters
    ----------
    node
        An expression that `formula.parse` has checked.
    values
        The columns by name.
    memory
        What earlier rows have taught; new ones learn from themselves.

    Returns
    -------
    float64 array (n,), without axis if no column is in the expression; comparisons give 0 and 1.

    Raises
    ------
    ValueError
        If arithmetic meets a text column, or text is compared with a number or an unknown level.
    """
    memory = Memory() if memory is None else memory
    match node:
        case ast.Constant(value=int() | float()):
            return np.asarray(node.value, dtype=np.float64)
        case ast.Name():
            value = values[node.id]
            if isinstance(value, pd.Categorical):
                raise ValueError(
                    f"column {node.id!r} is text, where numbers are needed; as a term of its own, "
                    "or in C(), its levels are indicators"
                )
            return value
        case ast.BinOp():
            operation = (ARITHMETIC | LOGIC)[type(node.op)]
            left, right = (evaluate(side, values, memory) for side in (node.left, node.right))
            return operation(left, right)
        case ast.UnaryOp():
            return (ARITHMETIC | LOGIC)[type(node.op)](evaluate(node.operand, values, memory))
        case ast.Compare():
            return _compare(node, values, memory)
        case ast.Call(func=ast.Name(id=name)):
            x = evaluate(node.args[0], values, memory)
            moments = MOMENTS.get(name)
            rest = () if moments is None else memory.recall(node, lambda: moments(x))
            return FUNCTIONS[name](x, *rest)
    raise AssertionError(f"unchecked expression {ast.dump(node)}")


def _compare(node: ast.Compare, values: Mapping[str, Column], memory: Memory) -> np.ndarray:
    def side(part: ast.expr) -> Column | str:
        match part:
            case ast.Constant(value=str() as text):
                return text
            case ast.Name():
                return values[part.id]
        return evaluate(part, values, memory)

    left, right = side(node.left), side(node.comparators[0])
    text = [isinstance(s, str | pd.Categorical) for s in (left, right)]
    if any(text):
        if not all(text) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            raise ValueError(f"{ast.unparse(node)!r} must compare text with text, by == or !=")
        for one, other in ((left, right), (right, left)):
            if isinstance(one, pd.Categorical) and isinstance(other, str) and not memory.closed:
                _index(other, one)
        left, right = (np.asarray(s, dtype=object) for s in (left, right))
    holds = np.asarray(COMPARISON[type(node.ops[0])](left, right), dtype=np.float64)
    if any(text):
        return holds
    # What cannot be computed is neither: the caller refuses it, with its place.
    return np.where(np.isnan(left) | np.isnan(right), np.nan, holds)


def _index(level: str, of: pd.Categorical) -> int:
    levels = [str(label) for label in of.categories]
    if level not in levels:
        raise ValueError(f"no level {level!r}{hint(level, levels)}")
    return levels.index(level)


def factor(node: ast.expr, values: Mapping[str, Column], memory: Memory) -> Column | FactorValues:
    """Compute one checked factor of a term.

    Returns
    -------
    Numbers (n,), categories (n,) whose first level is the base, or the columns of a basis.

    Raises
    ------
    ValueError
        As `evaluate`; for a single level, an unknown base level, a basis that cannot be made, or
        in new rows a level that was not there before.
    """
    match node:
        case ast.Name():
            value = values[node.id]
            _check_kind(node, value, memory)
            if isinstance(value, pd.Categorical):
                return _levelled(node, value, [], memory)
            return value
        case ast.Call(func=ast.Name(id="C"), args=[of, *reference]):
            value = values[of.id] if isinstance(of, ast.Name) else evaluate(of, values, memory)
            if not isinstance(value, pd.Categorical):
                if not np.all(np.isfinite(value)):
                    raise ValueError("must be finite in every row to be categories")
                numbers, codes = np.unique(value, return_inverse=True)
                value = pd.Categorical.from_codes(codes, [_label(v) for v in numbers.tolist()])
            return _levelled(node, value, reference, memory)
        case ast.Call(func=ast.Name(id=name), args=[of, *rest]) if name in BASES:
            basis, arguments = BASES[name]
            given = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
            given |= dict(zip(arguments, map(ast.literal_eval, rest), strict=False))
            learned = memory.recall(node, dict)  # filled by the basis
            x = evaluate(of, values, memory)
            if memory.closed and name == "bs":
                _check_range(x, learned["lower_bound"], learned["upper_bound"])
            made = basis(x, **given, _state=learned)
            if isinstance(made, np.ndarray):
                made = FactorValues(
                    {i + 1: column for i, column in enumerate(made.T)},
                    kind="numerical",
                    format="{name}[{field}]",
                    encoded=False,
                )
            return made
    return evaluate(node, values, memory)


def _check_range(x: np.ndarray, low: float, high: float) -> None:
    outside = np.flatnonzero((x < low) | (x > high))
    if outside.size:
        raise ValueError(f"must lie in [{low:g}, {high:g}], the range of the fit: found "
                         f"{x[outside[0]]:g} at row {outside[0]}")  # fmt: skip


def _check_kind(node: ast.Name, value: Column, memory: Memory) -> None:
    """Refuse text where numbers seem to be meant, or were there in the fit, and the reverse."""
    text = isinstance(value, pd.Categorical)
    if memory.closed and text != (ast.unparse(node) in memory.known):
        was, now = ("numbers", "text") if text else ("text", "numbers")
        raise ValueError(f"column {node.id!r} must hold {was} as in the fit, found {now}")
    if text and not memory.closed:
        words = [level for level in map(str, value.categories) if not _reads_as_number(level)]
        if 0 < len(words) < len(value.categories) / 2:
            raise ValueError(
                f"column {node.id!r} is text because of {words[0]!r} among numbers: mark such "
                f"values as missing, or write C({node.id}) if categories are meant"
            )


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _levelled(
    node: ast.expr, value: pd.Categorical, reference: list[ast.expr], memory: Memory
) -> pd.Categorical:
    """The categories with the levels of the rows that were there first, the base first."""

    def learn() -> list[str]:
        return [str(k) for k in _several(_rebase(value, reference)).categories]

    levels = memory.recall(node, learn)
    new = [str(k) for k in value.categories if str(k) not in levels]
    if new:
        raise ValueError(f"has the level {new[0]!r}, which was not there in the fit; there are "
                         f"{', '.join(levels[:20])}")  # fmt: skip
    return value.set_categories(levels)


def _rebase(value: pd.Categorical, reference: list[ast.expr]) -> pd.Categorical:
    match reference:
        case [ast.Call(args=[base])]:
            levels = [str(label) for label in value.categories]
            first = levels[_index(_label(ast.literal_eval(base)), value)]
            return value.reorder_categories([first, *(k for k in levels if k != first)])
    return value


def _several(value: pd.Categorical) -> pd.Categorical:
    if len(value.categories) < 2:
        raise ValueError(f"has the single level {str(value.categories[0])!r}; it needs two or more")
    return value
