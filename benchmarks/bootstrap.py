"""Bootstrap replicates beside R's boot: `python -m benchmarks.run --bootstrap`.

A call begins with the data as NumPy arrays and ends with the coefficients of all replicates:
checks, the fit of the data, drawing, refits and transfers are included, compilation is not. R's
boot refits with glm.fit, its fastest statistic; rounds are interleaved.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import jaxlogit as jl
from benchmarks.reference import newton
from benchmarks.workloads import Workload, make
from jaxlogit.results import tally

ROUNDS, QUICK_ROUNDS = 7, 3
CHECKED = 100  # replicates compared with refits by the reference
R_REPLICATES = 800
R_SCRIPT = Path(__file__).with_name("peers.R")


@dataclass(frozen=True)
class Case:
    """One bootstrap: of one data set, or of many."""

    scheme: str
    n_rows: int
    n_terms: int
    replicates: int
    data_sets: int = 1
    peer: bool = False

    @property
    def title(self) -> str:
        """One line for people."""
        sets = "" if self.data_sets == 1 else f"{self.data_sets:,} data sets × "
        return f"{self.scheme}, n={self.n_rows} p={self.n_terms}, {sets}{self.replicates:,}"


CASES = (
    Case("pairs", 189, 9, 100_000, peer=True),
    Case("bayesian", 189, 9, 100_000),
    Case("poisson", 189, 9, 100_000),
    Case("parametric", 189, 9, 100_000),
    Case("score", 189, 9, 100_000),
    Case("pairs", 1000, 10, 20_000, peer=True),
    Case("pairs", 189, 9, 1_000, data_sets=1_000),
)


def measure(case: Case, quick: bool) -> dict:
    """µs per replicate of one case, by round, and of R's boot."""
    data = make(Workload("fit", case.n_rows, case.n_terms, 2_000))
    count = max(1_000, case.replicates // 10) if quick else case.replicates
    sets = max(1, case.data_sets // 10) if quick else case.data_sets
    y = data.y[0] if sets == 1 else data.y[:sets]

    def call() -> jl.Bootstrap:
        return jl.bootstrap(data.X, y, scheme=case.scheme, replicates=count)

    start = time.perf_counter()
    boot = call()
    first = time.perf_counter() - start
    own, peer = [], []
    takes_part = case.peer and shutil.which("Rscript") is not None
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        start = time.perf_counter()
        call()
        own.append((time.perf_counter() - start) / (count * sets) * 1e6)
        if takes_part:
            peer.append(_r_boot(data.X, data.y[0], R_REPLICATES // (4 if quick else 1)))
    return {
        "title": case.title, "replicates": count, "data_sets": sets, "us_per_replicate": own,
        "median_us": statistics.median(own), "after_compilation_first_s": first,
        "deviation": _deviation(boot, data.X) if sets == 1 else None,
        "r_boot_us": peer, "ratio": statistics.median(peer) / statistics.median(own)
        if peer else None, "status": tally(boot.status),
    }  # fmt: skip


def table(results: list[dict]) -> str:
    """All cases."""
    rows = [
        f"{'':<46}{'µs/replicate':>13}{'min – max':>16}{'R boot':>9}{'ratio':>8}{'deviation':>11}"
    ]
    for found in results:
        own = found["us_per_replicate"]
        peer = f"{statistics.median(found['r_boot_us']):,.0f}" if found["r_boot_us"] else ""
        ratio = f"{found['ratio']:,.0f}" if found["ratio"] else ""
        deviation = "" if found["deviation"] is None else f"{found['deviation']:.0e}"
        spread = f"{min(own):.2f} – {max(own):.2f}"
        rows.append(f"{found['title']:<46}{found['median_us']:>13.2f}{spread:>16}{peer:>9}"
                    f"{ratio:>8}{deviation:>11}")  # fmt: skip
    return "\n".join(rows)


def _deviation(boot: jl.Bootstrap, X: np.ndarray) -> float | None:
    """Largest distance of the first replicates from refits by plain NumPy, in standard errors."""
    if boot.scheme == "score":
        return None
    worst = 0.0
    for r in np.flatnonzero(boot.status[:CHECKED] == 0):
        drawn = boot.replay(int(r))
        if drawn.weights is None:
            rows, y = X, drawn.y
        else:  # the reference knows no weights: whole numbers are repeated rows
            if np.any(drawn.weights != np.rint(drawn.weights)):
                return None
            which = np.repeat(np.arange(len(X)), drawn.weights.astype(int))
            rows, y = X[which], drawn.y[which]
        gap = np.abs(boot.coef[r] - newton(rows, y)[0]) / boot.fit.std_error
        worst = max(worst, float(np.max(gap)))
    return worst


def _r_boot(X: np.ndarray, y: np.ndarray, count: int) -> float:
    """µs per replicate of boot(), without R's start-up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        X.T.tofile(folder / "X.bin")
        y.tofile(folder / "y.bin")
        sizes = [str(X.shape[0]), str(X.shape[1]), "1"]
        command = ["Rscript", "--vanilla", str(R_SCRIPT), "boot", name, *sizes, str(count)]
        subprocess.run(command, check=True, capture_output=True)
        return float((folder / "seconds.txt").read_text()) / count * 1e6
