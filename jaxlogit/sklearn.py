"""`LogisticClassifier`: a logistic regression for scikit-learn's pipelines and searches.

Not imported by jaxlogit itself: it needs scikit-learn, the extra `sklearn`.
"""

import warnings
from typing import Any

import numpy as np
from scipy.special import expit, log_expit

from jaxlogit import intervals
from jaxlogit.core.status import Status
from jaxlogit.core.working import RANK_LIMIT
from jaxlogit.front import fit as fit_arrays
from jaxlogit.model import Fit
from jaxlogit.solution import SEPARATED

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        validate_data,
    )
except ImportError as error:
    raise ImportError("jaxlogit.sklearn needs scikit-learn 1.7 or newer: "
                      "pip install 'jaxlogit-inference[sklearn]'") from error  # fmt: skip

__all__ = ["LogisticClassifier"]

LARGEST = 1e30
"""What `decision_function` says for an infinite log-odds: a finite number also in single
precision, since scikit-learn's scores refuse infinity."""
MOVED = 1e-7
"""Of the largest x'd among the rows fitted: a row that the direction d moves, not rounding."""


class LogisticClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression of two classes, with `jaxlogit.fit` behind it.

    Parameters
    ----------
    penalty : None, str or record
        As for `jaxlogit.fit`: None (maximum likelihood), "firth", "flic", "flac", "logf",
        "ridge", or a record of `jaxlogit.penalties`.
    fit_intercept : bool
        Whether a column of ones comes first.
    solver : {"newton", "lbfgs"}
        As for `jaxlogit.fit`.

    Attributes
    ----------
    classes_ : (2,) array
        The two labels; probabilities and log-odds are of the second.
    coef_ : (1, p) array
        Log-odds for each unit of a feature: those of `fit_`, bit for bit. ±inf or nan where
        separation has them so; 0 for a feature that those before it determine.
    intercept_ : (1,) array
        0 without an intercept.
    fit_ : jaxlogit.Fit
        The fit, for inference: `fit_.confint()`, `fit_.test()`, `fit_.summary()`. It has the
        intercept first, and no column that was left out.
    n_iter_ : (1,) array
        Steps of the search.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Notes
    -----
    Separated classes have no finite estimate, but probabilities all the same: the limits of
    those along a direction in which the likelihood rises to its supremum, 0 or 1 for the rows
    that it moves. The direction is one that moves every row that any moves, so that the limits
    are those of `Fit.predict` wherever that has one; where it has none (new rows of which the
    likelihood says nothing) they are the direction's own, and ½ on its boundary.

    Dependent features leave the estimate open but not the probabilities of rows like those
    fitted. A feature that the intercept and those before it determine is left out, with a
    warning; its coefficient is 0. A normal or log-F prior settles the matter without that, unless
    what it leaves free is dependent: a constant feature beside the intercept.

    Rows of `sample_weight` 0 are not part of the fit; weights count as so many rows.

    Examples
    --------
    >>> from jaxlogit import datasets
    >>> births = datasets.load("birthwt").columns
    >>> X = np.column_stack([births["age"], births["lwt"], births["smoke"]])
    >>> classifier = LogisticClassifier().fit(X, births["low"])
    >>> classifier.coef_.round(3)
    array([[-0.039, -0.012,  0.671]])
    >>> classifier.predict_proba(X[:1]).round(3)
    array([[0.829, 0.171]])
    >>> classifier.fit_.confint().lower.round(3)  # the intercept first
    array([-0.571, -0.105, -0.025,  0.033])
    """

    def __init__(
        self, penalty: Any = None, fit_intercept: bool = True, solver: str = "newton"
    ) -> None:
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.solver = solver

    def __sklearn_tags__(self):
        """Two classes only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticClassifier":
        """Fit the model.

        Parameters
        ----------
        X : (n, p) array or data frame
        y : (n,) array
            Labels of two classes.
        sample_weight : (n,) array, optional
            Not negative.

        Raises
        ------
        ValueError
            Bad input; more or fewer than two classes among the rows that count.
        RuntimeError
            The search ended with nothing proved.

        Examples
        --------
        >>> LogisticClassifier("firth").fit([[0], [1], [2], [3]], list("aabb")).classes_
        array(['a', 'b'], dtype='<U1')
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}."
            )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        self.classes_, outcome = np.unique(y, return_inverse=True)
        used = slice(None) if sample_weight is None else sample_weight > 0
        present = self.classes_[np.unique(outcome[used])]
        if len(present) != 2:
            raise ValueError(f"y must have two classes among the rows that count: found "
                             f"{len(present)} class{'' if len(present) == 1 else 'es'}, "
                             f"{present.tolist()}")  # fmt: skip
        rows, names = self._rows(X), self._names(X.shape[1])
        self._kept = np.arange(rows.shape[1])
        self.fit_ = self._fitted(rows, outcome, sample_weight, names)
        if self.fit_.status == Status.RANK_DEFICIENT:
            self._kept = independent(rows[used])
            self._warn(names)
            kept = [names[j] for j in self._kept]
            self.fit_ = self._fitted(rows[:, self._kept], outcome, sample_weight, kept)
        self._take_estimate(rows[used])
        return self

    def _rows(self, X: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), X]) if self.fit_intercept else X

    def _names(self, p: int) -> list[str]:
        names = list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(p)]))
        ones = "(Intercept)" if "Intercept" in names else "Intercept"
        return [ones, *names] if self.fit_intercept else names

    def _fitted(self, rows, outcome, weights, names) -> Fit:
        return fit_arrays(
            rows, outcome, weights=weights, names=names, penalty=self.penalty, solver=self.solver
        )

    def _warn(self, names: list[str]) -> None:
        left_out = [name for j, name in enumerate(names) if j not in self._kept]
        if len(left_out) == len(names):
            raise ValueError("X must have a feature that is not 0 everywhere, without an intercept")
        what = ", ".join(left_out[:5]) + (", …" if len(left_out) > 5 else "")
        warnings.warn(
            f"{len(left_out)} of {len(names)} columns are left out, with coefficient 0: those "
            f"before determine them ({what})", stacklevel=3,
        )  # fmt: skip

    def _take_estimate(self, used: np.ndarray) -> None:
        """Coefficients, and under separation the direction that takes the rows to the limit."""
        status = Status(int(self.fit_.status))
        if status != Status.CONVERGED and status not in SEPARATED:
            raise RuntimeError(f"the search for the maximum ended with status {status.name}: "
                               "scaled features, a penalty or another solver may help")  # fmt: skip
        coef = np.zeros(used.shape[1])
        coef[self._kept] = self.fit_.coef
        first = int(self.fit_intercept)
        self.coef_ = coef[None, first:]
        self.intercept_ = coef[:1] if first else np.zeros(1)
        self.n_iter_ = np.atleast_1d(self.fit_.n_steps)
        self._direction = None
        if status in SEPARATED:
            direction = self.fit_.separation().direction
            self._direction = direction / np.max(np.abs(used[:, self._kept] @ direction))

    def _log_odds(self, X: Any) -> np.ndarray:
        """Log-odds (k,) of the second class, ±inf where separation has them so."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        rows = self._rows(X)[:, self._kept]
        if self._direction is None:
            return rows @ self.fit_.coef
        move = rows @ self._direction
        eta = np.where(move > 0, np.inf, -np.inf)
        rest = np.abs(move) <= MOVED
        some = rest & np.any(rows != 0, axis=1)  # a row of nothing has log-odds 0
        eta[rest] = 0.0
        if np.any(some):
            solution = self.fit_._solution
            found = intervals.estimates(solution, solution.wide(rows[some]))[0]
            eta[some] = np.where(np.isnan(found), 0.0, found)
        return eta

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds (k,) of the second class, an infinite one as ±1e30.

        Examples
        --------
        >>> classifier = LogisticClassifier().fit([[0], [1], [2], [3]], [0, 1, 0, 1])
        >>> classifier.decision_function([[2.5], [3.5]]).round(3)
        array([0.908, 1.816])
        """
        return np.clip(self._log_odds(X), -LARGEST, LARGEST)

    def predict(self, X: Any) -> np.ndarray:
        """The likelier class of each row (k,); the first where both are as likely.

        Examples
        --------
        >>> LogisticClassifier().fit([[0], [1], [2], [3]], list("nnyy")).predict([[0.5], [9]])
        array(['n', 'y'], dtype='<U1')
        """
        likelier = (self._log_odds(X) > 0).astype(int)
        return self.classes_[likelier]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (k, 2) of the classes; exactly 0 and 1 where the log-odds are infinite.

        Examples
        --------
        >>> LogisticClassifier().fit([[0], [1], [2], [3]], [0, 0, 1, 1]).predict_proba([[9]])
        array([[0., 1.]])
        """
        eta = self._log_odds(X)
        return expit(np.column_stack([-eta, eta]))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms (k, 2) of the probabilities, accurate also where these are tiny.

        Examples
        --------
        >>> classifier = LogisticClassifier().fit([[0], [1], [2], [3]], [0, 1, 0, 1])
        >>> classifier.predict_log_proba([[1000]]).round(3)
        array([[-906.822,   -0.   ]])
        """
        eta = self._log_odds(X)
        return log_expit(np.column_stack([-eta, eta]))


def independent(rows: np.ndarray) -> np.ndarray:
    """Places of the columns that those before them do not determine, in order.

    Each kept column has a share of its length, ten times `RANK_LIMIT`, that is new.
    """
    basis, kept = np.empty((0, len(rows))), []
    for j, column in enumerate(rows.T):
        size = np.max(np.abs(column))
        if not size > 0:
            continue
        column = column / size
        rest = column
        for _ in range(2):  # once more for what rounding left
            rest = rest - basis.T @ (basis @ rest)
        length = np.linalg.norm(rest)
        if length > 10 * RANK_LIMIT * np.linalg.norm(column):
            basis = np.vstack([basis, rest / length])
            kept.append(j)
    return np.array(kept, int)
