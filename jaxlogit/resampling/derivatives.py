"""How an estimate changes with the weights of the rows: the infinitesimal jackknife.

Of one maximum by the implicit function theorem (`core.influence.weight_influence`). FLIC and FLAC
maximise twice, and the second estimate changes with the weights and with the first estimate:

    dγ/dw = −(∂S/∂γ)⁻¹ {∂S/∂w + (∂S/∂β)(dβ/dw)},

S the second score at weights w, estimate γ and first estimate β.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxlogit import calibrated, fitting
from jaxlogit.core.influence import weight_influence
from jaxlogit.core.working import Arrays, merge
from jaxlogit.data import Models
from jaxlogit.model import Fit
from jaxlogit.penalties import Firth, constants
from jaxlogit.predictions import linear_predictors
from jaxlogit.solution import Solution


def by_row(fit: Fit) -> np.ndarray:
    """(p, n) derivatives of one model's estimate with respect to its rows' weights, each 1.

    A case weight is multiplied. The fit must have its rows as they are given, none gathered.
    """
    models, penalty = fit._models, fit._penalty
    match penalty:
        case Firth(intercept="flic"):
            return _flic(fit, _of_maximum(fit._solution, models))
        case Firth(intercept="flac"):
            first = fitting.fit(models, penalty=replace(penalty, intercept="penalized"))
            return _flac(fit, first.user_coef[0], _of_maximum(first, models), penalty.strength)
    return _of_maximum(fit._solution, models)


def _of_maximum(solution: Solution, models: Models) -> np.ndarray:
    with jax.enable_x64(True):
        lane = Arrays(*(None if a is None else a[0] for a in solution.lanes))
        whole = merge(lane, solution.shared)._replace(correction=None, score_total=None)
        every = np.asarray(_weight_influence(whole, solution.coef[0]))
    return every[: models.n_terms, : models.n_rows]  # a penalty may have added some


@jax.jit
def _weight_influence(arrays: Arrays, coef):
    return weight_influence(arrays, coef)


def _counts(models: Models) -> tuple[np.ndarray, np.ndarray]:
    """Successes and cases of the rows, times their case weights."""
    weights = np.ones(models.n_rows) if models.weights is None else models.weights
    return weights * models.y, weights * (1.0 if models.trials is None else models.trials)


def _flic(fit: Fit, change: np.ndarray) -> np.ndarray:
    """Firth's derivatives (p, n), but the intercept's: Σ w(s − k·mu) stays 0 beside the others."""
    models = fit._models
    place = calibrated.flic_place(models)
    successes, cases = _counts(models)
    mu = scipy.special.expit(linear_predictors(models, fit.coef[None])[0])
    variance = cases * mu * (1.0 - mu)
    others = np.delete(models.design, place, axis=1) @ np.delete(change, place, axis=0)
    out = change.copy()
    out[place] = (successes - cases * mu - variance @ others) / np.sum(variance)
    out[place] /= constants(models)[place]
    return out


def _flac(fit: Fit, first: np.ndarray, change: np.ndarray, strength: float) -> np.ndarray:
    models = fit._models
    # Orthogonal columns: the leverages are the same, and raw units lose no digits.
    design, back = np.linalg.qr(models.design)
    offset = np.zeros(models.n_rows) if models.offset is None else models.offset
    coef = fit._solution.user_coef[0]
    with jax.enable_x64(True):
        found = np.asarray(_second_change(
            (design, *_counts(models), offset, np.float64(strength)),
            np.append(back @ coef[:-1], coef[-1]), back @ first, back @ change,
        ))  # fmt: skip
    return np.linalg.solve(back, found)


@jax.jit
def _second_change(rows, coef, first, change):
    """dγ/dw of FLAC without the indicator, from dβ/dw (p, n) of the first estimate."""
    design, successes, cases, offset, strength = rows

    def score(coef, weights, first):
        one_case = jax.grad(jax.lax.logistic)
        variance = weights * cases * jax.vmap(one_case)(design @ first + offset)
        information = (design * variance[:, None]).T @ design
        leverage = variance * jnp.sum(design * jnp.linalg.solve(information, design.T).T, axis=1)
        eta = design @ coef[:-1] + offset
        real = weights * (successes - cases * jax.lax.logistic(eta))
        pseudo = 2.0 * strength * leverage * (0.5 - jax.lax.logistic(eta + coef[-1]))
        return jnp.append(design.T @ (real + pseudo), jnp.sum(pseudo))

    at = coef, jnp.ones_like(offset), first
    by_coef, by_weight, by_first = jax.jacrev(score, (0, 1, 2))(*at)
    return -jnp.linalg.solve(by_coef, by_weight + by_first @ change)[:-1]
