"""Time and memory per model as a batch grows, each size in a process of its own."""

import statistics
import time

import numpy as np

import jaxlogit as jl
from benchmarks.memory import peak_mib

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROWS, TERMS = 100, 5
SEED = 7
SECONDS = 2.0  # of calls for each size, at least three
CHUNK = 10_000


def measure(count: int) -> dict[str, float]:
    """Fit `count` models, responses held as uint8: µs per model, and memory beside the data's."""
    rng = np.random.default_rng(SEED)
    X = np.column_stack([np.ones(ROWS), rng.standard_normal((ROWS, TERMS - 1))])
    mu = 1 / (1 + np.exp(-X @ rng.normal(scale=0.4, size=TERMS)))
    y = np.empty((count, ROWS), np.uint8)
    for start in range(0, count, CHUNK):
        part = y[start : start + CHUNK]
        part[:] = rng.random(part.shape) < mu
    jl.fit(X, y[:1000]).coef.sum()  # compiles the size of block that thousands take
    jl.fit(X, y).coef.sum()
    spans: list[float] = []
    while len(spans) < 3 or sum(spans) < SECONDS:
        start = time.perf_counter()
        fit = jl.fit(X, y)
        spans.append(time.perf_counter() - start)
        del fit
    return {
        "models": count,
        "us_per_model": statistics.median(spans) / count * 1e6,
        "us_min": min(spans) / count * 1e6,
        "peak_mib": peak_mib(),
        "responses_mib": y.nbytes / 2**20,
    }
