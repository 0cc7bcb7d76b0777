"""One data set whose replicates are wanted, prepared once for all of them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from jaxlogit import calibrated, coordinates, fitting
from jaxlogit.core import linalg
from jaxlogit.core.resample import Layout, Source
from jaxlogit.core.working import Arrays
from jaxlogit.data import Models
from jaxlogit.model import Fit
from jaxlogit.penalties import Firth
from jaxlogit.predictions import linear_predictors
from jaxlogit.resampling import derivatives
from jaxlogit.resampling.scheme import Scheme
from jaxlogit.solution import FEW, FIRTH_ARRAYS


@dataclass(frozen=True, eq=False)
class Sample:
    """One data set whose replicates are wanted."""

    models: Models
    """The data of one model."""
    fit: Fit
    scheme: Scheme
    data_set: int = 0
    alone: bool = False
    """Whether the data were fitted by themselves, as they are."""

    @property
    def estimate(self) -> np.ndarray:
        """(p,) coefficients of the data."""
        return self.fit.coef

    @cached_property
    def arrays(self) -> Arrays | None:
        """The data in working coordinates, shared by all replicates; None without full rank."""
        _, shared = coordinates.arrange(replace(self.models, n_models=FEW + 1, single=False))
        return shared

    @cached_property
    def source(self) -> Source:
        """What replicates draw from; outcomes at the fitted probabilities."""
        source = self.scheme.source(self.data_set)
        if self.scheme.name != "parametric":
            return source
        return self.with_outcomes(self.estimate)

    def with_outcomes(self, coef: np.ndarray) -> Source:
        """The source with outcomes at other coefficients (p,)."""
        eta = linear_predictors(self.models, coef[None])[0]
        return self.scheme.with_outcomes(self.scheme.source(self.data_set), eta, self.models)

    @cached_property
    def layout(self) -> Layout:
        """What draws compile to."""
        return self.scheme.layout(self.models)

    @property
    def start(self) -> np.ndarray:
        """(p,) the estimate in working coordinates, nan where it is not finite."""
        assert self.arrays is not None and self.arrays.transform is not None
        return np.linalg.solve(self.arrays.transform, self.estimate)

    @property
    def row_elements(self) -> int:
        """Numbers in one row array of one replicate."""
        p = self.models.n_terms
        if not linalg.unrolls(p):
            return self.models.n_rows * p
        return self.models.n_rows * (FIRTH_ARRAYS if isinstance(self.fit._penalty, Firth) else 1)

    @cached_property
    def own_fit(self) -> Fit:
        """A fit of these data alone: of many models alike rows may have been taken together."""
        return self.fit if self.alone else fit_again(self.models, self.fit._penalty)

    @cached_property
    def influence(self) -> np.ndarray:
        """(p, G) derivatives of the estimate with respect to the units' weights."""
        by_row, scheme = derivatives.by_row(self.own_fit), self.scheme
        if scheme.unit is None:
            return by_row
        return np.stack([np.bincount(scheme.unit, row, scheme.n_units) for row in by_row])


def sample_of(fit: Fit, scheme: Scheme, data_set: int) -> Sample:
    """One data set of a fit."""
    models = fit._models.take(slice(data_set, data_set + 1), single=True)
    return Sample(models, fit[data_set], scheme, data_set, alone=fit._models.n_models == 1)


def fit_again(models: Models, penalty) -> Fit:
    """A fit of models already checked."""
    within = isinstance(penalty, Firth) and penalty.intercept != "penalized"
    found = calibrated if within else fitting
    return Fit(models, found.fit(models, penalty=penalty), None, penalty)


def centred(influence: np.ndarray, stratum: np.ndarray | None) -> np.ndarray:
    """Influences (p, G) less their mean within each stratum."""
    codes = np.zeros(influence.shape[1], int) if stratum is None else stratum
    sizes = np.bincount(codes)
    means = np.stack([np.bincount(codes, row) for row in influence]) / sizes
    return influence - means[:, codes]
