"""`Bootstrap`: the replicates of one data set or many, and what can be asked of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jaxlogit import results
from jaxlogit.data import check_count
from jaxlogit.model import Fit
from jaxlogit.resampling import after, inference, replicates, tables, testing
from jaxlogit.resampling.functional import Functional, functional
from jaxlogit.resampling.records import (
    BootstrapInterval,
    BootstrapTest,
    JackknifeAfter,
    Moments,
    Replay,
)
from jaxlogit.resampling.sample import Sample, sample_of
from jaxlogit.resampling.scheme import MOST, Scheme


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Bootstrap replicates of a fit: of one data set, or of B along a leading axis.

    Every replicate is kept with its status, none is drawn again: coefficients that separation
    sends to infinity are ±inf and keep their rank, those that have no value are nan. What a
    replicate draws depends on seed, data set and its number alone.

    Examples
    --------
    >>> import jaxlogit as jl
    >>> X, y = [[1, d] for d in range(8)], [0, 1, 0, 0, 1, 0, 1, 1]
    >>> boot = jl.bootstrap(X, y, replicates=20, scheme="score")
    >>> len(boot.extend(30)), boot.replay(3).weights.shape, boot.moments().names
    (50, (8,), ('x0', 'x1'))
    """

    _fit: Fit
    _scheme: Scheme
    _coef: np.ndarray
    """(B, R, p)."""
    _status: np.ndarray
    """(B, R)."""

    # -- what was drawn --------------------------------------------------------------------

    @property
    def fit(self) -> Fit:
        """The fit of the data."""
        return self._fit

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self._fit.names

    @property
    def n_replicates(self) -> int:
        """Number of replicates, R."""
        return self._status.shape[1]

    @property
    def scheme(self) -> str:
        """The word for what was drawn."""
        return self._scheme.name

    @property
    def seed(self) -> int:
        """What the random numbers start from."""
        return self._scheme.seed

    @property
    def coef(self) -> np.ndarray:
        """Coefficients of the replicates, (R, p) or (B, R, p), log-odds per unit; see `status`."""
        return self._out(self._coef)

    @property
    def status(self) -> np.ndarray:
        """`Status` codes of the replicates, (R,) or (B, R) int32; 0 is converged."""
        return self._out(self._status)

    @cached_property
    def std_error(self) -> np.ndarray:
        """Standard errors of the replicates' coefficients, like `coef`; computed when asked for.

        From each replicate's own information, or from its sums of scores over clusters (CR0)
        where clusters were drawn; nan where a coefficient is not finite. Of FLIC and FLAC there
        are none with clusters: ValueError.
        """
        replicates.check_errors(self._scheme, self._fit._penalty, "std_error")
        wanted = functional(None, None, self.names)
        return self._out(np.stack([self._errors(b, wanted) for b in range(len(self._status))]))

    def __len__(self) -> int:
        return self.n_replicates

    def __repr__(self) -> str:
        """Scheme, counts, and a tally of statuses."""
        sets = "" if self._single else f" of {len(self._status):,} data sets"
        counts = f"{self.n_replicates:,} replicates{sets}"
        return f"<Bootstrap: {self.scheme}, {counts}; {results.tally(self._status)}>"

    @property
    def _single(self) -> bool:
        return self._fit._models.single

    def _out(self, array: np.ndarray) -> np.ndarray:
        shown = array.view()
        shown.flags.writeable = False
        return shown[0] if self._single else shown

    def _sample(self, data_set: int) -> Sample:
        return sample_of(self._fit, self._scheme, data_set)

    def _errors(self, b: int, wanted: Functional) -> np.ndarray:
        numbers = np.arange(self.n_replicates, dtype=np.uint32)
        return replicates.std_errors(self._sample(b), numbers, self._coef[b], wanted)

    # -- inference -------------------------------------------------------------------------

    def confint(
        self,
        level: float = 0.95,
        kind: str | None = None,
        contrasts: Any = None,
        transform: Any = None,
    ) -> BootstrapInterval:
        """Bootstrap confidence intervals of coefficients, contrasts or functions of them.

        Parameters
        ----------
        level : float
            Confidence level in (0, 1).
        kind : {"bca", "percentile", "basic", "studentized", "normal"}, optional
            The formulas are those of `jaxlogit.resampling.kinds`. A jackknife has "normal" alone;
            the score scheme "normal", "basic" and "percentile"; m-out-of-n draws all but "bca".
            By default "bca", or "percentile", or "normal", the first that the scheme has.
        contrasts : None, names, (q, p) array or mapping
            As for `Fit.confint`.
        transform : None, "odds_ratio", "probability", or a function
            exp(c'β), 1/(1 + exp(−c'β)), or a JAX function of the coefficients (p,) to a number or
            (q,), with its standard errors by the delta method where "studentized" needs them.

        Returns
        -------
        BootstrapInterval

        Raises
        ------
        ValueError
            A level too extreme for the number of replicates (the message names how many it
            takes), an unknown kind, a kind that the scheme does not have.

        Warns
        -----
        UserWarning
            Where BCa asks for a quantile beyond the first or last replicate, which is then used.
        """
        return inference.confint(self, level, kind, contrasts, transform)

    def moments(self, contrasts: Any = None, transform: Any = None) -> Moments:
        """Bias and standard error of estimates, from the replicates' mean and variance.

        Parameters
        ----------
        contrasts, transform
            As for `confint`.

        Returns
        -------
        Moments
            nan where a replicate or the estimate is infinite or has no value. Of a jackknife the
            jackknife estimates of both; of m-out-of-n draws, the bias times m/n and the standard
            error times √(m/n).

        Raises
        ------
        ValueError
            A single replicate.
        """
        if self.n_replicates < 2:
            raise ValueError("replicates must be at least 2 for moments: found 1")
        wanted = functional(contrasts, transform, self.names)
        found = [
            inference.moments(self._sample(b), coef, status, wanted)
            for b, (coef, status) in enumerate(zip(self._coef, self._status, strict=True))
        ]
        bias, spread, status = (self._out(np.stack(part)) for part in zip(*found, strict=True))
        return Moments(bias, spread, status, wanted.names)

    def test(
        self,
        method: str | None = None,
        null: Any = 0.0,
        contrasts: Any = None,
        joint: bool = False,
    ) -> BootstrapTest:
        """Test coefficients or contrasts against the replicates' distribution of the statistic.

        Parameters
        ----------
        method : {"wald", "lr", "score"}, optional
            The statistic. "lr" gives the bootstrap-calibrated likelihood-ratio test. By default
            "wald", and "score" with the score scheme, which has no other.
        null : number or (q,) array
        contrasts, joint
            As for `Fit.test`.

        Returns
        -------
        BootstrapTest
            p = (1 + #{T* ≥ T})/(R + 1).

        Raises
        ------
        ValueError
            A jackknife; a method that scheme or penalty does not have; bad nulls or contrasts.

        Notes
        -----
        Under "pairs", "bayesian" and "poisson" a replicate's statistic tests the estimate of the
        whole data, which is the truth there. "parametric" draws outcomes under the null, for each
        hypothesis anew. "score" multiplies the units' scores at the restricted maximum (Kline and
        Santos 2012, Journal of Econometric Methods 1:23–41, doi:10.1515/2156-6674.1006).
        Replicates without a statistic count as if it were beyond: the p value is never too small
        for their sake.
        """
        return testing.test(self, method, null, contrasts, joint)

    def jackknife_after(
        self, level: float = 0.95, kind: str = "percentile", contrasts: Any = None
    ) -> JackknifeAfter:
        """Interval ends without each unit, and the jackknife standard errors of the ends.

        Parameters
        ----------
        level : float
        kind : {"percentile", "bca", "basic", "normal"}
            The last three around the estimate from the data without the unit.
        contrasts : None, names, (q, p) array or mapping
            As for `Fit.confint`.

        Returns
        -------
        JackknifeAfter

        Raises
        ------
        ValueError
            A scheme under which no unit has weight 0, more than one data set, a unit alone in its
            stratum, too few replicates without some unit (the message names how many it takes).

        Notes
        -----
        Replicates without a unit are replicates of the data without it (Efron 1992, Journal of
        the Royal Statistical Society B 54:83–127, doi:10.1111/j.2517-6161.1992.tb01866.x). None is
        drawn for it; the data are fitted once without each unit.
        """
        return after.jackknife_after(self, level, kind, contrasts)

    # -- more of them, and single ones -----------------------------------------------------

    def extend(self, more: int) -> "Bootstrap":
        """The same bootstrap with more replicates: those at hand are not drawn again.

        Parameters
        ----------
        more : int
            How many replicates more.

        Returns
        -------
        Bootstrap

        Raises
        ------
        ValueError
            Less than one, or a jackknife, which has one replicate for each unit.
        """
        more = check_count("more", more, 1)
        if self.scheme == "jackknife":
            raise ValueError("more must not be asked of a jackknife, which has one replicate for "
                             "each unit")  # fmt: skip
        if self.n_replicates + more > MOST:
            raise ValueError(f"replicates must be at most 2**32: found {self.n_replicates + more}")
        numbers = np.arange(self.n_replicates, self.n_replicates + more, dtype=np.uint32)
        coef, status = replicates.run(self._fit, self._scheme, numbers)
        return replace(
            self,
            _coef=np.concatenate([self._coef, coef], axis=1),
            _status=np.concatenate([self._status, status], axis=1),
        )

    def replay(self, r: int, data_set: int = 0) -> Replay:
        """Replicate number r alone: the weights or outcomes it drew, and their fit.

        Parameters
        ----------
        r, data_set : int
            From 0.

        Returns
        -------
        Replay

        Raises
        ------
        ValueError
            No such replicate or data set.
        """
        return testing.replay(self, r, data_set)

    # -- tables ----------------------------------------------------------------------------

    def summary(self, level: float = 0.95, kind: str | None = None) -> str:
        """The bootstrap of one data set as text: estimates, bias, errors, interval, statuses.

        `level` and `kind` are those of `confint`, with its errors.
        """
        return tables.summary(self, level, kind)

    def to_frame(self) -> Any:
        """The replicates as a pandas data frame: replicate, the coefficients by name, status.

        With many data sets the first column is data_set.

        Raises
        ------
        ValueError
            A coefficient with the name of another column.
        ImportError
            Without pandas.
        """
        return tables.frame(self)

    def to_parquet(self, path: Any) -> None:
        """Write what `to_frame` has to a Parquet file, with scheme and seed as its metadata.

        Parameters
        ----------
        path : str or Path
            The file is written whole or not at all; errors as `to_frame`.
        """
        tables.to_parquet(self, path)
