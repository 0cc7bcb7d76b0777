"""Slow, independent answers under Firth's penalty, for many data sets at a time: NumPy alone.

l*(β) = l(β) + τ log|X'WX| by slogdet, its score by the leverages, its curvature from the n × n
matrix of squares G∘G, G = X I⁻¹ X', which nothing of the house forms.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

SAFE_STEPS = 60  # by the augmented information; where two hills merge they hardly move


class Sets(NamedTuple):
    """B data sets of n rows, with 0 trials in rows that do not count."""

    X: np.ndarray
    successes: np.ndarray
    trials: np.ndarray
    offset: np.ndarray
    strength: float = 0.5

    def some(self, index) -> "Sets":
        return Sets(*(part[index] for part in self[:4]), self.strength)


def sets(X, successes, trials=1.0, weights=1.0, offset=0.0, strength=0.5) -> Sets:
    X, successes = np.asarray(X, float), np.asarray(successes, float)
    if successes.ndim == 1:
        successes = successes[None]
    if X.ndim == 2:
        X = np.broadcast_to(X, (len(successes), *X.shape))
    shape = X.shape[:2]
    total = np.broadcast_to(np.asarray(trials, float) * weights, shape)
    return Sets(X, np.broadcast_to(successes * weights, shape), total,
                np.broadcast_to(np.asarray(offset, float), shape), strength)  # fmt: skip


def information(data: Sets, coef) -> np.ndarray:
    eta = np.einsum("bnp,bp->bn", data.X, coef) + data.offset
    weighted = (data.trials * expit(eta) * expit(-eta))[..., None] * data.X
    return np.swapaxes(data.X, 1, 2) @ weighted


def loglik(data: Sets, coef) -> np.ndarray:
    """(B,) penalised log-likelihoods."""
    eta = np.einsum("bnp,bp->bn", data.X, coef) + data.offset
    rows = data.successes * eta - data.trials * np.logaddexp(0.0, eta)
    return rows.sum(axis=1) + data.strength * np.linalg.slogdet(information(data, coef))[1]


def derivatives(data: Sets, coef):
    """Score (B, p), minus the second derivative, and one that is always positive definite."""
    eta = np.einsum("bnp,bp->bn", data.X, coef) + data.offset
    mu, w = expit(eta), data.trials * expit(eta) * expit(-eta)
    across = np.swapaxes(data.X, 1, 2)
    plain = across @ (w[..., None] * data.X)
    # A start or a step too far, where weights underflow beside others: l* is −∞ to rounding there,
    # and its derivatives need but lead back.
    lost = np.isneginf(np.linalg.slogdet(plain)[1])
    size = 1e-280 + 1e-14 * np.einsum("bii->b", plain)
    plain = plain + (lost * size)[:, None, None] * np.eye(data.X.shape[2])
    G = data.X @ np.linalg.solve(plain, across)
    c = np.einsum("bii->bi", G)
    tau = data.strength
    score = data.successes - data.trials * mu + 2 * tau * w * c * (0.5 - mu)
    first = w * (1 - 2 * mu)
    second = w * (1 - 6 * mu * (1 - mu))
    bent = (w - tau * second * c)[..., None] * data.X
    exact = across @ bent + tau * across @ (first[..., None] * G * G * first[:, None]) @ data.X
    safe = across @ ((w * (1 + 2 * tau * w * c))[..., None] * data.X)
    return np.einsum("bnp,bn->bp", data.X, score), exact, safe


def maximum(data: Sets, start=None, held=None, values=None, *, settled=True) -> np.ndarray:
    """(B, p) maxima, with the coefficients `held` at `values` (B, k) where any are.

    Without `settled` a search that has not come to rest gives the place where it is.
    """
    count, _, p = data.X.shape
    coef = np.zeros((count, p)) if start is None else np.array(start, float)
    held = [] if held is None else list(held)
    coef[:, held] = 0.0 if values is None else values
    free = [j for j in range(p) if j not in held]
    active = np.arange(count) if free else np.zeros(0, int)
    for n_steps in range(300):
        if not len(active):
            return coef
        part = data.some(active)
        at = coef[active]
        with np.errstate(all="ignore"):
            score, exact, safe = derivatives(part, at)
        if not settled:  # out of the numbers' range
            use = np.isfinite(exact + safe).all(axis=(1, 2))
            use &= np.all(np.einsum("bii->bi", safe) > 1e-250, axis=1)
            active, at, part = active[use], at[use], part.some(use)
            score, exact, safe = score[use], exact[use], safe[use]
        matrix = exact[:, free][:, :, free]
        size = np.sqrt(np.einsum("bii->bi", safe[:, free][:, :, free]))
        scaled = matrix / (size[:, :, None] * size[:, None, :])
        bends, directions = np.linalg.eigh(scaled)
        definite = bends[:, 0] > 1e-3
        if n_steps < SAFE_STEPS:
            instead = safe[:, free][:, :, free]
        else:
            bends = np.maximum(np.abs(bends), 1e-3)
            instead = (directions * bends[:, None]) @ np.swapaxes(directions, 1, 2)
            instead = instead * (size[:, :, None] * size[:, None, :])
        matrix = np.where(definite[:, None, None], matrix, instead)
        # In units in which the diagonal is about 1: far out it underflows.
        least = np.where(definite, 1e-13, 1e-9)[:, None, None]
        matrix = matrix / (size[:, :, None] * size[:, None, :]) + least * np.eye(len(free))
        step = np.linalg.solve(matrix, (score[:, free] / size)[..., None])[..., 0] / size
        moves = np.max(np.abs(np.einsum("bnp,bp->bn", part.X[:, :, free], step)), axis=1)
        before, share = loglik(part, at), np.minimum(1.0, 5.0 / np.maximum(moves, 1e-300))
        for _ in range(40):
            trial = at.copy()
            trial[:, free] += share[:, None] * step
            worse = ~(loglik(part, trial) >= before - 1e-11 * (1 + np.abs(before)))
            if not np.any(worse):
                break
            share[worse] /= 2
        coef[active] = trial
        active = active[np.max(np.abs(step) * size, axis=1) > 1e-11]
    assert not settled, "the oracle found no maximum"
    return coef


def highest(data: Sets, starts, held, values) -> np.ndarray:
    """(B, p) the highest of the restricted maxima from several starts: l* may have some."""
    found = [maximum(data, start, held, values, settled=False) for start in starts]
    heights = [loglik(data, coef) for coef in found]
    best = np.argmax(heights, axis=0)
    return np.take_along_axis(np.stack(found), best[None, :, None], axis=0)[0]


def statistics(data: Sets, peak, coef, held) -> tuple[np.ndarray, np.ndarray]:
    """Likelihood-ratio and score statistics of restricted maxima."""
    score = derivatives(data, coef)[0][:, held]
    inverse = np.linalg.inv(information(data, coef))[:, held][:, :, held]
    return 2 * (peak - loglik(data, coef)), np.einsum("bi,bij,bj->b", score, inverse, score)


def wrong_ends(
    data: Sets, best, j: int, ends, side: int, cutoff: float, method: str, close, also=None
):
    """(B,) whether ends (B,) of coefficient j fail to be the first crossing, to `close` (B,).

    On the way from the maximum the statistic stays below its cutoff, and it passes it within
    `close` of the end. Of several restricted maxima the highest counts: of those from four starts,
    and where these say no, from 40 more and those that `also` (data set, value) names: any place
    as high as it is said to be is a proof that the maximum is no lower.
    """
    bad = _wrong(data, best, j, ends, side, cutoff, method, close, 0)
    again = np.flatnonzero(bad)
    if len(again):
        part = (data.some(again), best[again], j, ends[again], side, cutoff, method, close[again])
        bad[again] = _wrong(*part, 40, also and (lambda values: also(again, values)))
    return bad


def _wrong(data: Sets, best, j, ends, side, cutoff, method, close, more: int, also=None):
    number = ("lr", "score").index(method)
    peak, at, bad = loglik(data, best), best, np.zeros(len(best), bool)
    others = np.delete(data.X, j, axis=2)
    flat = np.linalg.pinv(np.where(data.trials[..., None] > 0, others, 0.0)) @ data.X[:, :, [j]]
    flat = np.insert(-flat[..., 0], j, 1.0, axis=1)  # the linear predictors stay near 0
    random = np.random.default_rng(0)
    unit = np.sqrt(np.einsum("bii->bi", np.linalg.inv(information(data, best))))
    around = [best + (1, 3, 8)[k % 3] * unit * random.normal(size=best.shape) for k in range(more)]
    for share in (0.3, 0.6, 0.85, 0.97, -1.0, 1.0):
        near = np.abs(share) == 1.0
        value = ends + share * side * close if near else best[:, j] + share * (ends - best[:, j])
        low = value[:, None] * flat
        starts = (at, low, 0.5 * (at + low), 0.5 * (best + low), *around)
        if also:
            starts = (*starts, also(value))
        at = highest(data, starts, [j], value[:, None])
        reached = statistics(data, peak, at, [j])[number]
        bad |= ~(reached < cutoff) if share < 1 else ~(reached > cutoff)
    return bad
