"""Firth's penalty: estimates, tests and interval ends against R, firthmodels and NumPy."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import penalised
import pytest
from oracles import REFERENCE as FOLDER
from oracles import array, reference
from scipy.stats import chi2

import jaxlogit
from jaxlogit import Status, hills
from jaxlogit.core import likelihood, linalg, penalty
from jaxlogit.core.likelihood import Beside, Jeffreys, Rows
from jaxlogit.penalties import Firth

REFERENCE = 1e-8
"""Standard errors: the promise. R's numbers are good to about 1e-10."""
OTHER_PROGRAM = 1e-6
"""Standard errors: firthmodels' searches end by the size of a score or a step, about 1e-8."""
SAME_MATHEMATICS = 1e-10
ROUNDED = 6e-5  # numbers printed with four decimals
CUTOFF = chi2.ppf(0.95, 1)
MADE = json.loads((FOLDER / "penalties" / "firth.json").read_text(encoding="utf-8"))
KNOWN = {record["name"]: record for record in MADE["known"] + MADE["hard"]}
OTHERS = json.loads((FOLDER / "penalties" / "firthmodels.json").read_text(encoding="utf-8"))
IN_EVERY_RUN = ("endometrial", "complete", "budworm_mixed")
SECOND_HILL = {"two_events": 2, "complete": 1}
"""The upper end of this coefficient: l* restricted beyond 2.5 has two maxima, of which firthmodels
follows the lower one."""


def arguments(name: str) -> dict:
    record = KNOWN[name]
    if "X" in record:
        return {"X": array(record["X"]), "y": array(record["y"])}
    return reference(name).fit_arguments()


def names(records):
    return [
        pytest.param(record, marks=() if record["name"] in IN_EVERY_RUN else pytest.mark.slow,
                     id=record["name"]) for record in records
    ]  # fmt: skip


# -- known numbers ----------------------------------------------------------------------------


def test_endometrial_in_print():
    """Heinze and Schemper's data; order const, NV, PI, EH."""
    data = arguments("endometrial")
    fit = jaxlogit.fit(**data, penalty="firth")
    assert fit.status == Status.CONVERGED
    for found, printed in (
        (fit.coef, [3.7746, 2.9293, -0.0348, -2.6042]),
        (fit.std_error, [1.4887, 1.5508, 0.0396, 0.7760]),
        (fit.test().statistic, [8.1980, 6.7985, 0.7468, 17.7593]),
        (fit.confint().lower, [1.0825, 0.6097, -0.1245, -4.3652]),
        (fit.confint().upper, [7.2093, 7.8546, 0.0405, -1.2327]),
    ):
        np.testing.assert_allclose(found, printed, atol=ROUNDED)
    np.testing.assert_allclose(fit.loglik, -24.0372678, atol=6e-8)
    augmented = jaxlogit.fit(**data, penalty=Firth(std_error="augmented"))
    np.testing.assert_allclose(augmented.std_error, [1.4390, 1.4650, 0.0379, 0.7536], atol=ROUNDED)
    np.testing.assert_array_equal(augmented.coef, fit.coef)
    wald = augmented.confint(method="wald")
    half = np.sqrt(CUTOFF) * augmented.std_error
    np.testing.assert_allclose(wald.upper - fit.coef, half, rtol=1e-9)
    z = (augmented.coef / augmented.std_error) ** 2
    np.testing.assert_allclose(augmented.test("wald").statistic, z, rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(augmented.covariance)), augmented.std_error)


def test_saturated_table():
    """In a saturated model the penalty adds half a case to each cell."""
    fit = jaxlogit.fit([[1, 0], [1, 1]], [3, 5], trials=[10, 5], penalty="firth")
    expected = [np.log(3.5 / 7.5), np.log(5.5 * 7.5 / (0.5 * 3.5))]
    np.testing.assert_allclose(fit.coef, expected, rtol=SAME_MATHEMATICS)
    mu = np.array([3.5 / 11, 5.5 / 6])
    variance = 1 / (np.array([10, 5]) * mu * (1 - mu))
    np.testing.assert_allclose(fit.std_error, np.sqrt([variance[0], variance.sum()]), rtol=1e-9)


@pytest.mark.parametrize("record", names(MADE["known"] + MADE["hard"]))
def test_estimates_of_brglm2(record):
    fit = jaxlogit.fit(**arguments(record["name"]), penalty="firth")
    unit = array(record["std_error"])
    assert fit.status == Status.CONVERGED
    assert np.all(np.abs(fit.coef - array(record["coef"])) < REFERENCE * unit)
    np.testing.assert_allclose(fit.std_error, unit, rtol=REFERENCE)


@pytest.mark.parametrize("record", names(OTHERS["fits"]))
def test_inference_of_firthmodels(record):
    fit = jaxlogit.fit(**arguments(record["name"]), penalty=Firth(std_error="augmented"))
    unit = array(record["std_error"])
    assert np.all(np.abs(fit.coef - array(record["coef"])) < OTHER_PROGRAM * unit)
    np.testing.assert_allclose(fit.std_error, unit, rtol=OTHER_PROGRAM)
    np.testing.assert_allclose(fit.loglik, record["loglik"], rtol=SAME_MATHEMATICS)
    found, ends = fit.test(), fit.confint()
    np.testing.assert_allclose(found.p_value, array(record["lr_p_value"]), rtol=OTHER_PROGRAM)
    assert np.all(np.abs(ends.lower - array(record["lower"])) < OTHER_PROGRAM * unit)
    wrong = np.abs(ends.upper - array(record["upper"])) >= OTHER_PROGRAM * unit
    assert np.flatnonzero(wrong) == [SECOND_HILL[record["name"]]] if np.any(wrong) else True


@pytest.mark.slow
def test_an_end_beyond_a_second_hill():
    """Two events in 30 rows: the higher of two restricted maxima decides what is inside."""
    data, j = arguments("two_events"), SECOND_HILL["two_events"]
    fit = jaxlogit.fit(**data, penalty="firth")
    end = fit.confint().upper[j]
    one = penalised.sets(data["X"], data["y"])
    best = penalised.maximum(one)
    bad = penalised.wrong_ends(
        one, best, j, np.array([end]), 1, CUTOFF, "lr", fit.std_error[j] * REFERENCE
    )
    assert not bad[0]
    by_bracket = fit.confint(solver="bisection", contrasts=np.eye(4)[j]).upper
    assert np.abs(by_bracket - end) < REFERENCE * fit.std_error[j]


def test_an_end_on_the_higher_hill_shows_its_point():
    """Coefficients at the end whose l*, written down, is at the cutoff: no higher hill is left out.

    firthmodels ends at 18.80, on a hill where the likelihood ratio is larger.
    """
    data, j = arguments("complete"), SECOND_HILL["complete"]
    fit = jaxlogit.fit(**data, penalty="firth")
    end = fit.confint().upper[j]
    X, y = (np.asarray(data[name], float) for name in ("X", "y"))

    def loglik(coef):
        eta = X @ coef
        mu = 1 / (1 + np.exp(-eta))
        inner = X.T @ ((mu * (1 - mu))[:, None] * X)
        return y @ eta - np.sum(np.logaddexp(0, eta)) + 0.5 * np.linalg.slogdet(inner)[1]

    at = fit.profile(j, [end]).coef[0]
    np.testing.assert_allclose(at[j], end, rtol=1e-12)
    np.testing.assert_allclose(2 * (loglik(fit.coef) - loglik(at)), CUTOFF, rtol=1e-8)
    assert end > 21


# -- derivatives ------------------------------------------------------------------------------


def direct(rows: Rows, coef):
    """l* written down: the plain design, sums and slogdet."""
    assert rows.jeffreys is not None
    X = rows.design
    eta = X @ coef + (0.0 if rows.offset is None else rows.offset)
    total = jnp.ones_like(eta) if rows.total is None else rows.total
    mu = jax.lax.logistic(eta)
    plain = rows.score_total @ coef - jnp.sum(total * jnp.logaddexp(0.0, eta))
    plain = plain if rows.offset_total is None else plain + rows.offset_total
    inner = X.T @ ((total * mu * (1 - mu))[:, None] * X)
    return plain + rows.jeffreys.strength * jnp.linalg.slogdet(inner)[1]


def made_rows(p: int, n: int, *, form: str, total: bool, offset: bool) -> tuple[Rows, np.ndarray]:
    random = np.random.default_rng(p)
    X = random.normal(size=(n, p))
    trials = random.integers(1, 5, n).astype(float) if total else None
    shift = random.normal(size=n) if offset else None
    y = random.random(n) * (1.0 if trials is None else trials)
    rows = Rows(
        jnp.asarray(X), jnp.asarray(X.T @ y), total=trials, offset=shift,
        offset_total=None if shift is None else jnp.asarray(y @ shift),
        jeffreys=Jeffreys(jnp.asarray(0.7)),
    )  # fmt: skip
    if form == "shared":
        rows = rows._replace(columns=jnp.asarray(X.T), products=linalg.column_products(X))
    if form == "own":
        others = np.ascontiguousarray(X[:, 1:])
        rows = rows._replace(
            beside=Beside(jnp.asarray(X[:, 0]), jnp.asarray(others), jnp.asarray(others.T)),
            products=linalg.column_products(others),
        )
    return rows, 0.4 * random.normal(size=p)


def full(matrix, p):
    return linalg.unpack(matrix, p) if matrix.ndim == 1 else matrix


@pytest.mark.parametrize(
    ("p", "form", "total", "offset"),
    [(3, "alone", True, False), (3, "shared", False, True), (3, "own", True, True),
     (1, "shared", True, False),
     pytest.param(17, "alone", False, False, marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.parametrize("unroll", [True, False])
def test_score_and_curvature(p, form, total, offset, unroll):
    rows, coef = made_rows(p, 40, form=form, total=total, offset=offset)
    at = jax.jit(lambda b: penalty.evaluate(rows, b, unroll=unroll))(coef)
    close = {"rtol": SAME_MATHEMATICS, "atol": SAME_MATHEMATICS}
    np.testing.assert_allclose(at.loglik, direct(rows, coef), **close)
    np.testing.assert_allclose(at.score, jax.grad(direct, 1)(rows, coef), **close)
    exact = -jax.hessian(direct, 1)(rows, coef)
    np.testing.assert_allclose(penalty.curvature(rows, coef, unroll=unroll), exact, **close)
    assert np.linalg.eigvalsh(exact)[0] > 0
    np.testing.assert_allclose(full(at.information, p), exact, **close)
    plain = likelihood.evaluate(rows, coef, unroll=unroll).information
    np.testing.assert_allclose(full(at.expected, p), full(plain, p), **close)
    kept = penalty.correction(rows, coef, unroll=unroll)
    again = rows._replace(jeffreys=rows.jeffreys._replace(correction=kept))
    found = penalty.evaluate(again, coef, unroll=unroll)
    np.testing.assert_allclose(full(found.information, p), exact, **close)


@pytest.mark.parametrize(("p", "form"), [(3, "alone"), (3, "shared"), (3, "own"), (17, "alone")])
@pytest.mark.parametrize("unroll", [True, False])
def test_leverages_and_augmented_information(p, form, unroll):
    rows, coef = made_rows(p, 40, form=form, total=True, offset=False)
    X, k = np.asarray(rows.design), np.asarray(rows.total)
    mu = 1 / (1 + np.exp(-X @ coef))
    w = k * mu * (1 - mu)
    inner = X.T @ (w[:, None] * X)
    information = likelihood.evaluate(rows, coef, unroll=unroll).information
    factor = linalg.cholesky(information, p)
    inverse = linalg.packed_inverse(factor, p)
    np.testing.assert_allclose(full(inverse, p), np.linalg.inv(inner), rtol=1e-8, atol=1e-12)
    expected = np.linalg.slogdet(inner)[1]
    np.testing.assert_allclose(linalg.log_determinant(factor), expected, rtol=SAME_MATHEMATICS)
    lengths = np.einsum("ij,ji->i", X, np.linalg.solve(inner, X.T))
    np.testing.assert_allclose(likelihood.leverages(rows, inverse), lengths, rtol=1e-8)
    # A row of k cases counts as k rows would: 2τh pseudo-cases beside the k, τ = 0.7.
    augmented = X.T @ ((w / k * (k + 1.4 * w * lengths))[:, None] * X)
    found = penalty.evaluate_augmented(rows, coef, unroll=unroll).information
    np.testing.assert_allclose(full(found, p), augmented, rtol=1e-9, atol=1e-10)
    rows = rows._replace(jeffreys=rows.jeffreys._replace(augmented=jnp.asarray(1.0)))
    found = penalty.wald_information(rows, coef, unroll=unroll)
    np.testing.assert_allclose(full(found, p), augmented, rtol=1e-9, atol=1e-10)


def test_packed_matrices_come_apart():
    matrix = np.arange(25.0).reshape(5, 5)
    matrix = matrix + matrix.T
    np.testing.assert_array_equal(linalg.unpack(linalg.pack(matrix), 5), matrix)


def test_the_oracle_agrees_with_autodiff():
    rows, coef = made_rows(3, 40, form="alone", total=True, offset=True)
    data = penalised.sets(rows.design, np.zeros(40), rows.total, offset=rows.offset, strength=0.7)
    score, exact, _ = penalised.derivatives(data, coef[None])
    other = rows._replace(score_total=jnp.zeros(3), offset_total=jnp.asarray(0.0))
    np.testing.assert_allclose(score[0], jax.grad(direct, 1)(other, coef), rtol=1e-9)
    np.testing.assert_allclose(exact[0], -jax.hessian(direct, 1)(other, coef), rtol=1e-9)


def test_augmented_errors_of_grouped_rows():
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    y, trials = np.array([0, 1, 1, 1, 2, 3]), np.full(6, 3)
    penalty = Firth(std_error="augmented")
    grouped = jaxlogit.fit(X, y, trials=trials, penalty=penalty)
    rows = np.repeat(np.arange(6), 3)
    outcome = np.concatenate([np.arange(3) < k for k in y])
    apart = jaxlogit.fit(X[rows], outcome, penalty=penalty)
    np.testing.assert_allclose(grouped.std_error, apart.std_error, rtol=1e-9)


def test_the_estimate_is_on_the_highest_hill(monkeypatch):
    """A search from 0 ends on a lower one, of which likelihood ratios may be negative."""
    X = np.array([[1, -1.2, -0.06, 1.09], [1, 0.11, -0.54, 0.83], [1, 0.43, 0.38, 0.04],
                  [1, 0.67, 1.54, 0.66], [1, 0.08, -0.39, -1.3], [1, 1.64, 0.08, 0.59],
                  [1, 0.51, -0.02, 0.61], [1, 0.23, 3.88, -0.55]])  # fmt: skip
    y = [1, 0, 0, 1, 0, 0, 0, 0]
    fit, sets = jaxlogit.fit(X, y, penalty="firth"), penalised.sets(X, y)
    near_zero = penalised.maximum(sets)
    restricted = penalised.maximum(sets, held=[1])
    gap = np.abs(fit.coef - penalised.maximum(sets, start=fit.coef[None])[0])
    assert np.all(gap <= REFERENCE * fit.std_error)
    height = penalised.loglik(sets, fit.coef[None])[0]
    assert height > penalised.loglik(sets, near_zero)[0] + 0.01
    found = fit.test()
    assert np.all(found.status == Status.CONVERGED)
    ratio = 2 * (height - penalised.loglik(sets, restricted)[0])
    np.testing.assert_allclose(found.statistic[1], ratio, rtol=1e-9)
    monkeypatch.setattr(hills, "ONE_HILL", 1e9)
    low = jaxlogit.fit(X, y, penalty="firth")
    assert np.all(np.abs(low.coef - near_zero[0]) <= REFERENCE * low.std_error)
    assert low.test().status[1] == Status.MAX_STEPS and np.isnan(low.test().p_value[1])


def test_a_score_without_information_is_no_test():
    far = jaxlogit.fit(np.ones((4, 1)), [1, 1, 1, 0])
    found = far.test("score", null=40.0)
    assert found.status[0] == jaxlogit.Status.MAX_STEPS and np.isnan(found.p_value[0])
    assert far.test("lr", null=40.0).statistic[0] > 70
