"""The specification of a coverage study: from keyword arguments or a TOML file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from jaxlogit.report.protocol import protocol_text
from jaxlogit.study.asked import check, record_of
from jaxlogit.study.computing.engines import Engine
from jaxlogit.study.computing.shards import read_shard
from jaxlogit.study.design.cells import MAX_REPLICATES, Cell, integer
from jaxlogit.study.design.grid import cells
from jaxlogit.study.design.settings import SETTINGS, number
from jaxlogit.study.exact.result import ExactResult, exact_record
from jaxlogit.study.methods import METHODS
from jaxlogit.study.precision import check_precision
from jaxlogit.study.result import Replay, StudyResult, replay
from jaxlogit.study.run import run_record
from jaxlogit.study.toml import read_toml


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A coverage study: designs and truths, simulated outcomes, interval methods.

    The design is fixed, from `data` and `formula`, from `X`, two `groups` or `doses`; or it differs
    by replicate: `n` rows resampled from `data` or `X`, `columns` with named distributions, or a
    function `generate`. A `grid` changes its settings from cell to cell.

    Parameters
    ----------
    name : str
        Letters, digits, dot, dash and underscore; names the default store.
    seed : int
        0 to 2⁶³ − 1.
    replicates : int
        Simulated data sets per cell, 1 to 2³².
    level : float or sequence of float
        Level of the intervals, or several, in (0, 1).
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
        A test rejects where p ≤ significance; 1 − level by default, for each level its own. A
        bootstrap method has no p-value: it rejects at 1 − level, a null outside its interval.
    target_mcse : float, optional
        A cell is done at the first of `looks` where the Monte Carlo standard error of every
        coverage is certain to be below this; see `jaxlogit.study.precision`.
    looks : sequence of int, optional
        With `target_mcse`: replicates after which that is asked; 1,000, 2,000, 4,000, ... by
        default. `replicates` is then the most.
    keep : str
        What a store holds: "all" rows, or a "summary", sums that give the same tables in far less
        room; see `jaxlogit.study.store.stored`.
    data : str, path or data frame, optional
        A CSV or Parquet file, the name of a bundled data set, or a pandas frame.
    formula : str, optional
        With `data`: response and terms, as in "low ~ age + race".
    subset : str, optional
        With `data`: only the rows for which this holds, as in "ftv == 0".
    truth : "mle", array-like (p,), mapping or function
        The coefficients that outcomes are simulated with, log-odds: in order, by name, or, with
        `data` and by default, their maximum-likelihood estimate. With `generate` also a function
        of the cell's values.
    X : array-like (n, p), optional
        Design matrix; no intercept is added.
    trials, weights, offset : str or array-like (n,), optional
        Column names with `data`, arrays with `X`; `trials` also with `doses`. Weights enter the
        fits, not the simulation.
    names : sequence of str, optional
        With `X` or `generate`: names of the columns; x0, x1, ... by default.
    n : int, optional
        Rows of a replicate: of random columns, or drawn with replacement from `data` or `X`.
    columns : mapping, optional
        Random columns by name, beside an intercept: a distribution's word ("normal", "bernoulli",
        "uniform", "lognormal", "t", "categorical"), or a table with it as `distribution` and its
        parameters (`jaxlogit.study.design.distributions.DISTRIBUTIONS`);
        {"product": ["a", "b"]} is an interaction.
    correlation : float or array-like (k, k), optional
        Of the columns' normal variables: of every two, or a matrix.
    intercept : bool, optional
        False leaves the intercept out of random columns.
    groups : sequence of two int, optional
        Sizes of two groups: coefficients "Intercept" and "group".
    doses : sequence of float, optional
        Doses with `trials` subjects each: coefficients "Intercept" and "dose".
    event_rate : float, optional
        The expected share of successes: the intercept is solved for it. Expected over the design's
        rows, those that rows are drawn from, or the columns' distribution.
    event_rates : sequence of two float, optional
        With `groups`, the truth as a probability in each.
    events_per_variable : float, optional
        Instead of `n`: expected events by coefficient other than the intercept.
    redraw : bool, optional
        False draws the rows or columns once for each cell, not for each replicate.
    generate : function, optional
        `generate(key, cell)` gives X (n, p) and y (n,), and optionally a mapping with trials,
        weights and offset, from a JAX key and the mapping of the cell's values. One that JAX can
        trace is drawn in blocks; any other is called one replicate at a time. A replicate in which
        it raises or gives nan is counted, as NONFINITE_INPUT.
    grid : mapping or sequence of mappings, optional
        Factors and their levels; all combinations are the study's cells. A factor is a setting of
        the design, as "n" or "event_rate", or an entry of one, as "truth.age" or "columns.x.sd";
        with `generate` any name. Several mappings follow each other, so that single cells can be
        listed.

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
    level: float | Sequence[float] = 0.95
    methods: Sequence[str] = METHODS
    bootstrap: Any = None
    null: float = 0.0
    significance: float | None = None
    target_mcse: float | None = None
    looks: Sequence[int] | None = None
    keep: str = "all"
    data: Any = None
    formula: str | None = None
    subset: str | None = None
    truth: Any = None
    X: Any = None
    trials: Any = None
    weights: Any = None
    offset: Any = None
    names: Sequence[str] | None = None
    n: int | None = None
    columns: Any = None
    correlation: Any = None
    intercept: bool | None = None
    groups: Any = None
    doses: Any = None
    event_rate: float | None = None
    event_rates: Any = None
    events_per_variable: float | None = None
    redraw: bool | None = None
    generate: Any = None
    grid: Any = None

    def __post_init__(self) -> None:
        check(self)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of the intervals."""
        return tuple(self.level) if isinstance(self.level, Sequence) else (self.level,)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the design, before a grid changes them."""
        return {name: getattr(self, name) for name in SETTINGS}

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
        """The study's cells, in the order of the grid; one without a grid.

        Raises
        ------
        ValueError, TypeError
            Data, formula, arrays, distributions or truth break a rule, or the data have no finite
            estimate.
        """
        return cells(self.settings, self.grid, self.seed)

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
            max_time = number("max_time", max_time, 0.0, np.inf)
        precision = check_precision(self.target_mcse, self.looks, replicates)
        if precision is not None and shard is not None:
            raise ValueError("shard goes without target_mcse: no shard sees all of a cell")
        record = replace(record_of(self), replicates=replicates, precision=precision)
        return run_record(
            record, store, engine=engine, progress=progress, max_time=max_time,
            shard=None if shard is None else read_shard(shard),
        )  # fmt: skip

    def exact(self, progress: bool = True) -> ExactResult:
        """Fit every outcome that there is, and weight it by its probability.

        The tables are those of `run` with ever more replicates, without Monte Carlo error; seed
        and replicates play no part. It takes a design with few outcomes that differ in X'y:
        groups, or a few doses.

        Parameters
        ----------
        progress : bool
            Say on standard error how far it is, where it takes long.

        Returns
        -------
        ExactResult
            `summary()`, `statuses()` and `differences()` as of a `StudyResult`.

        Raises
        ------
        ValueError
            There are too many outcomes, a method resamples, or the design is random.

        Examples
        --------
        >>> study = Study(name="one", seed=1, replicates=1, methods=["ml:score"], X=[[1]],
        ...               trials=[10], truth=[-2.1972245773362196])
        >>> float(round(study.exact().summary()["coverage"][0], 6))
        0.929809
        """
        return exact_record(record_of(self, draws=False), progress=progress)

    def protocol(self) -> str:
        """Aims, data-generating mechanisms, estimands, methods and performance measures.

        Returns
        -------
        str
            Markdown, from what the study would record in a store; see
            `jaxlogit.report.protocol`.

        Examples
        --------
        >>> print(Study.from_toml("birthwt").protocol().splitlines()[0])
        # Protocol of the simulation study birthwt
        """
        return protocol_text(record_of(self))

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
