"""`Fit`: what a fit knows, and what can be asked of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jaxlogit import (
    calibrated,
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
from jaxlogit.core import tails
from jaxlogit.data import Models, check_choice, check_contrasts, check_level
from jaxlogit.delta import Margins, Transform
from jaxlogit.diagnosis import Diagnosis
from jaxlogit.influence import Influence
from jaxlogit.penalties import Penalty
from jaxlogit.results import Interval, Prediction, Profile, Region, Separation, Test, tally
from jaxlogit.solution import Solution

METHODS = ("wald", "lr", "score", "rstar")
SOLVERS = ("newton", "bisection")


@dataclass(frozen=True, eq=False)
class Fit:
    """Fitted logistic regressions: one, or B of them along a leading axis.

    Refers to the data it was fitted to, or to their distinct rows; what is large is computed
    when asked for. Results have no leading axis when one model was given as plain arrays. All
    arrays it hands out are read-only: copy one to change it.
    """

    _models: Models
    _solution: Solution
    _which: np.ndarray | None = None
    """(B,) place in the solution of each model; None where every model has its own."""
    _penalty: Penalty | None = None

    # -- what was fitted -------------------------------------------------------------------

    @property
    def n_models(self) -> int:
        """Number of models, B."""
        return self._models.n_models

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self._models.names

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

    def _some(self, models: Models, index: slice) -> "Fit":
        part = self._solution.take(index if self._which is None else self._which[index])
        return replace(self, _models=models, _solution=part, _which=None)

    def __repr__(self) -> str:
        """Shapes and a tally of statuses."""
        n, p = self._models.n_rows, self._models.n_terms
        count = "1 model" if self._models.single else f"{self.n_models:,} models"
        units = self._solution.sandwich
        kind = "" if units is None else f", {units.layout.kind} covariance"
        kind += "" if self._penalty is None else f", {penalties.word(self._penalty)}"
        return f"<Fit: {count}, {n} rows, {p} coefficients{kind}; {tally(self.status)}>"

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
        return intervals.std_errors(self._solution, self._solution.wide(np.eye(len(self.names))))

    @property
    def std_error(self) -> np.ndarray:
        """Standard errors (B, p), roots of the diagonal of `covariance`; nan without a maximum."""
        return self._out(self._std_error)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Inverse information (B, p, p), or a robust fit's covariance; nan without a maximum."""
        p = len(self.names)
        return self._out(intervals.covariances(self._solution)[:, :p, :p])

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
        ends = intervals.search(self._solution, rows, level, method, solver)
        found = (ends.value, ends.status, ends.residual)
        return Interval.of(found, self._out, level, method, labels)

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
        statistic, status = hypotheses.statistics(self._solution, constraints, nulls, method)
        statistic = np.maximum(statistic, 0.0)  # rounding, where the null is the estimate
        df = len(rows) if joint else 1
        values = (statistic, tails.p_value(statistic, df), tails.log_p(statistic, df), status)
        if joint:
            values = tuple(value[:, 0] for value in values)
        statistic, p_value, log_p, status = map(self._out, values)
        return Test(statistic, df, p_value, log_p, status, method, labels)

    def profile(self, term: Any, grid: Any = None) -> Profile:
        """The profile log-likelihood of one coefficient (name or number) or contrast (p,).

        At the values of `grid` (g,), shared by all models, or at 41 points that each model's
        own profile asks for: see `Profile`.
        """
        rows, labels = data.check_term(term, self.names)
        rows, _ = self._contrasts(rows, "lr")
        values = data.check_grid(grid)
        found = profiles.find(self._solution, rows[0], values, len(self.names))
        value, loglik, root, coef, status = map(self._out, found)
        return Profile(value, loglik, root, coef, status, labels[0])

    def region(self, terms: Any, level: float = 0.95, points: int = 64) -> Region:
        """The joint profile-likelihood region of two coefficients or contrasts.

        Its boundary, by at least four points: see `Region`.
        """
        pair, labels = data.check_pair(terms, self.names)
        pair, _ = self._contrasts(pair, "lr")
        level, points = check_level(level), data.check_count("points", points, 4)
        found = profiles.region(self._solution, pair, tails.chi2_quantile(level, 2), points)
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
        limit. With a `level` a `Prediction`: the probabilities and their intervals.
        """
        fitted = (self._models, self._solution, self._which)
        estimate = self._shown(predictions.probabilities(*fitted, X_new, offset))
        method = self._method(method, "wald")
        if level is None:
            return estimate
        if method != "wald":
            calibrated.refuse_intercept(self._models, self._penalty, np.atleast_2d(X_new))
        found = predictions.bounds(fitted, X_new, offset, check_level(level), method)
        return Prediction.of(estimate, found, self._shown, float(level), method)

    def robust(self, kind: str | None = None, clusters: Any = None) -> "Fit":
        """The same fit with a sandwich covariance of rows ("HC0" to "HC3") or of `clusters`.

        Standard errors, Wald intervals, and Wald and score tests are its own; kinds, clusters,
        weights, statuses and sources are documented in `jaxlogit.robust.sandwiched`.
        """
        penalties.check_rows_alone(self._penalty, "robust covariances")
        found = robust.sandwiched(self._models, self._solution, self._which, kind, clusters)
        return replace(self, _solution=found, _which=None)

    def influence(self, *, dfbeta: bool = False) -> Influence:
        """Leverage, residuals and Cook's distances of the rows, documented in `Influence`."""
        penalties.check_rows_alone(self._penalty, "influence")
        fitted = (self._models, self._solution, self._which)
        return influence.measure(*fitted, self._shown, dfbeta)

    def transform(self, function: Any, level: float = 0.95, *, null: Any = 0.0) -> Transform:
        """A JAX function of the coefficients by the delta method: see `Transform`."""
        return delta.transform(self, function, level, null)

    def margins(self, terms: Any = None, level: float = 0.95) -> Margins:
        """Average marginal effects of columns on the probability: `Margins` says which."""
        return delta.margins(self, terms, level)

    def diagnose(self, level: float = 0.95) -> Diagnosis:
        """Where Wald's intervals and tests mislead, by coefficient: `Diagnosis` says how."""
        return diagnosis.diagnose(self, level)

    # -- tables ----------------------------------------------------------------------------

    def to_frame(self, level: float = 0.95, method: str | None = None):
        """A tidy table, one row for each model and term (needs pandas).

        Columns: model, term, estimate, std_error, statistic, p_value, conf_low, conf_high,
        status; intervals and tests by `method`.
        """
        from jaxlogit import tables

        return tables.tidy(self, level, self._method(method, "wald"))

    def summary(self, level: float = 0.95, method: str | None = None) -> str:
        """The fit as text: a table for one model, tallies and quantiles for many."""
        from jaxlogit import tables

        return tables.summary(self, level, self._method(method, "wald"))
