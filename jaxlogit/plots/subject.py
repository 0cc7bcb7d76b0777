"""What a picture of a profile is about: one contrast of one model, and its curve."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from jaxlogit.data import check_term
from jaxlogit.intervals import estimates
from jaxlogit.model import Fit
from jaxlogit.plots.paper import LOOKS, one_model, refuse_without_supremum
from jaxlogit.profiles import GRID_LEVEL
from jaxlogit.results import Profile

CURVE = {"color": "black", "linewidth": 1.5}
EXTENDED = 81  # points of a curve that has to go beyond its 99.9 % interval


class Subject(NamedTuple):
    """What is drawn: one contrast of one model."""

    fit: Fit
    """Of the likelihood that is drawn."""
    shown: Fit
    """As given: a robust fit has Wald intervals of its own."""
    contrast: np.ndarray
    name: str
    estimate: float
    path: Profile

    @property
    def label(self) -> str:
        """For the axis of values."""
        return f"{self.name} (log odds)"

    @property
    def finite(self) -> bool:
        """Whether the estimate is."""
        return bool(np.isfinite(self.estimate))

    @property
    def wald_name(self) -> str:
        """What the Wald interval is called: with the kind of a robust fit's covariance."""
        return wald_name(self.shown)

    @property
    def std_error(self) -> float:
        """From the Wald interval, of any contrast: nan without a finite estimate."""
        ends = self.shown.confint(0.5, "wald", self.contrast)
        return float((ends.upper - ends.lower)[0] / (2 * ndtri(0.75)))

    def drop(self, profile: Profile) -> np.ndarray:
        """The log-likelihood below its maximum."""
        return profile.loglik - self.fit.loglik


def subject_of(fit: Any, term: Any) -> Subject:
    """Checked: one model with a (supremum of its) likelihood, and one of its contrasts."""
    fit = one_model(fit)
    rows, labels = check_term(term, fit.names)
    refuse_without_supremum(fit)
    solution = fit._solution
    estimate = float(np.ravel(estimates(solution, solution.wide(rows)))[0])
    model = replace(fit, _solution=solution.unrobust)
    return Subject(model, fit, rows[0], labels[0], estimate, known(model.profile(rows[0])))


def wald_name(fit: Fit) -> str:
    """Wald, with the kind of a robust fit's covariance."""
    units = fit._solution.sandwich
    return LOOKS["wald"].name if units is None else f"{LOOKS['wald'].name} ({units.layout.kind})"


def known(profile: Profile) -> Profile:
    """The profile without points that no search found: the curve goes on straight between."""
    keep = np.isfinite(profile.loglik)
    if np.all(keep):
        return profile
    if np.sum(keep) < 2:
        raise ValueError(f"term must have a profile to draw: none was found for {profile.name}")
    arrays = ("value", "loglik", "signed_root", "coef", "status")
    return replace(profile, **{name: getattr(profile, name)[keep] for name in arrays})


def curve_around(subject: Subject, null: float, root: float) -> Profile:
    """The part of the profile that shows the estimate and the null value, whose root is given."""
    low, high = rising_part(subject, 0.05 * root)
    centre = 0.5 * (low + high)
    if subject.finite:
        shown = np.abs(subject.path.signed_root) <= max(1.5 * root, 1.5)
        (low, high), centre = subject.path.value[shown][[0, -1]], subject.estimate
    beyond = null + 0.15 * (null - centre)
    grid = np.linspace(min(low, beyond), max(high, beyond), EXTENDED)
    return known(subject.fit.profile(subject.contrast, grid))


def rising_part(subject: Subject, root: float) -> tuple[float, float]:
    """Ends of the path's values, without the far part of a separated model's within `root`."""
    path = subject.path
    shown = np.abs(path.signed_root) >= root
    shown = np.ones_like(shown) if subject.finite or not np.any(shown) else shown
    return float(path.value[shown][0]), float(path.value[shown][-1])


def curve_for(subject: Subject, level: float) -> Profile:
    """The profile, on a grid of its own where the interval of this level is wider than it."""
    path = subject.path
    if level <= GRID_LEVEL:
        return path
    ends = subject.fit.confint(level, "lr", subject.contrast)
    lower, upper = float(ends.lower[0]), float(ends.upper[0])
    low = lower if np.isfinite(lower) else path.value[0]
    high = upper if np.isfinite(upper) else path.value[-1]
    return known(subject.fit.profile(subject.contrast, np.linspace(low, high, EXTENDED)))


def limits(curve: Profile) -> tuple[float, float]:
    """Limits of x: the curve's, and a little more."""
    margin = 0.03 * float(curve.value[-1] - curve.value[0])
    return float(curve.value[0]) - margin, float(curve.value[-1]) + margin
