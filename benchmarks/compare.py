"""Time two commits in alternation: `python -m benchmarks.compare BASE [HEAD]`.

Each commit's package runs in a process of its own, on the same data, and both processes live
through all rounds: what the machine does meanwhile falls on both. HEAD is the working tree
where none is named. Below 1 the ratio says that HEAD is faster.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import number
from benchmarks.workloads import WORKLOADS, Workload, answer, make

ROUNDS = 15
ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Print one line per workload: medians, and the ratio with its spread over rounds."""
    options = parse(arguments)
    chosen = [w for w in WORKLOADS if options.only in w.name]
    if options.serve:
        return serve(chosen[0])
    if not chosen:
        names = ", ".join(repr(w.name) for w in WORKLOADS)
        print(f"--only must be part of one of {names}: found {options.only!r}", file=sys.stderr)
        return 1
    print(f"{'':<26}{'base µs':>10}{'head µs':>10}{'ratio':>8}{'quartiles':>16}")
    with tempfile.TemporaryDirectory() as folder:
        trees = [package_of(commit, Path(folder)) for commit in (options.base, options.head)]
        for workload in chosen:
            print(line(workload, *timings(workload, trees, options.rounds)), flush=True)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("base", nargs="?", help="commit to compare with")
    parser.add_argument("head", nargs="?", help="commit, or nothing for the working tree")
    parser.add_argument("--only", default="", metavar="TEXT", help="workloads with TEXT in a name")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.base is None and not options.serve:
        parser.error("BASE must name a commit")
    return options


def package_of(commit: str | None, folder: Path) -> Path:
    """A folder with the package as it was at a commit; the repository for the working tree."""
    if commit is None:
        return ROOT
    target = folder / commit.replace("/", "-")
    target.mkdir(exist_ok=True)
    archive = subprocess.run(
        ["git", "archive", commit, "jaxlogit"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        raise SystemExit(f"BASE and HEAD must be commits: found {commit!r}")
    subprocess.run(["tar", "--extract", "--directory", target], input=archive.stdout, check=True)
    return target


def timings(workload: Workload, trees: list[Path], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds by round, of base and head in turn."""
    servers = [start(workload, tree) for tree in trees]
    try:
        for server in servers:
            ask(server)  # compiles
        spans = [[ask(server) for server in servers] for _ in range(rounds)]
    finally:
        for server in servers:
            server.kill()
            server.wait()
    return [span[0] for span in spans], [span[1] for span in spans]


def start(workload: Workload, tree: Path) -> subprocess.Popen:
    """A process that answers a workload with the package of a tree whenever it is asked."""
    code = (
        f"import sys; sys.path[:0] = [{str(tree)!r}, {str(ROOT)!r}]; "
        f"from benchmarks.compare import main; main(['--serve', '--only', {workload.name!r}])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def serve(workload: Workload) -> int:
    """For each line on standard input, answer and print the seconds it took."""
    data = make(workload)
    for _ in sys.stdin:
        begin = time.perf_counter()
        answer(workload, data)
        print(time.perf_counter() - begin, flush=True)
    return 0


def ask(server: subprocess.Popen) -> float:
    """One timing."""
    assert server.stdin is not None and server.stdout is not None
    print(file=server.stdin, flush=True)
    reply = server.stdout.readline()
    if not reply:
        raise SystemExit("a commit's package could not answer; its error is above")
    return float(reply)


def line(workload: Workload, base: list[float], head: list[float]) -> str:
    """Medians in µs per model, and the median and quartiles of the rounds' ratios."""
    ratios = sorted(b / a for a, b in zip(base, head, strict=True))
    unit = 1e6 / workload.n_models
    low, middle, high = statistics.quantiles(ratios, n=4)
    medians = [number(statistics.median(spans) * unit) for spans in (base, head)]
    spread = f"{low:.2f} – {high:.2f}"
    return f"{workload.name:<26}{medians[0]:>10}{medians[1]:>10}{middle:>8.2f}{spread:>16}"


if __name__ == "__main__":
    sys.exit(main())
