"""Tables from files and bundled data sets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv
import pyarrow.types

from jaxlogit import datasets
from jaxlogit.frame import columns
from jaxlogit.frame.formula import plain

# R's convention and the empty field. Words such as "None" and "null", which other readers take for
# missing too, are levels in real data.
MISSING = ["", "NA", "NaN", "nan"]


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, or a bundled data set by its name.

    Parameters
    ----------
    source
        A path that ends in `.csv` or `.parquet`, or a name from `datasets.names()`. In a CSV
        file (comma, UTF-8, one header line) empty fields, `NA`, `NaN` and `nan` are missing.

    Returns
    -------
    The table; numbers are read to the last digit.

    Raises
    ------
    FileNotFoundError
        If there is neither such a file nor such a data set; with the nearest name.
    ValueError
        If the file is empty, of another kind or damaged, or has a column name twice.

    Examples
    --------
    >>> read_table("birthwt").shape[0]
    189
    """
    if isinstance(source, str) and source in datasets.names():
        return datasets.load(source).to_frame()
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f"data {str(source)!r} is neither a file nor a bundled data set"
            f"{columns.hint(path.name, datasets.names())}"
        )
    readers = {".csv": _read_csv, ".parquet": pd.read_parquet}
    if path.suffix.lower() not in readers or not path.is_file():
        raise ValueError(f"data file {str(source)!r} must end in .csv or .parquet")
    try:
        table = readers[path.suffix.lower()](path)
    except (ValueError, OSError) as error:  # pyarrow's errors are among them
        raise ValueError(f"data file {str(source)!r} cannot be read: {plain(error)}") from None
    if not len(table):
        raise ValueError(f"data file {str(source)!r} has no rows")
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    # pyarrow rather than pandas: it reads numbers to the last digit in every version, refuses rows
    # of another length than the header, and takes for missing what it is told, no more.
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(null_values=MISSING, strings_can_be_null=True),
    )
    names = table.column_names
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"it has the column {twice[0]!r} more than once")
    for column in table.schema:
        if pyarrow.types.is_binary(column.type):
            raise ValueError(f"column {column.name!r} is not UTF-8 text")
    return table.to_pandas()


def as_table(data: Any, wanted: Iterable[str] | None = None) -> pd.DataFrame:
    """A pandas table from any kind of table.

    Parameters
    ----------
    data
        A pandas, polars (also lazy) or pyarrow table, a DuckDB relation, or any other that
        narwhals knows; a mapping of names to columns; a path or name as for `read_table`.
    wanted
        The columns to take, where they exist: what is lazy computes no others. None: all.

    Raises
    ------
    TypeError
        Something else.
    ValueError
        A column name that is there twice, columns of different lengths.

    Examples
    --------
    >>> as_table({"dose": [0, 1], "dead": [0, 1]}).shape
    (2, 2)
    """
    data = opened(data)
    if isinstance(data, pd.DataFrame):
        return data
    frame = nw.from_native(data)
    lazy = frame if isinstance(frame, nw.LazyFrame) else frame.lazy()
    names = column_names(data)
    keep = names if wanted is None else [name for name in dict.fromkeys(wanted) if name in names]
    keep = keep or names[:1]  # a formula without columns still has rows
    chosen = lazy.select(keep)
    table = chosen.collect("pyarrow").to_native().to_pandas(integer_object_nulls=True)
    for name, kind in chosen.collect_schema().items():
        if kind == nw.Categorical:  # in the order in which the levels came: that of text is sorted
            levels = sorted(table[name].cat.categories, key=str)
            table[name] = table[name].cat.reorder_categories(levels)
    return table


def opened(data: Any) -> Any:
    """A table as it is, where narwhals knows it; a file, data set or mapping as a pandas one."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, str | Path):
        return read_table(data)
    if isinstance(data, Mapping):
        return _by_position(data)
    try:
        nw.from_native(data)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"data must not have a column more than once: {_joined(error)}") from None
    except TypeError:
        raise TypeError(
            "data must be a table (pandas, polars, pyarrow, DuckDB), a mapping of columns, a path "
            f"or the name of a data set: found {type(data).__name__}"
        ) from None
    return data


def _by_position(data: Mapping) -> pd.DataFrame:
    """A table from columns of one length, whatever index they have of their own."""
    if not data:
        raise ValueError("data must have a column: found none")
    found = {}
    for name, column in data.items():
        if np.ndim(column) != 1:
            raise ValueError(f"data must hold columns: found {column!r} for {str(name)!r}")
        found[str(name)] = column.array if isinstance(column, pd.Series | pd.Index) else column
    one, *others = found
    for other in others:
        if len(found[other]) != len(found[one]):
            raise ValueError(f"data must have columns of one length: found {len(found[one])} for "
                             f"{one!r}, {len(found[other])} for {other!r}")  # fmt: skip
    return pd.DataFrame(found)


def column_names(data: Any) -> list[str]:
    """Names of the columns of a table that `opened` gave."""
    if isinstance(data, pd.DataFrame):
        return [name for name in data.columns if isinstance(name, str)]
    return list(nw.from_native(data).collect_schema().names())


def _joined(error: Exception) -> str:
    return " ".join(str(error).split())
