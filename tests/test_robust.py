"""Sandwich covariances: against R, against formulas written out, and where there is no answer."""

import json

import numpy as np
import oracles
import pytest
from scipy.special import expit
from scipy.stats import norm

import jaxlogit
from jaxlogit import Status, alike

SAME_MATHEMATICS = 1e-10
REFERENCE = 1e-10
"""Relative to the standard errors' products: glm is run until its deviance stands still."""
STATISTICAL = 5.0
"""Standard errors of a Monte Carlo mean, at a fixed seed."""

CLUSTER_KINDS = ("CR0", "CR1", "CR1S")
FILES = [
    "birthwt",
    "budworm_mixed",
    *(pytest.param(name, marks=pytest.mark.slow)
      for name in ("birthwt_frequency", "infert_weighted", "menarche_offset")),
]  # fmt: skip
B, N, P = 30, 48, 3
NAMES = ("const", "dose", "age")

RANDOM = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RANDOM.normal(size=N), RANDOM.normal(50, 10, N)])
Y = RANDOM.integers(0, 2, (B, N)).astype(float)
Y[7] = X[:, 1] > 0
GROUPS = np.arange(N) // 4


def options(kind, clusters=GROUPS):
    return {"kind": kind, "clusters": clusters if kind in CLUSTER_KINDS else None}


@pytest.fixture(scope="module")
def fit():
    return jaxlogit.fit(X, Y, names=NAMES)


# -- a second opinion ---------------------------------------------------------------------------


def meat(data: oracles.Model, coef, kind, clusters, frequency):
    """M by its definition, row by row and cluster by cluster."""
    mu = expit(data.X @ coef + data.offset)
    used = data.weights * data.trials > 0
    residual = data.y - data.trials * mu
    bread = np.linalg.inv(oracles.information(data, coef))
    n = np.sum(data.weights[used]) if frequency else np.sum(used)
    p, out = data.X.shape[1], 0.0
    if kind in CLUSTER_KINDS:
        present = np.unique(clusters[used])
        for label in present:
            rows = used & (clusters == label)
            total = data.X[rows].T @ (data.weights * residual)[rows]
            out = out + np.outer(total, total)
        g = len(present)
        adjusted = {"CR0": 1.0, "CR1": g / (g - 1), "CR1S": g / (g - 1) * (n - 1) / (n - p)}
        return out * adjusted[kind]
    for i in np.flatnonzero(used):
        h = data.trials[i] * mu[i] * (1 - mu[i]) * data.X[i] @ bread @ data.X[i]
        square = residual[i] ** 2 * data.weights[i] ** (1 if frequency else 2)
        square /= {"HC2": 1 - h, "HC3": (1 - h) ** 2}.get(kind, 1.0)
        out = out + square * np.outer(data.X[i], data.X[i])
    return out * (n / (n - p) if kind == "HC1" else 1.0)


def covariance(data, coef, kind, clusters=GROUPS, frequency=True):
    bread = np.linalg.inv(oracles.information(data, coef))
    return bread @ meat(data, coef, kind, clusters, frequency) @ bread


def score_statistic(data, contrast, null, kind):
    at = oracles.maximum(data, contrast, null)
    bread = np.linalg.inv(oracles.information(data, at))
    variance = contrast @ bread @ meat(data, at, kind, GROUPS, True) @ bread @ contrast
    return (contrast @ bread @ oracles.score(data, at)) ** 2 / variance


# -- R ------------------------------------------------------------------------------------------


def robust_reference(name):
    raw = json.loads((oracles.REFERENCE / "robust" / f"{name}.json").read_text(encoding="utf-8"))
    given = oracles.reference(raw["name"]).fit_arguments()
    return raw, jaxlogit.fit(**(given | {"weights": oracles.array(raw["weights"])}))


@pytest.mark.parametrize("name", FILES)
def test_against_r(name):
    raw, fit = robust_reference(name)
    for kind, vcov in raw["vcov"].items():
        robust = fit.robust(**options(kind, raw["clusters"]))
        known = oracles.array(vcov)
        unit = np.sqrt(np.diag(known))
        difference = np.abs(robust.covariance - known) / np.outer(unit, unit)
        assert np.max(difference) < REFERENCE, kind
    np.testing.assert_allclose(robust.std_error, unit, rtol=REFERENCE)
    joint = robust.test(contrasts=list(fit.names[1:]), joint=True)
    np.testing.assert_allclose(joint.statistic, raw["joint_wald"][kind], rtol=1e-9)
    for kind in ("HC3", "CR1S") if "HC3" in raw["score"] else ("HC1", "CR0"):
        tested = fit.robust(**options(kind, raw["clusters"])).test("score", raw["null"])
        np.testing.assert_allclose(tested.statistic, raw["score"][kind], rtol=1e-9)
        assert np.all(tested.status == 0)


# -- many models --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["HC3", "CR1S"])
def test_every_model_of_a_batch(fit, kind):
    robust = fit.robust(**options(kind))
    wald, score = robust.test(), robust.test("score", 0.1)
    for i in (0, 5, B - 1):
        data = oracles.model(X, Y[i])
        expected = covariance(data, fit.coef[i], kind)
        unit = np.sqrt(np.diag(expected))
        found = robust.covariance[i] / np.outer(unit, unit)
        assert np.max(np.abs(found - expected / np.outer(unit, unit))) < SAME_MATHEMATICS
        np.testing.assert_allclose(robust.std_error[i], unit, rtol=SAME_MATHEMATICS)
        np.testing.assert_allclose(wald.statistic[i], (fit.coef[i] / unit) ** 2, rtol=1e-9)
        for j, contrast in enumerate(np.eye(P)):
            expected = score_statistic(data, contrast, 0.1, kind)
            np.testing.assert_allclose(score.statistic[i, j], expected, rtol=1e-7)
    for name in ("coef", "loglik", "status", "deviance"):
        np.testing.assert_array_equal(getattr(robust, name), getattr(fit, name))


def test_a_design_for_each_model_and_a_column_for_each():
    count = 6  # few models: their systems are not unrolled
    own = RANDOM.normal(size=(count, N))
    designs = np.concatenate([np.repeat(X[None, :, 1:], count, axis=0), own[..., None]], axis=2)
    other = designs + 1e-3 * np.arange(count)[:, None, None]
    beside, apart = jaxlogit.fit(X[:, 1:], Y[:count], own=own), jaxlogit.fit(other, Y[:count])
    for found, design in ((beside, designs), (apart, other)):
        assert np.all(found.status == 0)
        for kind in ("HC3", "CR1"):
            robust = found.robust(**options(kind))
            for i in (0, count - 1):
                variance = covariance(oracles.model(design[i], Y[i]), found.coef[i], kind)
                unit = np.sqrt(np.diag(variance))
                np.testing.assert_allclose(robust.std_error[i], unit, rtol=1e-9)


def test_alike_rows_and_models_are_apart_again(monkeypatch):
    """Rows fitted as one with trials are still rows, and models with one X'y may differ."""
    random = np.random.default_rng(3)
    design = np.column_stack([np.ones(N), np.arange(N) % 3])
    y = np.tile(random.random((25, N)) < 0.5, (4, 1))
    clusters = random.integers(0, 6, N)
    once = jaxlogit.fit(design, y)
    assert once._which is not None
    with monkeypatch.context() as patch:
        patch.setattr(alike, "LEAST_MODELS", 1 << 30)
        plain = jaxlogit.fit(design, y)
    for kind in ("HC2", "CR1"):
        found, expected = (f.robust(**options(kind, clusters)) for f in (once, plain))
        np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-8, atol=1e-12)
    a, b = found.test("score"), expected.test("score")
    np.testing.assert_allclose(a.statistic, b.statistic, rtol=1e-7, atol=1e-10)
    part = once[60].robust(**options(kind, clusters))
    np.testing.assert_allclose(part.covariance, expected.covariance[60], rtol=1e-8)
    np.testing.assert_array_equal(found.coef, once.coef)
    np.testing.assert_array_equal(found.loglik, once.loglik)
    np.testing.assert_array_equal(found.separation().model, once.separation().model)


def test_separated_and_deficient_models_leave_their_neighbours_alone(fit):
    weights = np.ones((4, N))
    weights[2, 2:] = 0.0  # two rows for three coefficients
    mixed = jaxlogit.fit(X, Y[[0, 7, 1, 2]], weights=weights)
    expected = [0, Status.SEPARATED_COMPLETE, Status.RANK_DEFICIENT, 0]
    np.testing.assert_array_equal(mixed.status, expected)
    for kind in ("HC3", "CR1"):
        robust, wanted = mixed.robust(**options(kind)), fit.robust(**options(kind))
        np.testing.assert_allclose(robust.std_error[[0, 3]], wanted.std_error[[0, 2]], rtol=1e-9)
        assert np.all(np.isnan(robust.std_error[1:3]) & np.isnan(robust.covariance[1:3, 0]))
        ends = robust.confint()
        np.testing.assert_array_equal(ends.lower_status[:, 0], expected)
    for tested in (robust.test(), robust.test("score")):
        np.testing.assert_array_equal(tested.status, np.repeat(expected, P).reshape(4, P))
        np.testing.assert_array_equal(np.isnan(tested.p_value[:, 0]), mixed.status != 0)


# -- weights ------------------------------------------------------------------------------------


def test_whole_weights_count_rows():
    """A row of weight a is a rows, whatever the kind; 0 is none, whatever it holds."""
    weights = np.array([RANDOM.integers(0, 4, N) for _ in range(3)]).astype(float)
    y = np.where(weights > 0, Y[:3], np.nan)
    weighted = jaxlogit.fit(X, y, weights=weights)
    times = weights[1].astype(int)
    written = jaxlogit.fit(np.repeat(X, times, axis=0), np.repeat(Y[1], times))
    for kind in ("HC1", "HC3", "CR1S"):
        found = weighted.robust(**options(kind)).covariance[1]
        expected = written.robust(**options(kind, np.repeat(GROUPS, times))).covariance
        unit = np.sqrt(np.diag(expected))
        assert np.max(np.abs(found - expected) / np.outer(unit, unit)) < SAME_MATHEMATICS


def test_other_weights_multiply_scores():
    """Model by model: what a slice of a batch says is what the batch says."""
    weights = np.array([np.ones(N), np.full(N, 2.0), np.tile([0.5, 2.0], N // 2)])
    fit = jaxlogit.fit(X, Y[0], weights=weights)
    for kind in ("HC1", "CR1S"):
        robust = fit.robust(**options(kind))
        for i, frequency in enumerate((True, True, False)):
            data = oracles.model(X, Y[0], weights=weights[i])
            expected = covariance(data, fit.coef[i], kind, frequency=frequency)
            np.testing.assert_allclose(robust.covariance[i], expected, rtol=1e-8)
            part = fit[i].robust(**options(kind))
            np.testing.assert_allclose(part.covariance, robust.covariance[i], rtol=1e-9)
    with pytest.raises(ValueError, match=r"weights must be whole numbers, which count equal rows, "
                       r"under kind 'HC3': found 0.5 at model 2, row 0"):  # fmt: skip
        fit.robust("HC3")


def test_a_row_of_leverage_one_adds_nothing():
    """A group with a coefficient of its own is fitted exactly: its residual says nothing."""
    dose = np.array([0.0, 1, 2, 3, 4, 0])
    design = np.column_stack([np.ones(6), dose, np.arange(6) == 5])
    y, trials = np.array([1.0, 3, 4, 6, 9, 5]), np.full(6, 10.0)
    fit = jaxlogit.fit(design, y, trials=trials)
    alone = jaxlogit.fit(design[:5, :2], y[:5], trials=trials[:5])
    np.testing.assert_allclose(fit.influence().leverage[5], 1.0, rtol=1e-12)
    for kind in ("HC3",):
        found, expected = fit.robust(kind).covariance, alone.robust(kind).covariance
        np.testing.assert_allclose(found[:2, :2], expected, rtol=1e-9)
        np.testing.assert_allclose(found[2, 2], expected[0, 0], rtol=1e-9)


# -- identities ---------------------------------------------------------------------------------


def test_clusters_of_one_row_are_rows(fit):
    own = np.array([RANDOM.permutation(N) for _ in range(B)])
    for clusters in (np.arange(N), own):
        found = fit.robust("CR0", clusters)
        np.testing.assert_allclose(found.covariance, fit.robust("HC0").covariance, rtol=1e-8)


def test_labels_of_every_kind(fit):
    expected = fit.robust("CR1", GROUPS).std_error
    days = np.datetime64("2020-01-01") + GROUPS
    mixed = np.array([("a", 1, 2.5)[g] if g < 3 else int(g) for g in GROUPS], dtype=object)
    objects = np.array([frozenset([g]) for g in GROUPS], dtype=object)
    for labels in (100 - GROUPS, GROUPS.astype(str), GROUPS + 0.5, days, mixed, objects):
        np.testing.assert_allclose(fit.robust("CR1", labels).std_error, expected, rtol=1e-12)
    each = np.array([np.char.add(f"{i}:", GROUPS.astype(str)) for i in range(B)])
    robust = fit.robust("CR1", each)
    assert robust._solution.sandwich.layout.n_clusters == N // 4
    np.testing.assert_allclose(robust.std_error, expected, rtol=1e-12)
    np.testing.assert_allclose(robust[3:5].std_error, expected[3:5], rtol=1e-12)


def test_rows_in_any_order(fit):
    order = RANDOM.permutation(N)
    for kind in ("HC2", "CR1"):
        found = jaxlogit.fit(X[order], Y[:, order]).robust(**options(kind, GROUPS[order]))
        expected = fit.robust(**options(kind))
        np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-8)


@pytest.mark.parametrize("kind", ["HC3", "CR1"])
@pytest.mark.slow
def test_the_question_not_its_form_matters(fit, kind):
    """Another basis of the same constraints, or of the coefficients, or 1 − y: the same tests."""
    robust = fit.robust(**options(kind))
    turn = np.array([[1.0, 0.0, 0.0], [3.0, 2.0, 0.0], [-50.0, 1e-3, 1e2]])
    other = jaxlogit.fit(X @ np.linalg.inv(turn), Y).robust(**options(kind))
    flipped = jaxlogit.fit(X, 1 - Y).robust(**options(kind))
    pair, done = np.eye(P)[1:], fit.status == 0
    for method in ("wald", "score"):
        expected = robust.test(method, contrasts=pair, joint=True).statistic[done]
        basis = [[0, 1, 1e3], [0, -2, 1e3]]
        mixed = robust.test(method, contrasts=basis, joint=True).statistic[done]
        np.testing.assert_allclose(mixed, expected, rtol=1e-7)
        turned = other.test(method, contrasts=pair @ np.linalg.inv(turn), joint=True)
        np.testing.assert_allclose(turned.statistic[done], expected, rtol=1e-6)
        again = flipped.test(method, contrasts=pair, joint=True).statistic[done]
        np.testing.assert_allclose(again, expected, rtol=1e-7)
        single = robust.test(method, 0.2, ["dose"])
        joint = robust.test(method, 0.2, ["dose"], joint=True)
        np.testing.assert_allclose(joint.statistic, single.statistic[:, 0], rtol=1e-9)
        estimate = robust[0].test(method, fit.coef[0])
        assert np.all(estimate.statistic < 1e-9)


def test_p_below_alpha_exactly_when_the_null_is_outside(fit):
    robust = fit.robust("CR1", GROUPS)
    ends, done = robust.confint(0.8, contrasts=[[1, 1, 30], [0, 1, 0]]), fit.status == 0
    assert (ends.method, ends.level) == ("wald", 0.8)
    tested = robust.test(null=[-0.2, 0.1], contrasts=[[1, 1, 30], [0, 1, 0]])
    assert tested.method == "wald"
    outside = (ends.lower > [-0.2, 0.1]) | (ends.upper < [-0.2, 0.1])
    np.testing.assert_array_equal((tested.p_value < 0.2)[done], outside[done])
    half = norm.ppf(0.9) * np.sqrt(robust.covariance[0, 1, 1])
    np.testing.assert_allclose(ends.upper[0, 1] - fit.coef[0, 1], half, rtol=1e-9)


def test_correlated_rows():
    """Clusters with an effect of their own: the sandwich knows how estimates vary, I⁻¹ does not."""
    random = np.random.default_rng(5)
    count, groups, size = 3000, 60, 8
    clusters = np.repeat(np.arange(groups), size)
    design = np.column_stack([np.ones(groups * size), np.repeat(np.arange(groups) % 2, size)])
    effect = np.repeat(random.normal(size=(count, groups)), size, axis=1)
    y = random.random(effect.shape) < expit(effect)
    fit = jaxlogit.fit(design, y)
    robust = fit.robust("CR1", clusters)
    actual = np.std(fit.coef[:, 1])
    naive, found = np.mean(fit.std_error[:, 1]), np.mean(robust.std_error[:, 1])
    assert naive < 0.75 * actual
    assert abs(found / actual - 1) < STATISTICAL / np.sqrt(2 * count) + 0.02  # 1/groups of bias
    rejected = robust.test("score", contrasts=["x1"]).p_value < 0.05
    assert abs(np.mean(rejected) - 0.05) < STATISTICAL * np.sqrt(0.05 * 0.95 / count)


# -- no answer ----------------------------------------------------------------------------------


def test_too_few_clusters_for_a_joint_test(fit):
    few = np.arange(N) % 2
    robust = fit.robust("CR1", few)
    done = fit.status == 0
    for method in ("wald", "score"):
        joint = robust.test(method, contrasts=["dose", "age"], joint=True)
        assert np.all(np.isnan(joint.statistic) & np.isnan(joint.p_value))
        assert np.all(joint.status[done] == Status.RANK_DEFICIENT)
        assert joint.status[7] == Status.SEPARATED_COMPLETE
        assert np.all(robust.test(method).status[done] == 0)
    three = fit.robust("CR1", np.arange(N) % 3).test(contrasts=np.eye(P), joint=True)
    assert np.all(three.status[done] == Status.RANK_DEFICIENT)  # cluster scores add up to 0


def test_contrasts_that_clusters_say_nothing_about():
    """With a coefficient for each cluster the score of every cluster is 0."""
    design = np.column_stack([np.equal.outer(np.arange(N) // 16, np.arange(3)), X[:, 1]])
    fit = jaxlogit.fit(design, Y[:3])
    robust = fit.robust("CR1", np.arange(N) // 16)
    within = fit.robust("CR1", np.arange(N) // 16)[0]
    assert np.all(fit.status == 0)
    dummies = jaxlogit.fit(design[:, :3], Y[:3]).robust("CR1", np.arange(N) // 16)
    for nothing in (dummies.std_error, dummies.covariance, dummies.confint().lower):
        assert np.all(np.isnan(nothing))
    for status in (dummies.test().status, dummies.confint().upper_status):
        assert np.all(status == Status.RANK_DEFICIENT)
    assert np.all(np.isfinite(robust.std_error)) and within.status == 0


def test_a_model_of_one_cluster_beside_others(fit):
    clusters = np.repeat(GROUPS[None], B, axis=0)
    clusters[3] = 0
    robust, expected = fit.robust("CR0", clusters), fit.robust("CR0", GROUPS)
    others = np.arange(B) != 3
    np.testing.assert_allclose(robust.std_error[others], expected.std_error[others], rtol=1e-9)
    assert np.all(np.isnan(robust.std_error[3]))
    for method in ("wald", "score"):
        assert np.all(robust.test(method).status[3] == Status.RANK_DEFICIENT)
    weights = np.ones((2, N))
    weights[1, GROUPS > 0] = 0.0
    ragged = jaxlogit.fit(X[:, :2], Y[:2], weights=weights).robust("CR0", GROUPS)
    assert np.all(np.isfinite(ragged.std_error[0])) and np.all(np.isnan(ragged.std_error[1]))


def test_as_many_rows_as_coefficients():
    fit = jaxlogit.fit([[1, 0], [1, 1]], [1, 2], trials=3)
    for kind in ("HC1", "HC3"):
        robust = fit.robust(kind)
        assert np.all(robust.test().status == Status.RANK_DEFICIENT)
        assert np.all(np.isnan(robust.std_error))


# -- words --------------------------------------------------------------------------------------


def test_a_robust_fit_and_its_own_fit_keep_their_errors_apart(fit):
    """Answers that a fit keeps are for its own covariance."""
    both = (fit, fit.robust("HC1"))
    apart = [one.test("wald").statistic for one in both]
    for one, other in zip(both, apart, strict=True):
        expected = (one.coef / one.std_error) ** 2
        np.testing.assert_allclose(one.test("wald").statistic, expected, rtol=1e-10)
        np.testing.assert_array_equal(one.test("wald").statistic, other)
    assert not np.any(np.isclose(*apart, rtol=1e-4)[np.isfinite(apart[0])])


def test_what_a_robust_fit_shows(fit):
    robust = fit.robust("CR1", GROUPS)
    assert "3 coefficients, CR1 covariance; " in repr(robust)
    assert "by Wald" in robust[0].summary()
    assert repr(robust[0].robust("HC0").robust("HC2")).count("covariance") == 1
    table, plain = robust.to_frame(), fit.to_frame(method="wald")
    assert list(table) == list(plain)
    np.testing.assert_array_equal(table.std_error, robust.std_error.ravel())
    np.testing.assert_array_equal(table.estimate, plain.estimate)
    np.testing.assert_allclose(robust[2:5].std_error, robust.std_error[2:5], rtol=1e-12)
    assert robust[0].covariance.shape == (P, P)
    np.testing.assert_allclose(robust.covariance[0], robust[0].covariance, rtol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        robust.covariance[...] = 0
    assert robust.test().method == "wald" and fit.test().method == "lr"


@pytest.mark.parametrize(
    ("call", "method"),
    [("confint", "lr"), ("confint", "score"), ("test", "lr"), ("summary", "lr")],
)
def test_methods_without_a_robust_form(fit, call, method):
    message = f"'wald' or 'score' for tests, of a robust fit: found '{method}'"
    with pytest.raises(ValueError, match=message):
        getattr(fit.robust(), call)(method=method)


def test_an_unknown_method(fit):
    with pytest.raises(ValueError, match=r"method must be one of .* found 'Wald'; did you mean"):
        fit.robust().test("Wald")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "hc1"}, "kind must be one of 'HC0', .*'CR1S': found 'hc1'"),
        ({"kind": "CR1"}, "clusters must be given with kind 'CR1': found None"),
        (
            {"kind": "HC1", "clusters": GROUPS},
            "clusters must come with a kind among 'CR0', 'CR1', 'CR1S': found",
        ),
        (options("CR1", np.zeros(N)), "clusters must be at least 2: found 1"),
        (options("CR1", GROUPS[:-1]), r"one label for each of the 48 rows of X.*shape \(47,\)"),
        (options("CR1", np.zeros((2, N))), r"each of the 30 models' rows: found shape \(2, 48\)"),
        (options("CR1", [*GROUPS[:-1], np.nan]), "not be missing: found nan at row 47"),
        (options("CR1", ["a", None] * (N // 2)), "not be missing: found None at row 1"),
    ],
)
def test_bad_arguments(fit, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit.robust(**arguments)


def test_labels_that_cannot_be_hashed(fit):
    labels = np.empty(N, dtype=object)
    labels[:] = [[i] for i in range(N)]
    with pytest.raises(TypeError, match="clusters must hold labels that can be hashed"):
        fit.robust("CR1", labels)


def test_missing_labels_of_rows_that_do_not_count():
    weights = np.ones((2, N))
    weights[:, 0] = 0.0
    labels = GROUPS.astype(float)
    labels[0] = np.nan
    fit = jaxlogit.fit(X, Y[:2], weights=weights)
    expected = jaxlogit.fit(X[1:], Y[:2, 1:]).robust("CR1", GROUPS[1:]).std_error
    np.testing.assert_allclose(fit.robust("CR1", labels).std_error, expected, rtol=1e-9)
    weights[1, 0] = 1.0
    both = np.tile(labels, (2, 1))
    with pytest.raises(ValueError, match="not be missing: found nan at model 1, row 0"):
        jaxlogit.fit(X, Y[:2], weights=weights).robust("CR1", both)


def test_missing_labels_of_rows_without_trials(fit):
    trials = np.ones(N)
    trials[5] = 0
    labels = GROUPS.astype(float)
    labels[5] = np.nan
    found = jaxlogit.fit(X, Y[0] * trials, trials=trials)
    expected = found.robust("CR1", np.where(np.isnan(labels), 0.0, labels))
    np.testing.assert_array_equal(found.robust("CR1", labels).std_error, expected.std_error)
