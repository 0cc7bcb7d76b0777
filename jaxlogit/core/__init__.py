"""One model, pure JAX: every function here may be traced, batched and differentiated."""

from jaxlogit.core.differentiable import fit, interval, interval_end, test
from jaxlogit.core.inference import EndResult, FitResult, IntervalResult, TestResult
from jaxlogit.core.status import Status

__all__ = [
    "EndResult",
    "FitResult",
    "IntervalResult",
    "Status",
    "TestResult",
    "fit",
    "interval",
    "interval_end",
    "test",
]
