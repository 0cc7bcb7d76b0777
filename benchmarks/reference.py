"""Plain NumPy, one model at a time: a peer for speed and the reference for accuracy.

Shares no code with the package. Interval ends are roots, found by Brent's method on
restricted fits, each run to convergence.
"""

import numpy as np
from scipy import linalg, optimize, special, stats

LEVEL = 0.95
STEP_LIMIT = 1e-8  # of the largest coefficient change: one more step leaves its square
MAX_STEPS = 50
FARTHEST = 60.0  # standard errors searched for an end before it is called infinite


def newton(X, y, offset=0.0, coef=None):
    """Bare Newton: score, X'WX, solve, until the step is negligible.

    Returns
    -------
    coef, mu, information : (p,), (n,) and (p, p) arrays
        mu and information at the last but one iterate, 1e-8 from the maximum.
    """
    coef = np.zeros(X.shape[1]) if coef is None else coef
    for _ in range(MAX_STEPS):
        mu = 1.0 / (1.0 + np.exp(-(X @ coef + offset)))
        information = X.T @ ((mu * (1.0 - mu))[:, None] * X)
        step = np.linalg.solve(information, X.T @ (y - mu))
        coef = coef + step
        if np.max(np.abs(step)) < STEP_LIMIT:
            return coef, mu, information
    raise RuntimeError(f"no convergence in {MAX_STEPS} steps: the data may be separated")


def std_error(information):
    """Standard errors (p,) from the information."""
    return np.sqrt(np.diag(linalg.inv(information)))


def loglik(X, y, coef, offset=0.0):
    """Log-likelihood of one model."""
    eta = X @ coef + offset
    return float(y @ eta - np.sum(np.logaddexp(0.0, eta)))


def statistic(X, y, term, value, method, best, peak):
    """LR or score statistic of β_term = value, with β̂ `best` and l(β̂) `peak`."""
    others = np.delete(X, term, axis=1)
    offset = value * X[:, term]
    # Started at the maximum's other coefficients, pulled in where the value is far away.
    coef, _, _ = newton(others, y, offset, _safe_start(others, y, offset, np.delete(best, term)))
    if method == "lr":
        return 2.0 * (peak - loglik(others, y, coef, offset))
    mu = special.expit(others @ coef + offset)
    information = X.T @ ((mu * (1.0 - mu))[:, None] * X)
    return float((X[:, term] @ (y - mu)) ** 2 * linalg.inv(information)[term, term])


def _safe_start(X, y, offset, coef):
    """A start from which undamped Newton converges: a few halved steps."""
    for _ in range(5):
        eta = X @ coef + offset
        mu = special.expit(eta)
        information = X.T @ ((mu * (1.0 - mu))[:, None] * X)
        step = np.linalg.solve(information, X.T @ (y - mu))
        here = loglik(X, y, coef, offset)
        while loglik(X, y, coef + step, offset) < here - 1e-12 * abs(here):
            step = step / 2
        coef = coef + step
    return coef


def ends(X, y, method):
    """Interval ends (p, 2) of all coefficients, ±inf where the statistic stays below its cutoff."""
    best, _, information = newton(X, y)
    scale, peak = std_error(information), loglik(X, y, best)
    cutoff = stats.chi2.ppf(LEVEL, 1)
    out = np.empty((X.shape[1], 2))
    for term in range(X.shape[1]):
        for side, sign in enumerate((-1.0, 1.0)):

            def excess(reach, term=term, sign=sign):
                value = best[term] + sign * reach * scale[term]
                return statistic(X, y, term, value, method, best, peak) - cutoff

            far = 2.0
            while excess(far) < 0 and far < FARTHEST:
                far *= 1.3
            if far >= FARTHEST:
                out[term, side] = sign * np.inf
                continue
            found = optimize.root_scalar(excess, bracket=(0.1, far), xtol=1e-12, rtol=1e-13)
            out[term, side] = best[term] + sign * found.root * scale[term]
    return out


def deviation(values, data, answer):
    """Largest deviation of the first models' values from this reference, in standard errors.

    `values` (k, p) or (k, p, 2); nan is not compared, equal infinities deviate by 0.
    """
    worst = 0.0
    for i, found in enumerate(values):
        X, y = data.model(i)
        coef, _, information = newton(X, y)
        true = coef if answer == "fit" else ends(X, y, answer)
        scale = std_error(information)
        scale = scale if answer == "fit" else scale[:, None]
        with np.errstate(invalid="ignore"):
            gap = np.where(found == true, 0.0, np.abs(found - true) / scale)
        worst = max(worst, float(np.nanmax(gap)))
    return worst
