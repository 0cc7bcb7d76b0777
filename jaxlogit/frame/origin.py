"""What a fit by formula remembers of its table: terms, rows left out, groups."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxlogit.frame import columns
from jaxlogit.frame.design import Design
from jaxlogit.frame.terms import Terms


@dataclass(frozen=True, eq=False)
class Origin:
    """Where the arrays of a fit come from.

    Attributes
    ----------
    terms : Terms
    response : str
    n_dropped : int
        Rows left out because a column in use is missing there.
    offset : str or None
        The column that was the offset.
    by : str or None
        The column that divides the rows into the groups of the models.
    groups : (B,) array or None
        Its value for each model.
    clusters : (n,) array or None
        Labels of the rows, for robust errors.
    """

    terms: Terms
    response: str
    n_dropped: int
    offset: str | None = None
    by: str | None = None
    groups: np.ndarray | None = None
    clusters: np.ndarray | None = None

    @classmethod
    def of(cls, made: Design, by: str | None, offset: str | None, groups: Any) -> "Origin":
        """From a design, and the columns' names."""
        assert made.terms is not None
        return cls(made.terms, made.response, made.n_dropped, offset, by, groups, made.clusters)

    @property
    def formula(self) -> str:
        """The formula as written."""
        return self.terms.model.text

    def take(self, index: slice) -> "Origin":
        """The same for some of the models."""
        return self if self.groups is None else replace(self, groups=self.groups[index])

    def place(self, label: Any) -> int:
        """The number of the model of one group.

        Raises
        ------
        ValueError
            There are no groups, or not this one; with the nearest label.
        """
        if self.groups is None:
            raise ValueError("group needs a fit by=column: this one has no groups")
        found = np.flatnonzero(self.groups == label)
        if not found.size:
            hint = columns.hint(label, self.groups[:1000])
            raise ValueError(f"group must be a value of {self.by!r}: found {label!r}{hint}")
        return int(found[0])

    def rows(self, table: Any, offset: Any) -> tuple[np.ndarray, Any]:
        """The design matrix (k, p) of new rows, and their offset: the fit's column unless given."""
        if self.offset is None or offset is not None:
            return self.terms.matrix(table)[0], offset
        X, found = self.terms.matrix(table, (self.offset,))
        return X, columns.read(found.loc[:, self.offset])
