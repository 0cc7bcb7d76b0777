"""Information criteria, and what they need: numbers of rows, log-likelihoods of null models."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import fitting
from jaxlogit.core.status import Status
from jaxlogit.data import Models
from jaxlogit.penalties import constants
from jaxlogit.predictions import loglik, saturated
from jaxlogit.solution import SEPARATED

if TYPE_CHECKING:
    from jaxlogit.model import Fit


def n_obs(fit: "Fit") -> np.ndarray:
    """Rows that count, (B,): those with a weight above 0, and with trials."""
    return fit._shown(n_rows(fit._models))


def aic(fit: "Fit") -> np.ndarray:
    """Akaike's criterion −2·loglik + 2p, (B,): without binomial coefficients, as `loglik`.

    Differences between fits of the same rows do not depend on these. nan for penalised fits, and
    where the likelihood has no supremum; a separated model has one.
    """
    return _information(fit, 2.0)


def bic(fit: "Fit") -> np.ndarray:
    """Schwarz's criterion −2·loglik + log(n_obs)·p, (B,), otherwise as `aic`."""
    return _information(fit, np.log(np.maximum(n_rows(fit._models), 1)))


def _information(fit: "Fit", rate: Any) -> np.ndarray:
    loglik, status = fit._each(fit._solution.loglik), fit._each(fit._solution.status)
    known = np.isin(status, (int(Status.CONVERGED), *SEPARATED)) & (fit._penalty is None)
    return fit._shown(np.where(known, -2.0 * loglik + rate * fit._models.n_terms, np.nan))


def n_rows(models: Models) -> np.ndarray:
    """Rows of each model that count, (B,)."""
    used = np.ones(models.n_rows, bool)
    for counts in (models.weights, models.trials):
        used = used if counts is None else used & (counts > 0)
    return np.broadcast_to(np.sum(used, axis=-1), (models.n_models,))


def null_deviance(models: Models) -> tuple[np.ndarray, int]:
    """The deviance (B,) of the intercept alone, or of the offset alone without one; its p."""
    if not np.any(constants(models) != 0):
        reached = loglik(models, np.zeros((models.n_models, models.n_terms)))
        return 2.0 * (saturated(models) - reached), 0
    ones = np.ones((models.n_rows, 1))
    single = models.single or not any(
        a is not None and a.ndim == 2
        for a in (models.y, models.trials, models.weights, models.offset)
    )
    null = replace(
        models, design=ones, own=None, place=1, names=("Intercept",), single=single,
        n_models=1 if single else models.n_models,
    )  # fmt: skip
    deviance = 2.0 * (saturated(null) - fitting.fit(null).loglik)
    return np.broadcast_to(deviance, (models.n_models,)), 1
