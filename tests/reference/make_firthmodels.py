"""Firth fits by the package firthmodels for penalties/firthmodels.json; tests do not need it.

    python make_firthmodels.py        (in this folder, after make_penalties.R; firthmodels 0.8.2)

Estimates, penalised log-likelihoods, p-values of penalised likelihood-ratio tests and ends of
profile penalised intervals (Venzon and Moolgavkar's method), each iterated as far as rounding lets
the package go: its searches stop without an answer where they are asked for more. That leaves out
urine, whose columns it cannot tell apart well enough.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from firthmodels import FirthLogisticRegression

HERE = Path(__file__).parent
TOLERANCES = (1e-11, 1e-10, 1e-9, 1e-8, 1e-7)
LEFT_OUT = ("urine",)


def data_sets():
    """Names, designs and responses of the binary data sets without weights."""
    made = json.loads((HERE / "penalties" / "firth.json").read_text(encoding="utf-8"))
    for record in made["known"]:
        raw = json.loads((HERE / f"{record['name']}.json").read_text(encoding="utf-8"))
        plain = not (raw["trials"] or raw["weights"] or raw["offset"])
        if plain and raw["name"] not in LEFT_OUT:
            yield raw
    yield from made["hard"]


def fitted(X, y):
    """The fit with its tests, at the smallest tolerance that it reaches."""
    for tolerance in TOLERANCES:
        model = FirthLogisticRegression(
            backend="numpy", fit_intercept=False, max_iter=2000, gtol=tolerance, xtol=tolerance
        )
        model.fit(X, y).lrt()
        if np.all(np.isfinite(model.lrt_pvalues_)):
            return model
    raise RuntimeError("firthmodels does not converge")


def record(raw):
    X, y = np.array(raw["X"], float), np.array(raw["y"], int)
    size = np.max(np.abs(X), axis=0)  # its step limit and tolerances are in the columns' units
    model = fitted(X / size, y)
    ends = model.conf_int(method="pl", max_iter=500, tol=1e-9) / size[:, None]
    assert np.all(np.isfinite(ends))
    return {
        "name": raw["name"],
        "coef": list(model.coef_ / size),
        "std_error": list(model.bse_ / size),
        "loglik": float(model.loglik_) + float(np.sum(np.log(size))),
        "lr_p_value": list(model.lrt_pvalues_),
        "lower": list(ends[:, 0]),
        "upper": list(ends[:, 1]),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {
        "made_with": {"firthmodels": version("firthmodels"), "numpy": np.__version__},
        "fits": [record(raw) for raw in data_sets()],
    }
    target = HERE / "penalties" / "firthmodels.json"
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
