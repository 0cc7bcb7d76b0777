"""Many logistic regressions at once, with inference that can be trusted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxlogit import core, datasets, penalties
from jaxlogit.comparison import Comparison, TermTests, compare
from jaxlogit.core.status import Status
from jaxlogit.delta import Margins, Transform
from jaxlogit.diagnosis import Diagnosis
from jaxlogit.front import fit, fit_formula
from jaxlogit.generic import Maximum, maximize, profile_interval
from jaxlogit.influence import Influence
from jaxlogit.model import Fit
from jaxlogit.resampling import Bootstrap, bootstrap
from jaxlogit.results import Interval, Prediction, Profile, Region, Separation, Test

if TYPE_CHECKING:
    from jaxlogit import plots as plots
    from jaxlogit.study import Study, summarise

__version__ = "0.1.0"
__all__ = [
    "Bootstrap",
    "Comparison",
    "Diagnosis",
    "Fit",
    "Influence",
    "Interval",
    "Margins",
    "Maximum",
    "Prediction",
    "Profile",
    "Region",
    "Separation",
    "Status",
    "Study",
    "TermTests",
    "Test",
    "Transform",
    "bootstrap",
    "compare",
    "core",
    "datasets",
    "fit",
    "fit_formula",
    "maximize",
    "penalties",
    "profile_interval",
    "summarise",
]


def __getattr__(name: str) -> Any:
    """`Study`, `summarise`, `plots` on first use: they need extras array users may not have."""
    if name in ("Study", "summarise"):
        return getattr(import_module("jaxlogit.study"), name)
    if name == "plots":
        return import_module("jaxlogit.plots")
    raise AttributeError(f"module 'jaxlogit' has no attribute {name!r}")
