"""A bootstrap as text, as a data frame, as a Parquet file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.report import table
from jaxlogit.results import tally

if TYPE_CHECKING:
    from jaxlogit.resampling.result import Bootstrap


def summary(boot: "Bootstrap", level: float, kind: str) -> str:
    """Estimates, bias, bootstrap standard errors and an interval; statuses."""
    if boot._status.shape[0] > 1:
        return f"{boot!r}\n".replace("<", "").replace(">", "")
    moments, ends = boot.moments(), boot.confint(level, kind)
    columns = (boot.fit.coef, moments.bias, moments.std_error, ends.lower, ends.upper)
    columns = (*columns, ends.lower_error, ends.upper_error)
    header = ["term", "estimate", "bias", "std_error", "conf_low", "conf_high"]
    header += ["mc_low", "mc_high"]
    values = zip(*(np.atleast_2d(column)[0] for column in columns), strict=True)
    rows = [
        [name, *(f"{value:.5g}" for value in row)]
        for name, row in zip(boot.names, values, strict=True)
    ]
    units = "" if boot._scheme.unit is None else f" of {boot._scheme.n_units:,} clusters"
    head = [
        f"Bootstrap: {boot.scheme}{units}, {boot.n_replicates:,} replicates, seed {boot.seed}",
        f"{100 * level:g} % intervals: {ends.kind}; mc: Monte Carlo standard errors of their ends",
    ]
    reason = [] if ends.reason is None else [ends.reason]
    return "\n".join(
        [*head, "", table(header, rows), "", f"statuses: {tally(boot.status)}", *reason, ""]
    )


def frame(boot: "Bootstrap") -> Any:
    """One row for each replicate, with a column for the data set where there are many."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: install jaxlogit-inference[study]") from error
    sets, count, p = boot._coef.shape
    columns = {} if boot.fit._models.single else {"data_set": np.repeat(np.arange(sets), count)}
    columns["replicate"] = np.tile(np.arange(count), sets)
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
