"""The settings of a study's design, and which of them go together."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxlogit.checks import is_number
from jaxlogit.study.design.cells import integer
from jaxlogit.study.design.varying import Generator

KINDS = ("data", "X", "columns", "groups", "doses", "generate")
"""What a design is made from: one of these."""

SETTINGS = (
    *KINDS, "formula", "subset", "truth", "trials", "weights", "offset", "names", "n",
    "correlation", "intercept", "event_rate", "event_rates", "events_per_variable", "redraw",
)  # fmt: skip

GOES_WITH = {
    "formula": ("data",),
    "subset": ("data",),
    "weights": ("data", "X"),
    "offset": ("data", "X"),
    "trials": ("data", "X", "doses"),
    "names": ("X", "generate"),
    "n": ("data", "X", "columns"),
    "correlation": ("columns",),
    "intercept": ("columns",),
    "event_rate": ("data", "X", "columns", "groups", "doses"),
    "event_rates": ("groups",),
    "events_per_variable": ("data", "X", "columns"),
    "redraw": ("data", "X", "columns"),
}
"""Settings that some kinds of design have no use for."""

MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class Settings:
    """A design's settings, None where not given; see `jaxlogit.study.Study`."""

    data: Any = None
    X: Any = None
    columns: Any = None
    groups: Any = None
    doses: Any = None
    generate: Any = None
    formula: Any = None
    subset: Any = None
    truth: Any = None
    trials: Any = None
    weights: Any = None
    offset: Any = None
    names: Any = None
    n: Any = None
    correlation: Any = None
    intercept: Any = None
    event_rate: Any = None
    event_rates: Any = None
    events_per_variable: Any = None
    redraw: Any = None

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


def check_settings(settings: Settings) -> None:
    """Refuse what does not go together, before any data are read.

    Raises
    ------
    ValueError, TypeError
        Naming the setting and what it goes with.
    """
    kinds = [kind for kind in KINDS if getattr(settings, kind) is not None]
    if len(kinds) != 1:
        raise ValueError("a study's design needs one of data (with a formula), X, columns, groups, "
                         f"doses, generate: found {' and '.join(kinds) or 'none'}")  # fmt: skip
    (kind,) = kinds
    for name, allowed in GOES_WITH.items():
        if getattr(settings, name) is not None and kind not in allowed:
            raise ValueError(f"{name} goes with {' or '.join(allowed)}, not with {kind}")
    _CHECKS[kind](settings)
    for name in ("event_rate", "events_per_variable"):
        value = getattr(settings, name)
        if value is not None and (not is_number(value) or isinstance(value, bool)):
            raise TypeError(f"{name} must be a number: found {value!r}")
    if settings.event_rate is not None and not 0 < settings.event_rate < 1:
        raise ValueError("event_rate must lie strictly between 0 and 1: "
                         f"found {settings.event_rate!r}")  # fmt: skip
    for name in ("redraw", "intercept"):
        value = getattr(settings, name)
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"{name} must be true or false: found {value!r}")
    drawn = kind == "columns" or settings.n is not None or settings.events_per_variable is not None
    if settings.redraw is not None and not drawn:
        raise ValueError("redraw must not be given without n: the design is fixed")
    _check_size(settings, kind)


def _check_size(settings: Settings, kind: str) -> None:
    """How many rows are drawn: by n, or by events per variable."""
    if settings.n is not None and settings.events_per_variable is not None:
        raise ValueError("n must not be given beside events_per_variable, which it follows from")
    if kind == "columns" and settings.n is None and settings.events_per_variable is None:
        raise ValueError("columns need n, or events_per_variable and event_rate")
    if settings.n is not None:
        integer("n", settings.n, 1, MOST_ROWS)
    if settings.events_per_variable is not None:
        if settings.event_rate is None:
            raise ValueError("events_per_variable needs event_rate, to know how many rows have so "
                             "many events")  # fmt: skip
        if not settings.events_per_variable > 0:
            raise ValueError("events_per_variable must be above 0: found "
                             f"{settings.events_per_variable!r}")  # fmt: skip


def _check_data(settings: Settings) -> None:
    data = settings.data
    if not isinstance(data, str | Path) and not hasattr(data, "columns"):
        raise TypeError(f"data must be a path, a bundled name or a frame: found {data!r}")
    if not isinstance(settings.formula, str):
        raise TypeError(f"formula must be text, as in 'y ~ x': found {settings.formula!r}")
    for key in ("trials", "weights", "offset"):
        if not isinstance(getattr(settings, key), str | None):
            raise TypeError(f"{key} must be the name of a column where data is given")
    if isinstance(settings.truth, str) and settings.truth != "mle":
        raise ValueError(f'truth must be "mle" or coefficients: found "{settings.truth}"')


def _check_truth(settings: Settings) -> None:
    if isinstance(settings.truth, str):
        raise ValueError(f"truth must be coefficients where {settings.kind} is given: "
                         f"found {settings.truth!r}")  # fmt: skip
    if settings.truth is None and settings.event_rates is None:
        raise ValueError(f"truth must be given where {settings.kind} is given: coefficients, in "
                         "log-odds")  # fmt: skip


def _check_groups(settings: Settings) -> None:
    if settings.event_rates is None:
        return _check_truth(settings)
    if settings.truth is not None or settings.event_rate is not None:
        raise ValueError("event_rates must not be given beside truth or event_rate: the rates of "
                         "the two groups say all")  # fmt: skip
    rates = settings.event_rates
    if not listed(rates, 2) or not all(is_number(r) and 0 < r < 1 for r in rates):
        raise ValueError("event_rates must be two numbers between 0 and 1, one for each group: "
                         f"found {rates!r}")  # fmt: skip


def _check_generate(settings: Settings) -> None:
    if not callable(settings.generate):
        raise TypeError(f"generate must be a function of key and cell: found {settings.generate!r}")
    _check_truth(settings)


_CHECKS = {"data": _check_data, "X": _check_truth, "columns": _check_truth,
           "groups": _check_groups, "doses": _check_truth, "generate": _check_generate}  # fmt: skip


def listed(value: Any, length: int | None = None) -> bool:
    """Whether it is a list, of that length."""
    return isinstance(value, list | tuple | np.ndarray) and length in (None, len(value))


def described(given: Mapping[str, Any], grid: Any) -> dict[str, Any]:
    """Where the design and truth come from, as plain data for a store."""
    found = Settings(**{name: given.get(name) for name in SETTINGS})
    data = found.data
    words: dict[str, Any] = {
        "data": Path(data).name if isinstance(data, str | Path) else None,
        "formula": found.formula,
        **({} if found.subset is None else {"subset": found.subset}),
        "truth": _origin(found, grid),
    }
    plain = {"columns", "groups", "doses", "n", "correlation", "event_rate", "event_rates",
             "events_per_variable", "redraw", "intercept"}  # fmt: skip
    for name in sorted(plain):
        if getattr(found, name) is not None:
            words[name] = json.loads(json.dumps(getattr(found, name), default=_plain))
    if found.generate is not None:
        words["generate"] = Generator(found.generate, {}).name
    if grid is not None:
        words["grid"] = json.loads(json.dumps(grid, default=_plain))
    return words


def _origin(found: Settings, grid: Any) -> str:
    """Where the true coefficients come from, in a word."""
    several = grid if isinstance(grid, list | tuple) else [grid or {}]
    factors = {str(factor).partition(".")[0] for one in several for factor in one}
    if found.event_rate is not None or "event_rate" in factors:
        return "solved"
    fitted = found.data is not None and (found.truth is None or isinstance(found.truth, str))
    return "mle" if fitted and "truth" not in factors else "given"


def _plain(value: Any) -> Any:
    """Arrays and mappings of other types as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return dict(value) if isinstance(value, Mapping) else list(value)


def check_name(name: Any) -> None:
    """A study's name must be fit for a folder."""
    if not isinstance(name, str):
        raise TypeError(f"name must be text: found {name!r}")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"name must be letters, digits, dots, dashes, underscores: found {name!r}")


def number(name: str, value: Any, low: float, high: float) -> float:
    """A number strictly between two others."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number: found {value!r}")
    if not low < value < high:
        raise ValueError(f"{name} must lie strictly between {low:g} and {high:g}: found {value!r}")
    return float(value)


def check_levels(given: Any) -> float | tuple[float, ...]:
    """One level, or several that differ."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, Sequence) or isinstance(given, str):
        return number("level", given, 0.0, 1.0)
    levels = tuple(number("level", level, 0.0, 1.0) for level in given)
    if not levels or len(set(levels)) < len(levels):
        raise ValueError(f"level must be one or more numbers, each once: found {list(given)}")
    return levels[0] if len(levels) == 1 else levels
