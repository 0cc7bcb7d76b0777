"""Separation against linear programmes written another way, with proofs checked row by row."""

from functools import cached_property

import numpy as np
import oracles
import pytest

import jaxlogit
from jaxlogit import Status
from jaxlogit.core import programme, separation

KINDS = {
    "overlap": int(Status.CONVERGED),
    "quasi": int(Status.SEPARATED_QUASI),
    "complete": int(Status.SEPARATED_COMPLETE),
}
MARGIN = 1e-6
"""Of a direction's largest margin: how far below 0 rounding may take a row."""

LEVEL_GRID = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


class Batch:
    """Random small data sets of one shape, many of them separated, and their fits."""

    def __init__(self, seed: int, count: int, n: int, p: int, kind: str):
        random = np.random.default_rng(seed)
        shape = (count, n, p - 1)
        covariates = {
            "binary": random.integers(0, 2, shape).astype(float),
            "continuous": random.normal(size=shape),
            "grouped": random.choice(LEVEL_GRID, shape),
        }[kind]
        self.X = np.concatenate([np.ones((count, n, 1)), covariates], axis=2)
        slope = 3 * random.normal(size=(count, p, 1))
        chance = 1 / (1 + np.exp(-(self.X @ slope)[..., 0]))
        self.trials = random.integers(1, 4 if kind == "grouped" else 2, (count, n))
        self.y = random.binomial(self.trials, chance)
        self.weights = np.where(random.uniform(size=(count, n)) < 0.1, 0.0, 1.0)

    @cached_property
    def fit(self) -> jaxlogit.Fit:
        return jaxlogit.fit(self.X, self.y, trials=self.trials, weights=self.weights)

    def models(self):
        for i in range(len(self.X)):
            yield oracles.model(self.X[i], self.y[i], self.trials[i], self.weights[i])


def deficient(data: oracles.Model) -> bool:
    return np.linalg.matrix_rank(data.X[data.weights > 0]) < data.X.shape[1]


def check_batch(batch: Batch, every: int = 1) -> dict[str, int]:
    """Each status and direction of a batch, and the coefficients of every so many models.

    Returns the number of models of each kind.
    """
    p = batch.X.shape[2]
    fit, verdicts = batch.fit, batch.fit.separation()
    counts = dict.fromkeys([*KINDS, "deficient"], 0)
    for i, data in enumerate(batch.models()):
        kind = "deficient" if deficient(data) else oracles.separation(data)
        counts[kind] += 1
        if kind == "deficient":
            assert fit.status[i] == Status.RANK_DEFICIENT, i
            assert verdicts.model[i] == "unknown"
            continue
        assert (fit.status[i], verdicts.model[i]) == (KINDS[kind], kind), i
        if kind == "overlap":
            assert np.all(np.isfinite(fit.coef[i]))
            assert np.all(np.isnan(verdicts.direction[i]))
            continue
        check_direction(data, verdicts.direction[i], kind)
        if i % every:
            continue
        for j in range(p):
            lower, upper = oracles.unbounded(data, np.eye(p)[j])
            expected = {(False, False): "finite", (False, True): "+inf", (True, False): "-inf",
                        (True, True): "indeterminate"}[lower, upper]  # fmt: skip
            assert verdicts.coefficient[i, j] == expected, (i, j)
            value = {"+inf": np.inf, "-inf": -np.inf, "indeterminate": np.nan}.get(expected)
            if value is None:
                assert np.isfinite(fit.coef[i, j])
            else:
                np.testing.assert_equal(fit.coef[i, j], value)
    return counts


def check_direction(data: oracles.Model, direction: np.ndarray, kind: str) -> None:
    """Each row agrees with the direction; all of them clearly where separation is complete."""
    signed, equal = oracles.signed_rows(data)
    margins, still = signed @ direction, equal @ direction
    largest = np.max(np.abs(margins))
    assert largest > 0
    assert np.all(margins >= -MARGIN * largest)
    assert np.all(np.abs(still) <= MARGIN * largest)
    if kind == "complete":
        assert len(equal) == 0
        assert np.all(margins > MARGIN * largest)


# One shape, compiled once; other shapes are among the slow tests.
SHAPES = [(21, 12, 3, "binary"), (22, 12, 3, "grouped"), (23, 12, 3, "continuous")]


@pytest.mark.parametrize(("seed", "n", "p", "kind"), SHAPES)
def test_verdicts_against_linear_programmes(seed, n, p, kind):
    counts = check_batch(Batch(seed, 1000, n, p, kind), every=2)
    assert min(counts["overlap"], counts["quasi"] + counts["complete"]) > 50, counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "n", "p", "kind"),
    [(31, 8, 2, "binary"), (32, 20, 4, "binary"), (33, 20, 4, "grouped"),
     (34, 30, 3, "continuous"), (35, 10, 2, "continuous"), (36, 25, 5, "binary")],
)  # fmt: skip
def test_verdicts_on_many_more(seed, n, p, kind):
    check_batch(Batch(seed, 2000, n, p, kind))


@pytest.mark.parametrize(("seed", "n", "p", "kind"), SHAPES)
def test_programme_against_the_other_formulation(seed, n, p, kind):
    """The house's own programmes, asked about every model and not only about the doubtful ones."""
    for i, data in enumerate(Batch(seed, 60, n, p, kind).models()):
        if deficient(data):
            continue
        rows = (data.X, data.weights * data.y, data.weights * data.trials)
        expected = oracles.separation(data)
        status, direction = programme.separation(*rows)
        assert status == KINDS[expected], i
        if expected != "overlap":
            check_direction(data, direction, expected)
        contrast = np.arange(1.0, p + 1)
        expected = oracles.unbounded(data, contrast)
        cone = programme.Cone(*rows)
        for ask in (cone.leads, cone.programme):
            assert (ask(-contrast), ask(contrast)) == expected, (i, ask)


def test_an_outlying_row_hides_no_infinite_end():
    """Rows that are nearly alike beside it: least squares alone would call the end finite."""
    X = np.column_stack([np.ones(6), [-1, -1, 1, 1, 1, -2], [2, 2, -2, 0, 1e4, 2]])
    y, trials = [2, 2, 0, 1, 0, 1], [2, 2, 1, 1, 1, 1]
    fit = jaxlogit.fit(X, y, trials=trials)
    assert fit.status == Status.SEPARATED_QUASI
    ends = fit.confint()
    assert ends.upper[0] == np.inf and ends.lower[1] == -np.inf
    assert np.all(np.isfinite([ends.lower[0], ends.upper[1], ends.lower[2], ends.upper[2]]))


@pytest.mark.parametrize("unit", [1.0, 1e-180, 1e180])
def test_infinite_ends_in_any_unit(unit):
    random = np.random.default_rng(4)
    x = random.normal(size=(30, 2))
    X = np.column_stack([np.ones(30), x[:, 0], x[:, 1] * unit])
    fit = jaxlogit.fit(X, x[:, 0] + 0.1 * x[:, 1] > 0)
    assert fit.status == Status.SEPARATED_COMPLETE
    ends = fit.confint()
    assert ends.upper[1] == np.inf and np.isfinite(ends.lower[1])


def test_minimal_mixed_rows():
    """A group with both outcomes forbids what the others allow, but not everything."""
    X = [[1, 0, -2], [1, 1, 2], [1, 1, 1], [1, 1, 1], [1, 2, 2], [1, 2, -1], [1, -2, 2],
         [1, -1, -1], [1, 2, -1], [1, -1, 2], [1, 1, 2]]  # fmt: skip
    y, trials = [1, 0, 0, 0, 0, 2, 1, 1, 3, 0, 0], [1, 1, 1, 1, 1, 2, 2, 1, 3, 1, 3]
    fit = jaxlogit.fit(X, y, trials=trials)
    assert fit.status == Status.SEPARATED_QUASI
    # The one group with both outcomes is fitted at its share, all others perfectly.
    np.testing.assert_allclose(fit.loglik, -2 * np.log(2), rtol=1e-10)


def test_agreement_and_margins():
    """One row of each sort: successes, failures, mixed, without cases."""
    design = np.array([[1.0], [1.0], [1.0], [1.0]])
    successes, total = np.array([2.0, 0.0, 1.0, 0.0]), np.array([2.0, 3.0, 2.0, 0.0])
    margin = separation.agreement(design, successes, total, np.array([2.0]))
    np.testing.assert_array_equal(margin, [2.0, -2.0, -2.0, np.inf])
    relative = separation.relative_margins(design, successes, total, np.array([2.0]))
    np.testing.assert_array_equal(relative, [1.0, -1.0, -1.0, np.inf])


# -- infinite ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lr", "score"])
def test_infinite_ends_are_proved(method):
    """An end is infinite exactly when a direction of recession moves its contrast that way."""
    batch = Batch(21, 1000, 12, 3, "binary")
    some = np.flatnonzero(np.isin(batch.fit.status, [KINDS["quasi"], KINDS["complete"]]))[:280]
    data = (batch.trials[some], batch.weights[some])
    fit = jaxlogit.fit(batch.X[some], batch.y[some], trials=data[0], weights=data[1])
    contrasts = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, -1.0]])
    found = fit.confint(0.95, method, contrasts)
    models = list(batch.models())
    for k, i in enumerate(some[:60]):
        for j, contrast in enumerate(contrasts):
            lower, upper = oracles.unbounded(models[i], contrast)
            assert (found.lower[k, j] == -np.inf) == lower == (found.lower_status[k, j] == 7)
            assert (found.upper[k, j] == np.inf) == upper == (found.upper_status[k, j] == 7)
    finite = np.concatenate([found.lower_status, found.upper_status])
    finite = finite[finite != Status.INFINITE]
    if method == "lr":  # sup l − χ²/2 is crossed wherever no direction of recession is in the way
        assert np.all(finite == Status.CONVERGED)


def test_complete_separation_has_supremum_zero():
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    fit = jaxlogit.fit(X, [0, 0, 0, 1, 1, 1])
    assert fit.status == Status.SEPARATED_COMPLETE
    assert fit.loglik == 0.0
    np.testing.assert_array_equal(fit.coef, [-np.inf, np.inf])
    np.testing.assert_array_equal(fit.predict(X), [0, 0, 0, 1, 1, 1])
