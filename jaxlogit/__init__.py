"""Many logistic regressions at once, with inference that can be trusted."""

from jaxlogit.core.status import Status
from jaxlogit.model import Fit, fit
from jaxlogit.results import Interval, Profile, Separation, Test

__version__ = "0.1.0"
