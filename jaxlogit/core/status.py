"""One status per lane: why a number is what it is, or why it is missing."""

from enum import IntEnum


class Status(IntEnum):
    """Outcome of one model, test or interval end; int32 in arrays, 0 is converged.

    A number without `CONVERGED` or a certified `INFINITE` is nan, and a nan always
    has a status that says why.

    Examples
    --------
    >>> import numpy as np
    >>> [Status(code).name for code in np.array([0, 3])]
    ['CONVERGED', 'SEPARATED_QUASI']
    """

    CONVERGED = 0
    """A finite answer with its certificate."""
    MAX_STEPS = 1
    """The step limit was reached with nothing proved."""
    STEP_HALVING_FAILED = 2
    """No step length along the Newton direction raised the log-likelihood."""
    SEPARATED_QUASI = 3
    """Quasi-complete separation: some coefficients have no finite estimate."""
    SEPARATED_COMPLETE = 4
    """Complete separation: a hyperplane divides successes from failures."""
    RANK_DEFICIENT = 5
    """The design matrix (its rows with positive weight) has linearly dependent columns. Of a robust
    fit's interval or test alone: the sandwich covariance of its contrasts is singular."""
    NONFINITE_INPUT = 6
    """A nan or an infinity in the model's data."""
    INFINITE = 7
    """An interval end that is infinite, with a separating direction as its proof. Of a model: its
    intercept under penalty "flic", where all responses are alike."""
    NO_BOUND_FOUND = 8
    """No crossing on this side, and no proof that there is none."""
