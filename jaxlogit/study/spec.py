"""The specification of a coverage study: from keyword arguments or a TOML file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from jaxlogit.core.status import Status
from jaxlogit.frame import design, read_table
from jaxlogit.front import fit
from jaxlogit.study.cells import MAX_REPLICATES, Cell, cell_from_arrays, integer, truth_vector
from jaxlogit.study.engines import Engine
from jaxlogit.study.methods import METHODS, check_bootstrap, check_methods
from jaxlogit.study.precision import check_precision
from jaxlogit.study.record import Record, versions
from jaxlogit.study.resample import plan
from jaxlogit.study.result import Replay, StudyResult, replay
from jaxlogit.study.run import run_record
from jaxlogit.study.shards import read_shard
from jaxlogit.study.simulate import random_record
from jaxlogit.study.toml import read_toml


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A coverage study: a fixed design and truth, simulated outcomes, interval methods.

    The design comes from `data` and `formula`, or from `X`.

    Parameters
    ----------
    name : str
        Letters, digits, dot, dash and underscore; names the default store.
    seed : int
        0 to 2⁶³ − 1.
    replicates : int
        Simulated data sets per cell, 1 to 2³².
    level : float
        Level of the intervals, in (0, 1).
    methods : sequence of str
        "ml:" with wald, lr, score or rstar; "firth:" with wald, lr or score; "bootstrap:" or
        "firth-bootstrap:" with normal, basic, percentile, studentized or bca. All see the same
        data sets.
    bootstrap : mapping, optional
        Of bootstrap methods: `replicates` of each data set (999), and the `scheme`: "pairs",
        "bayesian", "poisson" or "parametric", as in `jaxlogit.bootstrap`.
    null : float
        The value (log-odds) whose rejection rate is measured.
    significance : float, optional
        A test rejects where p ≤ significance; 1 − level by default. A bootstrap method has no
        p-value: it rejects at 1 − level, a null outside its interval.
    target_mcse : float, optional
        A cell is done at the first of `looks` where the Monte Carlo standard error of every
        coverage is certain to be below this; see `jaxlogit.study.precision`.
    looks : sequence of int, optional
        With `target_mcse`: replicates after which that is asked; 1,000, 2,000, 4,000, ... by
        default. `replicates` is then the most.
    data : str, path or data frame, optional
        A CSV or Parquet file, the name of a bundled data set, or a pandas frame.
    formula : str, optional
        With `data`: response and terms, as in "low ~ age + race".
    truth : "mle", array-like (p,) or mapping
        The coefficients that outcomes are simulated with, log-odds: the maximum-likelihood
        estimate of `data`, or given in order or by name.
    X : array-like (n, p), optional
        Design matrix; no intercept is added.
    trials, weights, offset : str or array-like (n,), optional
        Column names with `data`, arrays with `X`. Weights enter the fits, not the simulation.
    names : sequence of str, optional
        With `X`: names of its columns; x0, x1, ... by default.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, the rule and what was found. The design itself is read and
        checked when `cells` is first used.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.column_stack([np.ones(40), np.repeat([0.0, 1.0], 20)])
    >>> study = Study(name="groups", seed=1, replicates=500, methods=["ml:score"], X=X,
    ...               truth=[-1.0, 0.5], names=["base", "effect"])
    >>> study.cells[0].label, study.cells[0].names
    ('main', ('base', 'effect'))
    """

    name: str
    seed: int
    replicates: int
    level: float = 0.95
    methods: Sequence[str] = METHODS
    bootstrap: Any = None
    null: float = 0.0
    significance: float | None = None
    target_mcse: float | None = None
    looks: Sequence[int] | None = None
    data: Any = None
    formula: str | None = None
    truth: Any = "mle"
    X: Any = None
    trials: Any = None
    weights: Any = None
    offset: Any = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _set(self, "seed", integer("seed", self.seed, 0, 2**63 - 1))
        _set(self, "replicates", integer("replicates", self.replicates, 1, MAX_REPLICATES))
        _set(self, "level", _number("level", self.level, 0.0, 1.0))
        _set(self, "null", _number("null", self.null, -np.inf, np.inf))
        methods = check_methods(self.methods)
        _set(self, "methods", methods)
        _set(self, "bootstrap", check_bootstrap(self.bootstrap, methods, self.level))
        if self.significance is None:
            # Rounded so that 1 − 0.95 is 0.05, not 0.050000000000000044.
            _set(self, "significance", round(1.0 - self.level, 12))
        _set(self, "significance", _number("significance", self.significance, 0.0, 1.0))
        check_precision(self.target_mcse, self.looks, self.replicates)
        _check_design(self)

    @classmethod
    def from_toml(cls, path: str | Path) -> "Study":
        """Read a study from a TOML file, or a bundled one by its name.

        Parameters
        ----------
        path : str or path
            A file, or the name of a bundled study ("birthwt"). Data files are looked for
            beside the TOML file.

        Raises
        ------
        FileNotFoundError
            Neither a file nor a bundled study.
        ValueError, TypeError
            Naming the file, the key, what is allowed and what was found.

        Examples
        --------
        >>> Study.from_toml("birthwt").formula
        'low ~ age + lwt + race + smoke + ht + ui'
        """
        file, arguments = read_toml(path)
        try:
            return cls(**arguments)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{file}: {error}") from None

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The study's cells; one, as long as there are no factors.

        Raises
        ------
        ValueError, TypeError
            Data, formula, arrays or truth break a rule, or the data have no finite estimate.
        """
        if self.X is None:
            return (_cell_from_data(self),)
        arrays = {key: getattr(self, key) for key in ("names", "trials", "weights", "offset")}
        return (cell_from_arrays(self.X, self.truth, **arrays),)

    def run(
        self,
        store: str | Path | None = None,
        replicates: int | None = None,
        engine: Engine = None,
        progress: bool = True,
        *,
        shard: str | None = None,
        max_time: float | None = None,
    ) -> StudyResult:
        """Simulate, fit and tabulate what the store does not hold yet.

        Parameters
        ----------
        store : path, optional
            Folder of the results, made or resumed. By default a temporary folder that goes
            with the result.
        replicates : int, optional
            Instead of the study's own number.
        engine : str or concurrent.futures.Executor, optional
            Where the work is done, by default in this process. "dask" (or "dask:4") starts a
            local cluster (of 4 workers) and "tcp://host:8786" uses the Dask scheduler there (extra
            `cluster`); a script needs its `if __name__ == "__main__":`, as workers are spawned.
            An executor must not fork. Every engine gives the same rows.
        progress : bool
            Show progress on standard error.
        shard : str, optional
            "3/16" computes the third of 16 shares of the work; see `jaxlogit.study.merge`.
        max_time : float, optional
            Seconds after which no chunk is begun that would not end in time. What is left is in
            `StudyResult.left`; running again resumes.

        Returns
        -------
        StudyResult
            Tables over everything the store holds.

        Raises
        ------
        ValueError, TypeError
            The store holds another study, is in use, or the study's data break a rule; no such
            engine or shard.
        OSError
            No scheduler answers (ConnectionError), a chunk failed again and again
            (ChildProcessError), or a part cannot be written.

        Examples
        --------
        >>> study = Study(name="dose", seed=1, replicates=200, methods=["ml:wald"],
        ...               X=[[1, 0], [1, 1]], trials=[40, 40], truth=[-1.0, 0.5])
        >>> study.run(progress=False).summary()[["method", "term", "truth", "n_replicates"]]
            method term  truth  n_replicates
        0  ml:wald   x0   -1.0           200
        1  ml:wald   x1    0.5           200
        """
        if replicates is None:
            replicates = self.replicates
        replicates = integer("replicates", replicates, 1, MAX_REPLICATES)
        if max_time is not None:
            max_time = _number("max_time", max_time, 0.0, np.inf)
        precision = check_precision(self.target_mcse, self.looks, replicates)
        if precision is not None and shard is not None:
            raise ValueError("shard goes without target_mcse: no shard sees all of a cell")
        record = replace(record_of(self), replicates=replicates, precision=precision)
        return run_record(
            record, store, engine=engine, progress=progress, max_time=max_time,
            shard=None if shard is None else read_shard(shard),
        )  # fmt: skip

    def replay(self, cell: str, replicate: int) -> Replay:
        """Rebuild one data set and its fits from their address.

        Parameters
        ----------
        cell : str
            Label of the cell; "main" in a study without factors.
        replicate : int
            Number of the replicate, from 0.

        Returns
        -------
        Replay
            The design, the outcomes `y` (n,), and a table with one row per method and term.
        """
        return replay(record_of(self), cell, replicate)


def record_of(study: Study) -> Record:
    """The record a new store of this study would have; reads and checks the design."""
    data = study.data
    source = {
        "data": Path(data).name if isinstance(data, str | Path) else None,
        "formula": study.formula,
        "truth": "mle" if isinstance(study.truth, str) else "given",
    }
    assert study.significance is not None  # resolved when the study was made
    if study.bootstrap is not None:
        for cell in study.cells:
            plan(cell, study.seed, study.bootstrap, study.level)
    return Record(
        name=study.name,
        seed=study.seed,
        level=study.level,
        null=study.null,
        replicates=study.replicates,
        significance=study.significance,
        methods=tuple(study.methods),
        bootstrap=study.bootstrap,
        precision=check_precision(study.target_mcse, study.looks, study.replicates),
        cells=study.cells,
        source=source,
        random=random_record(),
        versions=versions(),
    )


def _set(study: Study, name: str, value: Any) -> None:
    object.__setattr__(study, name, value)  # the record is frozen once this has run


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be text: found {name!r}")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"name must be letters, digits, dots, dashes, underscores: found {name!r}")


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number: found {value!r}")
    if not low < value < high:
        raise ValueError(f"{name} must lie strictly between {low:g} and {high:g}: found {value!r}")
    return float(value)


def _check_design(study: Study) -> None:
    if (study.data is None) == (study.X is None):
        raise ValueError("a study needs either data and formula, or X: found " + (
            "neither" if study.X is None else "both"))  # fmt: skip
    if study.X is not None:
        if study.formula is not None:
            raise ValueError("formula goes with data, not with X")
        if isinstance(study.truth, str):
            raise ValueError(f"truth must be coefficients where X is given: found {study.truth!r}")
        return
    if not isinstance(study.data, str | Path) and not hasattr(study.data, "columns"):
        raise TypeError(f"data must be a path, a bundled name or a frame: found {study.data!r}")
    if not isinstance(study.formula, str):
        raise TypeError(f"formula must be text, as in 'y ~ x': found {study.formula!r}")
    if study.names is not None:
        raise ValueError("names go with X; with data, the formula names the coefficients")
    for key in ("trials", "weights", "offset"):
        if not isinstance(getattr(study, key), str | None):
            raise TypeError(f"{key} must be the name of a column where data is given")
    if isinstance(study.truth, str) and study.truth != "mle":
        raise ValueError(f'truth must be "mle" or coefficients: found "{study.truth}"')


def _cell_from_data(study: Study) -> Cell:
    assert study.formula is not None  # checked when the study was made
    table = read_table(study.data) if isinstance(study.data, str | Path) else study.data
    made = design(
        study.formula, table, trials=study.trials, weights=study.weights, offset=study.offset
    )
    trials, weights, offset = made.trials, made.weights, made.offset
    if isinstance(study.truth, str):
        estimate = fit(made.X, made.y, trials=trials, weights=weights, offset=offset)
        if int(estimate.status) != Status.CONVERGED:
            raise ValueError(
                'truth = "mle" needs a finite estimate, and the data have none '
                f"({Status(int(estimate.status)).name.lower()}): give coefficients instead"
            )
        truth = np.asarray(estimate.coef)
    else:
        truth = truth_vector(study.truth, tuple(made.names))
    cell = cell_from_arrays(
        made.X, truth, names=made.names, trials=trials, weights=weights, offset=offset
    )
    return replace(cell, n_dropped=made.n_dropped)
