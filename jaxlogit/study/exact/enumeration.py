"""All outcomes of a fixed design that a fit can tell apart, with their probabilities.

With case weights a and offset o the log-likelihood is

    l(β) = (X'Ay)'β + o'Ay − Σ a m log(1 + exp(eta)),

whose second term is free of β: up to a constant it depends on the outcomes y through the p sums
X'Ay alone. So do estimate, standard errors, separation, and every interval and test made from the
likelihood; Firth's penalty ½ log|I(β)| is free of y and changes nothing in that. Outcomes with
equal sums form one class, fitted once; its probability is the sum of theirs. Rows that are alike
are first made one row with trials, whose successes are binomial.

Sums are compared as integers. A basis of r = rank(X) rows of the design expresses all rows as
x_i = Σ c_ij b_j, so that C'Ay has the information of X'Ay; in these coordinates columns that were
centred, scaled or recoded are again small fractions. Each column of AC, divided by its largest
entry, is replaced by fractions with one denominator, at most `ROUNDING` away. Sums of integers
are exact: outcomes with equal sums always meet, and two that meet differ in no sum by more than
2·`ROUNDING` of its largest term per trial, which is beyond what a fit resolves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jaxlogit.study.design.cells import Array, Cell

Integers = NDArray[np.int64]

State = tuple[Integers, Array, NDArray[np.intp], NDArray[np.integer]]
"""Of the classes over some rows: sums (N, words), probability (N,), the class before, successes."""

MAX_OUTCOMES = 4_000_000
"""Most classes of outcomes: minutes of fitting, and a few gigabytes of results."""

PIECE = 4_000_000
"""Most candidates sorted at a time."""

ROUNDING = 1e-12
"""Largest change of an entry, relative to its column's largest."""

MOST_DENOMINATOR = 10_000
"""Beyond it an entry is within `ROUNDING` of some fraction by chance, and nothing is gained."""

BITS = 40
"""Denominator 2⁴⁰ of columns that are no fractions: half of its inverse is below `ROUNDING`."""

WORD = 2**62
"""Sums packed into one integer stay below it."""

MULTIPLIERS = np.random.default_rng(20260101).integers(1, 2**63 - 1, 64) | 1
"""Odd, modulo 2⁶⁴: they make one number of several."""


@dataclass(frozen=True, eq=False)
class Enumeration:
    """Classes of outcomes of a design, which differ in X'Ay.

    Attributes
    ----------
    cell : Cell
        The design with like rows merged, K rows with trials.
    probability : (N,) array
        Of each class under the cell's truth; they add up to one.
    n_outcomes : int
        Outcomes of the merged design, the product of its trials plus one.
    steps : tuple of pairs of arrays
        For each row, of every class over the rows so far: the class before, and the successes
        of the row. They lead from a class back to one of its outcomes.
    """

    cell: Cell
    probability: Array
    n_outcomes: int
    steps: tuple[tuple[NDArray[np.intp], NDArray[np.integer]], ...]

    def outcomes(self, start: int, stop: int) -> NDArray[np.int32]:
        """One outcome (stop − start, K) of each of the classes start, ..., stop − 1."""
        place = np.arange(start, stop)
        y = np.empty((stop - start, len(self.steps)), np.int32)
        for row in reversed(range(len(self.steps))):
            before, successes = self.steps[row]
            y[:, row] = successes[place]
            place = before[place]
        return y


def enumerate_outcomes(cell: Cell, limit: int = MAX_OUTCOMES) -> Enumeration:
    """Find every class of outcomes of a cell and its probability under the truth.

    Parameters
    ----------
    cell : Cell
        A fixed design.
    limit : int
        Most classes.

    Raises
    ------
    ValueError
        There are more, naming the number of outcomes. N trials have N + 1 classes at least, and
        rows only ever add classes: it is known before any fit, when the first rows have too many.
    """
    merged = merge_rows(cell)
    assert merged.trials is not None  # merge_rows gives them
    trials = [int(m) for m in merged.trials]
    n_outcomes = prod(m + 1 for m in trials)
    if sum(trials) >= limit:
        raise too_many(cell, n_outcomes, limit)
    eta = merged.X @ merged.truth + (0.0 if merged.offset is None else merged.offset)
    keys = _keys(merged)
    found, probability = np.zeros((1, keys.shape[1]), np.int64), np.ones(1)
    steps = []
    for key, m, row_eta in zip(keys, trials, eta, strict=True):
        pieces = _pieces(found, probability, key, binomial(m, row_eta))
        found, probability, before, successes = reduce(_joined, pieces)
        if len(found) > limit:
            raise too_many(cell, n_outcomes, limit)
        steps.append((before, successes))
    return Enumeration(merged, probability, n_outcomes, tuple(steps))


def too_many(cell: Cell, n_outcomes: int, limit: int) -> ValueError:
    """The error where a cell has too many classes of outcomes."""
    count = f"{n_outcomes:,}" if n_outcomes < 10**12 else f"about 1e{len(str(n_outcomes)) - 1}"
    return ValueError(
        f"exact results need at most {limit:,} outcomes that differ in X'y: cell {cell.label} has "
        f"more, of {count} outcomes in all; run the study instead, which simulates them"
    )


def merge_rows(cell: Cell) -> Cell:
    """The cell with rows of equal x, offset and weight made one row with trials.

    Rows that no fit sees, without trials or with weight 0, are left out unless there are no
    others.
    """
    n = len(cell.X)
    trials = np.ones(n) if cell.trials is None else cell.trials
    parts = [cell.X, *(v[:, None] for v in (cell.offset, cell.weights) if v is not None)]
    seen = (trials if cell.weights is None else trials * cell.weights) > 0
    seen |= ~seen.any()
    _, first, group = np.unique(
        np.hstack(parts)[seen], axis=0, return_index=True, return_inverse=True
    )
    kept = np.flatnonzero(seen)[first]
    return replace(
        cell,
        X=cell.X[kept],
        trials=np.bincount(group.reshape(-1), trials[seen]),
        weights=None if cell.weights is None else cell.weights[kept],
        offset=None if cell.offset is None else cell.offset[kept],
    )


def binomial(trials: int, eta: float) -> Array:
    """P(Y = 0), ..., P(Y = m) for m trials at a linear predictor, by the ratios between them."""
    k = np.arange(float(trials))
    log_ratio = np.log((trials - k) / (k + 1.0)) + eta
    log_share = np.concatenate([[0.0], np.cumsum(log_ratio)])
    share = np.exp(log_share - np.max(log_share))
    return share / np.sum(share)


def _pieces(found: Integers, probability: Array, key: Integers, share: Array) -> Iterator[State]:
    """Classes after one more row, by blocks of its successes: sums, probability, way back."""
    n = len(found)
    kind = np.min_scalar_type(len(share))
    block = max(1, PIECE // n)
    for first in range(0, len(share), block):
        successes = np.arange(first, min(first + block, len(share)))
        sums = found + successes[:, None, None] * key
        yield _distinct(
            sums.reshape(-1, len(key)),
            np.ravel(share[successes, None] * probability),
            np.tile(np.arange(n), len(successes)),
            np.repeat(successes, n).astype(kind),
        )


def _joined(one: State, other: State) -> State:
    joined: Any = map(np.concatenate, zip(one, other, strict=True))
    return _distinct(*joined)


def _distinct(
    sums: Integers, probability: Array, before: NDArray[np.intp], successes: NDArray[np.integer]
) -> State:
    """Outcomes with equal sums as one, with one of them to stand for all."""
    # Sorted by one number that equal sums share. Unequal ones that share it, once in 2⁶⁴ pairs,
    # would at worst keep equal sums apart, which is harmless.
    order = np.argsort(sums @ MULTIPLIERS[: sums.shape[1]])
    ordered = sums[order]
    new = np.ones(len(order), bool)
    new[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
    start = np.flatnonzero(new)
    first = order[start]
    return (
        ordered[start],
        np.add.reduceat(probability[order], start),
        before[first],
        successes[first],
    )


def _keys(cell: Cell) -> Integers:
    """What one success in each row adds to the sums: (K, words) integers, K rows."""
    assert cell.trials is not None
    terms = _coordinates(cell.X)
    if cell.weights is not None:
        terms = terms * cell.weights[:, None]
    total = int(np.sum(cell.trials))
    words, size = [np.zeros(len(terms), np.int64)], 1
    for column in terms.T:
        largest = np.max(np.abs(column))
        whole = _integers(column / (largest or 1.0), total)
        reach = np.abs(whole).astype(object) @ cell.trials.astype(int).astype(object)
        width = int(reach) + 1  # sums of one column lie within this of each other
        if size * width >= WORD:
            words.append(np.zeros(len(terms), np.int64))
            size = 1
        words[-1] += size * whole
        size *= width
    return np.column_stack(words)


def _coordinates(X: Array) -> Array:
    """Rows of X as combinations (K, r) of r of them, which are chosen far from dependent."""
    scale = np.max(np.abs(X), axis=0)
    scaled = X / np.where(scale > 0, scale, 1.0)
    found: Any = linalg.qr(scaled.T, mode="r", pivoting=True)  # its type depends on the arguments
    R, order = found
    size = np.abs(np.diag(R))
    rank = int(np.sum(size > ROUNDING * size[0]))
    coordinates = np.zeros((len(X), max(rank, 1)))
    if rank > 0:
        coordinates[order] = linalg.solve_triangular(R[:rank, :rank], R[:rank]).T
    return coordinates


def _integers(column: Array, total: int) -> Integers:
    """Numerators of fractions with one denominator, within `ROUNDING` of the column's entries."""
    bits = min(
        BITS, 61 - total.bit_length()
    )  # 39 at least, as there are `MAX_OUTCOMES` trials at most
    denominator = 1
    for value in np.unique(np.abs(column)):
        near = Fraction(float(value)).limit_denominator(MOST_DENOMINATOR)
        denominator = lcm(denominator, near.denominator)
        if abs(near - Fraction(float(value))) > ROUNDING or denominator >= 2**bits:
            denominator = 2**bits
            break
    return np.rint(column * denominator).astype(np.int64)
