"""Coverage studies as whole commands: a million replicates, all outcomes, workers, and R's loop."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxlogit.cores import n_threads

EXAMPLES = Path(__file__).parent.parent / "examples"
MILLION = 1_000_000
QUICK = 2_000
ROUNDS = 3
WORKERS_REPLICATES = 200_000
R_REPLICATES = 200

TWO_GROUPS = """
name = "two-groups"
seed = 1
replicates = 1
methods = ["ml:wald", "ml:lr", "ml:score", "firth:wald", "firth:lr"]
[design]
groups = [50, 50]
event_rates = [0.1, 0.2]
"""

R_LOOP = """
suppressMessages(library(MASS))
d <- subset(birthwt, ftv == 0)
full <- glm(I(1 - low) ~ age + I(race == 1) + smoke + I(ptl > 0) + ht + log(lwt), binomial, d)
p <- fitted(full)
set.seed(1)
seconds <- system.time(for (i in 1:COUNT) suppressMessages(suppressWarnings({
  d$y <- rbinom(length(p), 1, p)
  fit <- glm(y ~ age + I(race == 1) + smoke + I(ptl > 0) + ht + log(lwt), binomial, d)
  try(confint(fit), silent = TRUE)
})))[["elapsed"]]
cat(seconds / COUNT)
"""


def measure(quick: bool) -> dict:
    """Every figure; R's only where it is installed."""
    found = {"cores": n_threads(), "million": million(QUICK if quick else MILLION)}
    found["exact"] = exact()
    found["workers"] = workers(QUICK if quick else WORKERS_REPLICATES, 1 if quick else ROUNDS)
    if shutil.which("Rscript"):
        found["r"] = same_work(QUICK if quick else MILLION, 10 if quick else R_REPLICATES)
    return found


def million(replicates: int) -> dict:
    """The birth-weight example: seconds, peak memory, and the share that is not fitting."""
    spec = EXAMPLES / "birthwt.toml"
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak, _ = run(str(spec), replicates, cache=folder)
    return {"replicates": replicates, "seconds": seconds, "peak_mib": peak,
            "other": other_share(spec)}  # fmt: skip


def same_work(replicates: int, r_replicates: int) -> dict:
    """What R's loop does, by R and by `jaxlogit study run`, from nothing and with programs kept.

    Both have Wald and profile-likelihood intervals; the study has likelihood-ratio tests beside.
    """
    each, seconds = r_loop(r_replicates), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "same.toml"
        text = (EXAMPLES / "birthwt.toml").read_text()
        path.write_text(re.sub(r"methods = .*", 'methods = ["ml:wald", "ml:lr"]', text))
        for _ in range(2):
            seconds.append(run(str(path), replicates, cache=folder)[0])
    return {"replicate_s": each, "replicates": replicates, "seconds": seconds[0],
            "again_s": seconds[1]}  # fmt: skip


def other_share(spec: Path, replicates: int = 40_000) -> float:
    """Share of a run's time, compiled, that goes into simulation, storing and the tables."""
    from jaxlogit.study import Study
    from jaxlogit.study.asked import record_of
    from jaxlogit.study.computing.tabulate import tabulate
    from jaxlogit.study.design.simulate import simulate
    from jaxlogit.study.store.parts import Task, part_content, save_part

    study = Study.from_toml(spec)
    record, (cell,) = record_of(study), study.cells
    chunk, spent = 10_000, {"simulate": 0.0, "fit": 0.0, "store": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        study.run(folder, chunk, progress=False)
        for start in range(chunk, chunk + replicates, chunk):
            clock = [time.perf_counter()]
            data = simulate(cell, study.seed, start, start + chunk)
            clock.append(time.perf_counter())
            groups = list(tabulate(record, cell, data, study.methods, start))
            clock.append(time.perf_counter())
            task = Task(cell.label, start, start + chunk, tuple(study.methods))
            save_part(Path(folder), record, task, part_content(record, task, groups))
            clock.append(time.perf_counter())
            for name, one, other in zip(spent, clock, clock[1:], strict=False):
                spent[name] += other - one
        whole = study.run(folder, chunk + replicates, progress=False)
        begun = time.perf_counter()
        whole.summary()
        tables = time.perf_counter() - begun
    other = spent["simulate"] + spent["store"] + tables
    return other / (other + spent["fit"])


def exact() -> dict:
    """Two groups of 50, five methods: seconds of the command, start and compilation included.

    The first time on a machine, and again with the programs that the first run has kept.
    """
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "two-groups.toml"
        path.write_text(TWO_GROUPS)
        for _ in range(2):
            start = time.perf_counter()
            command = [sys.executable, "-m", "jaxlogit", "study", "exact", str(path)]
            kept = os.environ | {"XDG_CACHE_HOME": folder}
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=kept)
            seconds.append(time.perf_counter() - start)
    return {"outcomes": 51 * 51, "seconds": seconds[0], "again_s": seconds[1]}


def workers(replicates: int, rounds: int) -> dict:
    """One process and local Dask workers in turn; their parts must be the same to the last bit."""
    count = max(2, n_threads())
    engines = (None, f"dask:{count}")
    seconds: dict[str | None, list[float]] = {engine: [] for engine in engines}
    for number in range(rounds):
        parts = []
        for engine in engines[:: 1 if number % 2 == 0 else -1]:
            found, _, names = run("birthwt", replicates, engine)
            seconds[engine].append(found)
            parts.append(names)
        if parts[0] != parts[1]:
            raise AssertionError("the parts of two engines differ")
    alone, shared = (seconds[engine] for engine in engines)
    ratio = statistics.median(a / b for a, b in zip(alone, shared, strict=True))
    return {"replicates": replicates, "workers": count, "alone_s": alone, "workers_s": shared,
            "ratio": ratio}  # fmt: skip


def run(
    spec: str, replicates: int, engine: str | None = None, cache: str | None = None
) -> tuple[float, float, list[str]]:
    """Seconds and peak MiB of `jaxlogit study run`, and its parts' names, which hold digests.

    Compiled programs are kept in `cache`, by default the user's.
    """
    folder = Path(tempfile.mkdtemp(prefix="jaxlogit-"))
    command = [sys.executable, "-c", _CHILD, "study", "run", spec, "--no-progress"]
    command += ["--store", str(folder / "store"), "--replicates", str(replicates)]
    try:
        start = time.perf_counter()
        kept = os.environ | ({"XDG_CACHE_HOME": cache} if cache else {})
        done = subprocess.run(command + (["--engine", engine] if engine else []), check=True,
                              stdout=subprocess.PIPE, text=True, env=kept)  # fmt: skip
        elapsed = time.perf_counter() - start
        names = sorted(path.name for path in (folder / "store" / "parts").iterdir())
    finally:
        shutil.rmtree(folder)
    return elapsed, float(re.findall(r"peak MiB ([\d.]+)", done.stdout)[-1]), names


_CHILD = """
import sys
from jaxlogit.cli import main
if __name__ == "__main__":
    status = main(sys.argv[1:])
    import resource
    print("peak MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.exit(status)
"""


def r_loop(replicates: int) -> float:
    """Seconds a replicate of glm and its profile intervals in R, one core."""
    done = subprocess.run(["Rscript", "-e", R_LOOP.replace("COUNT", str(replicates))], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return float(done.stdout.split()[-1])


def table(found: dict) -> str:
    """A line for each figure, for people."""
    big, workers_, exact_ = found["million"], found["workers"], found["exact"]
    lines = [
        f"birth weights, {big['replicates']:,} replicates x 5 methods: {big['seconds']:.0f} s, "
        f"peak {big['peak_mib']:.0f} MiB, {100 * big['other']:.0f} % not fitting",
        f"two groups of 50, all {exact_['outcomes']:,} outcomes: {exact_['seconds']:.1f} s, "
        f"with compiled programs kept from before {exact_['again_s']:.1f} s",
        f"birthwt, {workers_['replicates']:,} replicates: {workers_['workers']} Dask workers at "
        f"{workers_['ratio']:.2f} times the speed of one process",
    ]
    if "r" in found:
        same = found["r"]
        ours = [1e6 * same[key] / same["replicates"] for key in ("seconds", "again_s")]
        times = [1e6 * same["replicate_s"] / each for each in ours]
        lines.append(
            f"R's glm and confint: {1e3 * same['replicate_s']:.0f} ms a replicate; ml:wald and "
            f"ml:lr, {same['replicates']:,} replicates: {ours[0]:.0f} µs, {times[0]:,.0f} times "
            f"as fast; with programs kept from before {ours[1]:.0f} µs, {times[1]:,.0f} times"
        )
    return "\n".join(lines)
