"""Separation of one model: directions that prove it, and what they say of a contrast.

A direction d separates when every row agrees with it: x'd ≥ 0 where all cases are successes,
x'd ≤ 0 where all are failures, x'd = 0 where both occur, and x'd ≠ 0 somewhere. The
log-likelihood then rises along d for ever (Albert and Anderson 1984, Biometrika 71:1–10,
doi:10.1093/biomet/71.1.1). Such a d is a proof that anyone can check row by row. It is
complete separation when all rows have x'd ≠ 0.
"""

from typing import NamedTuple

import jax.numpy as jnp

from jaxlogit.core.kinds import Array

MARGIN_ERROR = 1e-7  # of the largest margin: rounding of a direction found by iteration
CLEAR_MARGIN = 1e-4  # of the largest margin: a row that is certainly moved
BALANCE = 1e4  # least residual of an unmoved row, in units of what is left of the score
NULL_SHARE = 1e-9  # of the longest row's squared length
CLEAR_SLOPE = 1e-5  # of |c||d|: c'd is certainly not zero; directions are good to 1e-7


class Verdict(NamedTuple):
    """What a direction proves about one model."""

    separates: Array
    """() bool: every row agrees with the direction and some row is moved."""
    complete: Array
    """() bool: every row is clearly moved."""
    doubtful: Array
    """() bool: not everything is proved, so that the linear programme must decide."""
    nullity: Array
    """() int: dimension of the space that leaves every unmoved row alone. At 1 the direction
    is the only one (up to its length), so its signs are those of the infinite coefficients."""


def agreement(design, successes, total, direction):
    """Each row's margin: x'd times +1 (all successes) or −1 (all failures), −|x'd| if mixed.

    Rows without cases agree with anything and get +inf.
    """
    move = design @ direction
    margin = jnp.where(successes <= 0, -move, -jnp.abs(move))
    margin = jnp.where(successes >= total, move, margin)
    return jnp.where(total > 0, margin, jnp.inf)


def relative_margins(design, successes, total, direction):
    """`agreement` in units of the largest move, (n,); +inf for rows without cases."""
    margin = agreement(design, successes, total, direction)
    counts = total > 0
    largest = jnp.max(jnp.where(counts, jnp.abs(margin), 0.0))
    return jnp.where(counts, margin / jnp.where(largest > 0, largest, jnp.nan), jnp.inf)


def judge(design, successes, total, direction, residual, score) -> Verdict:
    """Check a candidate direction row by row.

    Parameters
    ----------
    design, successes, total, direction : (n, p), (n,), (n,), (p,) arrays
    residual, score : (n,) array and scalar
        total·mu − successes, and the largest entry of U with its rounding error, where the
        search ended. With r_i = |residual| and x̄_i the row with its sign, U = Σ r_i x̄_i.
        Where U is nothing beside the residuals of the unmoved rows, these add up to zero, so
        that no direction at all moves one of them (Gordan's theorem): the
        separation is not complete, and d moves every row that can be moved.
    """
    relative = relative_margins(design, successes, total, direction)
    finite = jnp.all(relative > -jnp.inf) & jnp.all(jnp.isfinite(direction))
    unmoved = (total > 0) & ~(relative >= CLEAR_MARGIN)
    unclear = jnp.any(unmoved & ~(jnp.abs(relative) <= MARGIN_ERROR))
    signed = unmoved & ((successes <= 0) | (successes >= total))  # mixed rows never move
    least = jnp.min(jnp.where(signed, jnp.abs(residual), jnp.inf))
    unproved = least < BALANCE * score
    eigenvalues = jnp.linalg.eigvalsh(design.T @ jnp.where(unmoved[:, None], design, 0.0))
    nullity = jnp.sum(eigenvalues < null_limit(design), dtype=jnp.int32)
    separates = finite & jnp.all(relative >= -MARGIN_ERROR)
    doubtful = ~finite | unclear | unproved
    return Verdict(separates, separates & ~jnp.any(unmoved), doubtful, nullity)


def null_limit(design):
    """Eigenvalue of X'X over some rows below which a direction leaves those rows alone."""
    return NULL_SHARE * jnp.max(jnp.sum(design**2, axis=1))


def overlapping_part(design, successes, total, direction):
    """What is left of a separated model when its moved rows are fitted perfectly.

    Returns
    -------
    total : (n,) array
        Case totals with the moved rows' set to 0: the supremum of the log-likelihood is the
        maximum over the rows that remain.
    free : (p, p) array
        n/4 times the projector on the directions that those rows say nothing about; added to
        the information it keeps a search from moving along them.
    """
    relative = relative_margins(design, successes, total, direction)
    unmoved = (total > 0) & ~(relative >= CLEAR_MARGIN)
    values, vectors = jnp.linalg.eigh(design.T @ jnp.where(unmoved[:, None], design, 0.0))
    null = jnp.where(values < null_limit(design), 1.0, 0.0)
    free = 0.25 * design.shape[0] * (vectors * null[None, :]) @ vectors.T
    return jnp.where(unmoved, total, 0.0), free
