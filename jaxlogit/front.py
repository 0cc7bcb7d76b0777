"""`fit` and `fit_formula`: the front doors, for arrays and for tables."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jaxlogit import alike, calibrated, fitting
from jaxlogit.data import Models, check_choice, collect
from jaxlogit.model import Fit
from jaxlogit.penalties import Firth, Normal, Penalty, check_penalty

SOLVERS = ("newton", "lbfgs")


def fit(
    X: Any,
    y: Any,
    *,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
    names: Sequence[str] | None = None,
    own: Any = None,
    penalty: Any = None,
    solver: str = "newton",
) -> Fit:
    """Fit one or many logistic regressions by maximum likelihood, penalised or not.

    Parameters
    ----------
    X : (n, p) or (B, n, p) array
        Design matrix, shared by all models or one for each. No intercept is added.
    y : (n,) or (B, n) array
        Successes, in [0, trials]; any real number, never rounded.
    trials, weights : number, (n,) or (B, n) array, optional
        Binomial denominators and case weights; 1 when missing. A row of weight 0 is not part
        of its model (ragged models: pad, and give the padding weight 0).
    offset : number, (n,) or (B, n) array, optional
        Known part of the linear predictor, in log-odds.
    names : sequence of str, optional
        Names of the coefficients; a data frame's column names by default.
    own : (B, n) array, optional
        One more column for each model, the last one, called "own": a screen of many candidates
        beside the same covariates X (n, p), in less memory and time than an X for each.
    penalty : None, str or record
        "firth", "flic", "flac", "logf" or "ridge", or a record of `jaxlogit.penalties` (`Firth`,
        `LogF`, `Normal`) with other strengths. Every test and interval then uses the penalised
        likelihood.
    solver : {"newton", "lbfgs"}
        "newton" for any p up to some hundreds. "lbfgs" never forms the information on its
        way, only once at the end: for large p. The answers are the same.

    Returns
    -------
    Fit
        One model in: arrays without the leading axis B.

    Raises
    ------
    ValueError, TypeError
        Bad input, naming argument, rule, value and place. Separation and rank deficiency are
        not errors: they are statuses of the models concerned.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> dose = [0, 1, 2, 3, 4, 5]
    >>> X = [[1, d] for d in dose]
    >>> fitted = jl.fit(X, [0, 1, 1, 1, 2, 3], trials=3, names=["const", "dose"])
    >>> fitted.coef.round(6)
    array([-2.627577,  0.912732])
    >>> fitted.confint().lower.round(6)
    array([-5.86105 ,  0.212471])
    """
    check_choice("solver", solver, SOLVERS)
    penalty = check_penalty(penalty)
    models = collect(X, y, trials, weights, offset, names, own)
    return fit_models(models, penalty, solver)


def fit_formula(
    formula: str,
    data: Any,
    *,
    by: str | None = None,
    trials: str | None = None,
    weights: str | None = None,
    offset: str | None = None,
    clusters: str | None = None,
    missing: str = "drop",
    penalty: Any = None,
    solver: str = "newton",
) -> Fit:
    """Fit a model that a formula describes to a table, or to every group of its rows.

    Parameters
    ----------
    formula : str
        `response ~ terms`, in the language of `jaxlogit.frame.design`: nothing in it is run as
        Python.
    data
        A pandas, polars or pyarrow table, a DuckDB relation, a mapping of columns, a path to a
        CSV or Parquet file, or the name of a bundled data set.
    by : str, optional
        A column: one model for the rows of each of its values, all in one batch. Terms learn
        from the whole table: levels, knots, and the mean of `center` are the same for all. Groups
        take the memory of as many rows as the largest has: fit one that dwarfs the others apart.
    trials, weights, offset : str, optional
        Columns with binomial denominators, case weights, and a known part of the linear
        predictor.
    clusters : str, optional
        A column of labels, the clusters of `Fit.robust`.
    missing : {"drop", "error"}
        Rows in which a column in use is missing are left out and counted (`Fit.n_dropped`), or
        refused.
    penalty, solver
        As for `fit`.

    Returns
    -------
    Fit
        With the formula's names; with `by` its models are in the order of `Fit.groups`, and
        `Fit.group(label)` is one of them.

    Raises
    ------
    ValueError, TypeError
        Bad input, naming column, rule, value and place.
    ImportError
        The extra `study` is not installed.

    Warns
    -----
    UserWarning
        A level does not occur in some groups: their models are RANK_DEFICIENT.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> births = jl.fit_formula("low ~ age + C(race) + smoke", "birthwt")
    >>> births.names
    ('Intercept', 'age', 'C(race)[T.other]', 'C(race)[T.white]', 'smoke')
    >>> births.predict({"age": [20, 30], "race": ["white", "black"], "smoke": [1, 1]}).round(3)
    array([0.353, 0.514])
    >>> wards = jl.fit_formula("low ~ lwt", "birthwt", by="smoke")
    >>> wards.groups, wards.group(1).coef.round(4)
    (array([0, 1]), array([ 0.4215, -0.0063]))
    """
    try:
        from jaxlogit.frame.design import design
        from jaxlogit.frame.groups import divide
        from jaxlogit.frame.origin import Origin
    except ModuleNotFoundError as error:
        needs = f"fit_formula needs {error.name}: pip install 'jaxlogit-inference[study]'"
        raise ModuleNotFoundError(needs, name=error.name) from error
    check_choice("solver", solver, SOLVERS)
    penalty = check_penalty(penalty)
    if by is not None and clusters is not None:
        raise ValueError("clusters must be None with by: robust errors are for one model")
    made = design(
        formula, data, trials=trials, weights=weights, offset=offset, clusters=clusters,
        by=by, missing=missing,
    )  # fmt: skip
    fields = ("X", "y", "trials", "weights", "offset")
    labels, arrays = None, {name: getattr(made, name) for name in fields}
    if by is not None:
        labels, arrays = divide(made, by, warn=penalty is None or isinstance(penalty, Firth))
    fitted = fit_models(collect(**arrays, names=made.names), penalty, solver)
    return replace(fitted, _origin=Origin.of(made, by, offset, labels))


def fit_models(models: Models, penalty: Penalty | None, solver: str = "newton") -> Fit:
    """Fit models whose data and penalty are checked."""
    once, which = alike.gather(models, own=not isinstance(penalty, Normal))
    if not isinstance(penalty, Firth):
        return Fit(models, fitting.fit(once, solver, penalty), which, penalty)
    if solver != "newton":
        raise ValueError(f"solver must be 'newton' under Firth's penalty: found {solver!r}")
    found = calibrated if penalty.intercept != "penalized" else fitting
    return Fit(models, found.fit(once, penalty=penalty), which, penalty)
