"""The others: the same answers to the same data by other programs.

A peer takes the first models of the workload, as many as give a stable time, and reports the
seconds that they took, without start-up, input and output where it runs as a program of its own.
"""

import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import reference
from benchmarks.workloads import Data, Workload
from jaxlogit.batch import n_threads

REFERENCE = "NumPy Newton loop"
R_SCRIPT = Path(__file__).with_name("peers.R")
# Seconds for each peer and round: long against a timer's grain and a program's hiccups.
ROUND_SECONDS = 0.25
QUICK_SECONDS = 0.03
# Variants in the short run of plink2 whose time counts as start-up and input.
PLINK_START = 100


@dataclass(frozen=True)
class Peer:
    """A program to compare with, ready to run on a number of models."""

    name: str
    guess: float
    """µs per model expected at n=100, p=5: it only sets the number of models."""
    call: Callable[[Workload, Data, int], tuple[float, np.ndarray, int]]
    """Seconds, values of the first models, and the number of models timed."""
    needs: str
    """A module or program that must be there."""

    def missing(self) -> str | None:
        """Why this peer cannot run here."""
        if self.needs in ("Rscript", "plink2"):
            return None if shutil.which(self.needs) else f"{self.needs} is not installed"
        return None if importlib.util.find_spec(self.needs) else f"{self.needs} is not installed"

    def models(self, workload: Workload, quick: bool) -> int:
        """How many models to time."""
        size = workload.n_rows * workload.n_terms / 500
        growth = size if self.guess > 5_000 else size**0.5  # small fits are mostly overhead
        wanted = (QUICK_SECONDS if quick else ROUND_SECONDS) * 1e6 / (self.guess * growth)
        return int(np.clip(wanted, 4, workload.n_models))


def peers(workload: Workload) -> tuple[Peer, ...]:
    """The peers that can answer this workload."""
    loop = Peer(REFERENCE, 60, _numpy_fit, "numpy")
    if workload.design == "own-X":
        return (loop,)
    if workload.design in ("genotype", "column"):
        return (loop, Peer("plink2 --glm no-firth", 4, _plink, "plink2"))
    if workload.answer == "fit":
        return (
            loop,
            Peer("statsmodels Logit", 400, _statsmodels, "statsmodels"),
            Peer("scikit-learn newton-chol.", 800, _scikit_learn, "sklearn"),
            Peer("R glm.fit", 300, _r("fit"), "Rscript"),
        )
    if workload.answer == "firth":
        return (Peer("firthmodels (numba)", 1_900, _firthmodels, "firthmodels"),)
    if workload.answer == "rstar":
        return ()
    roots = Peer("R glm.fit, root-finding", 60_000, _r(workload.answer), "Rscript")
    if workload.answer == "lr":
        return (Peer("R glm + confint", 13_000, _r("confint"), "Rscript"), roots)
    return (roots,)


def _loop(one: Callable, data: Data, count: int) -> tuple[float, np.ndarray, int]:
    pairs = [data.model(i) for i in range(count)]
    with _one_blas_thread():
        start = time.perf_counter()
        values = [one(X, y) for X, y in pairs]
        seconds = time.perf_counter() - start
    return seconds, np.array(values), count


def _one_blas_thread():
    """Several threads only slow products this small: statsmodels sixfold at n=1000, p=10."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        return contextlib.nullcontext()
    return threadpool_limits(1)


def _numpy_fit(workload: Workload, data: Data, count: int):
    return _loop(lambda X, y: reference.newton(X, y)[0], data, count)


def _statsmodels(workload: Workload, data: Data, count: int):
    from statsmodels.api import Logit

    return _loop(lambda X, y: Logit(y, X).fit(disp=0).params, data, count)


def _scikit_learn(workload: Workload, data: Data, count: int):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, solver="newton-cholesky", fit_intercept=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return _loop(lambda X, y: model.fit(X, y).coef_[0].copy(), data, count)


def _firthmodels(workload: Workload, data: Data, count: int):
    from firthmodels import FirthLogisticRegression

    def one(X, y):
        model = FirthLogisticRegression(backend="numba", fit_intercept=False).fit(X, y)
        model.lrt()
        return model.conf_int(method="pl")

    return _loop(one, data, count)


def _r(mode: str):
    def call(workload: Workload, data: Data, count: int):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data.X.T.tofile(folder / "X.bin")
            data.y[:count].tofile(folder / "y.bin")
            sizes = [str(size) for size in (workload.n_rows, workload.n_terms, count)]
            _program(["Rscript", "--vanilla", str(R_SCRIPT), mode, name, *sizes])
            seconds = float((folder / "seconds.txt").read_text())
            values = np.fromfile(folder / "values.bin")
        shape = (count, workload.n_terms) if mode == "fit" else (count, workload.n_terms, 2)
        return seconds, values.reshape(shape), count

    return call


def _plink(workload: Workload, data: Data, count: int):
    """All genotypes of the pool on all cores, less the time of a start with a few of them.

    Values are those of the genotype's coefficient; the others, which plink2 fits as well but
    is not asked to print, are nan.
    """
    assert data.genotypes is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_samples(folder, data)
        seconds = []
        for label, genotypes in (("few", data.genotypes[:PLINK_START]), ("all", data.genotypes)):
            _write_genotypes(folder / label, genotypes)
            start = time.perf_counter()
            _program([
                "plink2", "--bfile", label, "--pheno", "pheno.txt", "--covar", "covar.txt",
                "--glm", "no-firth", "hide-covar", "omit-ref", "cols=+beta",
                "--threads", str(n_threads()), "--out", label,
            ], folder)  # fmt: skip
            seconds.append(time.perf_counter() - start)
        lines = (folder / "all.y.glm.logistic").read_text().splitlines()
    column = lines[0].split("\t").index("BETA")
    kept = lines[1 : 1 + min(200, count, workload.n_models)]
    values = np.full((len(kept), workload.n_terms), np.nan)
    values[:, -1] = [line.split("\t")[column].replace("NA", "nan") for line in kept]
    timed = len(data.genotypes) - PLINK_START
    return seconds[1] - seconds[0], values, timed


def _write_samples(folder: Path, data: Data) -> None:
    shared = data.covariates[:, 1:]
    head = "#IID\t" + "\t".join(f"x{j}" for j in range(shared.shape[1]))
    rows = ["\t".join([f"s{i}", *(repr(float(v)) for v in row)]) for i, row in enumerate(shared)]
    (folder / "covar.txt").write_text("\n".join([head, *rows]) + "\n")
    cases = [f"s{i}\t{int(v) + 1}" for i, v in enumerate(data.y)]  # 1 control, 2 case
    (folder / "pheno.txt").write_text("\n".join(["#IID\ty", *cases]) + "\n")


def _write_genotypes(stem: Path, genotypes: np.ndarray) -> None:
    """PLINK 1 files: two bits per sample, 00 two copies of A1, 10 one, 11 none; low bits first."""
    count, n = genotypes.shape
    codes = np.array([3, 2, 0], np.uint8)[genotypes]
    codes = np.pad(codes, ((0, 0), (0, -n % 4))).reshape(count, -1, 4)
    packed = codes @ np.array([1, 4, 16, 64], np.uint8)
    stem.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.astype(np.uint8).tobytes())
    variants = (f"1\tv{i}\t0\t{i + 1}\tA\tC\n" for i in range(count))
    stem.with_suffix(".bim").write_text("".join(variants))
    people = (f"0\ts{i}\t0\t0\t0\t-9\n" for i in range(n))
    stem.with_suffix(".fam").write_text("".join(people))


def _program(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        reason = next((row for row in said if row.startswith("Error")), said[-1])
        raise RuntimeError(f"{command[0]} failed: {reason}")
