"""A coverage study by one process, and by local workers that share its cores."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxlogit.cores import n_threads

REPLICATES = 200_000
QUICK_REPLICATES = 2_000
ROUNDS = 3
SPEC = "birthwt"


def measure(quick: bool) -> dict:
    """Seconds of whole commands, start and compilation included, in turn through several rounds.

    The parts of all must be the same to the last bit.
    """
    replicates = QUICK_REPLICATES if quick else REPLICATES
    workers = 2 if quick else max(2, n_threads())
    engines = (None, f"dask:{workers}")
    seconds: dict[str | None, list[float]] = {engine: [] for engine in engines}
    for number in range(1 if quick else ROUNDS):
        parts = []
        for engine in engines[:: 1 if number % 2 == 0 else -1]:
            found, names = run(engine, replicates)
            seconds[engine].append(found)
            parts.append(names)
        if parts[0] != parts[1]:
            raise AssertionError("the parts of two engines differ")
    alone, shared = (seconds[engine] for engine in engines)
    return {
        "study": SPEC,
        "replicates": replicates,
        "cores": n_threads(),
        "workers": workers,
        "alone_s": alone,
        "workers_s": shared,
        "ratio": statistics.median(a / b for a, b in zip(alone, shared, strict=True)),
    }


def run(engine: str | None, replicates: int) -> tuple[float, list[str]]:
    """Seconds of `jaxlogit study run`, and the names of its parts, which hold their digests."""
    folder = Path(tempfile.mkdtemp(prefix="jaxlogit-"))
    command = [sys.executable, "-m", "jaxlogit", "study", "run", SPEC, "--no-progress"]
    command += ["--store", str(folder / "store"), "--replicates", str(replicates)]
    try:
        start = time.perf_counter()
        subprocess.run(command + (["--engine", engine] if engine else []),
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        elapsed = time.perf_counter() - start
        names = sorted(path.name for path in (folder / "store" / "parts").iterdir())
    finally:
        shutil.rmtree(folder)
    return elapsed, names


def table(found: dict) -> str:
    """One line for people."""
    alone, shared = (statistics.median(found[key]) for key in ("alone_s", "workers_s"))
    return (
        f"study {found['study']}, {found['replicates']:,} replicates, {found['cores']} cores: "
        f"one process {alone:.1f} s, {found['workers']} Dask workers {shared:.1f} s, "
        f"{found['ratio']:.2f} times its speed"
    )
