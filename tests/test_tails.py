"""Chi-square tails against mpmath, also where the probability underflows."""

import mpmath
import numpy as np
import pytest

from jaxlogit.core import tails

SAME_MATHEMATICS = 1e-10
STATISTICS = np.array([1e-8, 0.5, 3.84, 30.0, 480.0, 530.0, 700.0, 1400.0, 1600.0, 5e3, 1e6])


def log_tail(statistic: float, df: int) -> float:
    with mpmath.workdps(60):
        half = mpmath.mpf(df) / 2
        tail = mpmath.gammainc(half, mpmath.mpf(statistic) / 2, regularized=True)
        return float(mpmath.log(tail))


@pytest.mark.parametrize("df", [1, 2, 3, 7, 25])
def test_log_p(df):
    expected = np.array([log_tail(x, df) for x in STATISTICS])
    found = tails.log_p(STATISTICS, df)
    np.testing.assert_allclose(found, expected, rtol=SAME_MATHEMATICS, atol=1e-13)


@pytest.mark.parametrize("df", [1, 2, 7])
def test_p_value_is_the_exponential_of_log_p(df):
    p = tails.p_value(STATISTICS, df)
    np.testing.assert_allclose(p, np.exp(tails.log_p(STATISTICS, df)), rtol=1e-9, atol=1e-320)
    assert p[-1] == 0.0
    assert np.isfinite(tails.log_p(STATISTICS, df)[-1])


@pytest.mark.parametrize("df", [1, 4])
def test_special_values(df):
    values = np.array([0.0, np.inf, np.nan])
    np.testing.assert_array_equal(tails.p_value(values, df), [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(tails.log_p(values, df), [0.0, -np.inf, np.nan])


@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("df", [1, 3])
def test_quantile_inverts_the_tail(level, df):
    quantile = tails.chi2_quantile(level, df)
    np.testing.assert_allclose(tails.p_value(np.array(quantile), df), 1 - level, rtol=1e-9)
