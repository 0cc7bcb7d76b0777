"""`Fit`: what a fit knows, and what can be asked of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jaxlogit import (
    data,
    delta,
    diagnosis,
    hypotheses,
    influence,
    intervals,
    predictions,
    profiles,
    robust,
)
from jaxlogit.core import tails
from jaxlogit.data import Models, check_choice, check_contrasts, check_level
from jaxlogit.delta import Margins, Transform
from jaxlogit.diagnosis import Diagnosis
from jaxlogit.influence import Influence
from jaxlogit.results import Interval, Profile, Region, Separation, Test, tally
from jaxlogit.solution import Solution

METHODS = ("wald", "lr", "score")
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
            return Fit(self._models.take(index, single=False), self._part(index))
        number = self._models.number(index)
        if self._models.single:
            return self
        one = slice(number, number + 1)
        return Fit(self._models.take(one, single=True), self._part(one))

    def _part(self, index: slice) -> Solution:
        return self._solution.take(index if self._which is None else self._which[index])

    def __repr__(self) -> str:
        """Shapes and a tally of statuses."""
        n, p = self._models.n_rows, self._models.n_terms
        count = "1 model" if self._models.single else f"{self.n_models:,} models"
        units = self._solution.sandwich
        kind = "" if units is None else f", {units.layout.kind} covariance"
        return f"<Fit: {count}, {n} rows, {p} coefficients{kind}; {tally(self.status)}>"

    def _method(self, method: str | None, *robust_ones: str) -> str:
        """The method asked for, or the default; a robust fit has only some."""
        if self._solution.sandwich is not None:
            return robust.check_method(method, robust_ones)
        return check_choice("method", "lr" if method is None else method, METHODS)

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
        return intervals.estimates(self._solution, np.eye(self._models.n_terms))

    @property
    def coef(self) -> np.ndarray:
        """Coefficients (B, p), log-odds per unit.

        ±inf where separation sends a coefficient there; nan where it may run to either side,
        or where the model has no maximum (see `status`).
        """
        return self._out(self._estimate)

    @cached_property
    def _std_error(self) -> np.ndarray:
        return intervals.std_errors(self._solution, np.eye(self._models.n_terms))

    @property
    def std_error(self) -> np.ndarray:
        """Standard errors (B, p), roots of the diagonal of `covariance`; nan without a maximum."""
        return self._out(self._std_error)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Inverse information (B, p, p), or a robust fit's covariance; nan without a maximum."""
        return self._out(intervals.covariances(self._solution))

    @property
    def loglik(self) -> np.ndarray:
        """Log-likelihood (B,) at the maximum, without the binomial coefficients.

        Its supremum for a separated model.
        """
        return self._out(self._solution.loglik)

    @cached_property
    def deviance(self) -> np.ndarray:
        """Twice the log-likelihood lost against a model with one parameter for each row, (B,)."""
        loglik = self._each(self._solution.loglik)
        return self._shown(2.0 * (predictions.saturated(self._models) - loglik))

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
        method : {"lr", "wald", "score"}, optional
            "lr" (the default): the profile-likelihood interval; "wald": estimate ± z standard
            errors; "score": the score (Rao) statistic inverted. A robust fit has "wald" alone.
        contrasts : None, names, or (q, p) array
            Every coefficient; the named ones; or rows c of linear combinations c'β.
        solver : {"newton", "bisection"}
            Search for the ends: fast with a certificate (the bracket steps in where it has
            none), or the bracket alone, slow and independent.

        Returns
        -------
        Interval
            lower, upper, lower_status, upper_status, each (B, q).

        Notes
        -----
        Under separation an end may be ±inf (status INFINITE, proved by a separating
        direction or a linear programme). A Wald interval is then nan with the model's status.
        """
        level = check_level(level)
        method = self._method(method, "wald")
        check_choice("solver", solver, SOLVERS)
        rows, labels = check_contrasts(contrasts, self.names)
        if method == "wald":
            ends = intervals.wald_ends(self._solution, rows, level)
        else:
            cutoff = tails.chi2_quantile(level, 1)
            ends = intervals.inverted_ends(self._solution, rows, cutoff, method, solver)
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
        method : {"lr", "wald", "score"}, optional
            "lr" by default; a robust fit has "wald" (its default) and "score".
        null : number or (q,) array
            Hypothesised values of the contrasts.
        contrasts : None, names, or (q, p) array
            As for `confint`.
        joint : bool
            One test of all contrasts together, on q degrees of freedom.

        Returns
        -------
        Test
            statistic, p_value, log_p, status: (B, q), or (B,) when joint.
        """
        method = self._method(method, *robust.METHODS)
        rows, labels = check_contrasts(contrasts, self.names)
        nulls = data.check_null(null, len(rows))
        if joint:
            if np.linalg.matrix_rank(rows) < len(rows):
                raise ValueError(
                    f"contrasts of a joint test must be linearly independent: found {len(rows)} "
                    f"rows of rank {np.linalg.matrix_rank(rows)}"
                )
            constraints, nulls = rows[None], nulls[None]
        else:
            constraints, nulls = rows[:, None], nulls[:, None]
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
        values = data.check_grid(grid)
        if values is None:
            found = profiles.path(self._solution, rows[0])
        else:
            found = profiles.on_grid(self._solution, rows[0], values)
        value, loglik, root, coef, status = map(self._out, found)
        return Profile(value, loglik, root, coef, status, labels[0])

    def region(self, terms: Any, level: float = 0.95, points: int = 64) -> Region:
        """The joint profile-likelihood region of two coefficients or contrasts.

        Its boundary, by at least four points: see `Region`.
        """
        pair, labels = data.check_pair(terms, self.names)
        level, points = check_level(level), data.check_count("points", points, 4)
        found = profiles.region(self._solution, pair, tails.chi2_quantile(level, 2), points)
        value, status, direction, ellipse = map(self._out, found)
        return Region(value, status, direction, ellipse, level, labels)

    def separation(self) -> Separation:
        """Whether finite estimates exist: by model, and by coefficient, with the direction."""
        model, words, direction = predictions.separation(self._solution, self._estimate)
        return Separation(self._out(model), self._out(words), self._out(direction))

    def predict(self, X_new: Any, *, offset: Any = None) -> np.ndarray:
        """Probabilities at rows X_new (k, p), or (B, k, p), of all coefficients: (B, k).

        0 or 1 where a separated model's linear predictor is infinite, nan where it has no
        limit.
        """
        fitted = (self._models, self._solution, self._which)
        return self._shown(predictions.probabilities(*fitted, X_new, offset))

    def robust(self, kind: str = "HC1", clusters: Any = None) -> "Fit":
        """The same fit with a sandwich covariance of rows ("HC0" to "HC3") or of `clusters`.

        Standard errors, Wald intervals, and Wald and score tests are its own; kinds, clusters,
        weights, statuses and sources are documented in `jaxlogit.robust.sandwiched`.
        """
        found = robust.sandwiched(self._models, self._solution, self._which, kind, clusters)
        return replace(self, _solution=found, _which=None)

    def influence(self, *, dfbeta: bool = False) -> Influence:
        """Leverage, residuals and Cook's distances of the rows, documented in `Influence`."""
        fitted = (self._models, self._solution, self._which)
        return influence.measure(*fitted, self._shown, dfbeta)

    def transform(self, function: Any, level: float = 0.95, *, null: Any = 0.0) -> Transform:
        """A JAX function of the coefficients, (p,) to a number or (q,), by the delta method.

        Shapes, statuses, errors and source: `Transform`.
        """
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
