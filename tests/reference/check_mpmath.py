"""Recompute reference numbers with 50 digits and print the largest differences.

    python check_mpmath.py [NAME ...]        (default: urine, the worst conditioned design)

An independent check of make_references.R: raw coordinates instead of QR, normal equations instead
of least squares (50 digits forgive both), and the likelihood-ratio ends from one Newton iteration
on the system "l = l0, score of every other coefficient = 0" instead of a root of the profile.
Needs mpmath. Separated data sets, which have infinite coefficients, are refused.
"""

import json
import sys
from pathlib import Path

from mpmath import erfinv, exp, fdot, fsum, log1p, lu_solve, matrix, mp, mpf, sqrt

mp.dps = 50


class Problem:
    """One data set as columns of 50-digit numbers."""

    def __init__(self, record):
        rows = record["X"]
        n = len(rows)
        self.columns = [[mpf(row[j]) for row in rows] for j in range(len(rows[0]))]
        self.y = [mpf(v) for v in record["y"]]
        self.trials, self.weights, self.offset = (
            [mpf(v) for v in record[field] or [default] * n]
            for field, default in (("trials", 1), ("weights", 1), ("offset", 0))
        )

    def evaluate(self, beta):
        """Log-likelihood, score and information at the coefficients."""
        rows = zip(*self.columns, strict=True)
        etas = [o + fdot(beta, x) for o, x in zip(self.offset, rows, strict=True)]
        mus = [1 / (1 + exp(-eta)) for eta in etas]
        data = list(zip(self.weights, self.y, self.trials, etas, mus, strict=True))
        loglik = fsum(
            a * (y * eta - m * (max(eta, 0) + log1p(exp(-abs(eta))))) for a, y, m, eta, _ in data
        )
        residual = [a * (y - m * mu) for a, y, m, _, mu in data]
        variance = [a * m * mu * (1 - mu) for a, _, m, _, mu in data]
        p = len(beta)
        information = matrix(p, p)
        for i in range(p):
            weighted = [v * x for v, x in zip(variance, self.columns[i], strict=True)]
            for j in range(i + 1):
                information[i, j] = information[j, i] = fdot(weighted, self.columns[j])
        return loglik, matrix([fdot(residual, x) for x in self.columns]), information

    def maximize(self, beta, fixed=()):
        """Newton iteration over the coefficients that are not fixed, to 45 digits."""
        free = [j for j in range(len(beta)) if j not in fixed]
        beta = list(beta)
        for _ in range(100):
            loglik, score, information = self.evaluate(beta)
            if not free:
                return beta, loglik, score, information
            part = matrix([[information[i, j] for j in free] for i in free])
            slope = matrix([score[j] for j in free])
            step = lu_solve(part, slope)
            decrement = fdot(step, slope)
            if decrement < mpf(10) ** -85:
                return beta, loglik, score, information
            size = min(1, 2 / sqrt(decrement))  # damped where far out
            for j, delta in zip(free, step, strict=True):
                beta[j] += size * delta
        raise RuntimeError("no convergence")

    def lr_end(self, beta, j, target):
        """Coefficient j where l = target and every other score is 0, from a point near it."""
        for _ in range(50):
            loglik, score, information = self.evaluate(beta)
            jacobian = -information
            equations = score.copy()
            jacobian[j, :] = score.T
            equations[j] = loglik - target
            step = lu_solve(jacobian, -equations)
            beta = [b + delta for b, delta in zip(beta, step, strict=True)]
            if max(abs(delta) for delta in step) < mpf(10) ** -40:
                return beta[j]
        raise RuntimeError("no convergence")

    def score_statistic(self, beta, fixed):
        """Rao's statistic of the fixed coefficients, and the restricted maximum."""
        beta, loglik, score, information = self.maximize(beta, fixed)
        return fdot(score, lu_solve(information, score)), beta, loglik

    def score_end(self, beta, j, start, unit, quantile):
        """Coefficient j where the score statistic is the quantile: secants from the start."""
        points = [start, start + unit * mpf(10) ** -6]
        values = []
        for _ in range(50):
            at = [*beta[:j], points[-1 if values else 0], *beta[j + 1 :]]
            statistic, beta, _ = self.score_statistic(at, (j,))
            values.append(sqrt(statistic) - sqrt(quantile))
            if len(values) < 2:
                continue
            move = values[-1] * (points[-1] - points[-2]) / (values[-1] - values[-2])
            points.append(points[-1] - move)
            if abs(move) < unit * mpf(10) ** -35:
                return points[-1]
        raise RuntimeError("no convergence")


def unit_column(p, j):
    """Column j of the identity matrix."""
    return matrix([int(i == j) for i in range(p)])


def moved(coef, inverse, j, value):
    """The coefficients with the j-th at a value and the rest where the quadratic model has them."""
    shift = (value - coef[j]) / inverse[j][j]
    return [value if i == j else b + shift * inverse[j][i] for i, b in enumerate(coef)]


def check(record):
    """Largest differences by kind: ends and estimates in standard errors, others relative."""
    problem = Problem(record)
    p = len(record["names"])
    coef, top, _, information = problem.maximize([mpf(0)] * p)
    inverse = [lu_solve(information, unit_column(p, j)) for j in range(p)]
    std_error = [sqrt(inverse[j][j]) for j in range(p)]
    worst = {}

    def note(kind, given, right, unit):
        worst[kind] = max(worst.get(kind, 0), abs((mpf(given) - right) / unit))

    note("loglik", record["loglik"], top, top)
    for j in range(p):
        note("coef", record["coef"][j], coef[j], std_error[j])
        note("std_error", record["std_error"][j], std_error[j], std_error[j])
        for i in range(p):
            note("vcov", record["vcov"][i][j], inverse[i][j], std_error[i] * std_error[j])
        for tests in record["tests"]:
            null = mpf(tests["null"][j])
            score, _, loglik = problem.score_statistic(moved(coef, inverse, j, null), (j,))
            lr = 2 * (top - loglik)
            wald = ((coef[j] - null) / std_error[j]) ** 2
            for kind, right in (("wald", wald), ("lr", lr), ("score", score)):
                note(f"{kind} test", tests[kind][j], right, max(1, right))
        for interval in record["intervals"]:
            quantile = 2 * erfinv(mpf(interval["level"])) ** 2  # chi-square, 1 degree of freedom
            for side in ("lower", "upper"):
                given = mpf(interval[side][j])
                near, _, _, _ = problem.maximize(moved(coef, inverse, j, given), (j,))
                if interval["method"] == "lr":
                    right = problem.lr_end(near, j, top - quantile / 2)
                else:
                    right = problem.score_end(near, j, given, std_error[j], quantile)
                note(f"{interval['method']} ends", given, right, std_error[j])
    check_joint(record, problem, coef, top, inverse, note)
    return worst


def check_joint(record, problem, coef, top, inverse, note):
    """The joint tests of every coefficient but the intercept."""
    joint = record["joint"]
    tested = [record["names"].index(name) for name in joint["names"]]
    score, _, loglik = problem.score_statistic([mpf(0)] * len(coef), tuple(tested))
    part = matrix([[inverse[i][j] for j in tested] for i in tested])
    estimate = matrix([coef[j] for j in tested])
    wald = fdot(estimate, lu_solve(part, estimate))
    for kind, right in (("wald", wald), ("lr", 2 * (top - loglik)), ("score", score)):
        note(f"{kind} test", joint[kind], right, max(1, right))


def main(names):
    """Check each named data set; exit status 1 where a difference exceeds 1e-10."""
    failed = False
    for name in names:
        path = Path(__file__).with_name(f"{name}.json")
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["vcov"] is None:
            sys.exit(f"{name} is separated: its coefficients are not all finite")
        worst = check(record)
        failed |= max(worst.values()) > 1e-10
        print(f"{name}: largest difference {float(max(worst.values())):.1e} (standard errors)")
        print("  " + ", ".join(f"{kind} {float(value):.0e}" for kind, value in worst.items()))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["urine"]))
