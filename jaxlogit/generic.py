"""Any JAX log-likelihood: many maxima at once, and profile-likelihood intervals for them.

The same Newton and the same searches for interval ends as for logistic models, with score and
information from `jax.grad` and `jax.hessian`. What is missing is the certificate: it rests on
how slowly a logistic curvature changes. A search here ends when its decrement is small, and
the information at the end must be positive definite.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlogit import batch
from jaxlogit.checks import check_finite, numeric, rectangular
from jaxlogit.core import bounds, bracket, linalg, tails
from jaxlogit.core.bounds import Target
from jaxlogit.core.ends import SIDES
from jaxlogit.core.likelihood import Evaluation
from jaxlogit.core.newton import RUNNING, Scale, newton, start_search
from jaxlogit.core.status import Status
from jaxlogit.data import check_contrasts, check_level, check_names
from jaxlogit.results import Interval, Record

MAX_STEPS = 200
EIGENVALUE_FLOOR = 1e-10  # of the largest, after scaling: flatter directions count as flat
END_STEPS = 25


@dataclass(frozen=True, eq=False, repr=False)
class Maximum(Record):
    """Maxima of a log-likelihood.

    Attributes
    ----------
    coef, std_error : (B, p) arrays
    covariance : (B, p, p) array
        Inverse of the observed information.
    loglik : (B,) array
    status : (B,) int32 array
        CONVERGED; RANK_DEFICIENT where the information at the end is not positive definite;
        NONFINITE_INPUT where the log-likelihood or its derivatives are not finite at the start;
        MAX_STEPS; STEP_HALVING_FAILED. Estimates are nan unless converged.
    n_steps : (B,) int32 array
    names : tuple of str
    """

    coef: np.ndarray
    std_error: np.ndarray
    covariance: np.ndarray
    loglik: np.ndarray
    status: np.ndarray
    n_steps: np.ndarray
    names: tuple[str, ...]


def maximize(
    loglik: Callable[[Any, Any], Any],
    start: Any,
    data: Any,
    *,
    in_axes: Any = 0,
    names: Sequence[str] | None = None,
) -> Maximum:
    """Maximise a log-likelihood written in JAX, for one or many data sets.

    Parameters
    ----------
    loglik : callable
        `loglik(coef, data)`, coef (p,), to a scalar; twice differentiable by JAX. Define it
        once (not as a new lambda at every call): it is compiled for each function object.
    start : (p,) or (B, p) array
        Where to begin; (p,) fits one model.
    data : pytree of arrays
        One data set, or with start (B, p) arrays with a leading axis B. A list of numbers,
        however nested, is an array; any other list holds several.
    in_axes : 0, None, or a pytree like `data` of these
        As in `jax.vmap`: None marks what all models share. Only used with start (B, p).
    names : sequence of p str, optional

    Returns
    -------
    Maximum
        Without the leading axis when start was (p,).

    Raises
    ------
    ValueError, TypeError
        Starts that are not finite numbers, data that are not numbers, wrong shapes, `in_axes`
        that do not fit the data. Data that are nan or infinite are not an error: the models
        concerned get the status NONFINITE_INPUT.

    Examples
    --------
    A Poisson regression on the numbers of deaths from lung cancer in four periods:

    >>> import jax.numpy as jnp
    >>> import jaxlogit as jl
    >>> def poisson(coef, data):
    ...     eta = data["X"] @ coef
    ...     return jnp.sum(data["y"] * eta - jnp.exp(eta))
    >>> data = {"X": [[1, 0], [1, 1], [1, 2], [1, 3]], "y": [3, 5, 9, 11]}
    >>> fitted = jl.maximize(poisson, [0, 0], data)
    >>> fitted.coef.round(5), fitted.std_error.round(5)
    (array([1.20906, 0.41962]), array([0.40956, 0.18168]))
    """
    job = _Job.of(loglik, start, data, in_axes, names)
    found = job.fit()
    return job.result(found)


def profile_interval(
    loglik: Callable[[Any, Any], Any],
    start: Any,
    data: Any,
    *,
    level: float = 0.95,
    contrasts: Any = None,
    in_axes: Any = 0,
    names: Sequence[str] | None = None,
) -> Interval:
    """Profile-likelihood intervals for the maximum of any JAX log-likelihood.

    Parameters are those of `maximize`; `level` and `contrasts` those of `Fit.confint`. An end
    without a crossing is nan with status NO_BOUND_FOUND: infinity is not certified here.
    The log-likelihood should be concave; an end is where the profile first crosses the
    cut-off on the way of the search.

    Returns
    -------
    Interval
        lower, upper, lower_status, upper_status: (B, q), or (q,) when start was (p,).

    Raises
    ------
    ValueError, TypeError
        As `maximize`, and for a level outside (0, 1) or unknown contrasts.

    Examples
    --------
    >>> ends = profile_interval(lambda mean, data: -((mean[0] - data) ** 2), [0.0], 3.0)
    >>> ends.lower.round(3), ends.upper.round(3)  # 3 ± 1.96/√2
    (array([1.614]), array([4.386]))
    """
    level = check_level(level)
    job = _Job.of(loglik, start, data, in_axes, names)
    rows, labels = check_contrasts(contrasts, job.names)
    found = job.fit()
    ends = job.ends(found, rows, tails.chi2_quantile(level, 1))
    return Interval.of(ends, job.out, level, "lr", labels)


@dataclass(frozen=True)
class _Likelihood:
    """A user's log-likelihood with its data's structure: hashable, so compiled once."""

    loglik: Callable
    structure: Any
    varies: tuple[bool, ...]

    def data(self, lanes: Sequence, shared: Sequence):
        """One model's data, from its own leaves and the shared ones."""
        own, common = iter(lanes), iter(shared)
        leaves = [next(own) if varies else next(common) for varies in self.varies]
        return jax.tree.unflatten(self.structure, leaves)

    def evaluate(self, data, coef) -> Evaluation:
        """Value, gradient and information, made positive definite so that steps go uphill."""
        value, score = jax.value_and_grad(self.loglik)(coef, data)
        return Evaluation(value, score, _positive(-jax.hessian(self.loglik)(coef, data)))


def _positive(information):
    """The matrix with its eigenvalues made positive, in units of its diagonal."""
    size = jnp.sqrt(jnp.abs(jnp.diagonal(information)))
    size = jnp.where(size > 0, size, 1.0)
    values, vectors = jnp.linalg.eigh(information / (size[:, None] * size[None, :]))
    floor = EIGENVALUE_FLOOR * jnp.max(jnp.abs(values))
    fixed = (vectors * jnp.maximum(jnp.abs(values), floor)[None, :]) @ vectors.T
    positive = jnp.min(values) > floor
    return jnp.where(positive, information, fixed * size[:, None] * size[None, :])


@dataclass(frozen=True)
class _Fit:
    likelihood: _Likelihood

    def __call__(self, lane, shared):
        start, *leaves = lane
        data = self.likelihood.data(leaves, shared)
        evaluate = lambda coef: self.likelihood.evaluate(data, coef)  # noqa: E731
        end = newton(evaluate, start_search(start), Scale(), jnp.int32(MAX_STEPS), halving=True)
        information = -jax.hessian(self.likelihood.loglik)(end.coef, data)
        factor = linalg.cholesky(information, len(start))
        at_start = evaluate(start)
        finite = jnp.isfinite(at_start.loglik) & jnp.all(jnp.isfinite(at_start.score))
        finite = finite & jnp.all(jnp.isfinite(at_start.information))
        status = jnp.where(end.status == RUNNING, jnp.int32(Status.MAX_STEPS), end.status)
        curved = (factor.smallest_pivot > 1e-12) & jnp.all(jnp.isfinite(information))
        converged = status == Status.CONVERGED
        status = jnp.where(converged & ~curved, jnp.int32(Status.RANK_DEFICIENT), status)
        status = jnp.where(finite, status, jnp.int32(Status.NONFINITE_INPUT))
        value = self.likelihood.loglik(end.coef, data)
        return end.coef, value, linalg.inverse(factor, len(start)), status, end.n_steps


@dataclass(frozen=True)
class _End:
    likelihood: _Likelihood
    bracketed: bool

    def __call__(self, lane, shared):
        coef, peak, contrast, side, *leaves = lane
        cutoff, *common = shared
        data = self.likelihood.data(leaves, common)
        evaluate = lambda at: self.likelihood.evaluate(data, at)  # noqa: E731
        target = Target(contrast, side, cutoff)
        factor = linalg.cholesky(evaluate(coef).information, len(coef))
        start, _ = bounds.wald_start(factor, coef, target)
        if not self.bracketed:
            limit = jnp.int32(END_STEPS)
            found = bounds.lambda_step(evaluate, start, peak, target, Scale(), limit)
        else:
            root = bracket.lr_root(peak)
            statistic = bracket.profile_root(evaluate, root, coef, target, Scale(), warm=True)
            found = bracket.bracket(
                statistic, coef, target, 0.5 * jnp.abs(contrast @ (start - coef))
            )
        return found.value, found.status, found.residual


@dataclass(frozen=True)
class _Job:
    """Checked arguments of `maximize`, split into what varies and what is shared."""

    likelihood: _Likelihood
    start: np.ndarray
    lanes: tuple[np.ndarray, ...]
    shared: tuple[np.ndarray, ...]
    single: bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, loglik, start, data, in_axes, names) -> "_Job":
        begin = numeric("start", start, (1, 2))
        if begin.size == 0:
            raise ValueError(f"start must hold numbers: found shape {begin.shape}")
        check_finite("start", begin)
        single = begin.ndim == 1
        begin = np.atleast_2d(begin)
        leaves, structure = jax.tree.flatten(data, is_leaf=_is_array)
        leaves = [_leaf(leaf) for leaf in leaves]
        varies = (False,) * len(leaves) if single else _varies(in_axes, structure)
        for leaf, own in zip(leaves, varies, strict=True):
            if own and (leaf.ndim == 0 or len(leaf) != len(begin)):
                raise ValueError(f"data must have a leading axis of {len(begin)} models, or be "
                                 f"marked None in in_axes: found shape {leaf.shape}")  # fmt: skip
        return cls(
            _Likelihood(loglik, structure, varies),
            begin,
            tuple(leaf for leaf, own in zip(leaves, varies, strict=True) if own),
            tuple(leaf for leaf, own in zip(leaves, varies, strict=True) if not own),
            single,
            check_names(names, begin.shape[1]),
        )

    def out(self, array: np.ndarray) -> np.ndarray:
        return array[0] if self.single else array

    @property
    def row_elements(self) -> int:
        """Numbers that one model's Hessian touches, roughly."""
        count = sum(leaf[0].size for leaf in self.lanes) + sum(leaf.size for leaf in self.shared)
        return max(1, count) * self.start.shape[1]

    def fit(self):
        return batch.run(
            _Fit(self.likelihood), len(self.start), (self.start, *self.lanes), self.shared,
            row_elements=self.row_elements,
        )  # fmt: skip

    def result(self, found) -> Maximum:
        coef, value, covariance, status, n_steps = found
        bad = status != Status.CONVERGED
        for array in (coef, value, covariance):
            array[bad] = np.nan
        std_error = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
        return Maximum(
            self.out(coef),
            self.out(std_error),
            self.out(covariance),
            self.out(value),
            self.out(status),
            self.out(n_steps),
            self.names,
        )

    def ends(self, found, contrasts: np.ndarray, cutoff: float):
        """Interval ends (B, q, 2), statuses and residuals."""
        coef, peak, _, fit_status, _ = found
        shape = (len(coef), len(contrasts), 2)
        value, residual = np.full(shape, np.nan), np.full(shape, np.nan)
        status = np.empty(shape, np.int32)
        status[:] = fit_status[:, None, None]
        todo = np.broadcast_to((fit_status == Status.CONVERGED)[:, None, None], shape)
        for bracketed in (False, True):
            model, term, side = where = np.nonzero(todo)
            if not len(model):
                break
            lanes = (coef[model], peak[model], contrasts[term], np.asarray(SIDES)[side])
            lanes += tuple(leaf[model] for leaf in self.lanes)
            ends = batch.run(
                _End(self.likelihood, bracketed), len(model), lanes,
                (np.float64(cutoff), *self.shared), row_elements=self.row_elements,
            )  # fmt: skip
            value[where], status[where], residual[where] = ends
            todo = todo & (status != Status.CONVERGED)
        return value, status, residual


def _varies(in_axes: Any, structure: Any) -> tuple[bool, ...]:
    """Which leaves of the data have the models' axis."""
    if in_axes is None or isinstance(in_axes, int):
        marks = [in_axes] * structure.num_leaves
    else:
        try:
            marks = structure.flatten_up_to(in_axes)
        except (TypeError, ValueError):
            marks = [in_axes]
    if not all(mark is None or (type(mark) is int and mark == 0) for mark in marks):
        raise ValueError("in_axes must be 0, None, or a pytree like data of these: "
                         f"found {in_axes!r} for data {structure}")  # fmt: skip
    return tuple(mark is not None for mark in marks)


def _is_array(node: Any) -> bool:
    """Lists of numbers, however nested, are arrays; other lists hold several."""
    return isinstance(node, list) and all(np.isscalar(part) or _is_array(part) for part in node)


def _leaf(leaf: Any) -> np.ndarray:
    array = rectangular("data", leaf)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"data must be numeric arrays: found {array.dtype}")
    return array.astype(np.float64) if array.dtype.kind == "f" or isinstance(leaf, list) else array
