"""Peak memory of one million replicates of a real study, in a process of its own."""

import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

import jaxlogit as jl
from jaxlogit.datasets import load

REPLICATES = 1_000_000
CHUNK = 10_000
SEED = 6


def design(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Birth weight: 189 rows, 9 columns in raw units, the intercept and two of race first."""
    race = columns["race"]
    others = ("age", "lwt", "smoke", "ptl", "ht", "ui")
    rest = [np.asarray(columns[name], float) for name in others]
    levels = [np.asarray(race == level, float) for level in np.unique(race)[1:]]
    return np.column_stack([np.ones(len(race)), *levels, *rest])


def peak_mib() -> float:
    """Largest resident memory of this process so far, in MiB.

    Linux counts the memory of the process that started this one into ru_maxrss, but not into
    VmHWM, both in KiB; macOS gives ru_maxrss in bytes.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))
        if found:
            return int(found[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(replicates: int = REPLICATES) -> dict[str, float]:
    """Fit all replicates in one call, responses held as uint8; then Wald and LR intervals."""
    columns = load("birthwt").columns
    X = design(columns)
    truth = jl.fit(X, np.asarray(columns["low"], float)).coef
    mu = 1 / (1 + np.exp(-X @ truth))
    rng = np.random.default_rng(SEED)
    y = np.empty((replicates, len(mu)), np.uint8)
    for start in range(0, replicates, CHUNK):
        part = y[start : start + CHUNK]
        part[:] = rng.random(part.shape) < mu
    before = peak_mib()
    start = time.perf_counter()
    fit = jl.fit(X, y)
    converged = float(np.mean(fit.status == 0))
    fit.confint(method="wald")
    seconds = time.perf_counter() - start
    wald_peak = peak_mib()
    start = time.perf_counter()
    fit.confint(method="lr")
    lr_seconds = time.perf_counter() - start
    return {
        "replicates": replicates,
        "rows": X.shape[0],
        "terms": X.shape[1],
        "converged_share": converged,
        "responses_mib": y.nbytes / 2**20,
        "before_fit_peak_mib": before,
        "wald_peak_mib": wald_peak,
        "peak_mib": peak_mib(),
        "fit_and_wald_seconds": seconds,
        "lr_seconds": lr_seconds,
    }
