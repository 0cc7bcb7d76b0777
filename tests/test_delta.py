"""Functions of coefficients and average marginal effects: R, statsmodels, differences."""

import json
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

import jaxlogit as jl
from jaxlogit import Status

REFERENCE = Path(__file__).parent / "reference" / "delta"
SAME_MATHEMATICS = 1e-10
AGAINST_R = 1e-7
"""Relative: R's derivatives are central differences, good to about 1e-9, and glm's estimates stop
on the deviance."""

N = 40
RANDOM = np.random.default_rng(5)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.integers(0, 2, N)])
Y = (RANDOM.random((4, N)) < expit(0.7 * X[:, 1])).astype(float)
Y[1] = X[:, 1] > 0  # separated


def case(name):
    known = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    fit = jl.fit(known["X"], known["y"], trials=known["trials"], names=known["names"])
    return known, fit


def median_doses(coef):
    """Of females and of males, in the coding of the reference: const, sexM, ldose."""
    return -jnp.stack([coef[0], coef[0] + coef[1]]) / coef[2]


def ratio(coef):
    return coef[1] / coef[2]


# -- transform -----------------------------------------------------------------------------------


def test_doses_of_r():
    known, fit = case("budworm")
    found = fit.transform(median_doses)
    np.testing.assert_allclose(found.estimate, known["dose"], rtol=AGAINST_R)
    np.testing.assert_allclose(found.std_error, known["dose_std_error"], rtol=AGAINST_R)
    assert found.estimate.shape == (2,) and not found.estimate.flags.writeable
    reach = norm.ppf(0.975) * found.std_error
    np.testing.assert_allclose(found.upper - found.lower, 2 * reach, rtol=SAME_MATHEMATICS)


def test_identity_is_wald():
    fit = jl.fit(X, Y[0])
    null = [0.5, 0.0, -0.5]
    found = fit.transform(lambda coef: coef, 0.9, null=null)
    wald, tested = fit.confint(0.9, "wald"), fit.test("wald", null)
    close = {"rtol": SAME_MATHEMATICS, "atol": SAME_MATHEMATICS}
    np.testing.assert_allclose(found.lower, wald.lower, **close)
    np.testing.assert_allclose(found.upper, wald.upper, **close)
    np.testing.assert_allclose(found.z**2, tested.statistic, **close)
    np.testing.assert_allclose(found.p_value, tested.p_value, **close)
    np.testing.assert_allclose(found.log_p, tested.log_p, **close)
    assert list(found.null) == null and found.level == 0.9


def test_many_models_and_those_without_a_maximum():
    fit = jl.fit(X, Y)
    found = fit.transform(ratio, null=1.0)
    assert found.estimate.shape == found.p_value.shape == (4,)
    np.testing.assert_array_equal(found.status, fit.status)
    assert found.status[1] == Status.SEPARATED_COMPLETE
    for name in ("estimate", "std_error", "lower", "upper", "z", "p_value", "log_p"):
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), fit.status != 0)
    one = jl.fit(X, Y[2]).transform(ratio, null=1.0)
    assert one.estimate.shape == ()
    np.testing.assert_allclose(found.z[2], one.z, rtol=SAME_MATHEMATICS)
    slopes = np.array([0, 1 / fit.coef[2, 2], -fit.coef[2, 1] / fit.coef[2, 2] ** 2])
    expected = np.sqrt(slopes @ fit.covariance[2] @ slopes)
    np.testing.assert_allclose(found.std_error[2], expected, rtol=SAME_MATHEMATICS)
    assert fit.transform(lambda coef: coef[:1]).estimate.shape == (4, 1)


def test_functions_that_have_no_first_order():
    fit = jl.fit(X, Y)
    found = fit.transform(lambda coef: jnp.stack([jnp.log(coef[1] - 1e9), 0.0 * coef[0], coef[1]]))
    np.testing.assert_array_equal(found.status[0], [Status.NONFINITE_INPUT] * 2 + [0])
    np.testing.assert_array_equal(np.isnan(found.estimate[0]), [True, True, False])
    assert np.all(found.status[1] == Status.SEPARATED_COMPLETE)


def test_a_batch_without_any_maximum():
    fit = jl.fit(X, Y[[1, 1]])
    assert np.all(np.isnan(fit.transform(ratio).estimate))
    assert np.all(np.isnan(fit.margins("x1").estimate))


# -- margins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["birthwt", "budworm"])
def test_effects_of_r(name):
    known, fit = case(name)
    found = fit.margins()
    assert list(found.names) == known["names"][1:]
    np.testing.assert_allclose(found.estimate, known["effect"], rtol=AGAINST_R)
    np.testing.assert_allclose(found.std_error, known["effect_std_error"], rtol=AGAINST_R)
    design = np.array(known["X"])[:, 1:]
    np.testing.assert_array_equal(found.discrete, np.all((design == 0) | (design == 1), axis=0))


def test_effects_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    result = sm.Logit(Y[0], X).fit(disp=0, method="newton", tol=1e-14, maxiter=50)
    expected = result.get_margeff(dummy=True)
    found = jl.fit(X, Y[0]).margins()
    np.testing.assert_allclose(found.estimate, expected.margeff, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, expected.margeff_se, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, expected.pvalues, rtol=1e-8)
    np.testing.assert_allclose(
        np.column_stack([found.lower, found.upper]), expected.conf_int(), rtol=1e-8
    )


def average_effect(design, coef, j, discrete, share, offset):
    """By its definition; a derivative with respect to x is a central difference."""

    def mean(column):
        moved = design.copy()
        moved[:, j] = column
        return share @ expit(moved @ coef + offset)

    if discrete:
        return mean(1.0) - mean(0.0)
    return (mean(design[:, j] + 1e-5) - mean(design[:, j] - 1e-5)) / 2e-5


@pytest.mark.parametrize("kind", ["shared", "each", "own"])
def test_effects_by_their_definition(kind):
    """Weights, trials and an offset; designs shared or not; alone and beside a separated model."""
    weights = RANDOM.integers(0, 3, (4, N)).astype(float)
    trials, offset = np.full(N, 2.0), 0.3 * RANDOM.normal(size=N)
    own = RANDOM.normal(size=(4, N))
    if kind == "shared":
        designs = np.repeat(X[None], 4, axis=0)
        given = {"X": X}
    else:
        designs = np.concatenate([np.repeat(X[None], 4, axis=0), own[:, :, None]], axis=2)
        given = {"X": designs} if kind == "each" else {"X": X, "own": own}
    y = 2 * Y
    fit = jl.fit(**given, y=y, trials=trials, weights=weights, offset=offset)
    found = fit.margins()
    np.testing.assert_array_equal(fit.status != 0, np.isnan(found.estimate[:, 0]))
    assert fit.status[1] != 0 and fit.status[0] == 0
    assert found.names == fit.names[1:]
    for i in (0, 2, 3):
        share = weights[i] / np.sum(weights[i])
        for k, j in enumerate(range(1, designs.shape[2])):
            args = (j, j == 2, share, offset)
            assert found.discrete[i, k] == (j == 2)
            expected = average_effect(designs[i], fit.coef[i], *args)
            np.testing.assert_allclose(found.estimate[i, k], expected, rtol=1e-7, atol=1e-10)
            slopes = np.zeros(len(fit.names))
            for m in range(len(slopes)):
                move = 1e-4 * (np.arange(len(slopes)) == m)
                ends = [average_effect(designs[i], fit.coef[i] + s * move, *args) for s in (-1, 1)]
                slopes[m] = (ends[1] - ends[0]) / 2e-4
            expected = np.sqrt(slopes @ fit.covariance[i] @ slopes)
            np.testing.assert_allclose(found.std_error[i, k], expected, rtol=1e-5)
    one = fit[2].margins(["x2", "x1"])
    assert one.names == ("x2", "x1")
    np.testing.assert_allclose(one.estimate, found.estimate[2, [1, 0]], rtol=SAME_MATHEMATICS)


def test_models_and_rows_that_are_alike():
    """Fitted once, averaged each for itself."""
    dose = np.tile([0.0, 1, 2, 3], 10)
    design = np.column_stack([np.ones(40), dose])
    y = (RANDOM.random((80, 40)) < expit(dose - 1.5)[None]).astype(float)
    y[40:] = y[:40]
    fit = jl.fit(design, y)
    assert fit._solution.n_rows == 4
    found, one = fit.margins(), jl.fit(design, y[7]).margins()
    np.testing.assert_allclose(found.estimate[[7, 47], 0], one.estimate[[0, 0]], rtol=1e-9)
    np.testing.assert_allclose(found.std_error[[7, 47], 0], one.std_error[[0, 0]], rtol=1e-9)


# -- odds ratios ---------------------------------------------------------------------------------


def test_odds_ratios_are_exponentiated_ends():
    ends = jl.fit(X, Y).confint()
    found = ends.odds_ratio
    np.testing.assert_allclose(found.lower, np.exp(ends.lower), rtol=1e-15)
    np.testing.assert_allclose(found.upper, np.exp(ends.upper), rtol=1e-15)
    infinite = ends.upper_status == Status.INFINITE
    assert np.any(infinite) and np.all(np.isposinf(found.upper[infinite]))
    endless = ends.lower_status == Status.INFINITE
    assert np.all(found.lower[endless] == 0.0)
    assert (found.level, found.method, found.names) == (ends.level, ends.method, ends.names)
    with pytest.raises(ValueError, match="read-only"):
        found.lower[0] = 1.0


# -- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "function must be a function of the coefficients": (TypeError, lambda f: f.transform(3)),
    "function must return a number or a vector of real numbers": (
        TypeError,
        lambda f: f.transform(lambda coef: (coef, coef)),
    ),
    "function must return a number or a vector: found shape (3, 3)": (
        ValueError,
        lambda f: f.transform(lambda coef: jnp.outer(coef, coef)),
    ),
    "null must be one number or 3": (
        ValueError,
        lambda f: f.transform(lambda coef: coef, null=[1, 2]),
    ),
    "level must lie in (0, 1)": (ValueError, lambda f: f.margins(level=95)),
    "terms must be one of": (ValueError, lambda f: f.margins("x7")),
    "terms must name at least one column": (ValueError, lambda f: f.margins([])),
    "terms must hold a column that varies": (
        ValueError,
        lambda f: jl.fit(np.ones((4, 1)), [0, 1, 1, 0]).margins(),
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    kind, call = REFUSED[message]
    with pytest.raises(kind, match=re.escape(message)):
        call(jl.fit(X, Y[0]))


def test_an_index_beyond_the_coefficients_is_refused():
    fit = jl.fit(np.column_stack([np.ones(6), np.arange(6.0)]), [0, 1, 0, 1, 0, 1])
    with pytest.raises(ValueError, match="function must index the 2 coefficients from 0 to 1"):
        fit.transform(lambda b: b[2])
    with pytest.raises(TypeError, match="function must be made of JAX operations"):
        fit.transform(lambda b: np.exp(b[1]))
    assert np.isfinite(fit.transform(lambda b: b.at[0].set(0.0) @ b).estimate)


def test_margins_keep_their_terms_under_separation():
    x = np.arange(8.0)
    design = np.column_stack([np.ones(8), x])
    separated, other = jl.fit(design, x > 3), jl.fit(design, [0, 1, 0, 1, 0, 1, 0, 1])
    assert separated.margins().names == other.margins().names == ("x1",)
    assert np.all(np.isnan(separated.margins().estimate))
