"""Log-F and normal priors, FLIC and FLAC, and bad input: against R, NumPy and SciPy."""

import json

import numpy as np
import oracles
import penalised
import pytest
from oracles import REFERENCE as FOLDER
from oracles import array, reference
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

import jaxlogit
from jaxlogit import Status
from jaxlogit.penalties import Firth, LogF, Normal

REFERENCE = 1e-8
"""Standard errors: the promise."""
SAME_MATHEMATICS = 1e-10
CUTOFF = chi2.ppf(0.95, 1)
LOG_F = json.loads((FOLDER / "penalties" / "log_f.json").read_text(encoding="utf-8"))
NAMES = ["const", "dose", "mark"]
B, N, P = 6, 30, 3


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(N), random.normal(size=N), random.random(N) < 0.4])
    Y = (random.random((B, N)) < expit(0.9 * X[:, 1] - 0.5)).astype(float)
    Y[1] = np.maximum(X[:, 2], np.arange(N) % 3 == 0)  # quasi-separated by mark
    return X, Y


@pytest.fixture(scope="module")
def endometrial():
    return reference("endometrial").fit_arguments()


# -- log-F: maximum likelihood on the rows with pseudo-cases ----------------------------------


@pytest.mark.parametrize("i", range(3))
def test_log_f_of_glm(endometrial, i):
    known = LOG_F["endometrial"][i]
    m = array(known["m"])
    fit = jaxlogit.fit(**endometrial, penalty=LogF(m))
    assert np.all(np.abs(fit.coef - array(known["coef"])) < REFERENCE * array(known["std_error"]))
    np.testing.assert_allclose(fit.std_error, known["std_error"], rtol=REFERENCE)
    names = endometrial["names"]
    mapping = {name: value for name, value in zip(names, m, strict=True) if value}
    same = [LogF(mapping)] + ([LogF(m[1]), LogF(int(m[1]))] if len(set(m[1:])) == 1 else [])
    same += ["logf"] if np.array_equal(m, [0, 1, 1, 1]) else []
    for penalty in same:
        np.testing.assert_array_equal(jaxlogit.fit(**endometrial, penalty=penalty).coef, fit.coef)


def test_log_f_with_trials_weights_and_offset():
    known = LOG_F["budworm_mixed"][0]
    fit = jaxlogit.fit(**reference("budworm_mixed").fit_arguments(), penalty=LogF(1.5))
    assert np.all(np.abs(fit.coef - array(known["coef"])) < REFERENCE * array(known["std_error"]))
    np.testing.assert_allclose(fit.std_error, known["std_error"], rtol=REFERENCE)


def test_log_f_is_what_its_formula_says(data):
    """l + Σ m/2·β − m log(1 + exp(β)); ends and tests are those of the rows written out."""
    X, Y = data
    fit = jaxlogit.fit(X, Y, names=NAMES, penalty=LogF({"dose": 1.0, "mark": 2.5}))
    m, b = np.array([1.0, 2.5]), fit.coef[:, 1:]
    assert np.all(fit.status == 0)
    prior = np.sum(m / 2 * b - m * np.logaddexp(0, b), axis=1)
    rows = [oracles.loglik(oracles.model(X, y), c) for y, c in zip(Y, fit.coef, strict=True)]
    np.testing.assert_allclose(fit.loglik, rows + prior, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(fit.deviance, -2 * np.array(rows), rtol=SAME_MATHEMATICS)
    design = np.concatenate([X, np.eye(3)[1:]])
    ends, tested = fit.confint(contrasts=["mark"]), fit.test("score", contrasts=["mark"])
    for i in (0, 1):
        whole = oracles.model(design, np.append(Y[i], m / 2), np.append(np.ones(N), m))
        best = oracles.maximum(whole)
        assert np.all(np.abs(fit.coef[i] - best) < REFERENCE * fit.std_error[i])
        for side, end in ((-1, ends.lower), (1, ends.upper)):
            expected = oracles.interval_end(whole, np.eye(3)[2], side, CUTOFF, "lr")
            assert np.abs(end[i, 0] - expected) < REFERENCE * fit.std_error[i, 2]
        peak = oracles.loglik(whole, best)
        expected = oracles.statistic(whole, peak, np.eye(3)[2], 0.0, "score")
        np.testing.assert_allclose(tested.statistic[i, 0], expected, rtol=1e-8)


def test_log_f_of_designs_and_own_columns(data):
    X, Y = data
    fit = jaxlogit.fit(X, Y, penalty="logf")
    for other in (
        jaxlogit.fit(np.broadcast_to(X, (B, N, P)), Y, penalty="logf"),
        jaxlogit.fit(X[:, :2], Y, own=np.broadcast_to(X[:, 2], (B, N)), penalty="logf"),
    ):
        np.testing.assert_allclose(other.coef, fit.coef, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(other.std_error, fit.std_error, rtol=1e-9)
        np.testing.assert_allclose(other.deviance, fit.deviance, rtol=1e-9)


@pytest.mark.parametrize("penalty", ["logf", "ridge", "flic"])
@pytest.mark.parametrize("ragged", [True, False])
def test_padding_does_not_hide_the_intercept(data, penalty, ragged):
    """Rows that do not count hold zeros: the first column is constant all the same."""
    X, Y = data
    fit = jaxlogit.fit(X, Y, penalty=penalty)
    longer, y = np.concatenate([X, np.zeros((4, P))]), np.pad(Y, ((0, 0), (0, 4)))
    counts = np.repeat([1.0, 0.0], [N, 4])
    given = {"weights": np.broadcast_to(counts, (B, N + 4))} if ragged else {"trials": counts}
    other = jaxlogit.fit(longer, y, penalty=penalty, **given)
    np.testing.assert_array_equal(other.status, 0)
    np.testing.assert_allclose(other.coef, fit.coef, rtol=1e-8, atol=1e-10)


# -- normal priors ----------------------------------------------------------------------------


def normal_maximum(model, mean, precision, held=None, value=0.0):
    """The maximum by SciPy's BFGS and then Newton's method; a coefficient held where asked."""
    free = [j for j in range(len(mean)) if j != held]

    def whole(part):
        coef = np.full(len(mean), value)
        coef[free] = part
        return coef

    def negative(part):
        coef = whole(part)
        gap = coef - mean
        return 0.5 * np.sum(precision * gap**2) - oracles.loglik(model, coef)

    at = minimize(negative, np.zeros(len(free)), method="BFGS").x
    for _ in range(20):
        coef = whole(at)
        score = (oracles.score(model, coef) - precision * (coef - mean))[free]
        matrix = (oracles.information(model, coef) + np.diag(precision))[free][:, free]
        step = np.linalg.solve(matrix, score)
        at = at + step
    assert np.max(np.abs(step)) < 1e-11
    return whole(at), -negative(at)


MEANS = np.array([0.0, 0.5, -1.0])
DEVIATIONS = np.array([np.inf, 0.8, 2.0])


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_normal_priors(data, solver):
    X, Y = data
    fit = jaxlogit.fit(X, Y, penalty=Normal(DEVIATIONS, MEANS), solver=solver)
    precision = DEVIATIONS**-2
    assert np.all(fit.status == 0)
    for i in range(B):
        model = oracles.model(X, Y[i])
        best, peak = normal_maximum(model, MEANS, precision)
        inverse = np.linalg.inv(oracles.information(model, best) + np.diag(precision))
        np.testing.assert_allclose(fit.std_error[i], np.sqrt(np.diag(inverse)), rtol=1e-8)
        assert np.all(np.abs(fit.coef[i] - best) < REFERENCE * fit.std_error[i])
        np.testing.assert_allclose(fit.loglik[i], peak, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(
        fit.deviance[0], -2 * oracles.loglik(oracles.model(X, Y[0]), fit.coef[0]), rtol=1e-9
    )


def test_inference_under_normal_priors(data):
    X, Y = data
    fit = jaxlogit.fit(X, Y, penalty=Normal(DEVIATIONS, MEANS))
    ends, by_bracket = fit.confint(), fit.confint(solver="bisection")
    tested, precision = fit.test(null=0.2), DEVIATIONS**-2
    assert np.all(ends.lower_status == 0) and np.all(ends.upper_status == 0)
    np.testing.assert_array_equal(tested.p_value < 0.05, (ends.lower > 0.2) | (ends.upper < 0.2))
    for found, other in ((ends.lower, by_bracket.lower), (ends.upper, by_bracket.upper)):
        assert np.all(np.abs(found - other) < REFERENCE * fit.std_error)
    for i in (0, 1):
        model = oracles.model(X, Y[i])
        for j in range(P):
            _, height = normal_maximum(model, MEANS, precision, j, 0.2)
            expected = 2 * (fit.loglik[i] - height)
            np.testing.assert_allclose(tested.statistic[i, j], expected, rtol=1e-8, atol=1e-10)
            for end in (ends.lower[i, j], ends.upper[i, j]):
                _, height = normal_maximum(model, MEANS, precision, j, end)
                np.testing.assert_allclose(2 * (fit.loglik[i] - height), CUTOFF, rtol=1e-8)


def test_more_columns_than_rows():
    random = np.random.default_rng(9)
    X, y = random.normal(size=(8, 12)), np.arange(8) % 2.0
    fit = jaxlogit.fit(X, y, penalty=Normal(0.7))
    model, precision = oracles.model(X, y), np.full(12, 0.7**-2)
    best, peak = normal_maximum(model, np.zeros(12), precision)
    assert fit.status == Status.CONVERGED
    assert np.all(np.abs(fit.coef - best) < REFERENCE * fit.std_error)
    np.testing.assert_allclose(fit.loglik, peak, rtol=SAME_MATHEMATICS)
    other = jaxlogit.fit(np.stack([X, X]), y, penalty=Normal(0.7))
    np.testing.assert_allclose(other.coef[1], fit.coef, rtol=1e-8, atol=1e-10)


def test_the_word_ridge(data):
    X, Y = data
    fit = jaxlogit.fit(X, Y[0], penalty="ridge")
    same = jaxlogit.fit(X, Y[0], penalty=Normal([np.inf, 1, 1]))
    np.testing.assert_array_equal(fit.coef, same.coef)
    loose = jaxlogit.fit(X, Y[0], names=NAMES, penalty=Normal({"dose": 1e8}))
    np.testing.assert_allclose(loose.coef, jaxlogit.fit(X, Y[0]).coef, rtol=1e-9)
    tight = jaxlogit.fit(X, Y[0], names=NAMES, penalty=Normal({"dose": 1e-6}, {"dose": 0.3}))
    np.testing.assert_allclose(tight.coef[1], 0.3, atol=1e-10)


@pytest.mark.slow
def test_a_prior_that_leaves_the_separation(endometrial):
    """NV is +inf without a prior of its own: its end is proved infinite, the rest have limits."""
    fit = jaxlogit.fit(**endometrial, penalty=Normal({"PI": 1.0, "EH": 1.0}))
    assert fit.status == Status.SEPARATED_QUASI
    assert fit.coef[1] == np.inf and np.all(np.isfinite(fit.coef[[0, 2, 3]]))
    ends = fit.confint()
    assert ends.upper[1] == np.inf and ends.upper_status[1] == Status.INFINITE
    assert np.all(np.isfinite(ends.lower)) and np.all(np.isfinite(ends.upper[[0, 2, 3]]))
    X, y = array(endometrial["X"]), array(endometrial["y"])
    rest = X[:, 1] == 0  # the rows that stay when NV goes to infinity
    model, precision = oracles.model(X[rest][:, [0, 2, 3]], y[rest]), np.array([0.0, 1.0, 1.0])
    best, peak = normal_maximum(model, np.zeros(3), precision)
    np.testing.assert_allclose(fit.coef[[0, 2, 3]], best, rtol=1e-8)
    np.testing.assert_allclose(fit.loglik, peak, rtol=SAME_MATHEMATICS)
    np.testing.assert_allclose(fit.deviance, -2 * oracles.loglik(model, best), rtol=1e-8)
    held = fit.test(contrasts=["NV"])
    _, height = normal_maximum(oracles.model(X, y), np.zeros(4), np.array([0.0, 0, 1, 1]), 1, 0.0)
    np.testing.assert_allclose(held.statistic, [2 * (peak - height)], rtol=1e-8)


# -- FLIC and FLAC ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def calibrated(data):
    return {word: jaxlogit.fit(*data, names=NAMES, penalty=word) for word in ("flic", "flac")}


def test_flic_and_flac_by_numpy(data, calibrated):
    X, Y = data
    sets = penalised.sets(X, Y)
    firth = penalised.maximum(sets)
    flic, flac = calibrated["flic"], calibrated["flac"]
    np.testing.assert_allclose(flic.coef[:, 1:], firth[:, 1:], rtol=1e-8)
    w = expit(firth @ X.T) * expit(-firth @ X.T)
    inverse = np.linalg.inv(penalised.information(sets, firth))
    leverage = w * np.einsum("np,bpq,nq->bn", X, inverse, X)
    design = np.block([[X, np.zeros((N, 1))], [X, np.ones((N, 1))]])
    for i in range(B):
        alone = oracles.model(np.ones((N, 1)), Y[i], offset=X[:, 1:] @ firth[i, 1:])
        np.testing.assert_allclose(flic.coef[i, 0], oracles.maximum(alone)[0], rtol=1e-8)
        h = leverage[i]
        stacked = oracles.model(design, np.append(Y[i], h / 2), np.append(np.ones(N), h))
        best = oracles.maximum(stacked)
        np.testing.assert_allclose(flac.coef[i], best[:P], rtol=1e-7, atol=1e-9)
        inverse = np.linalg.inv(oracles.information(stacked, best))
        np.testing.assert_allclose(flac.std_error[i], np.sqrt(np.diag(inverse))[:P], rtol=1e-7)
        end = oracles.interval_end(stacked, np.eye(4)[1], 1, CUTOFF, "lr")
        np.testing.assert_allclose(flac.confint(contrasts=["dose"]).upper[i, 0], end, rtol=1e-7)
    for fit in (flic, flac):
        np.testing.assert_allclose(np.mean(fit.predict(X), axis=1), np.mean(Y, axis=1), rtol=1e-9)
        mu = expit(fit.coef @ X.T)
        loglik = np.sum(np.log(np.where(Y == 1, mu, 1 - mu)), axis=1)
        np.testing.assert_allclose(fit.deviance, -2 * loglik, rtol=1e-9)


def test_records_of_flac_have_no_indicator(data, calibrated):
    fit = calibrated["flac"]
    assert fit.names == tuple(NAMES) and fit.coef.shape == (B, P)
    assert fit.covariance.shape == (B, P, P) and fit[2].coef.shape == (P,)
    profile = fit.profile("dose", [0.0, 1.0])
    assert profile.coef.shape == (B, 2, P)
    lr = fit.test(null=1.0, contrasts=["dose"]).statistic[:, 0]
    np.testing.assert_allclose(profile.signed_root[:, 1] ** 2, lr, rtol=1e-7)


def test_flac_with_trials_weights_and_offset():
    """Grouped and written out, mean predictions are mean responses."""
    arguments = reference("budworm_mixed").fit_arguments()
    fit = jaxlogit.fit(**arguments, penalty="flac")
    mu = fit.predict(arguments["X"], offset=arguments["offset"])
    k, s = arguments["trials"] * arguments["weights"], arguments["y"] * arguments["weights"]
    np.testing.assert_allclose(k @ mu, np.sum(s), rtol=1e-10)
    other = jaxlogit.fit(**arguments, penalty="flic")
    mu = other.predict(arguments["X"], offset=arguments["offset"])
    np.testing.assert_allclose(k @ mu, np.sum(s), rtol=1e-10)


@pytest.mark.slow
def test_flic_has_wald_for_its_intercept(data, calibrated):
    fit = calibrated["flic"]
    ends, tested = fit.confint(), fit.test(null=0.1)
    assert ends.method == tested.method == "wald"
    np.testing.assert_allclose(tested.statistic, ((fit.coef - 0.1) / fit.std_error) ** 2, rtol=1e-9)
    np.testing.assert_array_equal(tested.p_value < 0.05, (ends.lower > 0.1) | (ends.upper < 0.1))
    firth = jaxlogit.fit(*data, names=NAMES, penalty="firth")
    some = fit.confint(method="lr", contrasts=["dose", "mark"])
    np.testing.assert_allclose(some.upper, firth.confint().upper[:, 1:], rtol=1e-9)
    for ask in (
        lambda: fit.confint(method="lr"),
        lambda: fit.test("score"),
        lambda: fit.profile("const"),
        lambda: fit.region(["const", "dose"]),
        lambda: fit.predict(data[0], 0.95, "lr"),
    ):
        with pytest.raises(ValueError, match="leave out the intercept under penalty 'flic'"):
            ask()


def test_responses_all_alike_and_dependent_columns(data, calibrated):
    """An infinite intercept under FLIC and FLAC: a status beside good neighbours."""
    X, Y = data
    Y = Y.copy()
    Y[3] = 0.0
    for word, status in (("flic", Status.INFINITE), ("flac", Status.SEPARATED_QUASI)):
        fit, keep = jaxlogit.fit(X, Y, penalty=word), np.arange(B) != 3
        assert fit.status[3] == status and np.all(fit.status[keep] == 0)
        assert not np.isfinite(fit.coef[3, 0]) and np.all(np.isnan(fit.std_error[3]))
        np.testing.assert_allclose(fit.coef[keep], calibrated[word].coef[keep], rtol=1e-9)
        assert np.all(np.isfinite(fit.deviance[keep]))
    for word in ("flic", "flac", "firth"):
        bad = jaxlogit.fit(np.column_stack([X, X[:, 1]]), Y, penalty=word)
        assert np.all(bad.status == Status.RANK_DEFICIENT) and np.all(np.isnan(bad.coef))
        assert np.all(np.isnan(bad.deviance)) and np.all(np.isnan(bad.confint().lower))


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        ("firht", r"penalty must be one of 'firth', 'flic', 'flac', 'logf', 'ridge': "
                  r"found 'firht'; did you mean 'firth'\?"),
        (Firth(strength=0.0), "strength must be a positive number: found 0.0"),
        (Firth(strength=np.nan), "strength must be a positive number: found nan"),
        (Firth(strength="half"), "strength must be a positive number: found 'half'"),
        (Firth(std_error="augmentd"), "did you mean 'augmented'"),
        (Firth(intercept="flik"), "did you mean 'flic'"),
        (LogF(-1.0), "m must not be negative: found -1.0 at coefficient 1"),
        (LogF([0, 1, -2]), "m must not be negative: found -2.0 at coefficient 2"),
        (LogF(np.inf), "m must be finite: found inf at coefficient 1"),
        (LogF([1, 1]), "m must have one value for each of the 3 coefficients: found 2"),
        (LogF({"doze": 1}), r"m must name coefficients: found 'doze'; did you mean 'dose'\?"),
        (Normal(0.0), "std_dev must be positive: found 0.0 at coefficient 1"),
        (Normal({"dose": -1}), "std_dev must be positive: found -1.0 at coefficient 1"),
        (Normal(1.0, [0, np.nan, 0]), "mean must be finite: found nan at coefficient 1"),
        (Normal(1.0, {"age": 0}), "mean must name coefficients: found 'age'"),
        (Normal([1, 1, 1, 1]), "std_dev must have one value for each of the 3 coefficients"),
    ],
)  # fmt: skip
def test_bad_penalties(data, penalty, message):
    with pytest.raises(ValueError, match=message):
        jaxlogit.fit(*data, names=NAMES, penalty=penalty)


@pytest.mark.parametrize("penalty", [0.5, ["firth"], Firth, {"firth": 1}])
def test_penalties_of_another_type(data, penalty):
    with pytest.raises(TypeError, match=r"penalty must be None, one of 'firth', .* or a record"):
        jaxlogit.fit(*data, penalty=penalty)


@pytest.mark.parametrize("penalty", [LogF("one"), LogF({"dose": "one"}), Normal({"dose": None})])
def test_penalties_that_are_no_numbers(data, penalty):
    with pytest.raises(TypeError, match="must be numeric"):
        jaxlogit.fit(*data, names=NAMES, penalty=penalty)


@pytest.mark.parametrize(("columns", "found"), [([1, 2], 0), ([0, 0, 1], 2)])
def test_flic_needs_one_intercept(data, columns, found):
    with pytest.raises(ValueError, match=f"one constant column, .* 'flic': found {found}"):
        jaxlogit.fit(data[0][:, columns], data[1], penalty="flic")


def test_methods_without_meaning(data, calibrated):
    with pytest.raises(ValueError, match="solver must be 'newton' under Firth's penalty"):
        jaxlogit.fit(*data, penalty="firth", solver="lbfgs")
    ridge = jaxlogit.fit(*data, penalty="ridge")
    for ask in (ridge.confint, ridge.test):
        with pytest.raises(ValueError, match="penalised fit: found 'rstar'"):
            ask(method="rstar")
    for fit in (calibrated["flic"], calibrated["flac"], jaxlogit.fit(*data, penalty="logf")):
        for ask in (fit.robust, fit.influence):
            with pytest.raises(ValueError, match="penalty must be None, 'firth' or a normal"):
                ask()


def test_representations(data):
    for penalty, words in (
        ("firth", "Firth's penalty"), ("flic", "FLIC"), ("flac", "FLAC"),
        ("logf", "log-F prior"), ("ridge", "normal prior"),
    ):  # fmt: skip
        assert f", {words}; {B} CONVERGED>" in repr(jaxlogit.fit(*data, penalty=penalty))


@pytest.mark.parametrize("std_dev", [1e-160, [np.inf, 1e-160, 1.0]])
def test_priors_too_narrow_for_their_precision(data, std_dev):
    X, Y = data
    with pytest.raises(ValueError, match=r"std_dev must be at least 1e-150.*: found 1e-160 at"):
        jaxlogit.fit(X, Y, penalty=Normal(std_dev))


def test_first_fits_of_flac_that_fail(data, monkeypatch):
    """A status of the first stage is the solution's: it is not hidden by the second's."""
    from jaxlogit import fitting

    X, Y = data
    monkeypatch.setattr(fitting, "FIRTH_STEPS", np.int32(0))
    monkeypatch.setattr(fitting, "CAREFUL_STEPS", 0)
    fit = jaxlogit.fit(X, Y, penalty="flac")
    assert np.all(fit.status == Status.MAX_STEPS)
    assert np.all(np.isnan(fit.coef)) and np.all(np.isnan(fit.loglik))


def test_flic_s_intercept_is_not_diagnosed(calibrated):
    found = calibrated["flic"].diagnose()
    for name in ("wald_slope", "asymmetry", "nonlinearity"):
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), [[True, False, False]] * B)
    assert np.all(found.wald_unsafe[:, 0]) and not np.any(found.hauck_donner[:, 0])
