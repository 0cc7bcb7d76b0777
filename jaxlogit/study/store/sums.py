"""Sums of a study's replicates: what a store keeps instead of rows, and measures made from them.

A table of sums has a row for each quantity of a method, level and term, for each of a pair of
methods, and for each bin of a histogram. Tables of different replicates put together are one table
(`merged_sums`): a study's measures follow from it whatever the parts were.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jaxlogit.core.status import Status
from jaxlogit.study.design.cells import Cell
from jaxlogit.study.measures.bins import WIDTH_BITS, Bins, Histogram, count_below, median, tally
from jaxlogit.study.measures.moments import (
    NONE,
    Array,
    Measure,
    Moments,
    bounds_of,
    empirical_se_of,
    joined,
    mean_of,
    model_se_error_of,
    model_se_of,
    moments,
    share_of,
)
from jaxlogit.study.measures.nested import holds, limit_values
from jaxlogit.study.measures.performance import (
    Difference,
    Measures,
    Replicates,
    contributions,
    widths,
    wilson,
)
from jaxlogit.study.store.group import Group, tested
from jaxlogit.study.store.record import Record

PLACE = ("cell", "method", "other", "level", "term", "quantity")

SUMS_SCHEMA = pa.schema(
    [
        pa.field("cell", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("other", pa.string()),  # of a pair, whose quantities are method minus other
        pa.field("level", pa.float64(), nullable=False),
        pa.field("term", pa.string(), nullable=False),
        pa.field("quantity", pa.string(), nullable=False),
        pa.field("bin", pa.int64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("mean", pa.float64()),
        pa.field("m2", pa.float64()),
    ]
)

COMPARED = ("bias", "mse", "coverage", "missed_low", "missed_high", "rejection", "width")
"""What `measures.contributions` has."""

BIN_RANGE = 2**23
"""More than the bins and statuses that there are, with negative ones."""

Place = tuple[str, str | None, float, str]
"""Method, the other of a pair, level and term."""


class Entry(NamedTuple):
    """Rows of one place and quantity."""

    place: Place
    quantity: str
    bins: Bins | None
    n: Array
    mean: Array
    m2: Array


def sums_of(groups: Iterable[Group], record: Record, cell: Cell) -> pa.Table:
    """The sums of a part.

    Parameters
    ----------
    groups : iterable of Group
        Over the same replicates; every two methods among them become a pair.
    record : Record
        For significances, the null and the bootstrap.
    cell : Cell
        For the truth.

    Returns
    -------
    Table
        With `SUMS_SCHEMA`: of each quantity the replicates `n` that it is defined in, its `mean`
        and `m2`, the sum of squared deviations. Quantities without any are left out. Those with
        `bin` are counts of statuses, and of ends and widths (see `jaxlogit.study.measures.bins`).
    """
    truth = dict(zip(cell.names, cell.truth.tolist(), strict=True))
    entries: list[Entry] = []
    before: dict[tuple[float, str], dict[str, dict[str, Array]]] = {}
    for group in groups:
        level, term = group.level, group.term
        rows = tested(record, group.method, level, group.rows)
        own = contributions(rows, truth[term], record.significance_at(level))
        entries += _own(record, group, rows, own, truth[term])
        others = before.setdefault((level, term), {})
        for first, theirs in others.items():
            place = first, group.method, level, term
            entries += (_entry(place, name, theirs[name] - own[name]) for name in own)
        others[group.method] = own
    return _table(cell.label, [entry for entry in entries if entry.n.any()])


def _own(
    record: Record, group: Group, rows: Replicates, own: dict[str, Array], truth: float
) -> Iterator[Entry]:
    """The quantities of one method."""
    place = group.method, None, group.level, group.term
    variance = np.where(np.isfinite(rows.std_error), rows.std_error, np.nan) ** 2
    width = np.where(rows.has_interval, widths(rows.lower, rows.upper), np.nan)
    both = np.isfinite(rows.estimate) & rows.has_interval
    quantities = {
        **own,
        "variance": variance,
        "bias_with_variance": own["bias"] + 0.0 * variance,
        "variance_with_bias": variance + 0.0 * own["bias"],
        "bias_with_interval": own["bias"][both],
        "width_infinite": np.where(rows.has_interval, np.isinf(width), np.nan),
    }
    for name, values in quantities.items():
        yield _entry(place, name, values)
    if group.parts is not None and record.bootstrap is not None:
        covered = holds(rows.lower, rows.upper, truth)
        limit = limit_values(covered, group.parts, record.bootstrap.replicates, group.level)
        yield _entry(place, "coverage_limit", limit)
    status, counts = np.unique(group.status, return_counts=True)
    unknown = np.full(status.size, np.nan)
    yield Entry(
        place, "status", status.astype(np.int64), counts.astype(np.float64), unknown, unknown
    )
    yield Entry(place, "lower", *tally(rows.lower[both] - truth))
    yield Entry(place, "upper", *tally(rows.upper[both] - truth))
    yield Entry(place, "widths", *tally(width[rows.has_interval], WIDTH_BITS))


def _entry(place: Place, quantity: str, values: Array) -> Entry:
    found = moments(values[~np.isnan(values)])
    return Entry(place, quantity, None, *(np.array([number], float) for number in found))


def _table(label: str, entries: list[Entry]) -> pa.Table:
    rows = pa.array(np.repeat(np.arange(len(entries)), [len(entry.n) for entry in entries]))
    places = zip(*((label, *entry.place, entry.quantity) for entry in entries), strict=True)
    columns = [
        pa.array(values, SUMS_SCHEMA.field(name).type).take(rows)
        for name, values in zip(PLACE, places, strict=True)
    ]
    bins = [np.zeros(1, np.int64) if e.bins is None else e.bins for e in entries]
    none = [np.full(len(e.n), e.bins is None) for e in entries]
    columns.append(pa.array(np.concatenate(bins), mask=np.concatenate(none)))
    n, mean, m2 = (np.concatenate([getattr(e, name) for e in entries]) for name in Moments._fields)
    columns.append(pa.array(n.astype(np.int64)))
    columns += [pa.array(values, from_pandas=True) for values in (mean, m2)]  # nan as null
    return pa.Table.from_arrays(columns, schema=SUMS_SCHEMA)


def merged_sums(table: pa.Table) -> pa.Table:
    """Rows of the same place, quantity and bin put together, in a fixed order."""
    place, bins = _codes(table)
    _, first, group = np.unique(place * BIN_RANGE + bins, return_index=True, return_inverse=True)
    n, mean, m2 = (table[name].to_numpy().astype(np.float64) for name in Moments._fields)
    n, mean, m2 = joined(group.reshape(-1), n, mean, m2)
    columns = [table[name].take(pa.array(first)) for name in SUMS_SCHEMA.names[:-3]]
    columns += [pa.array(n.astype(np.int64)), *(pa.array(v, from_pandas=True) for v in (mean, m2))]
    return pa.Table.from_arrays(columns, schema=SUMS_SCHEMA)


def _codes(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers that tell places and quantities apart, and bins from 1, 0 where there is none."""
    place = np.zeros(len(table), np.int64)
    for name in PLACE:
        column = table[name].combine_chunks().dictionary_encode()
        code = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        place = place * (len(column.dictionary) + 1) + code + 1
    bins = table["bin"].combine_chunks()
    number = bins.fill_null(0).to_numpy(zero_copy_only=False) + BIN_RANGE // 2
    return place, np.where(bins.is_null().to_numpy(zero_copy_only=False), 0, number)


@dataclass(frozen=True)
class Sums:
    """A table of one cell's sums, to be looked up by place and quantity."""

    moments: dict[tuple[Place, str], Moments]
    counts: dict[tuple[Place, str], Histogram]

    def of(self, place: Place, quantity: str) -> Moments:
        """Moments of a quantity, those of nothing where it has none."""
        return self.moments.get((place, quantity), NONE)

    def hits(self, place: Place, quantity: str) -> tuple[int, int]:
        """Of a quantity that is 0 or 1: how often it is 1, and how often defined."""
        found = self.of(place, quantity)
        return (round(found.n * found.mean), found.n) if found.n else (0, 0)

    def histogram(self, place: Place, quantity: str) -> Histogram:
        """Counts of a quantity by bins."""
        none = np.empty(0)
        return self.counts.get((place, quantity), Histogram(none.astype(np.int64), none, none))


def looked_up(table: pa.Table) -> Sums:
    """Sums from a merged table of one cell."""
    keys = [
        ((method, other, level, term), quantity)
        for method, other, level, term, quantity in zip(
            *(table[name].to_pylist() for name in PLACE[1:]), strict=True
        )
    ]
    place, bins = _codes(table)
    n, mean, m2 = (table[name].to_numpy().astype(np.float64) for name in Moments._fields)
    alone = np.flatnonzero(bins == 0)
    found = {keys[i]: Moments(int(n[i]), float(mean[i]), float(m2[i])) for i in alone}
    binned = np.flatnonzero(bins > 0)
    counts = {}
    for rows in np.split(binned, np.flatnonzero(np.diff(place[binned])) + 1):
        if rows.size:
            value = np.where(m2[rows] == 0, mean[rows], np.nan)
            own = Histogram(bins[rows] - BIN_RANGE // 2, n[rows], value)
            counts[keys[rows[0]]] = own
    return Sums(found, counts)


def measures_of(sums: Sums, method: str, level: float, term: str) -> Measures:
    """Every measure of one method on one coefficient, from its sums; see `measures.measure`."""
    place = method, None, level, term
    n_replicates = int(np.sum(status_counts(sums, method, level, term)))
    coverage = sums.hits(place, "coverage")
    centred = sums.of(place, "bias_with_interval")
    held = 0.0
    if centred.n:
        lower, upper = (sums.histogram(place, end) for end in ("lower", "upper"))
        held = count_below(lower, centred.mean, True) - count_below(upper, centred.mean, False)
    infinite, n_intervals = sums.hits(place, "width_infinite")
    width = mean_of(sums.of(place, "width"))
    return Measures(
        n_replicates=n_replicates,
        bias=mean_of(sums.of(place, "bias")),
        empirical_se=empirical_se_of(sums.of(place, "bias")),
        mse=mean_of(sums.of(place, "mse")),
        model_se=model_se_of(sums.of(place, "variance")),
        model_se_error=model_se_error_of(
            sums.of(place, "bias_with_variance"), sums.of(place, "variance_with_bias")
        ),
        coverage=share_of(*coverage),
        coverage_wilson=wilson(share_of(*coverage).value, coverage[1]),
        coverage_bounds=bounds_of(*coverage, n_replicates),
        bias_eliminated_coverage=share_of(min(max(held, 0.0), centred.n), centred.n),
        missed_low=share_of(*sums.hits(place, "missed_low")),
        missed_high=share_of(*sums.hits(place, "missed_high")),
        rejection=share_of(*sums.hits(place, "rejection")),
        width=Measure(np.inf, np.nan, n_intervals) if infinite else width,
        width_median=median(sums.histogram(place, "widths")),
        width_infinite=share_of(infinite, n_intervals).value,
    )


def status_counts(sums: Sums, method: str, level: float, term: str) -> NDArray[np.int64]:
    """How often each status occurred."""
    found = sums.histogram((method, None, level, term), "status")
    counts = np.zeros(len(Status), np.int64)
    counts[found.bins] = found.n
    return counts


def difference_of(
    sums: Sums, first: str, second: str, level: float, term: str
) -> dict[str, Difference]:
    """Paired differences of two methods, from sums of parts that hold both."""
    result = {}
    for name in COMPARED:
        paired = mean_of(sums.of((first, second, level, term), name))
        if not paired.n:  # they may have been run in the other order
            back = mean_of(sums.of((second, first, level, term), name))
            paired = back._replace(value=-back.value)
        one, other = (sums.of((method, None, level, term), name) for method in (first, second))
        result[name] = Difference(*paired, one.mean - other.mean, one.n, other.n)
    return result
