"""Coverage studies: simulate, fit, tabulate, resume, and measure with Monte Carlo errors.

From the ground up: `measures` (of arrays), `design` (what is simulated), `store` (what is kept),
`computing` (chunks of replicates, and where), `exact` (all outcomes, without simulation), `result`
(the tables), and `spec`, the study itself.
"""

from jaxlogit.study.exact.result import ExactResult
from jaxlogit.study.measures.summarise import summarise, summary_table
from jaxlogit.study.merge import merge
from jaxlogit.study.methods import METHODS
from jaxlogit.study.result import Replay, StudyResult
from jaxlogit.study.spec import Study
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
