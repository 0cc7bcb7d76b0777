"""The edge: every rule, with the argument, the value and the place in the message."""

import numpy as np
import pandas as pd
import pytest

from jaxlogit import checks, data

N, P, B = 6, 2, 3
X = np.column_stack([np.ones(N), np.arange(N)])
Y = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def changed(array, place, value):
    out = np.array(array, dtype=float)
    out[place] = value
    return out


def stacked(array):
    return np.repeat(np.asarray(array, dtype=float)[None], B, axis=0)


REFUSED = {
    # X
    "X vector": ({"X": np.ones(N)}, ValueError, r"X must have 2 or 3 dimensions.*\(6,\)"),
    "X text": ({"X": [["a", 1.0]] * N}, TypeError, "X must be numeric: found 'a'"),
    "X complex": ({"X": X + 1j}, TypeError, "X must be real: found complex"),
    "X ragged": (
        {"X": [[1.0, 2.0], [1.0, 2.0], [1.0]]},
        ValueError,
        "X must be rectangular: found length 1 at 2, length 2 at 0",
    ),
    "X of ragged models": (
        {"X": [X, X[:4]]},
        ValueError,
        "X must be rectangular: found length 4 at 1, length 6 at 0",
    ),
    "X ragged inside": (
        {"X": [[[1.0], [1.0, 2.0]], [[1.0], [2.0]]]},
        ValueError,
        "X must be rectangular: found nested sequences that are not",
    ),
    "X empty": (
        {"X": np.ones((0, 2)), "y": np.ones(0)},
        ValueError,
        r"X must have at least one.*\(0, 2\)",
    ),
    "X without columns": (
        {"X": np.ones((N, 0))},
        ValueError,
        r"X must have at least one.*\(6, 0\)",
    ),
    "X nan": (
        {"X": changed(X, (4, 1), np.nan)},
        ValueError,
        "X must be finite: found nan at row 4, column 1",
    ),
    "X inf, by model": (
        {"X": changed(stacked(X), (2, 3, 1), -np.inf), "y": stacked(Y)},
        ValueError,
        "X must be finite: found -inf at model 2, row 3, column 1",
    ),
    # y
    "y text": ({"y": ["no", "yes"] * 3}, TypeError, "y must be numeric: found 'no'"),
    "y numbers in text": ({"y": ["0", "1"] * 3}, TypeError, "y must be numeric: found '0'"),
    "y numbers in a text column": (
        {"y": pd.Series(["0", "1"] * 3)},
        TypeError,
        "y must be numeric: found '0'",
    ),
    "y numbers beside text": (
        {"y": [0, 1, 0, "1", 0, 1]},
        TypeError,
        "y must be numeric: found '1'",
    ),
    "y bytes": ({"y": np.array([b"0", b"1"] * 3)}, TypeError, "y must be numeric: found b'0'"),
    "y missing": (
        {"y": [0, 1, None, 1, 0, 1]},
        (TypeError, ValueError),
        "y must be .*: found (None|nan)",
    ),
    "y scalar": ({"y": 1.0}, ValueError, r"y must have 1 or 2 dimensions: found shape \(\)"),
    "y short": ({"y": Y[:5]}, ValueError, r"y must have one value for each of the 6 rows.*\(5,\)"),
    "y transposed": (
        {"y": stacked(Y).T},
        ValueError,
        r"y must have one value for each of the 6 rows.*\(6, 3\)",
    ),
    "y nan": ({"y": changed(Y, 2, np.nan)}, ValueError, "y must be finite: found nan at row 2"),
    "y above 1": (
        {"y": changed(Y, 3, 2)},
        ValueError,
        r"y must lie in \[0, 1\].*found 2.0 at row 3",
    ),
    "y negative": (
        {"y": changed(stacked(Y), (1, 4), -1)},
        ValueError,
        r"y must lie in \[0, 1\].*-1.0 at model 1, row 4",
    ),
    "y above trials": (
        {"y": changed(stacked(Y), (0, 5), 3), "trials": 2},
        ValueError,
        r"y must lie in \[0, trials\]: found 3.0 at model 0, row 5",
    ),
    "trials below a shared y": (
        {"trials": changed(stacked(np.ones(N)), (2, 1), 0.5)},
        ValueError,
        r"trials must be at least y: found 0.5 at model 2, row 1",
    ),
    "no models": ({"y": np.ones((0, N))}, ValueError, r"y must hold at least one model.*\(0, 6\)"),
    # trials, weights, offset
    "trials negative": (
        {"trials": changed(np.ones(N), 2, -1), "y": 0 * Y},
        ValueError,
        "trials must not be negative: found -1.0 at row 2",
    ),
    "trials text": ({"trials": "many"}, TypeError, "trials must be numeric: found 'many'"),
    "weights negative": (
        {"weights": changed(stacked(np.ones(N)), (1, 3), -0.5)},
        ValueError,
        "weights must not be negative: found -0.5 at model 1, row 3",
    ),
    "weights nan": (
        {"weights": changed(np.ones(N), 0, np.nan)},
        ValueError,
        "weights must be finite: found nan at row 0",
    ),
    "weights short": ({"weights": np.ones(4)}, ValueError, r"weights must have one value.*\(4,\)"),
    "offset inf": (
        {"offset": changed(np.zeros(N), 5, np.inf)},
        ValueError,
        "offset must be finite: found inf at row 5",
    ),
    "offset scalar inf": ({"offset": np.inf}, ValueError, "offset must be finite: found inf"),
    "offset 3-d": (
        {"offset": np.zeros((1, 1, N))},
        ValueError,
        "offset must have 0 or 1 or 2 dimensions",
    ),
    # several
    "other number of models": (
        {"y": stacked(Y), "offset": np.zeros((4, N))},
        ValueError,
        "offset must have as many models as y: found 4 and 3",
    ),
    "X of other models": (
        {"X": stacked(X), "y": np.zeros((4, N))},
        ValueError,
        "y must have as many models as X: found 4 and 3",
    ),
    "names too few": (
        {"names": ["a"]},
        ValueError,
        "names must name each of the 2 coefficients: found 1",
    ),
    "names a number": (
        {"names": 3},
        TypeError,
        "names must be a sequence of 2 names: found 3",
    ),
    "names a text": (
        {"names": "ab"},
        TypeError,
        "names must be a sequence of 2 names: found 'ab'",
    ),
    "names twice": ({"names": ["a", "a"]}, ValueError, "names must differ: found 'a' twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        data.collect(**({"X": X, "y": Y} | arguments))


def test_a_place_beyond_the_first_chunk(monkeypatch):
    """Large arrays are checked piece by piece: places count from the start all the same."""
    monkeypatch.setattr(checks, "CHUNK", 2 * Y.nbytes)
    with pytest.raises(ValueError, match="found nan at model 2, row 1"):
        data.collect(X, changed(stacked(Y), (2, 1), np.nan))


@pytest.mark.parametrize("name", ["X", "y", "trials", "offset"])
@pytest.mark.parametrize("by_model", [(), ("weights",), ("y", "weights"), ("X", "y", "weights")])
def test_rows_of_weight_zero_may_hold_anything(name, by_model):
    """Padding may be nan, whether it, the weights or both have a model axis."""
    arrays = {"X": X, "y": Y, "trials": np.ones(N), "offset": np.zeros(N),
              "weights": changed(np.ones(N), 4, 0.0)}  # fmt: skip
    arrays[name] = changed(arrays[name], 4, np.nan)
    arrays = {k: stacked(v) if k in by_model else v for k, v in arrays.items()}
    found = data.collect(**arrays)
    assert all(np.all(np.isfinite(getattr(found, k))) for k in ("y", "trials", "offset", "design"))


def test_rows_of_weight_zero_in_some_models_only():
    """A shared row that counts in one model must be finite for all."""
    weights = changed(stacked(np.ones(N)), (0, 4), 0.0)
    with pytest.raises(ValueError, match="y must be finite: found nan at row 4"):
        data.collect(X, changed(Y, 4, np.nan), weights=weights)


def test_the_user_s_arrays_are_left_alone():
    y, weights = changed(Y, 4, np.nan), changed(np.ones(N), 4, 0.0)
    before = X.copy(), y.copy(), weights.copy()
    data.collect(X, y, weights=weights)
    for array, copy in zip((X, y, weights), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_arrays_are_referred_to_and_not_copied():
    y = stacked(Y)
    found = data.collect(X, y)
    assert np.shares_memory(found.design, X)
    assert np.shares_memory(found.y, y)
    small = y.astype(np.int8)
    assert data.collect(X, small).y.dtype == np.int8


def test_shapes():
    one = data.collect(X, Y)
    assert (one.n_models, one.single, one.n_rows, one.n_terms) == (1, True, N, P)
    many = data.collect(X, Y, offset=np.zeros((B, N)))
    assert (many.n_models, many.single) == (B, False)
    row = data.collect(X, Y[None])
    assert (row.n_models, row.single) == (1, False)
    scalar = data.collect(X, Y, trials=2, weights=0.5, offset=1.0)
    for array in (scalar.trials, scalar.weights, scalar.offset):
        assert array is not None and array.shape == (N,)


def test_names():
    assert data.collect(X, Y).names == ("x0", "x1")
    assert data.collect(X, Y, names=["const", "dose"]).names == ("const", "dose")
    assert data.collect(pd.DataFrame(X, columns=["a", "b"]), pd.Series(Y)).names == ("a", "b")


def test_contrasts():
    names = ("const", "age", "weight")
    rows, labels = data.check_contrasts(None, names)
    np.testing.assert_array_equal(rows, np.eye(3))
    assert labels == names
    rows, labels = data.check_contrasts(["weight", "age"], names)
    np.testing.assert_array_equal(rows, np.eye(3)[[2, 1]])
    assert labels == ("weight", "age")
    rows, labels = data.check_contrasts("age", names)
    np.testing.assert_array_equal(rows, np.eye(3)[[1]])
    rows, labels = data.check_contrasts([[0, 1, 0], [0, 1, -1]], names)
    assert labels == ("age", "contrast 1")
    for value, message in (
        ("wieght", "contrasts must be one of .*'wieght'; did you mean 'weight'"),
        ([[1.0, 2.0]], r"contrasts must have 3 columns.*\(1, 2\)"),
        (np.zeros((0, 3)), "contrasts must have 3 columns"),
        ([[1, 0, 0], [0, 0, 0]], "contrasts must not be all zero: found such a row at 1"),
        ([[1, 0, 0], [1, np.nan, 0]], "contrasts must be finite: found nan at row 1, column 1$"),
        (np.array(["age", "dose"], object), "contrasts must be one of .*: found 'dose'"),
    ):
        with pytest.raises(ValueError, match=message):
            data.check_contrasts(value, names)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, np.nan, np.inf])
def test_levels_outside(level):
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\): found"):
        data.check_level(level)


@pytest.mark.parametrize("level", ["high", "0.9", None, [0.9, 0.95]])
def test_levels_of_other_types(level):
    with pytest.raises(TypeError, match="level must be a number"):
        data.check_level(level)


def test_other_small_arguments():
    with pytest.raises(ValueError, match=r"method must be one of .*'wlad'; did you mean 'wald'"):
        data.check_choice("method", "wlad", ("wald", "lr", "score"))
    with pytest.raises(ValueError, match=r"null must be one number or 2.*found 3"):
        data.check_null([1, 2, 3], 2)
    with pytest.raises(ValueError, match=r"null must be finite: found nan at contrast 1$"):
        data.check_null([0.0, np.nan], 2)
    with pytest.raises(TypeError, match="null must be numeric: found 'zero'"):
        data.check_null("zero", 2)
    with pytest.raises(ValueError, match="term must be one of 2 coefficients: found 5"):
        data.check_term(5, ("a", "b"))
    with pytest.raises(ValueError, match="term must be one of 'a', 'b': found 'c'"):
        data.check_term("c", ("a", "b"))
    with pytest.raises(ValueError, match=r"term must have 2 columns.*found shape \(3,\)"):
        data.check_term([1, 2, 3], ("a", "b"))
    for flag in (True, np.True_):
        with pytest.raises(TypeError, match="term must be a name, a number or a contrast: found"):
            data.check_term(flag, ("a", "b"))
    with pytest.raises(ValueError, match="term must be one coefficient or contrast: found 2"):
        data.check_term(["a", "b"], ("a", "b"))
    with pytest.raises(ValueError, match=r"grid must be finite: found inf at point 1$"):
        data.check_grid([0.0, np.inf])
    with pytest.raises(ValueError, match="grid must hold at least one value"):
        data.check_grid([])


def test_a_number_of_the_wrong_kind_in_a_shared_y_is_found_in_y():
    """Trials by model do not hide where a shared y is nan or negative."""
    trials = stacked(np.ones(N))
    for value, rule in ((np.nan, "be finite"), (-1.0, r"lie in \[0, trials\]")):
        with pytest.raises(ValueError, match=rf"y must {rule}: found {value} at row 4$"):
            data.collect(X, changed(Y, 4, value), trials=trials)


def test_nothing_to_check_is_fine():
    checks.check_finite("X_new", np.ones((0, P)))
    checks.check_finite("X_new", np.ones((B, 0, P)))
