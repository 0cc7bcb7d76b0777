"""Tables and formulas: what is read, what is computed, what is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxlogit import datasets
from jaxlogit.frame import design, formula, read_table

N = 12
TABLE = pd.DataFrame(
    {
        "low": [0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0],
        "age": [19, 33, 20, 21, 18, 40, 25, 31, 28, 22, 35, 27],
        "lwt": [182.0, 155, 105, 108, 107, 124, 118, 103, 123, 113, 95, 150],
        "race": list("bowwobwbowbw"),
        "ptl": [0, 1, 0, 2, 0, 0, 1, 0, 3, 0, 0, 1],
        "smoke": np.arange(N) % 3 == 0,
        "n": [5] * N,
        "s": [1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0],
        "weight g": np.arange(1.0, N + 1),
        "dotted.name": np.arange(N)[::-1] + 0.5,
        "outcome": ["yes", "no"] * (N // 2),
    }
)
AGE, LWT, PTL = (TABLE[k].to_numpy(dtype=float) for k in ("age", "lwt", "ptl"))
RACE = TABLE["race"].to_numpy()


def column(terms: str, name: str) -> np.ndarray:
    d = design(f"low ~ {terms}", TABLE)
    return d.X[:, d.names.index(name)]


# ------------------------------------------------------------------ what a formula computes


def test_design_is_arrays_and_names():
    d = design("low ~ age + race", TABLE)
    assert d.names == ("Intercept", "age", "race[T.o]", "race[T.w]")
    oracle = np.column_stack([np.ones(N), AGE, RACE == "o", RACE == "w"])
    np.testing.assert_array_equal(d.X, oracle)
    np.testing.assert_array_equal(d.y, TABLE["low"])
    assert d.X.dtype == d.y.dtype == np.float64
    assert (d.trials, d.weights, d.offset, d.n_dropped, d.response) == (None, None, None, 0, "low")


@pytest.mark.parametrize(
    ("term", "oracle"),
    [
        ("log(lwt)", np.log(LWT)),
        ("log2(lwt)", np.log2(LWT)),
        ("log10(lwt)", np.log10(LWT)),
        ("log1p(ptl)", np.log1p(PTL)),
        ("exp(ptl)", np.exp(PTL)),
        ("sqrt(age)", np.sqrt(AGE)),
        ("abs(ptl - 2)", np.abs(PTL - 2)),
        ("center(age)", AGE - AGE.mean()),
        ("scale(age)", (AGE - AGE.mean()) / AGE.std(ddof=1)),
        ("I(age ** 2)", AGE**2),
        ("I(center(age) ** 2)", (AGE - AGE.mean()) ** 2),
        ("I(-age / lwt + 2.5 * ptl)", -AGE / LWT + 2.5 * PTL),
        ("log(I(age) + 1)", np.log(AGE + 1)),
        ("I(ptl > 0)", PTL > 0),
        ("I(0 < ptl)", PTL > 0),
        ("I((ptl > 0) & (age <= 30))", (PTL > 0) & (AGE <= 30)),
        ("I((ptl > 0) | ~(age != 19))", (PTL > 0) | (AGE == 19)),
        ("I((ptl > 0) + (age > 20))", (PTL > 0).astype(int) + (AGE > 20)),
        ("I(1 - (ptl > 0))", PTL == 0),
        ("I(race == 'w')", RACE == "w"),
        ("I('w' != race)", RACE != "w"),
        ("I(race == outcome)", np.zeros(N)),
        ("smoke", np.arange(N) % 3 == 0),
        ("I(1)", np.ones(N)),
    ],
)
def test_arithmetic_is_numpys(term: str, oracle: np.ndarray):
    np.testing.assert_array_equal(column(f"lwt:age + {term}", term), oracle)


def test_integers_do_not_wrap_around():
    d = design("low ~ I(age ** 15)", TABLE)
    np.testing.assert_allclose(d.X[:, 1], [float(int(a) ** 15) for a in TABLE["age"]], rtol=1e-15)


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        ("1", "Intercept"),
        ("0 + age", "age"),
        ("age - 1", "age"),
        ("age + -1", "age"),
        ("age + age + log( lwt ) + log(lwt)", "Intercept age log(lwt)"),
        ("age:lwt", "Intercept age:lwt"),
        ("age * ptl", "Intercept age ptl age:ptl"),
        ("(age + ptl + s)**2 - age:s", "Intercept age ptl s age:ptl ptl:s"),
        ("(age + ptl)^2", "Intercept age ptl age:ptl"),
        ("age * race", "Intercept age race[T.o] race[T.w] age:race[T.o] age:race[T.w]"),
        ("0 + race", "race[b] race[o] race[w]"),
        ("race / age", "Intercept race[T.o] race[T.w] race[b]:age race[o]:age race[w]:age"),
        ("C(ptl)", "Intercept C(ptl)[T.1] C(ptl)[T.2] C(ptl)[T.3]"),
        ("C(ptl > 0)", "Intercept C(ptl > 0)[T.1]"),
        ("poly(age,2)", "Intercept poly(age, 2)[1] poly(age, 2)[2]"),
        ("dotted.name + `weight g`", "Intercept dotted.name weight g"),
        ("log(`weight g`)", "Intercept log(`weight g`)"),
        ("age\n  + ptl", "Intercept age ptl"),
    ],
)
def test_terms_and_their_names(terms: str, names: str):
    found = design(f"low ~ {terms}", TABLE).names
    assert " ".join(found) == names


def test_interaction_is_the_product():
    np.testing.assert_array_equal(column("age * race", "age:race[T.w]"), AGE * (RACE == "w"))


def test_dot_is_every_other_column():
    d = design("low ~ .", TABLE, trials=None, weights="weight g", offset="lwt")
    plain = "Intercept age race[T.o] race[T.w] ptl smoke n s dotted.name outcome[T.yes]"
    assert " ".join(d.names) == plain
    d = design("cbind(s, n - s) ~ . - race - outcome", TABLE)
    assert " ".join(d.names) == "Intercept low age lwt ptl smoke weight g dotted.name"


def test_base_level_can_be_chosen():
    d = design('low ~ C(race, Treatment("w"))', TABLE)
    assert d.names[1:] == ("C(race, Treatment('w'))[T.b]", "C(race, Treatment('w'))[T.o]")
    np.testing.assert_array_equal(d.X[:, 1], RACE == "b")
    d = design("low ~ C(ptl, Treatment(2))", TABLE)
    assert [k[-5:] for k in d.names[1:]] == ["[T.0]", "[T.1]", "[T.3]"]
    np.testing.assert_array_equal(d.X[:, 3], PTL == 3)


def test_categories_keep_their_order_and_lose_unused_levels():
    race = pd.Categorical(RACE, categories=["w", "x", "o", "b"])
    d = design("low ~ race", TABLE.assign(race=race))
    assert d.names == ("Intercept", "race[T.o]", "race[T.b]")
    numbers = pd.Categorical(TABLE["ptl"])
    assert design("low ~ p", TABLE.assign(p=numbers)).names[1:] == ("p[T.1]", "p[T.2]", "p[T.3]")


def test_polynomials_are_orthonormal_and_span_the_powers():
    X = design("low ~ poly(age, 3)", TABLE).X
    np.testing.assert_allclose(X[:, 1:].T @ X[:, 1:], np.eye(3), atol=1e-12)
    powers = np.vander(AGE - AGE.mean(), 4)
    assert np.linalg.matrix_rank(np.column_stack([X, powers]), tol=1e-6) == 4
    np.testing.assert_array_equal(
        design("low ~ poly(age, 2, raw=True)", TABLE).X, np.vander(AGE, 3, increasing=True)
    )


def test_splines_sum_to_one_with_the_basis_left_out():
    d = design("low ~ bs(age, df=5) + bs(lwt, knots=[110, 120], degree=2)", TABLE)
    assert d.names[1] == "bs(age, df=5)[1]"
    assert sum(name.startswith("bs(age") for name in d.names) == 5
    assert sum(name.startswith("bs(lwt") for name in d.names) == 4
    total = d.X[:, 1:6].sum(axis=1)
    assert np.all(total <= 1 + 1e-12)
    np.testing.assert_allclose(total[AGE == AGE.min()], 0, atol=1e-12)
    np.testing.assert_allclose(total[AGE == AGE.max()], 1, atol=1e-12)


def test_wide_formulas_are_quick():
    wide = pd.DataFrame(np.eye(400)).add_prefix("x").assign(y=np.arange(400) % 2)
    assert design("y ~ .", wide).X.shape == (400, 401)


# ------------------------------------------------------------------ responses


@pytest.mark.parametrize(
    ("left", "oracle", "response"),
    [
        ("low", TABLE["low"], "low"),
        ("I(1 - low)", 1 - TABLE["low"], "I(1 - low)"),
        ("1 - low", 1 - TABLE["low"], "1 - low"),
        ("ptl > 0", PTL > 0, "ptl > 0"),
        ("race == 'w'", RACE == "w", "race == 'w'"),
        ("smoke", TABLE["smoke"], "smoke"),
        ("outcome", TABLE["outcome"] == "yes", "outcome[yes]"),
    ],
)
def test_binary_responses(left: str, oracle, response: str):
    d = design(f"{left} ~ age", TABLE)
    np.testing.assert_array_equal(d.y, np.asarray(oracle, dtype=float))
    assert d.response == response
    assert d.trials is None


def test_event_is_the_second_level():
    ordered = pd.Categorical(TABLE["outcome"], categories=["yes", "no"])
    d = design("outcome ~ 1", TABLE.assign(outcome=ordered))
    assert d.response == "outcome[no]"
    np.testing.assert_array_equal(d.y, TABLE["outcome"] == "no")


def test_counts():
    grouped = design("cbind(s, n - s) ~ age", TABLE)
    counted = design("s ~ age", TABLE, trials="n")
    for d in (grouped, counted):
        np.testing.assert_array_equal(d.y, TABLE["s"])
        np.testing.assert_array_equal(d.trials, TABLE["n"])
    odd = TABLE.rename(columns={"s": "hit rate", "low": "class"})
    assert design("`hit rate` ~ age", odd, trials="n").response == "hit rate"
    assert design("`class` ~ age", odd).response == "class"


def test_weights_and_offset_are_columns():
    d = design("low ~ age", TABLE, weights="weight g", offset="lwt")
    np.testing.assert_array_equal(d.weights, TABLE["weight g"])
    np.testing.assert_array_equal(d.offset, TABLE["lwt"])


# ------------------------------------------------------------------ missing values


def test_rows_with_missing_values_are_dropped_and_counted():
    holes = TABLE.astype({"age": float, "low": "Int64"})
    holes.loc[2, "age"] = np.nan
    holes.loc[3, "race"] = None
    holes.loc[5, "low"] = pd.NA
    holes.loc[7, "weight g"] = np.nan
    holes.loc[9, "lwt"] = np.nan  # not used
    d = design("low ~ age + race", holes, weights="weight g")
    kept = [0, 1, 4, 6, 8, 9, 10, 11]
    assert d.n_dropped == 4
    np.testing.assert_array_equal(d.X[:, 1], AGE[kept])
    np.testing.assert_array_equal(d.weights, TABLE["weight g"].to_numpy()[kept])
    np.testing.assert_array_equal(d.y, TABLE["low"].to_numpy()[kept])


def test_statistics_of_a_column_use_the_rows_that_stay():
    holes = TABLE.astype({"lwt": float})
    holes.loc[0, "lwt"] = np.nan
    d = design("low ~ center(age) + lwt", holes)
    np.testing.assert_allclose(d.X[:, 1], AGE[1:] - AGE[1:].mean())


def test_index_of_the_table_does_not_matter():
    shuffled = TABLE.set_axis([7] * N)
    np.testing.assert_array_equal(
        design("low ~ age * race", shuffled).X, design("low ~ age * race", TABLE).X
    )


# ------------------------------------------------------------------ what is refused

ATTACKS = [
    "low ~ __import__('os').system('touch {file}')",
    "low ~ I(__import__('os').system('touch {file}'))",
    "low ~ log(__import__('os').system('touch {file}'))",
    "low ~ C(age, __import__('os').system('touch {file}'))",
    "low ~ C(age, Treatment(__import__('os').system('touch {file}')))",
    "low ~ poly(age, __import__('os').system('touch {file}'))",
    "low ~ bs(age, knots=[__import__('os').system('touch {file}')])",
    "low ~ {{__import__('os').system('touch {file}')}}",
    "low ~ open('{file}', 'w')",
    "low ~ exec(\"open('{file}', 'w')\")",
    "scale(__import__('os').system('touch {file}')) ~ age",
    "cbind(open('{file}', 'w'), n) ~ age",
    "open('{file}', 'w') ~ age",
    "low ~ (lambda: open('{file}', 'w'))()",
    "low ~ I((lambda: open('{file}', 'w'))())",
    "low ~ I([open('{file}', 'w') for x in age])",
    "low ~ I(age if open('{file}', 'w') else age)",
    "low ~ I((x := open('{file}', 'w')))",
    "low ~ I(f\"{{open('{file}', 'w')}}\" == race)",
    "low ~ np.fromfile('{file}')",
    "low ~ age.to_csv('{file}')",
    "low ~ I(age.to_csv('{file}'))",
    "low ~ age[open('{file}', 'w')]",
    "low ~ Q(open('{file}', 'w'))",
    "low ~ `age`.to_csv('{file}')",
    "low ~ `age) + open('{file}', 'w') + (age`",
    "low ~ log(`age`) + `'` + open('{file}', 'w') + `'`",
    "race == 'w) + open(`{file}`, `w`) + (' ~ age",
    "race == \"w') + {{open('{file}', 'w')}} + I('\" ~ age",
    "low ~ I(race == 'w') + {{open('{file}', 'w')}} + I(race == 'o')",
    'low ~ I(race == \'w) + {{open("{file}", "w")}} + (\')',
    "low ~ [age ~ open('{file}', 'w')]",
    "low ~ age | open('{file}', 'w')",
    "low ~ age ~ open('{file}', 'w')",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_python_is_run(attack: str, tmp_path):
    file = tmp_path / "written"
    with pytest.raises(ValueError, match=r"formula|no level"):
        design(attack.format(file=file), TABLE)
    assert not file.exists()


def test_formulaic_is_handed_no_text_of_the_user():
    text = "low ~ log(`weight g`):race*(age + poly(ptl, 2)) - C(ptl, Treatment(2)) + I(s > 1) + 0"
    right = formula.parse(text, TABLE.columns).right
    assert re.fullmatch(r"(_x\d+_|[-+*:/()]|\*\*|[01]|\s)+", right)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("low ~ agee", "no column 'agee'; did you mean 'age'?"),
        ("loww ~ age", "no column 'loww'; did you mean 'low'?"),
        ("low ~ log(lwtt)", "no column 'lwtt'; did you mean 'lwt'?"),
        ("low ~ zzz", "no column 'zzz'; there are low, age"),
        ("low", "must read 'response ~ terms'"),
        ("~ age", "must read 'response ~ terms'"),
        ("low ~ ", "must read 'response ~ terms'"),
        ("low ~ 0", "leaves no column"),
        ("low ~ age +", "cannot be read"),
        ("low ~ (age", "cannot be read"),
        ("low ~ log(age", "cannot be read"),
        ("low ~ log(`age)", "cannot be read"),
        ("low ~ log(age +)", "term 'log(age +)' cannot be read; allowed are"),
        ("low ~ sin(age)", "term 'sin(age)' uses the function 'sin', which is not allowed"),
        ("low ~ log(age, 2)", "must give log() exactly one argument"),
        ("low ~ log(dotted.name)", "a column name with a dot needs backticks"),
        ("low ~ age**2", "a square is I(x**2)"),
        ("low ~ (age + ptl)**9", "must lie between 1 and 5"),
        ("low ~ 2 * age", "term '2' must be 0 or 1"),
        ("low ~ I(age^2)", "a power is written **"),
        ("low ~ I(age % 2)", "'age % 2', which is not allowed"),
        ("low ~ I(0 < age < 5)", "must join single comparisons"),
        ("low ~ I(age > 2 and ptl > 0)", "must join single comparisons"),
        ("low ~ I((age > 2) & ptl)", "are not comparisons"),
        ("low ~ I(~age)", "no comparison in ( ) follows"),
        ("low ~ I(1e999 * age)", "too large"),
        ("low ~ I('x')", "has \"'x'\", which is not allowed"),
        ("low ~ I(True + age)", "'True', which is not allowed"),
        ("low ~ offset(age)", "in the argument offset"),
        ("low ~ age %in% race", "is no operator"),
        ("low ~ I(poly(age, 2))", "poly() inside another expression"),
        ("low ~ poly(age, 'x')", "cannot take the value"),
        ("low ~ poly(age, degree=101)", "between 1 and 100"),
        ("low ~ poly(age, 2, degree=3)", "takes one column, then degree, raw"),
        ("low ~ bs(age, lower_bound=3)", "takes one column, then df, knots, degree"),
        ("low ~ bs(age, df=2)", "term 'bs(age, df=2)'"),
        ("low ~ C(race, Sum)", "takes only a base level"),
        ("low ~ C(race, Treatment('u'))", "no level 'u'; there are b, o, w"),
        ("low ~ I(race == 'ww')", "no level 'ww'; did you mean 'w'?"),
        ("low ~ I(race == 1)", "must compare text with text"),
        ("low ~ I(race < 'w')", "must compare text with text, by == or !="),
        ("low ~ log(race)", "column 'race' is text, where numbers are needed"),
        ("low ~ C(n)", "has the single level '5'"),
        ("low ~ log(ptl)", "'log(ptl)' must be finite, found -inf at row 0"),
        ("low ~ I(1 / (age - 33))", "must be finite, found inf at row 1"),
        ("s ~ age", "must be 0 or 1, found 2 at row 1; counts need cbind"),
        ("race ~ age", "must have two levels, found 3: b, o, w"),
        ("log(race) ~ age", "column 'race' is text"),
        ("1 ~ age", "must use a column"),
        ("cbind(s) ~ age", "must name two things"),
        ("low ~ I(" + "-" * 5000 + "age)", "nested too deeply"),
    ],
)
def test_refusals_say_what_and_where(text: str, message: str):
    with pytest.raises(ValueError) as caught:
        design(text, TABLE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": "nn"}, "trials must name a column of the table, found 'nn'; did you mean 'n'?"),
        ({"weights": "race"}, "weights must be numbers, found text in column 'race'"),
        ({"offset": "aeg"}, "offset must name a column of the table, found 'aeg'"),
    ],
)
def test_other_columns_are_checked(arguments: dict[str, str], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        design("low ~ age", TABLE, **arguments)


def test_trials_go_with_counts_only():
    with pytest.raises(ValueError, match="leave out trials='n'"):
        design("cbind(s, n - s) ~ age", TABLE, trials="n")
    with pytest.raises(ValueError, match="must be counts where trials are given, found text"):
        design("outcome ~ age", TABLE, trials="n")


def test_wrong_types():
    with pytest.raises(TypeError, match=r"data must be a table .* found list"):
        design("low ~ age", [[1, 2]])
    with pytest.raises(TypeError, match="formula must be text, found int"):
        design(3, TABLE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="weights must name a column, found list"):
        design("low ~ age", TABLE, weights=[1.0])  # pyright: ignore[reportArgumentType]


def test_tables_that_cannot_be_used():
    with pytest.raises(ValueError, match="the table has no rows"):
        design("low ~ age", TABLE.iloc[:0])
    with pytest.raises(ValueError, match="no row is complete: of 12 rows, 12 lack 'age'"):
        design("low ~ age", TABLE.assign(age=np.nan))
    twice = pd.concat([TABLE, TABLE["age"]], axis=1)
    with pytest.raises(ValueError, match="has the column 'age' more than once"):
        design("low ~ age", twice)
    dates = TABLE.assign(age=pd.Timestamp(2020, 1, 1))
    with pytest.raises(ValueError, match="column 'age' must hold numbers, booleans or text"):
        design("low ~ age", dates)
    mixed = TABLE.assign(age=[1, "a"] * (N // 2))
    with pytest.raises(ValueError, match="column 'age' must hold numbers, booleans or text"):
        design("low ~ age", mixed)


@given(st.text(alphabet="ab~+-*:/^()[]{}`'\"., 01\\\n#%|&<>=xIC_", max_size=40))
def test_any_text_is_a_design_or_a_value_error(text: str):
    table = pd.DataFrame({"a": [0, 1, 1, 0], "b": [1.5, 2.5, 3.0, 4.0], "x": list("pqqp")})
    for whole in (text, f"a ~ {text}", f"a ~ b + I({text})", f"{text} ~ b"):
        try:
            d = design(whole, table)
        except ValueError:
            continue
        assert np.isfinite(d.X).all() and d.X.shape == (4, len(d.names))


# ------------------------------------------------------------------ files


def test_bundled_data_sets_are_read_by_name():
    for name in datasets.names():
        data = datasets.load(name)
        d = design(data.formula, read_table(name), trials=data.trials)
        assert d.n_dropped == 0
        assert d.X.shape[0] == len(read_table(name))


def test_csv_and_parquet_give_the_same_table(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    for source in (tmp_path / "t.csv", str(tmp_path / "t.parquet")):
        d = design("low ~ age * race + lwt + smoke", read_table(source))
        np.testing.assert_array_equal(d.X, design("low ~ age * race + lwt + smoke", TABLE).X)


def test_csv_numbers_are_exact_and_none_is_a_level(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\ufeffy,x,k\n1,0.1234567890123456789,None\n0,NA,null\n1,1e-3,\n", "utf-8")
    table = read_table(path)
    assert list(table.columns) == ["y", "x", "k"]
    assert table["x"][0] == 0.1234567890123456789
    assert list(table["k"][:2]) == ["None", "null"]
    assert list(table["k"].isna()) == [False, False, True]
    assert list(table["x"].isna()) == [False, True, False]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "cannot be read: Empty CSV file"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"a,b,a\n1,2,3\n", "the column 'a' more than once"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a,b\n1,2,3\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a,b\n\xff\xfe,2\n", "column 'a' is not UTF-8 text"),
        ("t.parquet", b"", "cannot be read"),
        ("t.parquet", b"PAR1 not really", "cannot be read"),
        ("t.xlsx", b"anything", "must end in .csv or .parquet"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name: str, content: bytes, message: str):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_table(path)
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="bundled data set; did you mean 'birthwt'"):
        read_table("birthwtt")
    with pytest.raises(FileNotFoundError, match="neither a file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"must end in .csv or .parquet"):
        read_table(tmp_path / "folder.csv")


def test_labels_go_with_their_rows():
    table = pd.DataFrame({
        "y": [0, 1, 0, 1, 1], "x": [1.0, None, 3.0, 4.0, 6.0], "ward": ["a", "b", None, "d", "e"],
        "site": [1, 1, 2, 2, 3],
    })  # fmt: skip
    found = design("y ~ .", table, clusters="ward", strata="site")
    assert found.names == ("Intercept", "x")  # the dot leaves labels out
    assert found.n_dropped == 2
    assert found.clusters is not None and found.strata is not None
    assert found.clusters.tolist() == ["a", "d", "e"]
    assert found.strata.tolist() == [1, 2, 3]
    assert design("y ~ x", table).clusters is None
    with pytest.raises(ValueError, match="clusters must name a column of the table, found 'wart'"):
        design("y ~ x", table, clusters="wart")
