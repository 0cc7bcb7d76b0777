"""What one method gave for one coefficient on the data sets of a part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jaxlogit.study.measures.nested import holds
from jaxlogit.study.measures.performance import Array, Replicates
from jaxlogit.study.methods import RESAMPLED
from jaxlogit.study.store.record import Record

SAME_LEVEL = 1e-9
"""One minus a level is a significance up to rounding."""


@dataclass(frozen=True)
class Group:
    """The rows of one method, level and term in one part; arrays (stop − start,).

    `parts` has the columns of `PARTS` where the method resamples.
    """

    method: str
    level: float
    term: str
    rows: Replicates
    status: NDArray[np.int32]
    parts: Mapping[str, Array] | None = None


def tested(record: Record, method: str, level: float, rows: Replicates) -> Replicates:
    """Rows with what they reject, of a method that has no p-value.

    It rejects a null outside its interval; nan where the tests are at another level.
    """
    if method not in RESAMPLED:
        return rows
    if abs(record.significance_at(level) - (1.0 - level)) > SAME_LEVEL:
        return replace(rows, rejects=np.full(rows.lower.shape, np.nan))
    return replace(rows, rejects=1.0 - holds(rows.lower, rows.upper, record.null))
