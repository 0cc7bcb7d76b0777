"""What is timed: fixed data sets, and jaxlogit's answer to each."""

from dataclasses import dataclass, replace

import numpy as np

import jaxlogit as jl

SEED = 5
QUICK_SHARE = 10  # a smoke run takes a tenth of the models
GENOTYPES = 100_000_000  # numbers in the pool of genotypes: plink2 needs many models per start


DESIGNS = {
    "shared": "shared X",
    "genotype": "X per model, one column differs",
    "column": "shared X and a column per model",
    "own-X": "X per model",
    "doses": "shared X, ten doses",
    "rare": "shared X, rare events",
}


@dataclass(frozen=True)
class Workload:
    """One kind of answer to one shape of data."""

    answer: str
    """"fit", or the method whose intervals of all coefficients follow the fit: "lr", "score",
    "rstar", or "firth": Firth's fit with all penalised LR tests and intervals."""
    n_rows: int
    n_terms: int
    n_models: int
    design: str = "shared"
    """One of `DESIGNS`."""

    @property
    def name(self) -> str:
        """Short and unique: "lr shared n=100 p=5"."""
        return f"{self.answer} {self.design} n={self.n_rows} p={self.n_terms}"

    @property
    def title(self) -> str:
        """One line for people."""
        what = "ML fit" if self.answer == "fit" else f"fit + all {self.answer} intervals"
        what = "Firth fit + all LR tests and intervals" if self.answer == "firth" else what
        models = "1 model" if self.n_models == 1 else f"{self.n_models:,} models"
        size = f"n={self.n_rows} p={self.n_terms}, {models}"
        return f"{what}, {DESIGNS[self.design]}, {size}"

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
    Workload("rstar", 100, 5, 4_000),
    Workload("firth", 100, 5, 2_000),
    Workload("firth", 189, 9, 1_000),
    Workload("fit", 100, 5, 20_000, "genotype"),
    Workload("fit", 1000, 5, 4_000, "genotype"),
    Workload("fit", 1000, 10, 2_000, "genotype"),
    Workload("fit", 100, 5, 20_000, "column"),
    Workload("fit", 1000, 10, 2_000, "column"),
    Workload("fit", 2000, 200, 20),
    Workload("fit", 1_000_000, 10, 1),
    Workload("fit", 100, 2, 100_000, "doses"),
    Workload("lr", 100, 2, 100_000, "doses"),
    Workload("lr", 100, 5, 8_000, "rare"),
    Workload("fit", 100, 5, 20_000, "own-X"),
    Workload("fit", 1000, 5, 4_000, "own-X"),
    Workload("fit", 1000, 10, 2_000, "own-X"),
)


QUICK = tuple(w.quick() for w in WORKLOADS if (w.n_rows, w.n_terms) == (100, 5))


@dataclass(frozen=True, eq=False)
class Data:
    """Design and responses of a workload."""

    X: np.ndarray
    """(n, p), (B, n, p) where every model has its own, (n, p − 1) beside a column of its own."""
    y: np.ndarray
    """(B, n), or (n,) common to all where the designs differ in a genotype."""
    genotypes: np.ndarray | None = None
    """(G, n) int8 in 0, 1, 2 with G ≥ B: the column in which the designs differ, the last."""

    @property
    def covariates(self) -> np.ndarray:
        """(n, p − 1): what designs that differ in a genotype share."""
        return self.X if self.X.ndim == 2 else self.X[0, :, :-1]

    def model(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Design (n, p) and response (n,) of model i."""
        if self.genotypes is not None:
            return np.column_stack([self.covariates, self.genotypes[i]]), self.y
        return self.X if self.X.ndim == 2 else self.X[i], self.y[i]


def make(workload: Workload) -> Data:
    """Data with known truth, the same at every call.

    Columns are an intercept and standard normals, or doses 0, …, 9. Where designs differ in one
    column it is a genotype: the case that plink2 is made for, so that it can take part. Where
    events are rare, some in a hundred models are separated.
    """
    n, p, count = workload.n_rows, workload.n_terms, workload.n_models
    rng = np.random.default_rng([SEED, n, p, workload.design not in ("shared", "doses", "rare")])
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    coef = rng.normal(scale=0.4 * min(1.0, (10 / p) ** 0.5), size=p)  # or hundreds would separate
    if workload.design == "doses":
        X, coef = np.column_stack([np.ones(n), np.arange(n) % 10]), np.array([-0.5, 0.15])
    if workload.design == "rare":
        coef = np.concatenate([[-3.1, 0.9, 0.5], np.zeros(p - 3)])
    if workload.design == "own-X":
        X = np.concatenate([np.ones((count, n, 1)), rng.standard_normal((count, n, p - 1))], axis=2)
    mu = 1 / (1 + np.exp(-X @ coef))
    if workload.design in ("shared", "own-X", "doses", "rare"):
        return Data(X, (rng.random((count, n)) < mu).astype(np.float64))
    y = (rng.random(n) < mu).astype(np.float64)
    pool = max(count, min(5 * count, GENOTYPES // n))
    frequency = rng.uniform(0.2, 0.5, (pool, 1))
    genotypes = rng.binomial(2, frequency, (pool, n)).astype(np.int8)
    if workload.design == "column":
        return Data(X[:, :-1], y, genotypes)
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
    given_apart = data.genotypes is not None and data.X.ndim == 2
    own = data.genotypes[: workload.n_models] if given_apart else None
    firth = workload.answer == "firth"
    # Only what is needed: `compare` also runs commits that know no penalties.
    fit = jl.fit(data.X, data.y, penalty="firth") if firth else jl.fit(data.X, data.y, own=own)
    if workload.answer == "fit":
        return fit.coef, fit.status
    ends = fit.confint(method="lr" if firth else workload.answer)
    codes = np.maximum(ends.lower_status, ends.upper_status)
    codes = np.maximum(codes, fit.test(method="lr").status) if firth else codes
    status = np.maximum(fit.status, codes.max(axis=1))
    return np.stack([ends.lower, ends.upper], axis=-1), status
