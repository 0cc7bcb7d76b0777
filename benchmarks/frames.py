"""Data frames: thousands of groups of unequal size beside a loop over them, and a large file."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import jaxlogit as jl
from jaxlogit.cores import n_threads

GROUPS = 5_000
ROWS = (20, 400)
SLOPES = np.array([0.3, 0.0, 0.2, -0.4, 0.1])
FORMULA = "y ~ x1 + x2 + x3 + x4 + x5"
ROUNDS = 7
LOOP_GROUPS = 200
"""Groups that statsmodels' loops take in a round: it needs milliseconds for each."""
LR_GROUPS = 4
LARGE_ROWS = 1_000_000
LARGE_TERMS = 9


def measure(quick: bool) -> dict:
    """Every figure, the loops in turn with ours."""
    table = grouped(200 if quick else GROUPS)
    rounds = 2 if quick else ROUNDS
    begun = time.perf_counter()
    fit_all(table)
    first = time.perf_counter() - begun
    times: dict[str, list[float]] = {"ours": [], "fit alone": [], **{name: [] for name in LOOPS}}
    for _ in range(rounds):
        times["ours"].append(seconds(lambda: fit_all(table)))
        times["fit alone"].append(seconds(lambda: jl.fit_formula(FORMULA, table, by="site")))
        for name, (call, count) in LOOPS.items():
            some = [part for _, part in table[table.site < count].groupby("site")]
            times[name].append(
                seconds(lambda call=call, some=some: [call(p) for p in some]) / count
            )
    groups = int(table.site.nunique())
    found = {name: statistics.median(values) for name, values in times.items()}
    return {
        "cores": n_threads(),
        "groups": groups,
        "rows": len(table),
        "first_s": first,
        "seconds": found["ours"],
        "fit_s": found["fit alone"],
        "loops_s": {name: found[name] * groups for name in LOOPS},
        "large": large(20_000 if quick else LARGE_ROWS),
    }


def grouped(count: int) -> pd.DataFrame:
    """Rows of groups of 20 to 400, with five covariates."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(ROWS[0], ROWS[1] + 1, count)
    x = rng.normal(size=(sizes.sum(), len(SLOPES)))
    table = pd.DataFrame(x, columns=[f"x{j + 1}" for j in range(len(SLOPES))])
    table["site"] = np.repeat(np.arange(count), sizes)
    table["y"] = rng.binomial(1, 1 / (1 + np.exp(0.5 - x @ SLOPES)))
    return table


def fit_all(table: pd.DataFrame) -> jl.Interval:
    """From the data frame to all LR intervals."""
    return jl.fit_formula(FORMULA, table, by="site").confint()


def seconds(call) -> float:
    """Time of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def wald_loop(part: pd.DataFrame) -> None:
    """What a loop over groups with statsmodels' formulas does: fit, and Wald intervals."""
    import statsmodels.formula.api as smf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            smf.logit(FORMULA, part).fit(disp=0).conf_int()
        except Exception:  # separated groups
            return


def array_loop(part: pd.DataFrame) -> None:
    """The same without formulas."""
    import statsmodels.api as sm

    X = sm.add_constant(part[[f"x{j + 1}" for j in range(len(SLOPES))]].to_numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sm.Logit(part.y.to_numpy(), X).fit(disp=0).conf_int()
        except Exception:
            return


def lr_loop(part: pd.DataFrame) -> None:
    """LR intervals with statsmodels: roots of its log-likelihood with one coefficient held."""
    import statsmodels.api as sm
    from scipy.optimize import brentq

    X = sm.add_constant(part[[f"x{j + 1}" for j in range(len(SLOPES))]].to_numpy())
    y = part.y.to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = sm.GLM(y, X, family=sm.families.Binomial()).fit()
            for j in range(X.shape[1]):
                others = np.delete(X, j, axis=1)

                def drop(value, j=j, others=others):
                    model = sm.GLM(y, others, family=sm.families.Binomial(), offset=value * X[:, j])
                    return 2 * (fit.llf - model.fit().llf) - 3.841458820694124

                for side in (-1, 1):
                    far = fit.params[j] + side * 4 * fit.bse[j]
                    brentq(drop, fit.params[j], far, xtol=1e-6)
        except Exception:
            return


LOOPS = {
    "statsmodels with formula, Wald": (wald_loop, LOOP_GROUPS),
    "statsmodels Logit, Wald": (array_loop, LOOP_GROUPS),
    "statsmodels GLM, LR by root finding": (lr_loop, LR_GROUPS),
}
"""What is called for each group, and for how many groups in a round."""


def large(rows: int) -> dict:
    """`jaxlogit fit` on a Parquet file of ten columns, from shell to table, twice.

    The first with an empty folder of compiled programs, the second with what the first left.
    """
    rng = np.random.default_rng(8)
    x = rng.normal(size=(rows, LARGE_TERMS))
    table = pd.DataFrame(x, columns=[f"x{j}" for j in range(LARGE_TERMS)])
    table["y"] = rng.binomial(1, 1 / (1 + np.exp(1.0 - x @ np.linspace(-0.5, 0.5, LARGE_TERMS))))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.parquet"
        table.to_parquet(file)
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        command = [sys.executable, "-m", "jaxlogit", "fit", str(file), "y ~ ."]

        def run() -> None:
            subprocess.run(command, check=True, env=environment, capture_output=True)

        return {"rows": rows, "seconds": seconds(run), "again_s": seconds(run)}


def table(found: dict) -> str:
    """A line for each figure, for people."""
    big = found["large"]
    lines = [
        f"{found['groups']:,} groups, {found['rows']:,} rows, fit + all LR intervals: "
        f"{found['seconds']:.2f} s (fits {found['fit_s']:.2f}; first call {found['first_s']:.1f})"
    ]
    for name, time_ in found["loops_s"].items():
        lines.append(f"  {name}: {time_:,.0f} s, {time_ / found['seconds']:,.0f} times ours")
    lines.append(
        f"jaxlogit fit on {big['rows']:,} rows x 10 columns of Parquet: {big['seconds']:.1f} s, "
        f"again {big['again_s']:.1f} s"
    )
    return "\n".join(lines)
