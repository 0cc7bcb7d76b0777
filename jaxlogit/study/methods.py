"""The methods of a study, estimator:interval, and the settings of those that resample."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jaxlogit.checks import nearest
from jaxlogit.data import check_choice, check_count
from jaxlogit.resampling.kinds import KINDS, least_replicates
from jaxlogit.resampling.scheme import MOST

METHODS = ("ml:wald", "ml:lr", "ml:score")
"""What a study has where it names none; p-values come from the interval's own test."""

FITTED = (*METHODS, "ml:rstar", "firth:wald", "firth:lr", "firth:score")

PENALTIES = {"ml": None, "firth": "firth", "bootstrap": None, "firth-bootstrap": "firth"}
"""Estimators, and the penalty of each."""

RESAMPLED = tuple(f"{estimator}:{kind}" for estimator in ("bootstrap", "firth-bootstrap")
                  for kind in KINDS)  # fmt: skip
"""They have no p-value: such a method rejects a value outside its interval."""

ALLOWED = FITTED + RESAMPLED

SCHEMES = ("pairs", "bayesian", "poisson", "parametric")
"""Of those of `jaxlogit.bootstrap`, the ones that every kind of interval can be had from."""


@dataclass(frozen=True)
class BootstrapSettings:
    """How each simulated data set of a study is resampled.

    Attributes
    ----------
    replicates : int
        Bootstrap replicates of each data set. 999 makes whole numbers of the ranks at 95 %.
    scheme : str
        One of `SCHEMES`, as in `jaxlogit.bootstrap`.
    """

    replicates: int = 999
    scheme: str = "pairs"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a store."""
        return asdict(self)


def resampled(methods: Sequence[str]) -> tuple[str, ...]:
    """Those of the methods that resample."""
    return tuple(method for method in methods if method in RESAMPLED)


def check_methods(methods: Any) -> tuple[str, ...]:
    """One or more words among `ALLOWED`, each once."""
    if isinstance(methods, str) or not isinstance(methods, Sequence):
        raise TypeError(f"methods must be a list of texts: found {methods!r}")
    for method in methods:
        check_choice("methods", method, ALLOWED)
    if not methods or len(set(methods)) != len(methods):
        raise ValueError(f"methods must be one or more, each once: found {list(methods)}")
    return tuple(methods)


def check_bootstrap(
    settings: Any, methods: tuple[str, ...], level: float
) -> BootstrapSettings | None:
    """The settings of the methods that resample, None where there are no such methods.

    Raises
    ------
    ValueError, TypeError
        Settings without such a method, an unknown key or scheme, fewer replicates than the level
        takes.
    """
    users = resampled(methods)
    if not users:
        if settings is not None:
            raise ValueError("bootstrap must not be given without a bootstrap method: found "
                             f"methods {list(methods)}")  # fmt: skip
        return None
    if isinstance(settings, BootstrapSettings):
        settings = settings.to_dict()
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):
        raise TypeError(f"bootstrap must be a table of settings: found {settings!r}")
    known = BootstrapSettings().to_dict()
    for key in settings:
        if key not in known:
            words = ", ".join(f"bootstrap.{name}" for name in known)
            raise ValueError(f'unknown key "bootstrap.{key}": allowed are {words}'
                             f"{nearest(str(key), known)}")  # fmt: skip
    found = BootstrapSettings(**settings)
    check_choice("bootstrap.scheme", found.scheme, SCHEMES)
    count = check_count("bootstrap.replicates", found.replicates, 1)
    for method in users:
        least = 2 if method.endswith(":normal") else least_replicates(level)
        if not least <= count <= MOST:
            raise ValueError(f"bootstrap.replicates must be from {least:,} to 2**32 for "
                             f"'{method}' at level {level:g}: found {count:,}")  # fmt: skip
    return BootstrapSettings(count, found.scheme)
