"""Precision on demand: replicates until coverage is known well enough, at looks set beforehand.

The plug-in error √(C(1 − C)/n) of a coverage C cannot decide when to stop: where all n intervals
hold the truth it is 0 whatever n is, although a coverage of .99 gives that with probability .99ⁿ,
more than one third at n = 100. What counts is the largest error that the data leave possible:
√(c(1 − c)/n) at the c nearest to ½ in Wilson's 95 % interval. Where n of n hold the truth, c is
n/(n + z²), z = 1.96, and the error z/(n + z²): a target of .002 takes n = 977. Elsewhere it exceeds
the plug-in error by a share of O(1/√n): 4 % at C = .95 and n = 10,000.

Looks are counts of replicates from the first on. Whether a cell is done at a look depends on its
rows of these replicates alone, so that chunks, engines and interruptions change nothing. Parts end
at looks; where sums are kept, a look inside a part that was made before it was asked for is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jaxlogit.study.design.cells import MAX_REPLICATES, integer
from jaxlogit.study.measures.performance import wilson

FIRST_LOOK = 1_000
"""Where no looks are given: then at twice as many, and so on. Fewer would save no time."""


@dataclass(frozen=True)
class Precision:
    """When a cell is done before its last replicate.

    Attributes
    ----------
    target_mcse : float
        The Monte Carlo standard error of every coverage is to be below it.
    looks : tuple of int
        Replicates after which that is asked, increasing.
    """

    target_mcse: float
    looks: tuple[int, ...]

    def below(self, replicates: int) -> tuple[int, ...]:
        """The looks before so many replicates."""
        return tuple(look for look in self.looks if look < replicates)


def check_precision(
    target_mcse: Any, looks: Sequence[int] | None, replicates: int
) -> Precision | None:
    """The settings of a study, None without a target.

    Raises
    ------
    ValueError, TypeError
        A target not in (0, 0.5), looks that do not increase or are without a target.

    Examples
    --------
    >>> check_precision(0.002, None, 10_000)
    Precision(target_mcse=0.002, looks=(1000, 2000, 4000, 8000))
    """
    if target_mcse is None:
        if looks is not None:
            raise ValueError("looks must not be given without target_mcse: found "
                             f"{list(looks)}")  # fmt: skip
        return None
    if isinstance(target_mcse, bool) or not isinstance(target_mcse, int | float | np.number):
        raise TypeError(f"target_mcse must be a number: found {target_mcse!r}")
    if not 0 < target_mcse < 0.5:
        raise ValueError(f"target_mcse must lie strictly between 0 and 0.5: found {target_mcse!r}")
    if looks is None:
        doubling = (FIRST_LOOK << i for i in range(MAX_REPLICATES.bit_length()))
        found = tuple(look for look in doubling if look < replicates)
    else:
        if isinstance(looks, str) or not isinstance(looks, Sequence | np.ndarray):
            raise TypeError(f"looks must be a list of numbers of replicates: found {looks!r}")
        found = tuple(integer("looks", look, 1, MAX_REPLICATES) for look in looks)
        if not found or any(one >= other for one, other in pairwise(found)):
            raise ValueError(f"looks must be one or more, increasing: found {list(found)}")
    return Precision(float(target_mcse), found)


def coverage_mcse_bound(hits: int, n: int) -> float:
    """The largest Monte Carlo standard error of a coverage that hits of n leave possible.

    Examples
    --------
    >>> round(coverage_mcse_bound(9_500, 10_000), 5), round(coverage_mcse_bound(100, 100), 5)
    (0.00227, 0.01887)
    """
    if n == 0:
        return np.inf
    low, high = wilson(hits / n, n)
    nearest = min(max(0.5, low), high)
    return float(np.sqrt(nearest * (1 - nearest) / n))
