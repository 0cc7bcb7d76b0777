"""Bootstrap tests: the data's statistic among those of replicates in which the null is true."""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from jaxlogit import calibrated, hypotheses
from jaxlogit.core import tails
from jaxlogit.core.status import Status
from jaxlogit.data import check_choice, check_contrasts, check_count, check_hypotheses
from jaxlogit.predictions import linear_predictors
from jaxlogit.resampling import replicates
from jaxlogit.resampling.functional import combined
from jaxlogit.resampling.records import BootstrapTest, Replay
from jaxlogit.resampling.sample import Sample, centred, fit_again

if TYPE_CHECKING:
    from jaxlogit.resampling.result import Bootstrap

METHODS = ("wald", "lr", "score")
SAME = 1e-9  # relative: statistics that differ by less are equal, and rounding
SINGULAR = 1e-9  # least eigenvalue of a correlation matrix that is inverted
PORTION = 1 << 20  # numbers in covariances at a time


def test(
    boot: "Bootstrap", method: str | None, null: Any, contrasts: Any, joint: bool
) -> BootstrapTest:
    """Test hypotheses in every data set; see `Bootstrap.test`."""
    allowed = ("score",) if boot.scheme == "score" else METHODS
    method = check_choice("method", allowed[0] if method is None else method, allowed)
    if boot.scheme == "jackknife":
        raise ValueError("scheme must be one that draws at random for tests: found 'jackknife'")
    if method == "wald":
        replicates.check_errors(boot._scheme, boot.fit._penalty, "method 'wald'")
    rows, labels = check_contrasts(contrasts, boot.names)
    if method != "wald":
        calibrated.refuse_intercept(boot.fit._models, boot.fit._penalty, rows)
    constraints, nulls = check_hypotheses(rows, null, joint, method)
    found = []
    for b in range(len(boot._status)):
        sample = boot._sample(b)
        found.append(_compared(boot, b, sample, constraints, nulls, method))
    parts = [np.stack(part) for part in zip(*found, strict=True)]
    if joint:
        parts = [part[:, 0] for part in parts]
    statistic, p_value, p_error, mean, undefined, status = map(boot._out, parts)
    df = constraints.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        tail = tails.p_value(df * statistic / mean, df)
    tail = np.where(boot.n_replicates > 1, tail, np.nan)
    return BootstrapTest(
        statistic, df, p_value, p_error, mean, tail, undefined, status, method, labels
    )


def _compared(boot, b: int, sample: Sample, constraints, nulls, method: str):
    """Statistic, p value, its error, mean, number undefined and status of hypotheses, (h,) each."""
    numbers = np.arange(boot.n_replicates, dtype=np.uint32)
    if boot.scheme == "score":
        observed, replicated, status = _multiplied(sample, numbers, constraints, nulls)
    else:
        observed, status = _observed(sample, constraints, nulls, method)
        if boot.scheme == "parametric":
            replicated = _under_null(sample, numbers, constraints, nulls, method)
        else:
            truth = _truth(sample, constraints)
            known = np.all(np.isfinite(truth), axis=1)
            status = np.where(known, status, int(sample.fit.status))
            replicated = np.full((len(numbers), len(known)), np.nan)
            if np.any(known):
                given = numbers, boot._coef[b], constraints[known], truth[known]
                replicated[:, known] = _around_estimate(sample, *given, method)
    good = (status == Status.CONVERGED) & np.isfinite(observed)
    undefined = np.sum(np.isnan(replicated), axis=0)
    beyond = ~(replicated < observed * (1.0 - SAME))
    p_value = (1.0 + np.sum(beyond, axis=0)) / (1.0 + len(numbers))
    error = np.sqrt(p_value * (1.0 - p_value) / len(numbers))
    parts = observed, p_value, error, np.mean(replicated, axis=0)
    return *(np.where(good, part, np.nan) for part in parts), undefined, status


def _observed(sample: Sample, constraints, nulls, method: str):
    """Statistics (h,) of the data, and statuses."""
    fit = replicates.fit_of_data(sample) if method == "wald" else sample.fit
    solution = fit._solution
    value, status = hypotheses.statistics(solution, solution.wide(constraints), nulls, method)
    return value[0], status[0]


def _truth(sample: Sample, constraints) -> np.ndarray:
    """What hypotheses (h, q, p) are about in the data's estimate, (h, q); not always finite."""
    rows = constraints.reshape(-1, constraints.shape[-1])
    found = [combined(sample.estimate[None], row)[0] for row in rows]
    return np.reshape(found, constraints.shape[:2])


def _around_estimate(sample: Sample, numbers, coef, constraints, truth, method: str) -> np.ndarray:
    """Statistics (R, h) of the hypothesis that the replicate's truth is the data's estimate."""
    out = np.full((len(numbers), len(constraints)), np.nan)
    if method == "wald":
        step = max(1, PORTION // coef.shape[1] ** 2)
        for start in range(0, len(numbers), step):
            part = slice(start, start + step)
            covariance = replicates.covariances(sample, numbers[part], coef[part])
            out[part] = _quadratic(coef[part], covariance, constraints, truth)
        return out
    for part, fit in replicates.refits(sample, numbers):
        out[part] = _statistics(fit, constraints, truth, method)
    return out


def _under_null(sample: Sample, numbers, constraints, nulls, method: str) -> np.ndarray:
    """Statistics (R, h) in outcomes drawn at each hypothesis's restricted maximum."""
    solution = sample.fit._solution
    coef, _ = hypotheses.restricted_coefs(solution, solution.wide(constraints), nulls)
    out = np.full((len(numbers), len(constraints)), np.nan)
    for h in range(len(constraints)):
        if not np.all(np.isfinite(coef[0, h])):
            continue
        source = sample.with_outcomes(coef[0, h, : sample.models.n_terms])
        one = slice(h, h + 1)
        for part, fit in replicates.refits(sample, numbers, source):
            out[part, h] = _statistics(fit, constraints[one], nulls[one], method)[:, 0]
    return out


def _statistics(fit, constraints, nulls, method: str) -> np.ndarray:
    solution = fit._solution
    value, status = hypotheses.statistics(solution, solution.wide(constraints), nulls, method)
    return np.where(status == Status.CONVERGED, value, np.nan)


def _multiplied(sample: Sample, numbers, constraints, nulls):
    """Generalised score statistics: of the data, and with the units' scores multiplied, (R, h)."""
    solution = sample.fit._solution
    coef, status = hypotheses.restricted_coefs(solution, constraints, nulls)
    multipliers = replicates.weights_by_unit(sample, numbers)
    observed, replicated = [], []
    for h in range(len(constraints)):
        scores = _unit_scores(sample, coef[0, h], constraints[h])
        spread = _within(scores, sample.scheme.stratum)
        observed.append(_solved(np.sum(scores, axis=1)[None], (spread @ spread.T)[None])[0])
        replicated.append(_score_statistic(spread, multipliers))
    return np.array(observed), np.stack(replicated, axis=1), status[0]


def _unit_scores(sample: Sample, coef: np.ndarray, constraint: np.ndarray) -> np.ndarray:
    """C I⁻¹ u_g of the units at a restricted maximum, (q, G)."""
    models = sample.models
    mu = scipy.special.expit(linear_predictors(models, coef[None])[0])
    weights = 1.0 if models.weights is None else models.weights
    total = weights * (1.0 if models.trials is None else models.trials)
    information = (models.design * (total * mu * (1.0 - mu))[:, None]).T @ models.design
    along = constraint @ np.linalg.solve(information, models.design.T)
    by_row = along * (weights * models.y - total * mu)
    if sample.scheme.unit is None:
        return by_row
    return np.stack([np.bincount(sample.scheme.unit, r, sample.scheme.n_units) for r in by_row])


def _within(scores: np.ndarray, stratum: np.ndarray | None) -> np.ndarray:
    """Scores (q, G) whose squares add up to the variance of their sum.

    In strata of fixed sizes n that is of deviations from the stratum's mean, times n/(n − 1): the
    means, which need not be 0, do not vary. A stratum of one unit says nothing about it.
    """
    if stratum is None:
        return scores
    sizes = np.bincount(stratum)[stratum]
    return centred(scores, stratum) * np.sqrt(sizes / np.maximum(sizes - 1, 1))


def _score_statistic(scores: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """(Σ v z)'(Σ v² z z')⁻¹(Σ v z) for multipliers (k, G), (k,)."""
    total = multipliers @ scores.T
    q = len(scores)
    pairs = (scores[:, None] * scores[None, :]).reshape(q * q, -1)
    middle = (multipliers**2 @ pairs.T).reshape(-1, q, q)
    return _solved(total, middle)


def _quadratic(coef, covariance, constraints, nulls) -> np.ndarray:
    """(Cβ − b)'(C V C')⁻¹(Cβ − b) for models (k, p), (k, p, p) and hypotheses (h, q, p): (k, h)."""
    out = []
    for constraint, null in zip(constraints, nulls, strict=True):
        with np.errstate(invalid="ignore"):
            gap = coef @ constraint.T - null
        out.append(_solved(gap, constraint @ covariance @ constraint.T))
    return np.stack(out, axis=1)


def _solved(gap: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """g'M⁻¹g, nan where M is singular or anything is not finite."""
    good = np.all(np.isfinite(gap), axis=1) & np.all(np.isfinite(middle), axis=(1, 2))
    out = np.full(len(gap), np.nan)
    size = np.sqrt(np.einsum("kqq->kq", np.where(good[:, None, None], middle, 1.0)))
    good &= np.all(size > 0, axis=1)
    scaled = middle[good] / (size[good][:, :, None] * size[good][:, None, :])
    reduced = gap[good] / size[good]
    regular = np.linalg.eigvalsh(scaled)[:, 0] > SINGULAR if len(scaled) else np.zeros(0, bool)
    index = np.flatnonzero(good)[regular]
    half = np.linalg.solve(scaled[regular], reduced[regular][:, :, None])[:, :, 0]
    out[index] = np.sum(reduced[regular] * half, axis=1)
    return out


def replay(boot: "Bootstrap", r: int, data_set: int) -> Replay:
    """One replicate as data, and its fit; see `Bootstrap.replay`."""
    if check_count("r", r, 0) >= boot.n_replicates:
        raise ValueError(f"r must be below {boot.n_replicates:,}, the number of replicates: "
                         f"found {r}")  # fmt: skip
    if check_count("data_set", data_set, 0) >= len(boot._status):
        raise ValueError(f"data_set must be below {len(boot._status):,}, the number of data "
                         f"sets: found {data_set}")  # fmt: skip
    sample = boot._sample(data_set)
    number = np.array([r], np.uint32)
    coef = replicates.of_sample(sample, number).coef[0]
    if not replicates.draws(sample):
        return Replay(None, np.full(sample.models.n_rows, np.nan), coef, None)
    if sample.scheme.name == "score":
        weights = replicates.weights_by_unit(sample, number)[0]
        unit = sample.scheme.unit
        return Replay(weights if unit is None else weights[unit], sample.models.y, coef, None)
    models = replicates.drawn(sample, number)
    fit = fit_again(models, sample.fit._penalty)[0]
    if sample.scheme.weighs:
        assert models.weights is not None
        return Replay(models.weights[0], sample.models.y, coef, fit)
    return Replay(models.weights, models.y[0], coef, fit)
