"""One model for users of JAX: fit, interval and test that can be jitted, batched, differentiated.

Everything is computed in the caller's precision: in float32 unless x64 is enabled, where nothing
is proved to more than a few digits. Values are not checked, since they may be traced: shapes are,
and what a model's numbers do not allow is a `Status`. What only the linear programme could
decide, and every end and test of a separated model, is left to `jaxlogit.fit`.
Derivatives with respect to design, successes, trials, weights, offset, contrast, level and null
are those of `jaxlogit.core.implicit`; a result that is nan has a derivative of nan, and where a
mask keeps it out of a sum it adds nothing to the derivative of that sum.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxlogit.core import inference
from jaxlogit.core.ends import SIDES
from jaxlogit.core.inference import EndResult, FitResult, IntervalResult, TestResult
from jaxlogit.core.working import Arrays

METHODS = ("wald", "lr", "score")


def fit(
    X: Any, y: Any, *, trials: Any = None, weights: Any = None, offset: Any = None
) -> FitResult:
    """Maximum-likelihood fit of one logistic regression, differentiable in all of its data.

    Parameters
    ----------
    X : (n, p) array
        Design matrix; no intercept is added. Its type, float32 or float64, is that of the work.
    y : (n,) array
        Successes, in [0, trials].
    trials, weights, offset : number or (n,) array, optional
        As for `jaxlogit.fit`. A row of weight 0 may hold any finite numbers.

    Returns
    -------
    FitResult
        coef (p,), covariance (p, p), loglik (), status (), n_steps (). Statuses: CONVERGED,
        MAX_STEPS, SEPARATED_QUASI, SEPARATED_COMPLETE, RANK_DEFICIENT, NONFINITE_INPUT.

    Raises
    ------
    ValueError
        Shapes that do not fit together.

    Notes
    -----
    dβ̂ = I(β̂)⁻¹ dU, with dU the change of the score with the data at fixed β: the derivative
    with respect to a weight at 1 is the row's infinitesimal influence.

    Examples
    --------
    How each case's weight moves the slope:

    >>> import jax
    >>> from jaxlogit import core
    >>> X = np.column_stack([np.ones(6), np.arange(6.0)])
    >>> y, ones = np.array([0.0, 1, 0, 1, 0, 1]), np.ones(6)
    >>> def slope(weights):
    ...     return core.fit(X, y, weights=weights).coef[1]
    >>> with jax.enable_x64(True):
    ...     influence = jax.jit(jax.grad(slope))(ones)
    >>> np.asarray(influence).round(3)
    array([ 0.193, -0.254,  0.061,  0.061, -0.254,  0.193])
    """
    return inference.fit(_collect(X, y, trials, weights, offset))


def interval_end(
    X: Any,
    y: Any,
    contrast: Any,
    side: Any,
    level: Any = 0.95,
    *,
    method: str = "lr",
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> EndResult:
    """One end of a confidence interval of c'β, differentiable in the data, c and the level.

    Parameters
    ----------
    X, y, trials, weights, offset
        As for `fit`.
    contrast : (p,) array
        c; a unit vector for a coefficient.
    side : number
        +1 for the upper end, −1 for the lower.
    level : number
        Confidence level in (0, 1).
    method : {"lr", "wald", "score"}
        As for `Fit.confint`.

    Returns
    -------
    EndResult
        value (), status (): the model's, or NO_BOUND_FOUND.

    Raises
    ------
    ValueError
        Shapes that do not fit together; a side, a level or a method that there is not.

    Examples
    --------
    >>> import jax
    >>> from jaxlogit import core
    >>> X, y = np.ones((4, 1)), np.array([1.0, 1, 1, 0])
    >>> with jax.enable_x64(True):
    ...     end = core.interval_end(X, y, np.ones(1), side=1)
    >>> round(float(end.value), 6)
    4.104623
    """
    if not isinstance(side, Tracer) and not np.all(np.isin(side, SIDES)):
        raise ValueError(f"side must be 1 or -1: found {side}")
    arrays = _collect(X, y, trials, weights, offset)
    contrast, cutoff = _asked(arrays, contrast, method, level=level)
    side = jnp.asarray(side, contrast.dtype)
    return inference.interval_end(arrays, contrast, cutoff, side, method=method)


def interval(
    X: Any,
    y: Any,
    contrast: Any,
    level: Any = 0.95,
    *,
    method: str = "lr",
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> IntervalResult:
    """Both ends of a confidence interval of c'β; arguments and statuses as for `interval_end`.

    Returns
    -------
    IntervalResult
        lower, upper, lower_status, upper_status, each ().

    Examples
    --------
    >>> import jax
    >>> from jaxlogit import core
    >>> X, y = np.ones((4, 1)), np.array([1.0, 1, 1, 0])
    >>> with jax.enable_x64(True):
    ...     ends = core.interval(X, y, np.ones(1))
    >>> round(float(ends.lower), 6), round(float(ends.upper), 6)
    (-0.956489, 4.104623)
    """
    arrays = _collect(X, y, trials, weights, offset)
    ends = inference.interval(arrays, *_asked(arrays, contrast, method, level=level), method=method)
    return IntervalResult(ends.value[0], ends.value[1], ends.status[0], ends.status[1])


def test(
    X: Any,
    y: Any,
    contrast: Any,
    null: Any = 0.0,
    *,
    method: str = "lr",
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> TestResult:
    """Test of c'β = null, differentiable in the data, c and null; arguments as `interval_end`.

    Returns
    -------
    TestResult
        statistic, p_value, log_p, status, each (). The derivative of log_p is infinite, and that
        of p_value nan, where the statistic is 0.

    Examples
    --------
    >>> import jax
    >>> from jaxlogit import core
    >>> X, y = np.ones((4, 1)), np.array([1.0, 1, 1, 0])
    >>> with jax.enable_x64(True):
    ...     tested = core.test(X, y, np.ones(1), method="score")
    >>> float(tested.statistic.round(6)), float(tested.p_value.round(4))
    (1.0, 0.3173)
    """
    arrays = _collect(X, y, trials, weights, offset)
    return inference.test(arrays, *_asked(arrays, contrast, method, null=null), method=method)


test.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


# -- arguments ---------------------------------------------------------------------------------


def _collect(X, y, trials, weights, offset) -> Arrays:
    """Arrays of one floating type, (n, p) and (n,); only shapes are checked."""
    design = jnp.asarray(X)
    wide = jnp.asarray(0.0).dtype
    dtype = design.dtype if design.dtype in (jnp.float32, jnp.float64) else wide
    if design.ndim != 2 or 0 in design.shape:
        raise ValueError(f"X must have rows and columns, (n, p): found shape {design.shape}")
    n = design.shape[0]
    if jnp.shape(y) != (n,):
        raise ValueError(f"y must have one value for each of the {n} rows of X: "
                         f"found shape {jnp.shape(y)}")  # fmt: skip
    rows = {"y": y, "trials": trials, "weights": weights, "offset": offset}
    for name, value in rows.items():
        if value is not None and jnp.shape(value) not in ((), (n,)):
            raise ValueError(f"{name} must be a number or have one value for each of the {n} rows "
                             f"of X: found shape {jnp.shape(value)}")  # fmt: skip
    full = {name: jnp.broadcast_to(jnp.asarray(value, dtype), (n,))
            for name, value in rows.items() if value is not None}  # fmt: skip
    return Arrays(design=design.astype(dtype), **full)


def _asked(arrays: Arrays, contrast, method: str, *, level=None, null=0.0):
    """The contrast (p,), and the level's chi-square quantile, or the null value without one."""
    assert arrays.design is not None
    p, dtype = arrays.design.shape[1], arrays.design.dtype
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}: found {method!r}")
    if jnp.shape(contrast) != (p,):
        raise ValueError(f"contrast must have one value for each of the {p} coefficients: "
                         f"found shape {jnp.shape(contrast)}")  # fmt: skip
    c = jnp.asarray(contrast, dtype)
    if level is None:
        if jnp.shape(null) != ():
            raise ValueError(f"null must be one number: found shape {jnp.shape(null)}")
        return c, jnp.asarray(null, dtype)
    if jnp.shape(level) != ():
        raise ValueError(f"level must be one number: found shape {jnp.shape(level)}")
    if not isinstance(level, Tracer) and not 0 < float(level) < 1:
        raise ValueError(f"level must lie in (0, 1): found {level}")
    return c, jax.scipy.special.ndtri(0.5 * (1.0 - jnp.asarray(level, dtype))) ** 2
