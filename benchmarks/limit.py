"""The machine's own limit: what the arithmetic of a workload costs if nothing else does.

floor = evaluations × (n·t_exp + flops of the three products / GEMM rate)

with t_exp and the GEMM rate measured in the same run, on all cores, in float64. One evaluation
of the likelihood takes n exponentials and three products: X β and X'mu with 2np flops each, and
the information from the q = p(p+1)/2 column products of X, 2nq flops. Evaluations: 6 for a fit
from 0, 4 for each interval end and for each of Firth's tests. Leverages, which Firth's penalty and
r* need, are one more product of 2nq flops.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workloads import Workload
from jaxlogit.batch import n_threads

FIT_EVALUATIONS = 6
END_EVALUATIONS = 4
EXP_SIZE = 1 << 14  # 128 KiB of float64: in the first- and second-level cache
EXP_REPEATS = 200
GEMM_SIZE = 1024
ROUNDS = 7


def measure() -> dict[str, float]:
    """t_exp in ns per element and GEMM rate in Gflop/s: the better of NumPy and XLA, all cores."""
    return {
        "t_exp_ns": min(_numpy_exp(), _xla_exp()),
        "gemm_gflops": max(_numpy_gemm(), _xla_gemm()),
    }


def floor(workload: Workload, limits: dict[str, float]) -> float:
    """µs per model below which the workload's arithmetic cannot be done."""
    n, p = workload.n_rows, workload.n_terms
    flops = 2 * n * (2 * p + p * (p + 1) // 2)
    evaluations = FIT_EVALUATIONS
    if workload.answer != "fit":
        evaluations += END_EVALUATIONS * 2 * p
    if workload.answer == "firth":
        evaluations += END_EVALUATIONS * p
    if workload.answer in ("firth", "rstar"):
        flops += n * p * (p + 1)
    one = n * limits["t_exp_ns"] * 1e-3 + flops / limits["gemm_gflops"] * 1e-3
    return evaluations * one


def _best(call) -> float:
    """Shortest of a few timings, in seconds: a limit, not a typical time."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _on_all_cores(call) -> float:
    """Seconds until every core has made one call, divided by the number of cores."""
    cores = n_threads()
    with ThreadPoolExecutor(cores) as pool:
        return _best(lambda: list(pool.map(lambda _: call(), range(cores)))) / cores


def _numpy_exp() -> float:
    source = np.linspace(-8.0, 0.0, EXP_SIZE)

    def call():
        target = np.empty_like(source)
        for _ in range(EXP_REPEATS):
            np.exp(source, out=target)

    return _on_all_cores(call) / (EXP_SIZE * EXP_REPEATS) * 1e9


def _xla_exp() -> float:
    with jax.enable_x64(True):
        source = jnp.linspace(-8.0, 0.0, EXP_SIZE, dtype=jnp.float64)

        @jax.jit
        def repeated(x):
            return jax.lax.fori_loop(0, EXP_REPEATS, lambda _, z: jnp.exp(-z), x)

        def call():
            with jax.enable_x64(True):
                repeated(source).block_until_ready()

        return _on_all_cores(call) / (EXP_SIZE * EXP_REPEATS) * 1e9


def _numpy_gemm() -> float:
    a = np.full((GEMM_SIZE, GEMM_SIZE), 0.5)
    return 2 * GEMM_SIZE**3 / _best(lambda: a @ a) * 1e-9


def _xla_gemm() -> float:
    with jax.enable_x64(True):
        a = jnp.full((GEMM_SIZE, GEMM_SIZE), 0.5, dtype=jnp.float64)
        product = jax.jit(lambda x: x @ x)
        return 2 * GEMM_SIZE**3 / _best(lambda: product(a).block_until_ready()) * 1e-9
