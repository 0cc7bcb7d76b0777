"""Small real data sets with their sources: what the examples, tests and bundled studies use."""

import csv
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from jaxlogit.checks import nearest

if TYPE_CHECKING:
    import pandas

__all__ = ["Dataset", "load", "names"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """One data set: its columns, what they mean and where they come from.

    Examples
    --------
    >>> data = load("endometrial")
    >>> list(data.columns), data.to_frame().shape
    (['NV', 'PI', 'EH', 'HG'], (79, 4))
    """

    name: str
    columns: dict[str, np.ndarray]
    """Column name to values (n,): int64, float64 or text. No value is missing."""
    description: str
    """What the rows and columns are, with units, and which rows were left out."""
    source: str
    """The publication, with its DOI where it has one."""
    formula: str
    """A model to start from, as a formulaic formula."""
    trials: str | None = None
    """The column of trials where the response counts successes; None for a binary response."""

    def to_frame(self) -> "pandas.DataFrame":
        """Copy the columns into a pandas data frame.

        Raises
        ------
        ModuleNotFoundError
            pandas is not installed; `columns` needs nothing but NumPy.
        """
        import pandas

        return pandas.DataFrame(self.columns)


def names() -> tuple[str, ...]:
    """List the bundled data sets.

    Examples
    --------
    >>> names()
    ('birthwt', 'endometrial', 'menarche', 'urine', 'mgus2')
    """
    return tuple(_catalogue())


def load(name: str) -> Dataset:
    """Read a bundled data set.

    Parameters
    ----------
    name
        One of `names()`.

    Returns
    -------
    Dataset
        Freshly read: the arrays are the caller's own.

    Raises
    ------
    ValueError
        No data set has that name; the message lists the names and suggests the nearest.

    Examples
    --------
    >>> data = load("menarche")
    >>> data.formula, data.trials
    ('Menarche ~ Age', 'Total')
    >>> int(data.columns["Menarche"].sum()), int(data.columns["Total"].sum())
    (2308, 3918)
    """
    catalogue = _catalogue()
    if name not in tuple(catalogue):
        known = ", ".join(repr(known) for known in catalogue)
        raise ValueError(f"name must be one of the bundled data sets {known}: "
                         f"found {name!r}{nearest(name, catalogue)}")  # fmt: skip
    return Dataset(name=name, columns=_read_columns(name), **catalogue[name])


def _catalogue() -> dict[str, dict[str, str]]:
    text = files(__name__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _read_columns(name: str) -> dict[str, np.ndarray]:
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    columns = zip(*rows, strict=True)
    return {key: _typed(values) for key, values in zip(header, columns, strict=True)}


def _typed(values: tuple[str, ...]) -> np.ndarray:
    """Integers where every value is one, else floats where every value is one, else text."""
    for dtype in (np.int64, np.float64):
        try:
            return np.array(values).astype(dtype)
        except ValueError:
            continue
    return np.array(values)
