"""Golden numbers: small data sets whose answers were worked out by other means."""

import numpy as np
import pytest
from oracles import model, statistic

import jaxlogit
from jaxlogit import Status, datasets
from jaxlogit.core.likelihood import Rows, evaluate
from jaxlogit.core.newton import Scale, newton, start_search

SAME_MATHEMATICS = 1e-10
"""A search ends with 1e-11 standard errors left at most."""

PRINTED = 0.51
"""Units of the last printed digit."""


def assert_printed(found, printed: str):
    """Agreement with numbers to the digits they are printed with, "0.4 -1.25 inf"."""
    for value, text in zip(np.ravel(found), printed.split(), strict=True):
        if text.lstrip("-") == "inf":
            assert value == float(text)
        else:
            digits = len(text.partition(".")[2])
            assert abs(value - float(text)) <= PRINTED * 10.0**-digits, (value, text)


@pytest.fixture(scope="module")
def endometrial() -> jaxlogit.Fit:
    """Heinze and Schemper (2002), Statistics in Medicine 21:2409-2419: NV is quasi-separated."""
    table = datasets.load("endometrial").columns
    X = np.column_stack([np.ones(79), *(table[name] for name in ("NV", "PI", "EH"))])
    return jaxlogit.fit(X, table["HG"], names=["const", "NV", "PI", "EH"])


def test_endometrial(endometrial):
    assert endometrial.status == Status.SEPARATED_QUASI
    assert_printed(endometrial.coef, "4.30452 inf -0.04218 -2.90261")
    assert_printed(endometrial.loglik, "-27.69663018")
    assert np.all(np.isnan(endometrial.std_error))
    assert_printed(endometrial.test("lr").statistic[1], "9.35764")
    assert_printed(endometrial.test("score").statistic[1], "6.75183")
    lr, score = endometrial.confint(), endometrial.confint(method="score")
    assert_printed([lr.lower[1], lr.upper[1]], "1.28411 inf")
    assert_printed([score.lower[1], score.upper[1]], "0.71044 inf")
    for ends in (lr, score):
        assert ends.lower_status[1] == Status.CONVERGED
        assert ends.upper_status[1] == Status.INFINITE
    assert list(endometrial.separation().coefficient) == ["finite", "+inf", "finite", "finite"]
    wald = endometrial.confint(method="wald")
    assert np.all(np.isnan([wald.lower, wald.upper]))
    assert np.all(wald.lower_status == Status.SEPARATED_QUASI)


def test_intercept_only_three_of_four():
    """y = 3 of 4: the estimate is log 3; the score interval is Wilson's on the logit scale."""
    fit = jaxlogit.fit(np.ones((4, 1)), [1, 1, 1, 0])
    np.testing.assert_allclose(fit.coef, np.log(3), rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(fit.std_error, np.sqrt(4 / 3), rtol=SAME_MATHEMATICS)
    lr = fit.confint()
    np.testing.assert_allclose(lr.lower, -0.9564885638958684, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(lr.upper, 4.104623407632898, rtol=SAME_MATHEMATICS)
    score = fit.confint(method="score")
    z2, n, share = 3.841458820694124, 4, 0.75
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    wilson = np.array([middle - half, middle + half])
    np.testing.assert_allclose([*score.lower, *score.upper], np.log(wilson / (1 - wilson)),
                               rtol=SAME_MATHEMATICS)  # fmt: skip


def test_doses():
    """Doses 0 to 5, three subjects each."""
    dose = np.arange(6.0)
    fit = jaxlogit.fit(np.column_stack([np.ones(6), dose]), [0, 1, 1, 1, 2, 3], trials=3)
    assert_printed(fit.coef, "-2.62757673 0.91273169")
    assert_printed(fit.std_error, "1.30008456 0.42235975")
    assert_printed(fit.loglik, "-8.822193999978")
    assert_printed(np.sqrt(fit.test("lr").statistic[1]), "2.6619971370")
    assert_printed(np.sqrt(fit.test("score").statistic[1]), "2.4997142694")
    assert_printed(fit.test("lr").p_value[1] / 2, "0.003884")
    lr, score = fit.confint(), fit.confint(method="score")
    assert_printed([lr.lower[1], lr.upper[1]], "0.2124707020 1.9552259486")
    assert_printed([score.lower[1], score.upper[1]], "0.1603758443 1.6972038570")


@pytest.mark.parametrize(
    ("start", "halving", "arrives"),
    [(-1.75, False, True), (-1.81, False, False), (-1.75, True, True), (-1.81, True, True)],
)
def test_newton_start_trap(start, halving, arrives):
    """y = 1, 1, 1, 0: undamped Newton from -1.81 is thrown ever further out."""
    X = np.ones((4, 1))
    rows = Rows(X, np.array([3.0]))
    scale = Scale(np.float64(1.0), np.float64(1e-15))
    end = newton(
        lambda coef: evaluate(rows, coef, unroll=False),
        start_search(np.array([start])),
        scale,
        60,
        halving=halving,
    )
    assert (end.status == Status.CONVERGED) == arrives
    if arrives:
        np.testing.assert_allclose(end.coef, 1.0986122886681098, rtol=SAME_MATHEMATICS)


def test_silent_separation():
    """All of one group succeeded: both coefficients are infinite, their sum is log(24/176)."""
    x = np.repeat([1.0, 0.0], [200, 25])
    y = np.repeat([1, 0, 1], [24, 176, 25])
    X = np.column_stack([np.ones(225), x])
    fit = jaxlogit.fit(X, y)
    assert fit.status == Status.SEPARATED_QUASI
    np.testing.assert_array_equal(fit.coef, [np.inf, -np.inf])
    assert_printed(fit.predict([[1.0, 1.0]]), "0.12")
    both = fit.confint(contrasts=[[1.0, 1.0]])
    assert both.lower_status == both.upper_status == Status.CONVERGED
    one = jaxlogit.fit(np.ones((200, 1)), y[:200])
    assert_printed(one.coef, "-1.9924")
    np.testing.assert_allclose(both.lower, one.confint().lower, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(both.upper, one.confint().upper, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(fit.loglik, one.loglik, rtol=SAME_MATHEMATICS)


def test_oracle_on_the_doses():
    """The tests' own oracle meets the printed numbers too."""
    data = model(np.column_stack([np.ones(6), np.arange(6)]), [0, 1, 1, 1, 2, 3], trials=3)
    slope = np.array([0.0, 1.0])
    root = np.sqrt(statistic(data, -8.822193999978, slope, 0.0, "lr"))
    assert_printed(root, "2.66199714")
    assert_printed(np.sqrt(statistic(data, 0.0, slope, 0.0, "score")), "2.4997142694")
