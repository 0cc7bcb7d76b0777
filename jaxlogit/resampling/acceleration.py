"""The acceleration of BCa intervals, in closed form.

a = ΣL³/(6(ΣL²)^1.5) with L the influence values of the units, centred within their strata: a
sixth of the skewness of the linear part of the estimate (Efron 1987, section 7, doi:10.1080/
01621459.1987.10478410). Outcomes drawn from the fit have their own cumulants in place of the
sums over the data: Σ κ₃d³/(6(Σ κ₂d²)^1.5), d the derivative with respect to the row's successes
(section 4 there: the score in the least favourable direction).
"""

import numpy as np
import scipy

from jaxlogit.predictions import linear_predictors
from jaxlogit.resampling.functional import Functional, derivative
from jaxlogit.resampling.sample import Sample, centred


def accelerations(sample: Sample, wanted: Functional) -> np.ndarray:
    """(q,) of functions of the coefficients; 0 where nothing varies."""
    slopes = derivative(wanted, sample.estimate)
    if sample.scheme.name == "parametric":
        second, third = _drawn_cumulants(sample, slopes)
    else:
        return skewness(slopes @ centred(sample.influence, sample.scheme.stratum))
    return _sixth(second, third)


def skewness(values: np.ndarray) -> np.ndarray:
    """ΣL³/(6(ΣL²)^1.5) of centred influence values (q, G), (q,)."""
    return _sixth(np.sum(values**2, axis=1), np.sum(values**3, axis=1))


def _sixth(second: np.ndarray, third: np.ndarray) -> np.ndarray:
    known = second > 0
    return np.where(known, third / (6.0 * np.where(known, second, 1.0) ** 1.5), 0.0)


def _drawn_cumulants(sample: Sample, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Second and third cumulants of the linear part, over outcomes drawn from the fit."""
    models = sample.models
    mu = scipy.special.expit(linear_predictors(models, sample.estimate[None])[0])
    trials = 1.0 if models.trials is None else models.trials
    variance = trials * mu * (1.0 - mu)
    information = (models.design * variance[:, None]).T @ models.design
    change = slopes @ np.linalg.solve(information, models.design.T)
    return change**2 @ variance, change**3 @ (variance * (1.0 - 2.0 * mu))
