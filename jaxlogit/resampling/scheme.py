"""What a bootstrap was asked to do, checked: scheme, units, strata, number of draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from jaxlogit import clusters as labels
from jaxlogit.core.resample import Layout, Source, key_of
from jaxlogit.data import Models, check_choice, check_count
from jaxlogit.penalties import Penalty, word

SCHEMES = ("pairs", "bayesian", "poisson", "parametric", "score", "jackknife")
MULTIPLIERS = ("rademacher", "webb")
FEW_UNITS = 12  # with no more of them 2^G signs are few, and Webb's six points take their place
MOST = 1 << 32  # replicates: a number is folded into its key as 32 bits
MOST_STEPS = 64  # of a Poisson table; the tail beyond is below one in 2³²


@dataclass(frozen=True, eq=False)
class Scheme:
    """How replicates are drawn from a data set of n rows.

    Attributes
    ----------
    name : str
        One of `SCHEMES`.
    multiplier : str or None
        Of the score scheme, one of `MULTIPLIERS`.
    seed : int
    unit : (n,) int array or None
        The cluster of each row, from 0; None where rows are the units.
    stratum : (G,) int array or None
        The stratum of each unit, from 0; None where there is one.
    n_units, n_draws : int
        Units G, and how many are drawn.
    """

    name: str
    multiplier: str | None
    seed: int
    unit: np.ndarray | None
    stratum: np.ndarray | None
    n_units: int
    n_draws: int

    @property
    def weighs(self) -> bool:
        """Whether a replicate is the data with other weights."""
        return self.name in ("pairs", "bayesian", "poisson", "jackknife")

    @property
    def shrinkage(self) -> float:
        """√(m/G): a deviation of a replicate from m draws is this much too long for G of them."""
        return float(np.sqrt(self.n_draws / self.n_units))

    @property
    def n_strata(self) -> int:
        """Number of strata."""
        return 1 if self.stratum is None else int(self.stratum.max()) + 1

    def layout(self, models: Models) -> Layout:
        """What the draws of these data compile to."""
        most = 1
        if self.name == "parametric" and models.trials is not None:
            most = int(np.max(models.trials))
        name = self.multiplier if self.multiplier is not None else self.name
        return Layout(name, self.n_units, self.n_draws, self.n_strata, most)

    def source(self, data_set: int) -> Source:
        """What the replicates of a data set share, but for the outcomes' distribution."""
        source = Source(key_of(self.seed, data_set), unit=self.unit, stratum=self.stratum)
        if self.name == "poisson":
            share = np.float64(self.n_draws / self.n_units)
            steps = np.ceil(scipy.special.pdtr(np.arange(MOST_STEPS), share) * 2.0**32)
            source = source._replace(steps=steps[steps < 2.0**32].astype(np.uint32))
        if self.name == "pairs" and self.stratum is not None:
            order = np.argsort(self.stratum, kind="stable")
            sizes = np.bincount(self.stratum)
            draws = np.repeat(np.arange(len(sizes)), _shares(sizes, self.n_draws))
            first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
            source = source._replace(
                order=order.astype(np.int32),
                first=first[draws].astype(np.int32),
                room=sizes[draws].astype(np.int32),
            )
        return source

    def with_outcomes(self, source: Source, eta: np.ndarray, models: Models) -> Source:
        """The source with the distribution of outcomes at linear predictors (n,)."""
        tail, first, trials = tails(eta, models.trials)
        if models.trials is None:
            return source._replace(tail=tail)
        return source._replace(tail=tail, first_tail=first, trials=trials)


def tails(eta: np.ndarray, trials: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P(Y > k) for k = 0..m−1, row after row in one array; each row's first entry; m.

    Of outcomes with linear predictors (n,) and so many trials, one by default.
    """
    mu = scipy.special.expit(eta)
    if trials is None:
        return mu, np.arange(mu.size, dtype=np.int32), np.ones(mu.size, np.int32)
    whole = trials.astype(np.int32)
    first = np.concatenate([[0], np.cumsum(whole)[:-1]]).astype(np.int32)
    row = np.repeat(np.arange(mu.size), whole)
    k = np.arange(row.size) - first[row]
    # One trial is spelled as mu itself, so that grouped and ungrouped rows agree to the bit.
    tail = np.where(whole[row] == 1, mu[row], scipy.special.bdtrc(k, whole[row], mu[row]))
    return tail, first, whole


def check_scheme(
    models: Models,
    scheme: Any,
    seed: Any,
    strata: Any,
    clusters: Any,
    size: Any,
    multiplier: Any,
    penalty: Penalty | None,
    rows: np.ndarray | None = None,
) -> Scheme:
    """Check the arguments of `bootstrap` that say how to draw.

    Labels are those of the models' rows, (n,); `rows` are these rows' numbers among those given.

    Raises
    ------
    ValueError, TypeError
        An unknown scheme or multiplier; missing labels; a cluster in two strata; strata of one
        unit each; fewer than two units; what a scheme cannot use, saying what would do instead.
    """
    name = check_choice("scheme", scheme, SCHEMES)
    seed = check_count("seed", seed, 0)
    if seed >= 1 << 63:
        raise ValueError(f"seed must be below 2**63: found {seed}")
    unit, n_units = _units(models, clusters)
    stratum = _strata(models, strata, unit, n_units, rows)
    if name == "parametric":
        _check_parametric(models, clusters, strata)
    if name == "poisson" and strata is not None:
        raise ValueError("strata must not be given with scheme 'poisson', which does not keep "
                         "their sizes: 'pairs' and 'bayesian' do")  # fmt: skip
    if multiplier is not None and name != "score":
        raise ValueError(f"multiplier must not be given with scheme {name!r}: 'score' has one")
    if name == "score":
        if penalty is not None:
            raise ValueError(f"penalty must be None with scheme 'score', which refits nothing: "
                             f"found {word(penalty)!r}")  # fmt: skip
        usual = "webb" if n_units <= FEW_UNITS else "rademacher"
        multiplier = check_choice("multiplier", multiplier or usual, MULTIPLIERS)
    n_draws = n_units
    if size is not None:
        if name not in ("pairs", "poisson"):
            raise ValueError(f"size must not be given with scheme {name!r}: "
                             "'pairs' and 'poisson' can draw fewer")  # fmt: skip
        n_draws = check_count("size", size, 1)
        if n_draws > n_units:
            raise ValueError(f"size must be at most the {n_units} units there are: found {n_draws}")
    return Scheme(name, multiplier, seed, unit, stratum, n_units, n_draws)


def _units(models: Models, clusters: Any) -> tuple[np.ndarray | None, int]:
    unit = None if clusters is None else labels.coded(clusters, models)
    n_units = models.n_rows if unit is None else int(unit.max()) + 1
    if n_units < 2:
        what = "X must have at least two rows" if unit is None else "clusters must be at least two"
        raise ValueError(f"{what} to resample: found {n_units}")
    return unit, n_units


def _strata(
    models: Models,
    strata: Any,
    unit: np.ndarray | None,
    n_units: int,
    rows: np.ndarray | None,
) -> np.ndarray | None:
    """The stratum of each unit."""
    if strata is None:
        return None
    codes = labels.coded(strata, models, "strata")
    if unit is not None:
        first = np.zeros(n_units, np.int32)
        first[unit[::-1]] = codes[::-1]
        differs = np.flatnonzero(first[unit] != codes)
        if len(differs):
            row = int(differs[0])
            there = int(np.flatnonzero(unit == unit[row])[0])
            found, other = np.asarray(strata)[[there, row]].tolist()
            row, there = (i if rows is None else int(rows[i]) for i in (row, there))
            raise ValueError("clusters must lie in one stratum each: found the cluster of row "
                             f"{row} in strata {found!r} (row {there}) and {other!r}")  # fmt: skip
        codes = first
    if int(codes.max()) + 1 == n_units:
        what = "rows" if unit is None else "clusters"
        raise ValueError(f"strata must not all be of one unit, or nothing varies: found {n_units} "
                         f"strata of {n_units} {what}")  # fmt: skip
    return codes


def _check_parametric(models: Models, clusters: Any, strata: Any) -> None:
    for name, value in (("clusters", clusters), ("strata", strata), ("weights", models.weights)):
        if value is None:
            continue
        instead = "give counts as trials" if name == "weights" else "use another scheme"
        raise ValueError(f"{name} must not be given with scheme 'parametric', whose rows are drawn "
                         f"independently from the fitted probabilities: {instead}")  # fmt: skip
    if models.trials is not None and np.any(models.trials != np.rint(models.trials)):
        row = int(np.argwhere(models.trials != np.rint(models.trials))[0][-1])
        raise ValueError("trials must be whole numbers with scheme 'parametric': found "
                         f"{models.trials[..., row].ravel()[0]} at row {row}")  # fmt: skip
    if models.trials is not None and models.trials.ndim == 2:
        raise ValueError("trials must be the same for all data sets with scheme 'parametric': "
                         f"found shape {models.trials.shape}")  # fmt: skip


def _shares(sizes: np.ndarray, n_draws: int) -> np.ndarray:
    """Draws from each stratum in proportion to its size, by largest remainders."""
    exact = sizes * (n_draws / np.sum(sizes))
    whole = np.floor(exact).astype(int)
    rest = np.argsort(whole - exact, kind="stable")[: n_draws - int(np.sum(whole))]
    whole[rest] += 1
    return whole
