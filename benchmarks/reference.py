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
    """LR, score or squared r* of β_term = value, with β̂ `best` and l(β̂) `peak`.

    Under "firth" the penalised LR statistic.
    """
    if method == "firth":
        start = best.copy()
        start[term] = value
        free = np.arange(X.shape[1]) != term
        return 2.0 * (peak - firth_loglik(X, y, firth(X, y, start, free)))
    others = np.delete(X, term, axis=1)
    offset = value * X[:, term]
    # Started at the maximum's other coefficients, pulled in where the value is far away.
    coef, _, _ = newton(others, y, offset, _safe_start(others, y, offset, np.delete(best, term)))
    if method == "lr":
        return 2.0 * (peak - loglik(others, y, coef, offset))
    mu = special.expit(others @ coef + offset)
    information = X.T @ ((mu * (1.0 - mu))[:, None] * X)
    if method == "rstar":
        gap = best[term] - value
        root = np.sign(gap) * np.sqrt(2.0 * (peak - loglik(others, y, coef, offset)))
        top = special.expit(X @ best)
        sizes = [np.linalg.slogdet(X.T @ ((top * (1.0 - top))[:, None] * X))[1]]
        nuisance = others.T @ ((mu * (1.0 - mu))[:, None] * others)
        sizes.append(np.linalg.slogdet(nuisance)[1])
        modified = root + np.log(gap / root * np.exp(0.5 * (sizes[0] - sizes[1]))) / root
        return modified**2 if modified * gap > 0 else 0.0
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


def firth_parts(X, y, coef):
    """Score, information and augmented information of Firth's penalised log-likelihood."""
    mu = special.expit(X @ coef)
    weights = mu * (1.0 - mu)
    information = X.T @ (weights[:, None] * X)
    leverage = weights * np.sum(X @ linalg.inv(information) * X, axis=1)
    score = X.T @ (y - mu + leverage * (0.5 - mu))
    return score, information, X.T @ ((weights * (1.0 + leverage))[:, None] * X)


def firth_loglik(X, y, coef):
    """Firth's penalised log-likelihood."""
    _, information, _ = firth_parts(X, y, coef)
    return loglik(X, y, coef) + 0.5 * np.linalg.slogdet(information)[1]


def firth(X, y, coef=None, free=None):
    """Firth's estimate, with the coefficients that are not `free` held: halved scoring steps."""
    coef = np.zeros(X.shape[1]) if coef is None else coef.copy()
    free = np.ones(X.shape[1], bool) if free is None else free
    here = firth_loglik(X, y, coef)
    for _ in range(20 * MAX_STEPS):
        score, _, augmented = firth_parts(X, y, coef)
        step = np.zeros_like(coef)
        step[free] = np.linalg.solve(augmented[np.ix_(free, free)], score[free])
        if np.max(np.abs(step)) < 1e-12:
            return coef
        while (there := firth_loglik(X, y, coef + step)) < here - 1e-12 * abs(here):
            step = step / 2
        coef, here = coef + step, there
    return coef


def maximum(X, y, method):
    """Estimate, its information, and the log-likelihood there."""
    if method == "firth":
        coef = firth(X, y)
        return coef, firth_parts(X, y, coef)[1], firth_loglik(X, y, coef)
    coef, _, information = newton(X, y)
    return coef, information, loglik(X, y, coef)


def ends(X, y, method):
    """Interval ends (p, 2) of all coefficients, ±inf where the statistic stays below its cutoff."""
    best, information, peak = maximum(X, y, method)
    scale = std_error(information)
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
        coef, information, _ = maximum(X, y, answer)
        true = coef if answer == "fit" else ends(X, y, answer)
        scale = std_error(information)
        scale = scale if answer == "fit" else scale[:, None]
        with np.errstate(invalid="ignore"):
            gap = np.where(found == true, 0.0, np.abs(found - true) / scale)
        worst = max(worst, float(np.nanmax(gap)))
    return worst
