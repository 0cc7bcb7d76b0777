"""Slow, independent r*: the parameter written out, nuisance parameters and all, in many digits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from oracles import Model
from scipy.linalg import null_space

DIGITS = 40


class Reparameterised:
    """One model in coordinates (ψ, λ) with ψ = c'β first, and its exact profile."""

    def __init__(self, data: Model, contrast):
        contrast = np.asarray(contrast, float)
        rest = null_space(contrast[None])
        with mpmath.workdps(DIGITS):
            change = mpmath.matrix(np.column_stack([contrast, rest]).T.tolist())
            design = mpmath.matrix(data.X.tolist()) * mpmath.inverse(change)
            self.rows = [
                ([design[i, j] for j in range(design.cols)], *map(mpmath.mpf, map(float, numbers)))
                for i, numbers in enumerate(
                    zip(data.y, data.trials, data.weights, data.offset, strict=True)
                )
                if numbers[1] * numbers[2] > 0
            ]
            self.size = design.cols
            self.near = [mpmath.mpf(0)] * self.size
            self.coef = self._maximum(None)
            self.peak, _, information = self._evaluate(self.coef)
            self.determinant = mpmath.det(information)
            self.estimate = self.coef[0]
            self.near = list(self.coef)
            self.std_error = mpmath.sqrt(mpmath.inverse(information)[0, 0])

    def _evaluate(self, coef):
        p = self.size
        value, score = mpmath.mpf(0), mpmath.zeros(p, 1)
        information = mpmath.zeros(p, p)
        for x, y, trials, weight, offset in self.rows:
            eta = mpmath.fdot(x, coef) + offset
            mu = 1 / (1 + mpmath.exp(-eta))
            value += weight * (y * eta - trials * mpmath.log1p(mpmath.exp(eta)))
            residual, curvature = weight * (y - trials * mu), weight * trials * mu * (1 - mu)
            for j in range(p):
                score[j] += residual * x[j]
                for k in range(j + 1):
                    information[j, k] += curvature * x[j] * x[k]
        for j in range(p):
            for k in range(j):
                information[k, j] = information[j, k]
        return value, score, information

    def _maximum(self, psi):
        """(ψ, λ) at the maximum, under a value of ψ or free: Newton with halving."""
        free = range(0 if psi is None else 1, self.size)
        at = list(self.near) if psi is None else [psi, *self.near[1:]]
        if not len(free):
            return at
        value, score, information = self._evaluate(at)
        for _ in range(100):
            part = mpmath.matrix([[information[j, k] for k in free] for j in free])
            step = mpmath.lu_solve(part, mpmath.matrix([score[j] for j in free]))
            decrement: Any = mpmath.sqrt(abs(sum(step[i] * score[j] for i, j in enumerate(free))))
            share = mpmath.mpf(1)
            while True:
                trial = list(at)
                for i, j in enumerate(free):
                    trial[j] += share * step[i]
                new = self._evaluate(trial)
                if new[0] >= value or decrement < 1e-12:
                    break
                share /= 2
            at, (value, score, information) = trial, new
            if decrement < mpmath.mpf(10) ** (-DIGITS * 0.45):
                return at
        raise AssertionError("the oracle found no maximum")

    def roots(self, psi):
        """r and r* at a value of ψ."""
        with mpmath.workdps(DIGITS):
            psi = mpmath.mpf(psi)
            at = self._maximum(psi)
            self.near = list(at)
            value, _, information = self._evaluate(at)
            gap = self.estimate - psi
            root = mpmath.sign(gap) * mpmath.sqrt(2 * (self.peak - value))
            p = self.size
            nuisance = mpmath.det(information[1:p, 1:p]) if p > 1 else mpmath.mpf(1)
            q = gap * mpmath.sqrt(self.determinant / nuisance)
            return root, root + mpmath.log(q / root) / root

    def end(self, side: int, reach: float) -> float:
        """Where r* = ∓reach, on one side."""
        with mpmath.workdps(DIGITS):
            excess: Callable = lambda psi: self.roots(psi)[1] + side * mpmath.mpf(reach)  # noqa: E731
            inside = self.estimate + side * self.std_error / 5
            outside = self.estimate + side * reach * self.std_error
            while side * excess(outside) > 0:
                outside += side * reach * self.std_error / 2
            self.near = list(self.coef)
            return float(mpmath.findroot(excess, (inside, outside), solver="anderson", tol=1e-40))
