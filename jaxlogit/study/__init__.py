"""Coverage studies: simulate, fit, tabulate, resume, and measure with Monte Carlo errors."""

from jaxlogit.study.exact import ExactResult
from jaxlogit.study.merge import merge
from jaxlogit.study.methods import METHODS
from jaxlogit.study.result import Replay, StudyResult
from jaxlogit.study.spec import Study
from jaxlogit.study.summarise import summarise, summary_table
from jaxlogit.study.toml import bundled

__all__ = [
    "METHODS",
    "ExactResult",
    "Replay",
    "Study",
    "StudyResult",
    "bundled",
    "merge",
    "summarise",
    "summary_table",
]
