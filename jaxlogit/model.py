"""`Fit`: what a fit knows, and what can be asked of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit import (
    calibrated,
    comparison,
    covariances,
    criteria,
    data,
    delta,
    diagnosis,
    hypotheses,
    influence,
    intervals,
    penalties,
    predictions,
    profiles,
    robust,
)
from jaxlogit.data import Models, check_choice, check_contrasts, check_level
from jaxlogit.penalties import Penalty
from jaxlogit.results import Interval, Prediction, Profile, Region, Separation, Test
from jaxlogit.solution import Solution
from jaxlogit.tables import summary, tidy
from jaxlogit.tables.summary import html

if TYPE_CHECKING:
    from jaxlogit.frame.origin import Origin

METHODS = ("wald", "lr", "score", "rstar")
SOLVERS = ("newton", "bisection")


@dataclass(frozen=True, eq=False)
class Fit:
    """Fitted logistic regressions: one, or B of them along a leading axis.

    Refers to the data it was fitted to, or to their distinct rows; what is large is computed
    when asked for. Results have no leading axis when one model was given as plain arrays. All
    arrays it hands out are read-only: copy one to change it.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> jl.fit([[1, d] for d in range(6)], [0, 1, 1, 1, 2, 3], trials=3)
    <Fit: 1 model, 6 rows, 2 coefficients; 1 CONVERGED>
    """

    _models: Models
    _solution: Solution
    _which: np.ndarray | None = None
    """(B,) place in the solution of each model; None where every model has its own."""
    _penalty: Penalty | None = None
    _origin: "Origin | None" = None
    """The formula and table that the data come from."""

    # -- what was fitted -------------------------------------------------------------------

    @property
    def n_models(self) -> int:
        """Number of models, B."""
        return self._models.n_models

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self._models.names

    @property
    def formula(self) -> str | None:
        """The formula of a fit by formula."""
        return None if self._origin is None else self._origin.formula

    @property
    def groups(self) -> np.ndarray | None:
        """Labels (B,) of the groups of a fit by formula that was divided by a column."""
        return None if self._origin is None else self._origin.groups

    @property
    def n_dropped(self) -> int:
        """Rows of the table left out for missing values."""
        return 0 if self._origin is None else self._origin.n_dropped

    def __len__(self) -> int:
        return self.n_models

    def __getitem__(self, index: int | slice) -> "Fit":
        """Model i, or a slice of models."""
        if isinstance(index, slice):
            return self._some(self._models.take(index, single=False), index)
        number = self._models.number(index)
        if self._models.single:
            return self
        one = slice(number, number + 1)
        return self._some(self._models.take(one, single=True), one)

    def group(self, label: Any) -> "Fit":
        """The model of one group: of the rows whose value is `label`."""
        if self._origin is None:
            raise ValueError("group needs a fit by formula with by=column")
        return self[self._origin.place(label)]

    def _some(self, models: Models, index: slice) -> "Fit":
        part = self._solution.take(index if self._which is None else self._which[index])
        origin = None if self._origin is None else self._origin.take(index)
        return replace(self, _models=models, _solution=part, _which=None, _origin=origin)

    def __repr__(self) -> str:
        return summary.line(self)

    def _method(self, method: str | None, *robust_ones: str) -> str:
        """The method asked for, or the default; robust and penalised fits have only some."""
        if self._solution.sandwich is not None:
            return robust.check_method(method, robust_ones)
        found = penalties.default_method(self._penalty) if method is None else method
        check_choice("method", found, METHODS)
        penalties.check_method(self._penalty, found)
        return found

    def _contrasts(self, contrasts: Any, method: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Contrasts (q, p) of the solution's coefficients that the method can answer, and names."""
        rows, labels = check_contrasts(contrasts, self.names)
        if method != "wald":
            calibrated.refuse_intercept(self._models, self._penalty, rows)
        return self._solution.wide(rows), labels

    def _each(self, array: np.ndarray) -> np.ndarray:
        """What the solution has, for every model."""
        return array if self._which is None else array[self._which]

    def _out(self, array: np.ndarray) -> np.ndarray:
        return self._shown(self._each(array))

    def _shown(self, array: np.ndarray) -> np.ndarray:
        """The array as handed out: read-only, since the fit goes on using it."""
        shown = array.view()
        shown.flags.writeable = False
        return shown[0] if self._models.single else shown

    # -- estimates -------------------------------------------------------------------------

    @cached_property
    def _estimate(self) -> np.ndarray:
        return intervals.estimates(self._solution, self._solution.wide(np.eye(len(self.names))))

    @property
    def coef(self) -> np.ndarray:
        """Coefficients (B, p), log-odds per unit.

        ±inf where separation sends a coefficient there; nan where it may run to either side,
        or where the model has no maximum (see `status`).
        """
        return self._out(self._estimate)

    @cached_property
    def _std_error(self) -> np.ndarray:
        return covariances.std_errors(self._solution, self._solution.wide(np.eye(len(self.names))))

    @property
    def std_error(self) -> np.ndarray:
        """Standard errors (B, p), roots of the diagonal of `covariance`; nan without a maximum."""
        return self._out(self._std_error)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Inverse information (B, p, p), or a robust fit's covariance; nan without a maximum."""
        p = len(self.names)
        return self._out(covariances.covariances(self._solution)[:, :p, :p])

    @property
    def loglik(self) -> np.ndarray:
        """Log-likelihood (B,) at the maximum, without the binomial coefficients.

        Its supremum for a separated model; with the penalty if any (FLIC: of Firth's estimates).
        """
        return self._out(self._solution.loglik + self._solution.unit_shift)

    @cached_property
    def deviance(self) -> np.ndarray:
        """Twice the log-likelihood lost against a model with one parameter for each row, (B,).

        That of the rows alone, whatever the penalty.
        """
        coef = None if self._penalty is None else self._each(self._solution.user_coef)
        loglik = self._each(self._solution.loglik)
        return self._shown(predictions.deviance(self._models, loglik, coef))

    n_obs = property(criteria.n_obs)
    aic = property(criteria.aic)
    bic = property(criteria.bic)

    @property
    def status(self) -> np.ndarray:
        """`Status` codes (B,) int32; 0 is converged."""
        return self._out(self._solution.status)

    @property
    def n_steps(self) -> np.ndarray:
        """Newton steps taken (B,), or gradient steps under solver="lbfgs"."""
        return self._out(self._solution.n_steps)

    # -- inference -------------------------------------------------------------------------

    def confint(
        self,
        level: float = 0.95,
        method: str | None = None,
        contrasts: Any = None,
        *,
        solver: str = "newton",
    ) -> Interval:
        """Confidence intervals of coefficients or contrasts.

        Parameters
        ----------
        level : float
            Confidence level in (0, 1).
        method : {"lr", "wald", "score", "rstar"}, optional
            "lr" (the default): the profile-likelihood interval; "wald": estimate ± z standard
            errors; "score": the score (Rao) statistic inverted; "rstar": the modified signed
            root, of higher order in small samples. Robust fits have "wald" alone, penalised
            ones no "rstar".
        contrasts : None, names, (q, p) array or mapping
            Every coefficient; the named ones; rows c of linear combinations c'β; or such rows
            by name, {name: row}, a row being (p,) numbers or {coefficient: number}.
        solver : {"newton", "bisection"}
            Fast with a certificate and the bracket behind it, or the slow bracket alone.

        Returns
        -------
        Interval
            lower, upper, lower_status, upper_status, each (B, q).

        Notes
        -----
        Under separation an end may be ±inf (status INFINITE, proved). Wald and r* intervals are
        then nan with the model's status. Sources and errors of r*: `jaxlogit.core.higher`.
        """
        level = check_level(level)
        method = self._method(method, "wald")
        check_choice("solver", solver, SOLVERS)
        rows, labels = self._contrasts(contrasts, method)
        value, status, _, residual = intervals.search(self._solution, rows, level, method, solver)
        return Interval.of((value, status, residual), self._out, level, method, labels)

    def test(
        self,
        method: str | None = None,
        null: Any = 0.0,
        contrasts: Any = None,
        joint: bool = False,
    ) -> Test:
        """Test coefficients or contrasts, each by itself or all of them jointly.

        Parameters
        ----------
        method : {"lr", "wald", "score", "rstar"}, optional
            "lr" by default, "rstar" for single contrasts only; a robust fit has "wald" (its
            default) and "score".
        null : number or (q,) array
            Hypothesised values of the contrasts.
        contrasts : None, names, (q, p) array or mapping
            As for `confint`.
        joint : bool
            One test of all contrasts together, on q degrees of freedom.

        Returns
        -------
        Test
            statistic, p_value, log_p, status: (B, q), or (B,) when joint.
        """
        method = self._method(method, *robust.METHODS)
        rows, labels = self._contrasts(contrasts, method)
        constraints, nulls = data.check_hypotheses(rows, null, joint, method)
        found = hypotheses.tested(self._solution, constraints, nulls, method, joint)
        df = len(rows) if joint else 1
        statistic, p_value, log_p, status = map(self._out, found)
        return Test(statistic, df, p_value, log_p, status, method, labels)

    def profile(self, term: Any, grid: Any = None) -> Profile:
        """The profile log-likelihood of one coefficient (name or number) or contrast (p,).

        At the values of `grid` (g,), shared by all models, or at 41 points that each model's
        own profile asks for: see `Profile`.
        """
        rows, labels = data.check_term(term, self.names)
        rows, _ = self._contrasts(rows, "lr")
        found = profiles.find(self._solution, rows[0], data.check_grid(grid), len(self.names))
        value, loglik, root, coef, status = map(self._out, found)
        return Profile(value, loglik, root, coef, status, labels[0])

    def region(self, terms: Any, level: float = 0.95, points: int = 64) -> Region:
        """The joint profile-likelihood region of two coefficients or contrasts.

        Its boundary, by at least four points: see `Region`.
        """
        pair, labels = data.check_pair(terms, self.names)
        pair, _ = self._contrasts(pair, "lr")
        level, points = check_level(level), data.check_count("points", points, 4)
        found = profiles.region(self._solution, pair, level, points)
        value, status, direction, ellipse = map(self._out, found)
        return Region(value, status, direction, ellipse, level, labels)

    def separation(self) -> Separation:
        """Whether finite estimates exist: by model, and by coefficient, with the direction."""
        model, words, direction = predictions.separation(self._solution, self._estimate)
        return Separation(self._out(model), self._out(words), self._out(direction))

    def predict(
        self, X_new: Any, level: float | None = None, method: str = "wald", *, offset: Any = None
    ) -> Any:
        """Probabilities at rows X_new (k, p), or (B, k, p), of all coefficients: (B, k).

        0 or 1 where a separated model's linear predictor is infinite, nan where it has no
        limit. With a `level` a `Prediction`: the probabilities and their intervals. A fit by
        formula also takes a table of new rows, with its offset's column unless `offset` is given;
        with groups each model predicts every row, so ask `group(label)` for one.
        """
        if self._origin is not None and predictions.is_table(X_new):
            X_new, offset = self._origin.rows(X_new, offset)
        fitted = (self._models, self._solution, self._which)
        estimate = self._shown(predictions.probabilities(*fitted, X_new, offset))
        method = self._method(method, "wald")
        if level is None:
            return estimate
        if method != "wald":
            calibrated.refuse_intercept(self._models, self._penalty, np.atleast_2d(X_new))
        found = predictions.bounds(fitted, X_new, offset, check_level(level), method)
        return Prediction.of(estimate, found, self._shown, float(level), method)

    # -- answered in rooms of their own, which document them --------------------------------

    robust = robust.robust
    influence = influence.influence
    transform = delta.transform
    margins = delta.margins
    diagnose = diagnosis.diagnose
    drop_one = comparison.drop_one
    to_frame = tidy.to_frame
    to_xarray = tidy.to_xarray
    glance = tidy.glance
    summary = summary.text
    _repr_html_ = html
