"""Bootstrap experiments: schemes, replicates, intervals, tests."""

from jaxlogit.resampling.front import bootstrap
from jaxlogit.resampling.records import (
    BootstrapInterval,
    BootstrapTest,
    JackknifeAfter,
    Moments,
    Replay,
)
from jaxlogit.resampling.result import Bootstrap

__all__ = [
    "Bootstrap",
    "BootstrapInterval",
    "BootstrapTest",
    "JackknifeAfter",
    "Moments",
    "Replay",
    "bootstrap",
]
