"""What is timed: fixed data sets, and jaxlogit's answer to each."""

from dataclasses import dataclass, replace

import numpy as np

import jaxlogit as jl

SEED = 5
QUICK_SHARE = 10  # a smoke run takes a tenth of the models
GENOTYPES = 100_000_000  # numbers in the pool of genotypes: plink2 needs many models per start


@dataclass(frozen=True)
class Workload:
    """One kind of answer to one shape of data."""

    answer: str
    """"fit", or the method whose intervals of all coefficients follow the fit: "lr", "score"."""
    n_rows: int
    n_terms: int
    n_models: int
    own_design: bool = False
    """X per model; else one X for all."""

    @property
    def name(self) -> str:
        """Short and unique: "lr shared n=100 p=5"."""
        design = "own-X" if self.own_design else "shared"
        return f"{self.answer} {design} n={self.n_rows} p={self.n_terms}"

    @property
    def title(self) -> str:
        """One line for people."""
        what = "ML fit" if self.answer == "fit" else f"fit + all {self.answer} intervals"
        design = "X per model" if self.own_design else "shared X"
        return f"{what}, {design}, n={self.n_rows} p={self.n_terms}, {self.n_models:,} models"

    def quick(self) -> "Workload":
        """The same with fewer models, for a smoke run."""
        return replace(self, n_models=max(200, self.n_models // QUICK_SHARE))


WORKLOADS = (
    Workload("fit", 100, 5, 20_000),
    Workload("fit", 100, 10, 20_000),
    Workload("fit", 1000, 10, 4_000),
    Workload("lr", 100, 5, 4_000),
    Workload("lr", 100, 10, 2_000),
    Workload("lr", 1000, 10, 500),
    Workload("score", 100, 5, 4_000),
    Workload("fit", 100, 5, 20_000, own_design=True),
    Workload("fit", 1000, 5, 4_000, own_design=True),
    Workload("fit", 1000, 10, 2_000, own_design=True),
)


QUICK = tuple(w.quick() for w in WORKLOADS if (w.n_rows, w.n_terms) == (100, 5))


@dataclass(frozen=True, eq=False)
class Data:
    """Design and responses of a workload."""

    X: np.ndarray
    """(n, p), or (B, n, p) where every model has its own."""
    y: np.ndarray
    """(B, n) where X is shared, else (n,): common to all."""
    genotypes: np.ndarray | None = None
    """(G, n) int8 in 0, 1, 2 with G ≥ B: the column in which the designs differ, the last."""

    def model(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Design (n, p) and response (n,) of model i."""
        if self.genotypes is None:
            return self.X, self.y[i]
        return self.X[i], self.y


def make(workload: Workload) -> Data:
    """Data with known truth, the same at every call.

    Columns are an intercept and standard normals. Where each model has its own X, models
    differ in one column, a genotype: the case that plink2 is made for, so that it can take part.
    """
    n, p, count = workload.n_rows, workload.n_terms, workload.n_models
    rng = np.random.default_rng([SEED, n, p, workload.own_design])
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    coef = rng.normal(scale=0.4, size=p)
    mu = 1 / (1 + np.exp(-X @ coef))
    if not workload.own_design:
        return Data(X, (rng.random((count, n)) < mu).astype(np.float64))
    y = (rng.random(n) < mu).astype(np.float64)
    pool = max(count, min(5 * count, GENOTYPES // n))
    frequency = rng.uniform(0.2, 0.5, (pool, 1))
    genotypes = rng.binomial(2, frequency, (pool, n)).astype(np.int8)
    designs = np.repeat(X[None], count, axis=0)
    designs[:, :, -1] = genotypes[:count]
    return Data(designs, y, genotypes)


def answer(workload: Workload, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """What is timed: arrays in, NumPy out.

    Returns
    -------
    values : (B, p) coefficients or (B, p, 2) interval ends
    status : (B,) int32
        0 where the fit and, if asked for, all ends converged; else the largest of their codes.
    """
    fit = jl.fit(data.X, data.y)
    if workload.answer == "fit":
        return fit.coef, fit.status
    ends = fit.confint(method=workload.answer)
    codes = np.maximum(ends.lower_status, ends.upper_status)
    status = np.maximum(fit.status, codes.max(axis=1))
    return np.stack([ends.lower, ends.upper], axis=-1), status
