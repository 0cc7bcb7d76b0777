"""Time jaxlogit beside its peers: `python -m benchmarks.run`, from the repository's root."""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks import (
    bootstrap,
    breakdown,
    frames,
    growth,
    limit,
    memory,
    reference,
    report,
    study,
)
from benchmarks.peers import REFERENCE, Peer, peers
from benchmarks.workloads import QUICK, WORKLOADS, Data, Workload, answer, make
from jaxlogit.batch import n_threads
from jaxlogit.results import tally

ROUNDS = 7
QUICK_ROUNDS = 3
SPAN = 0.25  # seconds of calls in a round
# Models compared with the reference.
CHECKED = {"fit": 200, "lr": 10, "score": 10, "rstar": 10, "firth": 4}
INNER = ("first", "memory", "growth", "breakdown")
RESULTS = Path(__file__).with_name("results")
PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "statsmodels", "scikit-learn", "firthmodels")


def main(arguments: list[str] | None = None) -> int:
    """Run the workloads that were asked for, print each table as it is ready, write JSON."""
    options = parse(arguments)
    chosen = [w for w in (QUICK if options.quick else WORKLOADS) if options.only in w.name]
    if options.inner:
        print(json.dumps(_inner(options.inner, chosen, options.quick, options.models)))
        return 0
    if not chosen:
        names = ", ".join(repr(w.name) for w in (QUICK if options.quick else WORKLOADS))
        print(f"--only must be part of one of {names}: found {options.only!r}", file=sys.stderr)
        return 1
    record: dict = {"quick": options.quick, "environment": environment()}
    if options.memory:
        record["memory"] = apart("memory", options.quick)
        print(report.memory(record["memory"]))
    elif options.bootstrap:
        record["bootstrap"] = [bootstrap.measure(case, options.quick) for case in bootstrap.CASES]
        print(bootstrap.table(record["bootstrap"]))
    elif options.study:
        record["study"] = study.measure(options.quick)
        print(study.table(record["study"]))
    elif options.frames:
        record["frames"] = frames.measure(options.quick)
        print(frames.table(record["frames"]))
    elif options.growth:
        sizes = growth.SIZES[:2] if options.quick else growth.SIZES
        record["growth"] = [apart("growth", options.quick, models=size) for size in sizes]
        print(report.growth(record["growth"]))
    elif options.breakdown:
        record["breakdown"] = [apart("breakdown", options.quick, workload) for workload in chosen]
        print(breakdown.table(record["breakdown"]))
    else:
        record["limits"] = limit.measure()
        print(report.head(record), flush=True)
        record["workloads"] = []
        for workload in chosen:
            record["workloads"].append(compare(workload, record["limits"], options.quick))
            print(report.table(record["workloads"][-1]), flush=True)
    if target := destination(options):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than a minute")
    parser.add_argument("--only", default="", metavar="TEXT", help="workloads with TEXT in a name")
    parser.add_argument("--memory", action="store_true", help="peak memory of 10⁶ replicates only")
    parser.add_argument("--growth", action="store_true", help="time per model from 10³ to 10⁶")
    parser.add_argument("--bootstrap", action="store_true", help="bootstrap replicates only")
    parser.add_argument("--study", action="store_true", help="coverage studies as whole commands")
    parser.add_argument("--frames", action="store_true", help="groups of rows, a large file")
    parser.add_argument("--breakdown", action="store_true", help="operations by kind, one core")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where results go; default benchmarks/results"
    )
    parser.add_argument("--inner", choices=INNER, help=argparse.SUPPRESS)
    parser.add_argument("--models", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def destination(options: argparse.Namespace) -> Path | None:
    """The JSON file: as asked; by default none for a partial or a smoke run."""
    if options.json or options.quick or options.only:
        return options.json
    kinds = ("memory", "growth", "bootstrap", "study", "frames", "breakdown")
    kind = next((f"-{kind}" for kind in kinds if getattr(options, kind)), "")
    device = jax.default_backend()
    narrow = "-avx2" if device == "cpu" and "AVX2" in _processor() else ""
    return RESULTS / f"{device}-{n_threads()}core{narrow}{kind}.json"


def compare(workload: Workload, limits: dict[str, float], quick: bool) -> dict:
    """One table: jaxlogit, then its peers, timed in turn through several rounds."""
    first = apart("first", quick, workload)
    data = make(workload)
    values, status = answer(workload, data)  # compiles
    found, skipped = first_values(workload, data, quick)
    own, times = interleaved(workload, data, list(found), quick)
    median = statistics.median(own)
    floor = limit.floor(workload, limits)
    mine = line("jaxlogit", workload.n_models, own, median)
    mine |= {
        "floor_us": floor,
        "times_floor": median / floor,
        "first_call_s": first["seconds"],
        "deviation": deviation(values, data, workload),
    }
    lines = [{"name": peer.name, "skipped": reason} for peer, reason in skipped.items()]
    for peer, peer_values in found.items():
        entry = line(peer.name, *times[peer], median)
        is_reference = peer.name == REFERENCE
        entry["deviation"] = None if is_reference else deviation(peer_values, data, workload)
        lines.append(entry)
    order = [peer.name for peer in peers(workload)]
    lines.sort(key=lambda entry: order.index(entry["name"]))
    return {
        "name": workload.name,
        "title": workload.title,
        "status": tally(status),
        "lines": [mine, *lines],
    }


def first_values(workload: Workload, data: Data, quick: bool):
    """Values of every peer that runs here, from a call that is not timed; reasons of the others."""
    found: dict[Peer, np.ndarray] = {}
    skipped: dict[Peer, str] = {}
    for peer in peers(workload):
        if reason := peer.missing():
            skipped[peer] = reason
            continue
        try:
            found[peer] = peer.call(workload, data, peer.models(workload, quick))[1]
        except RuntimeError as error:
            skipped[peer] = str(error)
    return found, skipped


def deviation(values: np.ndarray, data: Data, workload: Workload) -> float:
    """Largest deviation of the first models' values from the reference, in standard errors."""
    return reference.deviation(values[: CHECKED[workload.answer]], data, workload.answer)


def interleaved(workload: Workload, data: Data, ready: list[Peer], quick: bool):
    """µs per model, by round, of jaxlogit and of every peer: all take turns in every round."""
    own: list[float] = []
    times: dict[Peer, tuple[int, list[float]]] = {}
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        calls, start, seconds = 0, time.perf_counter(), 0.0
        while calls == 0 or (seconds < SPAN and not quick):  # a quarter of a second, as the peers
            answer(workload, data)
            calls, seconds = calls + 1, time.perf_counter() - start
        own.append(seconds / calls / workload.n_models * 1e6)
        for peer in ready:
            seconds, _, count = peer.call(workload, data, peer.models(workload, quick))
            times.setdefault(peer, (count, []))[1].append(seconds / count * 1e6)
    return own, times


def line(name: str, models: int, spans: list[float], own_median: float) -> dict:
    """Median, range and ratio of one line of a table."""
    median = statistics.median(spans)
    return {
        "name": name,
        "models": models,
        "us_per_model": median,
        "us_min": min(spans),
        "us_max": max(spans),
        "ratio": median / own_median,
    }


def apart(what: str, quick: bool, workload: Workload | None = None, models: int = 0) -> dict:
    """A measurement in a fresh process, where nothing is compiled and no memory was used."""
    command = [sys.executable, "-m", "benchmarks.run", "--inner", what]
    command += ["--quick"] * quick + (["--only", workload.name] if workload else [])
    command += ["--models", str(models)]
    # A compilation cache on disk would hide what a first call costs.
    settings = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, cwd=root, env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"measuring {what} in its own process failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _inner(what: str, chosen: list[Workload], quick: bool, models: int) -> dict:
    if what == "growth":
        return growth.measure(models)
    if what == "memory":
        return memory.measure(memory.REPLICATES // 50 if quick else memory.REPLICATES)
    if what == "breakdown":
        return breakdown.measure(chosen[0])
    data = make(chosen[0])
    start = time.perf_counter()
    answer(chosen[0], data)
    return {"seconds": time.perf_counter() - start}


def environment() -> dict:
    """Versions and processor: what a reader needs to repeat the run, and no names of machines."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        **versions,
        "R": _program_version(["Rscript", "--version"]),
        "plink2": _program_version(["plink2", "--version"]),
        "cpu": _processor(),
        "cores": n_threads(),
        "device": jax.devices()[0].device_kind,
        "load_at_start": os.getloadavg()[0],
    }


def _program_version(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _processor() -> str:
    """The processor's model, with family and model number where its name says little."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    facts = {}
    for row in text.splitlines():
        key, _, value = row.partition(":")
        facts.setdefault(key.strip(), value.strip())
    number = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
    flags = facts.get("flags", "").split()
    widest = {"avx512f": ", AVX-512", "avx2": ", AVX2"}
    wide = next((words for flag, words in widest.items() if flag in flags), "")
    return f"{facts.get('model name', platform.machine())} ({number}{wide})"


if __name__ == "__main__":
    sys.exit(main())
