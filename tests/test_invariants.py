"""What must not change an answer: coding, order, grouping, units, offsets, weights."""

import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jaxlogit
from jaxlogit import Status

CLOSE = 1e-9
"""Standard errors; each side has 1e-11 left of its own."""

N, P = 24, 3
B = 8
"""Models of one example: the size of a batch is compiled once, the examples are data."""

EXAMPLES = settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
"""Examples are seeds of whole batches, in which there is nothing to shrink."""

seeds = st.integers(0, 2**32 - 1)


def design(seed: int) -> np.ndarray:
    """A constant, a continuous covariate and a rare group."""
    random = np.random.default_rng(seed)
    rare = (random.uniform(size=(B, N)) < 0.2).astype(float)
    return np.stack([np.ones((B, N)), random.normal(size=(B, N)), rare], axis=2)


def response(seed: int) -> np.ndarray:
    """From balanced outcomes to rare ones, so that some models are separated."""
    random = np.random.default_rng(seed)
    return (random.uniform(size=(B, N)) < np.linspace(0.05, 0.5, B)[:, None]).astype(float)


designs, responses = seeds.map(design), seeds.map(response)
weightings = seeds.map(
    lambda seed: np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 2.0], (B, N))
)
orders = st.permutations(range(N)).map(np.array)
shifts = hnp.arrays(np.float64, (B, P), elements=st.floats(-2, 2, width=32))
ONES, ZEROS = np.ones((B, N)), np.zeros((B, N))


def numbers(X, y, *, trials=ONES, weights=ONES, offset=ZEROS):
    """Everything of a fit and its intervals; all fields given, so that nothing compiles anew."""
    fit = jaxlogit.fit(X, y, trials=trials, weights=weights, offset=offset)
    ends = fit.confint()
    return {
        "coef": fit.coef, "lower": ends.lower, "upper": ends.upper, "std_error": fit.std_error,
        "loglik": fit.loglik, "status": fit.status,
    }  # fmt: skip


def assert_same(found, expected, skip=()):
    """The same to 1e-9 standard errors, infinities and nan in the same places."""
    np.testing.assert_array_equal(found["status"], expected["status"])
    unit = expected["std_error"]
    # A separated model's finite ends have no standard error of their own as a unit.
    unit = np.where(np.isnan(unit), 1.0, unit) + 1e-2 * np.abs(expected["coef"], where=np.isfinite(
        expected["coef"]), out=np.zeros_like(unit))  # fmt: skip
    for name in ("coef", "lower", "upper"):
        a, b = found[name], expected[name]
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        assert np.all(np.abs(a[finite] - b[finite]) <= CLOSE * unit[finite])
    for name in {"std_error", "loglik"} - set(skip):
        np.testing.assert_allclose(found[name], expected[name], rtol=CLOSE, atol=CLOSE)


@EXAMPLES
@given(designs, responses, weightings)
def test_other_outcome_negates(X, y, weights):
    """y → 1 − y: every coefficient and both ends change sign."""
    found, expected = numbers(X, 1 - y, weights=weights), numbers(X, y, weights=weights)
    turned = expected | {"coef": -expected["coef"], "lower": -expected["upper"],
                         "upper": -expected["lower"]}  # fmt: skip
    assert_same(found, turned)


@EXAMPLES
@given(designs, responses, weightings, orders)
def test_order_of_rows(X, y, weights, order):
    found = numbers(X[:, order], y[:, order], weights=weights[:, order])
    assert_same(found, numbers(X, y, weights=weights))


@EXAMPLES
@given(designs, responses, st.permutations(range(P)))
def test_order_of_columns(X, y, order):
    found, expected = numbers(X[..., order], y), numbers(X, y)
    columns = {k: expected[k][:, order] for k in ("coef", "lower", "upper", "std_error")}
    assert_same(found, expected | columns)


@EXAMPLES
@given(designs, responses)
def test_grouped_is_ungrouped(X, y):
    """Rows 0–11 observed twice: as 24 binary rows, and as 12 rows of two trials."""
    half = N // 2
    rows = np.concatenate([X[:, :half]] * 2, axis=1)
    expected = numbers(rows, y)
    counts = np.concatenate([y[:, :half] + y[:, half:], np.zeros((B, half))], axis=1)
    trials = np.concatenate([np.full((B, half), 2.0), np.zeros((B, half))], axis=1)
    assert_same(numbers(rows, counts, trials=trials), expected)


@EXAMPLES
@given(designs, responses, st.lists(st.sampled_from([1e-6, 1.0, 1e6]), min_size=P, max_size=P))
def test_units_of_columns(X, y, units):
    units = np.array(units)
    found, expected = numbers(X * units, y), numbers(X, y)
    back = {k: found[k] * units for k in ("coef", "lower", "upper", "std_error")}
    assert_same(found | back, expected)


@EXAMPLES
@given(designs, responses, shifts)
def test_offset_shifts(X, y, shift):
    """An offset Xs moves coefficients and ends by −s and nothing else."""
    offset = np.einsum("bnp,bp->bn", X, shift)
    found, expected = numbers(X, y, offset=offset), numbers(X, y)
    back = {k: found[k] + shift for k in ("coef", "lower", "upper")}
    assert_same(found | back, expected)


@EXAMPLES
@given(designs, responses)
def test_weight_two_is_a_row_twice(X, y):
    half = N // 2
    weights = np.concatenate([np.full((B, half), 2.0), np.zeros((B, half))], axis=1)
    rows, outcomes = (np.concatenate([array[:, :half]] * 2, axis=1) for array in (X, y))
    assert_same(numbers(X, y, weights=weights), numbers(rows, outcomes))


@EXAMPLES
@given(designs, responses, weightings)
def test_weight_zero_is_no_row(X, y, weights):
    """Whatever a row of weight 0 holds, nan included."""
    rubbish, other = X.copy(), y.copy()
    rubbish[weights == 0] = 1e8
    other[weights == 0] = np.nan
    assert_same(numbers(rubbish, other, weights=weights), numbers(X, y, weights=weights))


@pytest.mark.parametrize("given", ["nothing more", "offset", "firth", "trials", "separated"])
def test_rows_of_weight_zero_are_no_rows(given):
    """Models of unequal length, padded: as each fitted alone to the rows it has."""
    random = np.random.default_rng(12)
    X = np.concatenate([np.ones((4, 60, 1)), random.normal(size=(4, 60, 2))], axis=2)
    y = (random.random((4, 60)) < 0.4).astype(float)
    lengths = [60, 31, 45, 18]
    weights = (np.arange(60) < np.array(lengths)[:, None]).astype(float)
    more = {"offset": random.normal(size=(4, 60))} if given == "offset" else {}
    if given == "separated":  # by a level without failures, apart from the others
        X[:, :, 2] = np.arange(60) % 6 == 0
        y[X[:, :, 2] == 1] = 1.0
    if given == "trials":
        more = {"trials": np.full((4, 60), 2.0)}
    penalty = "firth" if given == "firth" else None
    fit = jaxlogit.fit(X, y, weights=weights, penalty=penalty, **more)
    found = {method: fit.confint(method=method) for method in ("lr", "score")}
    for b, n in enumerate(lengths):
        own = {name: values[b, :n] for name, values in more.items()}
        alone = jaxlogit.fit(X[b, :n], y[b, :n], penalty=penalty, **own)
        assert fit.status[b] == alone.status
        assert (given == "separated") == (alone.status == Status.SEPARATED_QUASI)
        np.testing.assert_allclose(fit.coef[b], alone.coef, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(fit.loglik[b], alone.loglik, rtol=1e-13)
        for method, ends in found.items():
            expected = alone.confint(method=method)
            np.testing.assert_allclose(ends.lower[b], expected.lower, rtol=0, atol=CLOSE)
            np.testing.assert_allclose(ends.upper[b], expected.upper, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("kind", ["shared", "own", "designs"])
def test_weights_of_any_type(kind):
    random = np.random.default_rng(13)
    X, own = random.normal(size=(40, 3)), {}
    y, weights = (random.random((20, 40)) < share for share in (0.4, 0.7))
    if kind == "own":
        own = {"own": random.normal(size=(20, 40))}
    elif kind == "designs":
        X = random.normal(size=(20, 40, 3))
    first, *others = (
        jaxlogit.fit(X, y.astype(float), weights=weights.astype(dtype), **own)
        for dtype in (float, bool, np.uint8)
    )
    for fit in others:
        np.testing.assert_allclose(fit.coef, first.coef, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(fit.loglik, first.loglik, rtol=1e-13)
        np.testing.assert_allclose(fit.confint().upper, first.confint().upper, atol=CLOSE)


def test_many_trials_lose_no_digits():
    """l is a difference of large sums of small terms where events are rare among many trials."""
    x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
    X, y = np.column_stack([np.ones(6), x]), np.array([90.0, 105, 98, 130, 119, 140])
    fit = jaxlogit.fit(X, y, trials=1e9)
    with mpmath.workdps(40):
        eta = [mpmath.mpf(fit.coef[0]) + mpmath.mpf(fit.coef[1]) * v for v in x]
        exact = sum(
            s * e - 10**9 * mpmath.log1p(mpmath.exp(e)) for s, e in zip(y, eta, strict=True)
        )
    np.testing.assert_allclose(fit.loglik, float(exact), rtol=1e-14)


@EXAMPLES
@given(designs, responses, st.integers(1, P - 1), st.floats(-100, 100))
def test_location_of_a_column(X, y, column, shift):
    """A covariate moved by a constant changes the intercept alone."""
    moved = X.copy()
    moved[..., column] += shift
    found, expected = numbers(moved, y), numbers(X, y)
    np.testing.assert_array_equal(found["status"], expected["status"])
    for name in ("coef", "lower", "upper"):
        a, b = found[name][:, 1:], expected[name][:, 1:]
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        unit = np.where(np.isnan(expected["std_error"]), 1.0, expected["std_error"])[:, 1:]
        # A shift of 100 spreads takes two digits from the column itself, before any fit.
        limit = 100 * CLOSE * (unit[finite] + 0.01 * np.abs(b[finite]))
        assert np.all(np.abs(a[finite] - b[finite]) <= limit)


# -- raw units ----------------------------------------------------------------------------------


def exact_maximum(X, y):
    """β̂ with 40 digits, by Newton from 0."""
    with mpmath.workdps(40):
        design, p = mpmath.matrix(X.tolist()), X.shape[1]
        beta = mpmath.zeros(p, 1)
        for _ in range(12):
            eta = design * beta
            mu = [1 / (1 + mpmath.exp(-e)) for e in eta]
            slope = design.T * mpmath.matrix([s - m for s, m in zip(y.tolist(), mu, strict=True)])
            weighted = design.copy()
            for i, m in enumerate(mu):
                weighted[i, :] = weighted[i, :] * (m * (1 - m))
            step = mpmath.lu_solve(design.T * weighted, slope)
            beta = beta + step
        return np.array([float(b) for b in beta])


RANDOM = np.random.default_rng(77)
YEAR = np.linspace(1990.0, 2015.0, 60)
GRAVITY, OSMOLARITY = RANDOM.normal(1.02, 0.007, 60), RANDOM.normal(600, 240, 60)
RAW = {
    "gravity": np.column_stack([np.ones(60), GRAVITY, OSMOLARITY]),
    "year and its square": np.column_stack([np.ones(60), YEAR, YEAR**2]),
}


@pytest.mark.parametrize("case", RAW)
@pytest.mark.parametrize("shared", [True, False])
def test_raw_units_lose_no_digits(case, shared):
    """Beside 40-digit arithmetic: centred columns would give no better answer."""
    X = RAW[case]
    y = RANDOM.integers(0, 2, 60).astype(float)
    fit = jaxlogit.fit(X if shared else X[None], y)
    coef, std_error = np.atleast_2d(fit.coef)[0], np.atleast_2d(fit.std_error)[0]
    assert np.all(np.abs(coef - exact_maximum(X, y)) <= 1e-8 * std_error)
    # The last column only changes its unit when the design is centred: ends to compare with.
    centre = X.mean(axis=0) * [0, 1, 1]
    if case == "gravity":
        data = oracles.model((X - centre) / [1, 0.007, 240], y)
        ends = fit.confint()
        for j, unit in ((1, 0.007), (2, 240.0)):
            expected = oracles.interval_end(data, np.eye(3)[j], 1, 3.841458820694124, "lr") / unit
            assert abs(np.atleast_2d(ends.upper)[0, j] - expected) <= 1e-8 * std_error[j]


def test_every_kind_of_model_is_tried():
    """The invariants are not shown on easy models alone."""
    status = [numbers(design(seed), response(seed + 1))["status"] for seed in range(10)]
    kinds = {Status.CONVERGED, Status.SEPARATED_QUASI, Status.SEPARATED_COMPLETE}
    assert kinds <= {*np.ravel(status)}
