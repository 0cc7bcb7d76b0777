"""FLIC and FLAC: Firth's estimates with predicted probabilities of the right mean.

Firth's penalty pulls the mean of the fitted probabilities towards 1/2. FLIC estimates the
intercept again by maximum likelihood with the other coefficients held. FLAC fits by maximum
likelihood the data together with their pseudo-cases (leverage h of each row: h cases, half of
them successes), told apart by an indicator.
Source: Puhr, Heinze, Nold, Lusa and Geroldinger (2017), Statistics in Medicine 36:2302–2317,
doi:10.1002/sim.7273.
"""

from dataclasses import replace

import numpy as np

from jaxlogit import fitting, memory
from jaxlogit.core import influence, linalg
from jaxlogit.core.likelihood import linear_predictor
from jaxlogit.core.penalty import evaluate
from jaxlogit.core.status import Status
from jaxlogit.core.working import problem
from jaxlogit.data import Models
from jaxlogit.penalties import Firth, Penalty, constants
from jaxlogit.predictions import linear_predictors
from jaxlogit.solution import SEPARATED, Solution


def fit(models: Models, penalty: Firth) -> Solution:
    """Firth fits of many models, corrected as the penalty says.

    Under FLAC the solution has one coefficient more than the models, that of the indicator.
    """
    if penalty.intercept == "flic":
        place = flic_place(models)
        return _flic(models, fitting.fit(models, penalty=penalty), place)
    first = fitting.fit(models, penalty=replace(penalty, intercept="penalized"))
    return _unless(first.status, fitting.fit(_with_pseudo_cases(models, penalty, first)))


def flic_place(models: Models) -> int:
    """The number of the intercept's column.

    Raises
    ------
    ValueError
        Not exactly one column is constant.
    """
    found = np.flatnonzero(constants(models))
    if len(found) != 1:
        raise ValueError(f"X must have one constant column, the intercept, under penalty 'flic': "
                         f"found {len(found)}")  # fmt: skip
    return int(found[0])


def refuse_intercept(models: Models, penalty: Penalty | None, contrasts: np.ndarray) -> None:
    """Refuse contrasts (…, p) that hold FLIC's intercept, for methods that use a likelihood."""
    if not isinstance(penalty, Firth) or penalty.intercept != "flic":
        return
    if np.any(contrasts[..., flic_place(models)] != 0):
        raise ValueError(
            "contrasts must leave out the intercept under penalty 'flic', or method be 'wald': "
            "the intercept is estimated by another likelihood than the rest"
        )


def _flic(models: Models, solution: Solution, place: int) -> Solution:
    """The solution with the intercept that maximises the likelihood beside the other estimates.

    Where all responses are alike that is infinite: the model's status is then INFINITE.
    """
    others = np.where(solution.status[:, None] == Status.CONVERGED, solution.user_coef, 0.0)
    others[:, place] = 0.0
    memory.demand(8 * len(others) * models.n_rows, f"predictors of {len(others):,} models")
    alone = replace(
        models,
        design=np.full((models.n_rows, 1), constants(models)[place]),
        offset=linear_predictors(models, others),
        names=("intercept",),
        own=None,
        single=False,
    )
    found = fitting.fit(alone)
    corrected = solution.user_coef.copy()
    corrected[:, place] = np.where(found.status == Status.CONVERGED, found.user_coef[:, 0], np.nan)
    endless = np.where(np.isin(found.status, SEPARATED), int(Status.INFINITE), found.status)
    status = np.where(solution.status == Status.CONVERGED, endless, solution.status)
    corrected[status != Status.CONVERGED] = np.nan
    return replace(solution, user_coef=corrected, status=status.astype(np.int32))


def _unless(first: np.ndarray, solution: Solution) -> Solution:
    """The solution with the statuses (B,) of first fits that failed: no pseudo-cases are theirs."""
    lost = first != Status.CONVERGED
    if not np.any(lost):
        return solution
    return replace(
        solution,
        user_coef=np.where(lost[:, None], np.nan, solution.user_coef),
        suprema=np.where(lost, np.nan, solution.suprema),
        status=np.where(lost, first, solution.status).astype(np.int32),
    )


def _with_pseudo_cases(models: Models, penalty: Firth, solution: Solution) -> Models:
    """The rows, and under them the pseudo-cases of Firth fits with an indicator's column."""
    count, n = len(solution.status), models.n_rows
    memory.demand(64 * count * n, f"pseudo-cases of {count:,} models")
    leverage = np.zeros((count, n))
    index = solution.finite
    if len(index):
        leverage[index] = solution.run(_leverage, index=index, own=("coef",), with_response=True)
    weights = np.ones(n) if models.weights is None else models.weights
    trials = np.ones(n) if models.trials is None else models.trials
    pseudo = 2.0 * penalty.strength * leverage
    design = np.concatenate([models.design, models.design], axis=-2)
    mark = np.broadcast_to(np.repeat([0.0, 1.0], n)[:, None], (*design.shape[:-1], 1))
    own = models.own
    return replace(
        models,
        design=np.concatenate([design, mark], axis=-1),
        own=None if own is None else np.concatenate([own, own], axis=1),
        y=_under(weights * models.y, 0.5 * pseudo),
        trials=_under(weights * trials, pseudo),
        weights=None,
        offset=None if models.offset is None else np.concatenate([models.offset] * 2, axis=-1),
        names=(*models.names, "pseudo-cases"),
        single=False,
    )


def _under(rows: np.ndarray, more: np.ndarray) -> np.ndarray:
    return np.concatenate([np.broadcast_to(rows, more.shape), more], axis=-1)


def _leverage(arrays, coef, *, unroll):
    model = problem(arrays)
    information = evaluate(model.rows, coef, unroll=unroll).expected
    factor = linalg.cholesky(information, coef.shape[0])
    return influence.leverage(model, factor, linear_predictor(model.rows, coef))
