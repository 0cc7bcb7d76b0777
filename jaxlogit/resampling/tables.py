"""A bootstrap as text, as a data frame, as a Parquet file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.resampling.records import BootstrapInterval
from jaxlogit.results import tally
from jaxlogit.tables.tidy import needed
from jaxlogit.text import table

if TYPE_CHECKING:
    from jaxlogit.resampling.result import Bootstrap

N_NUMBERS = 5
"""Estimate, bias, standard error and two ends; Monte Carlo errors come after them."""
ROUNDING = 1e-6  # of a term's largest number: a smaller error is that of replicates that are alike


def summary(boot: "Bootstrap", level: float, kind: str | None) -> str:
    """Estimates, bias, bootstrap standard errors and an interval; statuses."""
    if boot._status.shape[0] > 1:
        return f"{boot!r}\n".replace("<", "").replace(">", "")
    ends, found = columns(boot, level, kind)
    numbers = zip(*list(found.values())[1:], strict=True)
    rows = [_rounded([float(value) for value in row]) for row in numbers]
    cells = zip(*map(_aligned, zip(*rows, strict=True)), strict=True)
    rows = [[name, *row] for name, row in zip(boot.names, cells, strict=True)]
    units = "" if boot._scheme.unit is None else f" of {boot._scheme.n_units:,} clusters"
    errors = "; mc: Monte Carlo standard errors of their ends" if "mc_low" in found else ""
    head = [
        f"Bootstrap: {boot.scheme}{units}, {boot.n_replicates:,} replicates, seed {boot.seed}",
        f"{100 * level:g} % intervals: {ends.kind}{errors}",
    ]
    reason = [] if ends.reason is None else [ends.reason]
    return "\n".join(
        [*head, "", table(list(found), rows), "", f"statuses: {tally(boot.status)}", *reason, ""]
    )


def columns(boot: "Bootstrap", level: float, kind: str | None) -> tuple[BootstrapInterval, dict]:
    """The intervals of one data set, and the columns of its table."""
    moments, ends = boot.moments(), boot.confint(level, kind)
    found = {
        "term": np.array(boot.names),
        "estimate": boot.fit.coef,
        "bias": moments.bias,
        "std_error": moments.std_error,
        "conf_low": ends.lower,
        "conf_high": ends.upper,
    }
    if boot.scheme != "jackknife":  # which draws nothing
        found |= {"mc_low": ends.lower_error, "mc_high": ends.upper_error}
    return ends, {name: np.atleast_2d(value)[0] for name, value in found.items()}


def tidy(boot: "Bootstrap", level: float, kind: str) -> Any:
    """The table of one data set as a pandas data frame, with the statuses of the ends."""
    pd = needed("a table", "pandas", "study")
    ends, found = columns(boot, level, kind)
    names = np.array([Status(code).name.lower() for code in range(len(Status))])
    statuses = {
        "low_status": names[np.atleast_2d(ends.lower_status)[0]],
        "high_status": names[np.atleast_2d(ends.upper_status)[0]],
    }
    return pd.DataFrame({**found, **statuses})


def _rounded(row: list[float]) -> list[str]:
    """A term's numbers with the decimals that its smallest Monte Carlo error has two digits in."""
    largest = max((abs(value) for value in row if np.isfinite(value)), default=1.0)
    errors = [value for value in row[N_NUMBERS:] if ROUNDING * largest < value < np.inf]
    least = min(errors, default=1e-3 * largest)
    if least == 0:
        return [f"{value:.5g}" for value in row]
    decimals = int(np.clip(1 - np.floor(np.log10(least)), 0, 12))
    return [f"{value:.{decimals}f}" for value in row]


def _aligned(cells: Sequence[str]) -> list[str]:
    """Decimal points below each other."""
    after = [len(cell.partition(".")[2]) + ("." in cell) for cell in cells]
    return [cell + " " * (max(after) - n) for cell, n in zip(cells, after, strict=True)]


def frame(boot: "Bootstrap") -> Any:
    """One row for each replicate, with a column for the data set where there are many."""
    pd = needed("to_frame", "pandas", "study")
    sets, count, p = boot._coef.shape
    columns = {} if boot.fit._models.single else {"data_set": np.repeat(np.arange(sets), count)}
    columns["replicate"] = np.tile(np.arange(count), sets)
    taken = [name for name in boot.names if name in (*columns, "status")]
    if taken:
        raise ValueError(f"names must leave {taken[0]!r} to the table's own column: give the "
                         "coefficient another name")  # fmt: skip
    columns |= dict(zip(boot.names, boot._coef.reshape(-1, p).T, strict=True))
    names = np.array([Status(code).name.lower() for code in range(len(Status))])
    columns["status"] = names[boot._status.ravel()]
    return pd.DataFrame(columns)


def to_parquet(boot: "Bootstrap", path: Any) -> None:
    """Written whole under another name, then renamed: a file is complete or not there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pa.Table.from_pandas(frame(boot), preserve_index=False)
    about = {"scheme": boot.scheme, "seed": str(boot.seed)}
    found = found.replace_schema_metadata({**(found.schema.metadata or {}), **about})
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    pq.write_table(found, part)
    os.replace(part, path)
