"""Sandwich covariances of many models: what their units are, and what is read off them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import clusters as labels
from jaxlogit import coordinates
from jaxlogit.checks import refuse
from jaxlogit.core import sandwich
from jaxlogit.core.sandwich import SPARE_POWER, Layout, Units
from jaxlogit.core.status import Status
from jaxlogit.data import Models, check_choice
from jaxlogit.penalties import check_rows_alone
from jaxlogit.solution import Sandwich, Solution

if TYPE_CHECKING:
    from jaxlogit.model import Fit

ROW_KINDS = ("HC0", "HC1", "HC2", "HC3")
CLUSTER_KINDS = ("CR0", "CR1", "CR1S")
METHODS = ("wald", "score")


def robust(fit: "Fit", kind: str | None = None, clusters: Any = None) -> "Fit":
    """The same fit with a sandwich covariance of rows ("HC0" to "HC3") or of `clusters`.

    Standard errors, Wald intervals, and Wald and score tests are its own; kinds, clusters,
    weights, statuses and sources are documented in `jaxlogit.robust.sandwiched`. A fit by
    formula that was told of clusters has them as its own, for all kinds but those of rows.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> fit = jl.fit_formula("low ~ age", "birthwt")
    >>> fit.std_error.round(4), fit.robust("HC3").std_error.round(4)
    (array([0.7321, 0.0315]), array([0.6919, 0.0295]))
    """
    if clusters is None and fit._origin is not None and kind not in ROW_KINDS:
        clusters = fit._origin.clusters
    check_rows_alone(fit._penalty, "robust covariances")
    found = sandwiched(fit._models, fit._solution, fit._which, kind, clusters)
    return replace(fit, _solution=found, _which=None)


def sandwiched(
    models: Models, solution: Solution, which: np.ndarray | None, kind: Any, clusters: Any
) -> Solution:
    """What `Fit.robust(kind, clusters)` stands on: the same maxima with independent units.

    The covariance is A M A with A = I(β̂)⁻¹ and M = f·Σ u_g u_g', the sum over independent units
    of their scores' squares: it holds where the mean is right and the variance, or the
    independence of rows within a cluster, is not.

    Parameters
    ----------
    models, solution, which
        As in `Fit`.
    kind : {"HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR1S"}, optional
        "HC1" by default, "CR1" where clusters are given.
        With N rows, G clusters, p coefficients and leverages h. Units are rows:
        "HC0" f = 1; "HC1" f = N/(N − p); "HC2" and "HC3" f = 1 and squared residuals over 1 − h
        and (1 − h)². Units are clusters: "CR0" f = 1; "CR1" f = G/(G − 1); "CR1S"
        f = G(N − 1) / ((G − 1)(N − p)).
    clusters : (n,) or (B, n) array of labels, shared or of each model
        Numbers, text, dates or other labels that can be hashed; needed with CR kinds, refused
        with HC kinds. A row of weight 0 or without trials is in no cluster.

    Returns
    -------
    Solution
        Of a fit whose `covariance`, `std_error`, Wald intervals and tests, and score tests use
        the sandwich. Estimates, statuses, likelihoods, profiles and influence are as before.
        Likelihood-ratio tests and intervals, and score intervals, have no robust form here:
        "wald" is the default of a robust fit. Its score test is the generalised one, with A, M
        (with f and h) and the score at the restricted maximum.

    Raises
    ------
    ValueError
        An unknown kind; clusters missing, not wanted, of a wrong shape or unlabelled; fewer
        than two clusters in every model; HC2 or HC3 with weights that are not whole.
    TypeError
        Labels that cannot be hashed.

    Notes
    -----
    Penalties: under Firth's A is the inverse of Fisher's information, never of the augmented one;
    under a normal prior the prior's precision is part of it.

    Trials: a row is one unit however many trials it has, with residual y − m·mu.

    Weights: where all weights of a model are whole, a row of weight a is a equal rows: N, M and
    h are those of the rows written out. Where some are not, a weight multiplies its row's score,
    N is the number of rows, and HC2 and HC3, whose h would not be that of the score, are
    refused. Under CR kinds a weight always multiplies: equal rows share their cluster, so that
    the two come to the same, but for N.

    Leverage 1: such a row is fitted exactly whatever was observed; under HC2 and HC3 it adds
    nothing, as under HC0.

    Statuses: standard errors, covariances, intervals and tests of a model that is not CONVERGED
    are nan with its status. RANK_DEFICIENT are single contrasts about which the units say
    nothing (nan standard errors: scores that cancel in every cluster, one cluster beside models
    with more, HC1 or CR1S with N ≤ p) and joint tests on as many contrasts as there are units,
    or more, or with a singular covariance.

    References
    ----------
    White, H. (1982). Econometrica 50:1–25. doi:10.2307/1912526

    MacKinnon, J. G. and White, H. (1985). Journal of Econometrics 29:305–325 (HC1 to HC3).
    doi:10.1016/0304-4076(85)90158-7

    Liang, K.-Y. and Zeger, S. L. (1986). Biometrika 73:13–22 (CR0). doi:10.1093/biomet/73.1.13

    Cameron, A. C. and Miller, D. L. (2015). Journal of Human Resources 50:317–372 (CR1, CR1S).
    doi:10.3368/jhr.50.2.317

    Boos, D. D. (1992). The American Statistician 46:327–333 (score tests).
    doi:10.1080/00031305.1992.10475921

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X = [[1, dose] for dose in range(6)]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> fitted.robust("HC3")
    <Fit: 1 model, 6 rows, 2 coefficients, HC3 covariance; 1 CONVERGED>
    >>> fitted.robust("HC3").std_error.round(4)
    array([1.2344, 0.4025])
    >>> by_pair = fitted.robust("CR1", clusters=["a", "a", "b", "b", "c", "c"])
    >>> by_pair.confint(contrasts="dose").upper.round(4)
    array([1.2292])
    >>> by_pair.test("score", contrasts="dose").p_value.round(4)
    array([0.2534])
    """
    kind = ("HC1" if clusters is None else "CR1") if kind is None else kind
    check_choice("kind", kind, (*ROW_KINDS, *CLUSTER_KINDS))
    if kind in SPARE_POWER and models.weights is not None:
        rule = f"be whole numbers, which count equal rows, under kind {kind!r}"
        refuse("weights", rule, models.weights, models.weights != np.rint(models.weights))
    codes = None
    if kind in CLUSTER_KINDS:
        if clusters is None:
            raise ValueError(f"clusters must be given with kind {kind!r}: found None")
        codes = labels.coded(clusters, models)
    elif clusters is not None:
        words = ", ".join(map(repr, CLUSTER_KINDS))
        raise ValueError(f"clusters must come with a kind among {words}: found kind {kind!r}")
    counts = labels.count(models, codes)
    if codes is not None and np.all(counts.n_clusters < 2):
        raise ValueError(f"clusters must be at least 2: found {np.max(counts.n_clusters):.0f}")
    factor = _factor(kind, counts, models.n_terms)
    n_units = counts.n_rows if codes is None else counts.n_clusters
    own = codes if codes is not None and codes.ndim == 2 else None
    found = Sandwich(
        Units(counts.frequency, factor, n_units, own),
        codes if own is None else None,
        Layout(kind, 0 if codes is None else int(np.max(codes)) + 1),
    )
    return replace(coordinates.unfold(models, solution, which), sandwich=found)


def _factor(kind: str, counts: labels.Counts, p: int) -> np.ndarray:
    """f for each model, (B,); nan with too few rows or clusters for it."""
    n, g = counts.n_rows, counts.n_clusters
    factor = np.ones(len(n))
    if kind in ("HC1", "CR1S"):
        rows = n if kind == "HC1" else n - 1
        factor = np.where(n > p, rows / np.maximum(n - p, 1), np.nan)
    if kind in ("CR1", "CR1S"):
        factor = factor * g / np.maximum(g - 1, 1)
    return np.where(g < 2, np.nan, factor) if kind in CLUSTER_KINDS else factor


def check_method(method: str | None, allowed: tuple[str, ...] = METHODS) -> str:
    """The method of a robust fit's inference; "wald" where none is named."""
    if method is None or method in allowed:
        return method or "wald"
    check_choice("method", method, (*METHODS, "lr"))
    raise ValueError(
        "method must be 'wald' for intervals, 'wald' or 'score' for tests, of a robust fit: "
        f"found {method!r}, which has no robust form here"
    )


def std_errors(solution: Solution, contrasts: np.ndarray, index: np.ndarray | None) -> np.ndarray:
    """Standard errors of contrasts (q, p) of the models in `index`, (k, q)."""
    return _run(solution, _std_error, (contrasts,), index, len(contrasts))


def covariances(solution: Solution, index: np.ndarray | None) -> np.ndarray:
    """Covariances of the coefficients of the models in `index`, (k, p, p)."""
    return _run(solution, _covariance, (), index, solution.coef.shape[1])


def wald(solution: Solution, constraints: np.ndarray, nulls: np.ndarray):
    """Wald statistics (B, h) and statuses of hypotheses (h, q, p), (h, q).

    RANK_DEFICIENT where the units are fewer than the constraints, or say nothing about some.
    """
    index = solution.finite
    every = None if len(index) == len(solution.status) else index
    rows = constraints.shape[0] * constraints.shape[1]
    found = _run(solution, _wald, (constraints, nulls), every, rows) if len(index) else None
    return _entered(solution, len(constraints), found, np.zeros(len(constraints), np.int32))


def score(solution: Solution, constraints: np.ndarray, restricted: np.ndarray, status: np.ndarray):
    """Generalised score statistics (B, h), from restricted maxima (B, h, p) and their statuses."""
    index = solution.finite
    every = None if len(index) == len(solution.status) else index
    rows = constraints.shape[0] * constraints.shape[1]
    found = None
    if len(index):
        found = _run(solution, _score, (constraints,), every, rows, (restricted,), ())
    return _entered(solution, len(constraints), found, status)


def _entered(solution: Solution, h: int, found, status):
    """Statistics and statuses of all models; nan wherever the status is not CONVERGED."""
    out = np.full((len(solution.status), h), np.nan)
    reached = np.broadcast_to(status, out.shape)
    status = np.where(solution.status[:, None] == 0, reached, solution.status[:, None])
    if found is not None:
        out[solution.finite] = found.statistic
        singular = np.zeros(out.shape, bool)
        singular[solution.finite] = found.singular
        status = np.where(singular & (status == 0), int(Status.RANK_DEFICIENT), status)
    out[status != Status.CONVERGED] = np.nan
    return out, status.astype(np.int32)


def _run(solution: Solution, task, common, index, searches, extra=(), own=("coef",)):
    found = solution.sandwich
    assert found is not None
    return solution.run(
        task, (found.codes, *common), index=index, searches=searches, own=own,
        extra=(found.units, *extra), with_response=True, layout=found.layout,
    )  # fmt: skip


def _std_error(arrays, coef, units, codes, contrasts, *, layout, unroll):
    whole = _whole(units, codes)
    return sandwich.std_error(arrays, coef, whole, contrasts, layout=layout, unroll=unroll)


def _covariance(arrays, coef, units, codes, *, layout, unroll):
    return sandwich.covariance(arrays, coef, _whole(units, codes), layout=layout, unroll=unroll)


def _wald(arrays, coef, units, codes, constraints, nulls, *, layout, unroll):
    hypotheses = (constraints, nulls)
    whole = _whole(units, codes)
    return sandwich.wald(arrays, coef, whole, *hypotheses, layout=layout, unroll=unroll)


def _score(arrays, units, restricted, codes, constraints, *, layout, unroll):
    whole = _whole(units, codes)
    return sandwich.score(arrays, whole, restricted, constraints, layout=layout, unroll=unroll)


def _whole(units: Units, codes) -> Units:
    return units if codes is None else units._replace(codes=codes)
