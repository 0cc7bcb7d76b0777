"""Where Wald misleads: the Hauck–Donner derivative, asymmetry, distances, marks in summaries."""

import json
from pathlib import Path

import numpy as np
import oracles
import pytest
from scipy.stats import norm

import jaxlogit as jl
from jaxlogit import Status, diagnosis

REFERENCE = Path(__file__).parent / "reference" / "delta"
AGAINST_R = 1e-6
"""Of a derivative that R makes by central differences with steps of a hundredth of a standard
error: rounding of 1e-16/1e-2 in a statistic of up to 10, over a derivative near 1."""

SAME_MATHEMATICS = 1e-9
GROUPS = [[1.0, 0.0], [1.0, 1.0]]


def read(name):
    return json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["birthwt", "budworm"])
def test_growth_of_the_wald_statistic_in_r(name):
    known = read(name)
    found = jl.fit(known["X"], known["y"], trials=known["trials"]).diagnose()
    np.testing.assert_allclose(found.wald_slope, known["wald_slope"], rtol=AGAINST_R)


def test_a_group_in_which_ever_fewer_fail():
    """The Wald statistic of 48 or 49 successes in 50 is smaller than that of 47."""
    known = read("groups")
    y = np.array([case["y"] for case in known["cases"]])
    fit = jl.fit(known["X"], y, trials=known["cases"][0]["trials"])
    found = fit.diagnose()
    expected = np.array([case["wald_slope"] for case in known["cases"]])
    np.testing.assert_allclose(found.wald_slope, expected, rtol=AGAINST_R, atol=1e-8)
    np.testing.assert_array_equal(found.hauck_donner, expected < 0)
    statistic = fit.test("wald").statistic[:, 1]
    assert y[:, 1].tolist()[-3:] == [47, 48, 49]
    assert statistic[-1] < statistic[-2] and np.all(np.diff(statistic[:-2]) > 0)
    assert np.all(found.wald_unsafe[found.hauck_donner])


def test_definition_by_differences():
    """The statistic as a function of one coefficient, the others fixed, in raw units."""
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(30), random.normal(300, 20, 30), random.normal(size=30)])
    y = (random.random(30) < 0.4).astype(float)
    trials = random.integers(1, 4, 30)
    data = oracles.model(X, y * trials, trials)
    fit = jl.fit(X, y * trials, trials=trials)
    found = fit.diagnose(0.9)
    for j in range(3):
        unit = np.eye(3)[j]

        def wald(step, unit=unit, j=j):
            coef = fit.coef + step * fit.std_error[j] * unit
            return coef[j] / oracles.std_error(data, coef, unit)

        slope = (8 * (wald(0.01) - wald(-0.01)) - (wald(0.02) - wald(-0.02))) / 0.12
        np.testing.assert_allclose(found.wald_slope[j], slope, rtol=1e-5)
    ends, others = fit.confint(0.9), fit.confint(0.9, "wald")
    far = np.maximum(np.abs(ends.lower - others.lower), np.abs(ends.upper - others.upper))
    same = {"rtol": SAME_MATHEMATICS, "atol": SAME_MATHEMATICS}
    np.testing.assert_allclose(found.nonlinearity, far / fit.std_error, **same)
    ratio = (ends.upper - fit.coef) / (fit.coef - ends.lower)
    np.testing.assert_allclose(found.asymmetry, np.log(ratio), **same)
    assert found.level == 0.9 and found.status.tolist() == [0, 0, 0]


def test_units_do_not_matter():
    random = np.random.default_rng(4)
    X = np.column_stack([np.ones(40), random.normal(size=(40, 2))])
    y = random.random(40) < 0.3
    scale = np.array([1.0, 1e6, 1e-6])
    plain, scaled = jl.fit(X, y).diagnose(), jl.fit(X * scale, y).diagnose()
    for name in ("wald_slope", "asymmetry", "nonlinearity"):
        np.testing.assert_allclose(getattr(plain, name), getattr(scaled, name), rtol=1e-7)
    turned = jl.fit(X, ~y).diagnose()
    np.testing.assert_allclose(turned.asymmetry, -plain.asymmetry, rtol=1e-7)
    np.testing.assert_allclose(turned.wald_slope, plain.wald_slope, rtol=1e-7)


def test_statuses_beside_good_models():
    x = np.arange(8.0)
    X = np.stack([np.column_stack([np.ones(8), x])] * 4)
    X[3, :, 1] = 3.0
    y = np.array([[0, 0, 1, 0, 1, 0, 1, 1], x > 3, [0, 0, 0, 0, 1, 0, 1, 1], x % 2])
    fit = jl.fit(X, y)
    kinds = [Status.CONVERGED, Status.SEPARATED_COMPLETE, Status.CONVERGED, Status.RANK_DEFICIENT]
    np.testing.assert_array_equal(fit.status, kinds)
    found = fit.diagnose()
    np.testing.assert_array_equal(found.status, np.repeat(np.array(kinds)[:, None], 2, axis=1))
    missing = np.array([False, True, False, True])
    assert np.all(found.wald_unsafe[missing])
    np.testing.assert_array_equal(np.isnan(found.wald_slope[:, 0]), missing)
    np.testing.assert_array_equal(np.isnan(found.nonlinearity[:, 1]), missing)
    assert np.all(found.hauck_donner[1]) and not np.any(found.hauck_donner[[0, 3]])
    alone = fit[2].diagnose()
    assert alone.wald_slope.shape == (2,)
    np.testing.assert_allclose(alone.wald_slope, found.wald_slope[2], rtol=SAME_MATHEMATICS)


def test_quasi_separation():
    fit = jl.fit(GROUPS, [10, 50], trials=[20, 50])
    found = fit.diagnose()
    np.testing.assert_array_equal(found.hauck_donner, [False, True])
    np.testing.assert_array_equal(found.wald_unsafe, [True, True])
    assert np.isfinite(found.asymmetry[0]) and np.isnan(found.asymmetry[1])


def test_threshold_is_what_it_says():
    z = norm.ppf(0.975)
    distance = diagnosis.UNSAFE_DISTANCE
    errors = norm.cdf([-(z - distance), -(z + distance)])
    np.testing.assert_allclose(errors, [0.044, 0.014], atol=5e-4)


def test_summary_marks_what_is_unsafe():
    steep = jl.fit(GROUPS, [10, 49], trials=[20, 50], names=["const", "group"])
    text = steep.summary(method="wald").splitlines()
    header = next(line for line in text if line.startswith("term"))
    assert header.endswith("wald")
    assert [line.endswith("unsafe") for line in text if line.startswith(("const", "group"))] == [
        False,
        True,
    ]
    assert text[-1].startswith("unsafe: ") and max(map(len, text)) <= 100
    mild = jl.fit(GROUPS, [10, 30], trials=[20, 50], names=["const", "group"])
    assert "unsafe" not in mild.summary() and "wald" not in mild.summary()


def test_bad_levels():
    with pytest.raises(ValueError, match="level must lie in"):
        jl.fit(GROUPS, [10, 49], trials=[20, 50]).diagnose(1.0)


def test_robust_fits_are_diagnosed_by_their_model():
    steep = jl.fit(GROUPS * 4, [2, 12, 3, 13, 3, 13, 2, 13], trials=[5, 13] * 4)
    robust = steep.robust("HC3")
    assert not np.allclose(robust.std_error, steep.std_error, rtol=0.01)
    found, expected = robust.diagnose(), steep.diagnose()
    for name in ("wald_slope", "asymmetry", "nonlinearity", "wald_unsafe"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert np.any(expected.wald_unsafe)
    assert "unsafe" in steep.summary() and "unsafe" not in robust.summary()
