"""Formulas: from the text a person writes to terms that are known to be harmless.

A formula may come from a file or a command line, so nothing in it is ever run as Python. The text
is parsed, and every node of every expression compared with a short list of what is allowed, before
`columns` computes anything. formulaic expands the terms (interactions, nesting, the coding of
categories); it is handed stand-in names and operators, never the user's text.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from formulaic.errors import FormulaicError
from formulaic.parser.algos.tokenize import tokenize

from jaxlogit.frame.columns import ARITHMETIC, BASES, COMPARISON, FUNCTIONS, LOGIC, hint

ALLOWED = (
    "column names (in `backticks` unless they are plain words), numbers, + - * / **, comparisons, "
    "& | ~ between comparisons, and the functions "
    + ", ".join(sorted([*FUNCTIONS, *BASES, "C"], key=str.lower))
)
LARGEST_INTERACTION = 5  # (a + b + …)**k makes about terms**k products before any is used


@dataclass(frozen=True)
class Formula:
    """A checked formula.

    Attributes
    ----------
    text
        The formula as written.
    response
        The left-hand side as written.
    outcome
        Expressions of the left-hand side: one, or the successes and failures of `cbind`.
    right
        The right-hand side, with `stand_in(i)` in place of factor i.
    factors
        The checked expression of every factor, by the text that names it.
    columns
        Names of the columns that are used, in order of first use.
    """

    text: str
    response: str
    outcome: tuple[ast.expr, ...]
    right: str
    factors: dict[str, ast.expr]
    columns: tuple[str, ...]

    @property
    def right_columns(self) -> tuple[str, ...]:
        """Names of the columns of the right-hand side, in order of first use."""
        found = [name for node in self.factors.values() for name in named(node)]
        return tuple(dict.fromkeys(found))

    def label(self, name: str) -> str:
        """Put the user's own words back into a name that is made of stand-ins."""
        texts = {stand_in(i): text for i, text in enumerate(self.factors)}
        return re.sub(r"_x\d+_", lambda found: texts.get(found[0], found[0]), name)


@dataclass(frozen=True)
class _Reader:
    """What reading a formula needs to know, and what it collects."""

    formula: str
    known: dict[str, None]
    quoted: dict[str, str]
    factors: dict[str, ast.expr] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    columns: dict[str, None] = field(default_factory=dict)

    def refuse(self, term: str, why: str) -> NoReturn:
        raise ValueError(
            f"{self.about}: term {shorten(self.show(term))!r} {why}; allowed are {ALLOWED}"
        )

    @property
    def about(self) -> str:
        return f"formula {shorten(self.formula)!r}"

    def show(self, text: str) -> str:
        return re.sub(r"_q\d+_", lambda found: f"`{self.quoted.get(found[0], found[0])}`", text)

    def column(self, name: str) -> str:
        """Resolve a name to a column of the table, and note its use."""
        name = self.quoted.get(name, name)
        if name not in self.known:
            raise ValueError(f"{self.about}: no column {name!r}{hint(name, self.known)}")
        self.columns[name] = None
        return name

    def stand_in(self, text: str, node: ast.expr) -> str:
        """Return the stand-in of a factor; the same factor written twice has one."""
        self.factors.setdefault(text, node)
        return stand_in(self.numbers.setdefault(text, len(self.numbers)))


def named(node: ast.expr) -> list[str]:
    """Names of the columns in a checked expression, in order of first use."""
    functions = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return list(dict.fromkeys(part.id for part in names if id(part) not in functions))


def stand_in(index: int) -> str:
    """Return the name under which formulaic sees factor number `index`."""
    return f"_x{index}_"


def parse(formula: str, known: Iterable[str], reserved: Iterable[str | None] = ()) -> Formula:
    """Read and check a formula against the columns of a table; nothing is computed.

    Parameters
    ----------
    formula
        `response ~ terms`, for instance `low ~ age + C(race) * smoke + I(ptl > 0)`.
    known
        Column names of the table.
    reserved
        Columns that `.` (all other columns) leaves out, besides the response's own.

    Raises
    ------
    ValueError
        For anything but the allowed expressions, naming the term, the formula and what is
        allowed; for an unknown column, with the nearest name.
    TypeError
        If `formula` is not text.

    Examples
    --------
    >>> parsed = parse("low ~ age * log(lwt)", ["low", "age", "lwt"])
    >>> parsed.right, parsed.columns
    ('_x0_ * _x1_', ('low', 'age', 'lwt'))
    """
    if not isinstance(formula, str):
        raise TypeError(f"formula must be text, found {type(formula).__name__}")
    # Names in backticks may hold anything, so they are put aside before anything is parsed.
    quoted: dict[str, str] = {}

    def put_aside(found: re.Match) -> str:
        quoted[f"_q{len(quoted)}_"] = found[1]
        return f"_q{len(quoted) - 1}_"

    left, _, right = re.sub(r"`([^`]*)`", put_aside, formula).partition("~")
    reader = _Reader(formula, dict.fromkeys(known), quoted)
    if not (left.strip() and right.strip()):
        raise ValueError(
            f"{reader.about} must read 'response ~ terms', with 1 for an intercept alone"
        )
    try:
        outcome = _outcome(left.strip(), reader)
        taken = {*reader.columns, *reserved}
        others = [k for k in reader.known if k not in taken]
        terms = _terms(right, others, reader)
    except FormulaicError as error:
        raise ValueError(f"{reader.about} cannot be read: {plain(error)}") from None
    except RecursionError:
        raise ValueError(f"{reader.about} is nested too deeply") from None
    response = quoted.get(left.strip(), reader.show(left.strip()))
    return Formula(formula, response, outcome, terms, reader.factors, tuple(reader.columns))


def shorten(text: str) -> str:
    """Cut a text that is too long for an error message."""
    return text if len(text) <= 200 else f"{text[:200]} …"


def plain(error: Exception) -> str:
    """Return the first line of an error's message without colour codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().partition("\n")[0]


def _outcome(left: str, reader: _Reader) -> tuple[ast.expr, ...]:
    if left in reader.known:  # also names such as x.y, which are no expressions
        return (ast.Name(reader.column(left)),)
    match _syntax(left, reader):
        case ast.Call(func=ast.Name(id="cbind"), args=[_, _], keywords=[]) as call:
            parts = tuple(call.args)
        case ast.Call(func=ast.Name(id="cbind")):
            reader.refuse(left, "must name two things: cbind(successes, failures)")
        case node:
            parts = (node,)
    for part in parts:
        _expression(part, left, reader)
    return parts


def _terms(right: str, others: list[str], reader: _Reader) -> str:
    """Check the right-hand side and rewrite it with a stand-in for every factor."""
    words: list[str] = []
    for token in tokenize(right):
        text = token.token
        kind = token.kind.value if token.kind else None
        if text == ".":
            if not others:
                reader.refuse(".", "stands for all other columns, and there is none")
            stands = [reader.stand_in(k, ast.Name(reader.column(k))) for k in others]
            words.append(f"( {' + '.join(stands)} )")
        elif kind == "name":
            name = reader.column(text)
            words.append(reader.stand_in(name, ast.Name(name)))
        elif kind == "python":
            node = _syntax(text, reader)
            shown = reader.show(ast.unparse(node))
            _factor(node, text, reader)
            words.append(reader.stand_in(shown, node))
        elif kind == "value":
            words.append(_number(text, words, reader))
        elif (operator := re.sub(r"\s", "", text)) in ("(", ")", "+", "-", "*", ":", "/", "^"):
            words.append(operator)
        elif operator in ("**", "+-"):
            words.append({"**": "**", "+-": "-"}[operator])
        else:
            reader.refuse(text, "is no operator between terms")
    return " ".join(words)


def _number(word: str, before: list[str], reader: _Reader) -> str:
    if before[-1:] in (["**"], ["^"]):
        power = before[-1] + word
        if before[-2:-1] != [")"]:
            reader.refuse(power, "must follow a bracket of terms; a square is I(x**2)")
        if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= LARGEST_INTERACTION):
            reader.refuse(power, f"must lie between 1 and {LARGEST_INTERACTION}")
    elif word not in ("0", "1"):
        reader.refuse(word, "must be 0 or 1 (without or with an intercept), or stand in I()")
    return word


def _syntax(text: str, reader: _Reader) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        reader.refuse(text, "cannot be read")


def _factor(node: ast.expr, term: str, reader: _Reader) -> None:
    """Check a factor that is more than a name."""
    match node:
        case ast.Call(func=ast.Name(id="C"), args=[of, *rest], keywords=[]):
            _expression(of, term, reader)
            match rest:
                case []:
                    pass
                case [ast.Call(func=ast.Name(id="Treatment"), args=[base], keywords=[])]:
                    _literal(base, (str, int, float), term, reader)
                case _:
                    reader.refuse(term, 'takes only a base level: C(x, Treatment("level"))')
        case ast.Call(func=ast.Name(id=("poly" | "bs") as basis), args=[of, *rest]):
            _expression(of, term, reader)
            names = BASES[basis][1]
            given = [*names[: len(rest)], *(k.arg for k in node.keywords)]
            if len(rest) > 1 or set(given) - set(names) or len(set(given)) < len(given):
                reader.refuse(term, f"takes one column, then {', '.join(names)} by name")
            for name, value in zip(given, [*rest, *(k.value for k in node.keywords)], strict=True):
                types = {"raw": (bool,), "knots": (list,)}.get(str(name), (int,))
                _literal(value, types, term, reader)
        case ast.Call():
            _expression(node, term, reader)
        case _:
            reader.refuse(term, "has brackets or braces that a formula does not know; I() may help")


def _literal(node: ast.expr, types: tuple[type, ...], term: str, reader: _Reader) -> None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError):
        reader.refuse(term, f"must be given plain values, found {ast.unparse(node)!r}")
    numbers = value if isinstance(value, list) else []
    if type(value) not in types or not all(type(v) in (int, float) for v in numbers):
        reader.refuse(term, f"cannot take the value {ast.unparse(node)!r}")
    if types == (int,) and value not in range(1, 101):
        reader.refuse(term, f"takes values between 1 and 100, found {value}")


def _expression(node: ast.expr, term: str, reader: _Reader) -> bool:
    """Check an expression and resolve its names; True if it is an indicator (0 or 1)."""

    def indicators(*operands: ast.expr) -> bool:
        kinds = [_expression(operand, term, reader) for operand in operands]  # checks them all
        return all(kinds)

    match node:
        case ast.Name():
            node.id = reader.column(node.id)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if not number < 1e300:  # a minus sign is an operator, so none is negative
                reader.refuse(term, "has a number that is too large")
        case ast.BinOp(left, operator, right) if type(operator) in ARITHMETIC:
            indicators(left, right)
        case ast.UnaryOp(operator, operand) if type(operator) in ARITHMETIC:
            indicators(operand)
        case ast.BinOp(left, operator, right) if type(operator) in LOGIC:
            if not indicators(left, right):
                reader.refuse(term, "has & or | where its two sides are not comparisons in ( )")
            return True
        case ast.UnaryOp(operator, operand) if type(operator) in LOGIC:
            if not indicators(operand):
                reader.refuse(term, "has ~ where no comparison in ( ) follows")
            return True
        case ast.Compare(left, [operator], [right]) if type(operator) in COMPARISON:
            indicators(*(side for side in (left, right) if not _is_text(side)))
            return True
        case ast.Call(func=ast.Name(id=name), args=[of], keywords=[]) if name in FUNCTIONS:
            return indicators(of) and name == "I"
        case _:
            reader.refuse(term, _why(node))
    return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _why(node: ast.expr) -> str:
    """Say what is wrong with an expression, and how to write it where there is a way."""
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "has ^ inside a function, where a power is written **"
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
            return "must join single comparisons with & | ~, as in I((x > 0) & (x < 5))"
        case ast.Attribute():
            return f"has {ast.unparse(node)!r}: a column name with a dot needs backticks"
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            return f"must give {name}() exactly one argument"
        case ast.Call(func=ast.Name(id=name)) if name in BASES or name == "C":
            return f"has {name}() inside another expression"
        case ast.Call(func=ast.Name(id="offset")):
            return "is no term here: name the column in the argument offset"
        case ast.Call(func=ast.Name(id=name)):
            return f"uses the function {name!r}, which is not allowed"
    return f"has {ast.unparse(node)!r}, which is not allowed"
