"""Cells from grids, random designs, solved truths, generators: what a study simulates."""

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from jaxlogit import Status, fit
from jaxlogit.study import Study, StudyResult
from jaxlogit.study.design.distributions import check_columns, sobol_rows
from jaxlogit.study.design.grid import points
from jaxlogit.study.design.simulate import simulate

COLUMNS = {
    "age": {"distribution": "normal", "mean": 2.0, "sd": 0.5},
    "sex": {"distribution": "bernoulli", "probability": 0.3},
    "dose": {"distribution": "uniform", "low": -1.0, "high": 1.0},
    "cost": {"distribution": "lognormal", "sdlog": 0.5},
    "heavy": {"distribution": "t", "df": 5},
    "site": {"distribution": "categorical", "probabilities": [0.5, 0.3, 0.2]},
    "both": {"product": ["age", "sex"]},
}
FEWER = {name: COLUMNS[name] for name in ("age", "sex", "both")}
NAMES = ("Intercept", "age", "sex", "dose", "cost", "heavy", "site[2]", "site[3]", "both")
TRUTH = {"age": 0.5, "sex": 0.0, "both": -0.3}


def study(**changes):
    # Without t, whose chi-square takes seconds to compile.
    arguments = {"name": "a", "seed": 1, "replicates": 20, "columns": FEWER, "n": 50,
                 "truth": TRUTH, "event_rate": 0.2}  # fmt: skip
    return Study(**(arguments | changes))


def drawn(made, count=400, cell=0):
    return simulate(made.cells[cell], made.seed, 0, count)


def z_score(values, mean):
    return (np.mean(values) - mean) / (np.std(values) / np.sqrt(values.size))


def test_columns_have_their_distributions():
    made = study(n=100, columns=COLUMNS, truth=dict.fromkeys(NAMES[1:], 0.0) | TRUTH)
    (cell,) = made.cells
    assert cell.names == NAMES
    X = drawn(made).X.reshape(-1, len(NAMES))
    assert np.all(X[:, 0] == 1.0)
    age, sex, dose, cost, heavy, second, third, both = X[:, 1:].T
    for values, distribution in (
        (age, stats.norm(2.0, 0.5)), (dose, stats.uniform(-1, 2)),
        (cost, stats.lognorm(0.5)), (heavy, stats.t(5)),
    ):  # fmt: skip
        for p in (0.05, 0.3, 0.5, 0.9):
            assert abs(z_score((values < distribution.ppf(p)).astype(float), p)) < 5
    for values, share in ((sex, 0.3), (second, 0.3), (third, 0.2)):
        assert set(np.unique(values)) == {0.0, 1.0}
        assert abs(z_score(values, share)) < 5
    assert not np.any(second * third)
    np.testing.assert_array_equal(both, age * sex)
    off_diagonal = np.corrcoef(X[:, 1:6].T)[np.triu_indices(5, 1)]
    assert np.max(np.abs(off_diagonal)) < 5 / np.sqrt(len(X))


def test_correlated_columns():
    matrix = [[1.0, 0.6, 0.0], [0.6, 1.0, -0.4], [0.0, -0.4, 1.0]]
    columns = {"a": "normal", "b": {"distribution": "lognormal", "sdlog": 0.3}, "c": "normal"}
    truth = dict.fromkeys("abc", 0.1)
    X = drawn(study(columns=columns, correlation=matrix, truth=truth)).X[..., 1:].reshape(-1, 3)
    found = np.corrcoef(np.column_stack([X[:, 0], np.log(X[:, 1]), X[:, 2]]).T)
    np.testing.assert_allclose(found, matrix, atol=5 / np.sqrt(len(X)))
    same = study(columns=columns, correlation=0.5, truth=truth).cells[0]
    np.testing.assert_array_equal(same.source.correlation, 0.5 * np.eye(3) + 0.5)


def test_sobol_means_are_expectations():
    """Against exact means and variances; t's variance has the slowest tail."""
    rows = sobol_rows(check_columns({k: COLUMNS[k] for k in list(COLUMNS)[:6]}), None)
    means = [2.0, 0.3, 0.0, np.exp(0.125), 0.0, 0.3, 0.2]
    np.testing.assert_allclose(rows.mean(axis=0), means, atol=1e-3)
    np.testing.assert_allclose(np.delete(rows.mean(axis=0), 4), np.delete(means, 4), atol=5e-5)
    np.testing.assert_allclose(rows.var(axis=0)[:3], [0.25, 0.21, 1 / 3], rtol=2e-3)


def test_the_event_rate_is_solved_for():
    made = study(event_rate=0.07)
    data = drawn(made, 2000)
    assert abs(z_score(data.y.mean(axis=1), 0.07)) < 5
    # fixed rows: the mean probability is exactly the rate, trials and offset included
    X = np.column_stack([np.ones(4), [0.0, 1, 2, 3]])
    cell = Study(name="a", seed=1, replicates=1, X=X, names=["Intercept", "x"], truth={"x": 0.8},
                 trials=[5, 1, 7, 2], offset=[0, 1.0, 0, -1], event_rate=0.3).cells[0]  # fmt: skip
    mu = expit(X @ cell.truth + [0, 1.0, 0, -1])
    assert np.average(mu, weights=[5, 1, 7, 2]) == pytest.approx(0.3, abs=1e-12)
    assert cell.truth[1] == 0.8


def test_events_per_variable_make_n():
    cell = study(n=None, events_per_variable=5, event_rate=0.2).cells[0]
    assert cell.n_rows == 5 * 3 / 0.2


def test_rows_are_resampled_from_data():
    made = Study(name="a", seed=3, replicates=5, data="birthwt", formula="low ~ age + lwt", n=60)
    whole = Study(name="a", seed=3, replicates=5, data="birthwt", formula="low ~ age + lwt").cells
    data = drawn(made, 300)
    assert data.X.shape == (300, 60, 3)
    rows = {tuple(row) for row in whole[0].X}
    assert {tuple(row) for row in data.X.reshape(-1, 3)} <= rows
    assert abs(z_score(data.X[..., 1].ravel(), whole[0].X[:, 1].mean())) < 5
    np.testing.assert_array_equal(made.cells[0].truth, whole[0].truth)
    eta = data.X @ whole[0].truth
    assert abs(z_score((data.y - expit(eta)).ravel(), 0.0)) < 5


def test_trials_and_offset_travel_with_their_row():
    X = np.column_stack([np.ones(3), [0.0, 1.0, 2.0]])
    made = Study(name="a", seed=3, replicates=5, X=X, truth=[0.1, 0.2], trials=[1, 10, 300],
                 offset=[0.0, 0.5, -0.5], n=40)  # fmt: skip
    data = drawn(made, 500)
    which = data.X[..., 1].astype(int)
    np.testing.assert_array_equal(data.trials, np.array([1, 10, 300])[which])
    np.testing.assert_array_equal(data.offset, np.array([0.0, 0.5, -0.5])[which])
    mu = expit(0.1 + 0.2 * which + data.offset)
    assert np.all(data.y <= data.trials)
    z = (data.y - data.trials * mu) / np.sqrt(data.trials * mu * (1 - mu))
    for row in range(3):
        assert abs(z_score(z[which == row], 0.0)) < 5
        assert np.std(z[which == row]) == pytest.approx(1.0, abs=0.05)


def test_designs_may_be_drawn_once():
    made = study(redraw=False)
    (cell,) = made.cells
    assert cell.source is None and cell.X.shape == (50, 4)
    assert np.mean(expit(cell.X @ cell.truth)) == pytest.approx(0.2, abs=1e-12)
    np.testing.assert_array_equal(cell.X, study(redraw=False).cells[0].X)
    assert not np.array_equal(cell.X, study(redraw=False, seed=2).cells[0].X)


def test_two_groups_and_doses():
    two = {"columns": None, "n": None, "event_rate": None}
    cell = study(**two, groups=[30, 40], event_rates=[0.1, 0.25], truth=None).cells[0]
    np.testing.assert_allclose(expit(cell.X @ cell.truth), [0.1, 0.25])
    np.testing.assert_array_equal(cell.trials, [30, 40])
    cell = study(**two | {"event_rate": 0.3}, groups=[30, 40], truth={"group": 1.0}).cells[0]
    assert np.average(expit(cell.X @ cell.truth), weights=[30, 40]) == pytest.approx(0.3)
    cell = study(**two, doses=[0, 1, 4], trials=6, truth={"Intercept": -1, "dose": 0.5}).cells[0]
    np.testing.assert_array_equal(cell.X, [[1, 0], [1, 1], [1, 4]])
    np.testing.assert_array_equal(cell.trials, [6, 6, 6])


def test_data_depend_on_their_address_alone():
    grid = {"n": [30, 50], "columns.age.sd": [0.5, 2.0]}
    made = study(grid=grid)
    whole = simulate(made.cells[3], 1, 0, 50)
    assert made.cells[3].values == {"n": 50, "columns.age.sd": 2.0}
    reordered = study(grid={"columns.age.sd": [2.0], "n": [50, 70, 30]})
    pieces = [simulate(reordered.cells[0], 1, a, b) for a, b in ((0, 1), (1, 33), (33, 50))]
    np.testing.assert_array_equal(whole.X, np.concatenate([p.X for p in pieces]))
    np.testing.assert_array_equal(whole.y, np.concatenate([p.y for p in pieces]))
    assert not np.array_equal(whole.X, simulate(made.cells[3], 2, 0, 50).X)


def test_grids_and_lists_of_cells():
    assert points([{"n": 20, "event_rate": [0.1, 0.2]}, {"n": 40, "event_rate": 0.5}]) == [
        {"n": 20, "event_rate": 0.1}, {"n": 20, "event_rate": 0.2}, {"n": 40, "event_rate": 0.5},
    ]  # fmt: skip
    made = study(grid={"truth.age": [0.0, 1.0], "event_rate": [0.1, 0.4]})
    assert [cell.truth[1] for cell in made.cells] == [0.0, 0.0, 1.0, 1.0]
    rates = [simulate(c, 1, 0, 500).y.mean() for c in made.cells]
    np.testing.assert_allclose(rates, [0.1, 0.4, 0.1, 0.4], atol=0.02)
    groups = study(columns=None, n=None, event_rate=None, truth=None, event_rates=[0.1, 0.2],
                   grid={"groups": [[5, 5], [9, 3]]})  # fmt: skip
    assert [cell.label for cell in groups.cells] == ["groups=[5, 5]", "groups=[9, 3]"]


def test_a_grid_runs_with_several_levels(tmp_path):
    made = study(columns={"x": "normal"}, truth={"x": 0.0}, level=[0.8, 0.95], n=None,
                 grid={"n": [40, 80]}, methods=["ml:wald", "ml:score"], replicates=150)  # fmt: skip
    result = made.run(tmp_path / "store", progress=False)
    table = result.summary()
    assert len(table) == 2 * 2 * 2 * 2
    assert list(table.columns[:6]) == ["cell", "n", "method", "level", "term", "truth"]
    assert list(table.n[:8]) == [40] * 8
    x = table[(table.term == "x")].set_index(["n", "method", "level"])
    assert np.all(np.abs(x.coverage - x.index.get_level_values("level")) < 0.15)
    by_level = x.coverage.unstack()
    assert np.all(by_level[0.8] < by_level[0.95])
    # tests reject at one minus each level, with the method's own p
    rows = result.frame(method="ml:score", term="x")
    inside = (rows.lower <= 0) & (rows.upper >= 0)
    np.testing.assert_array_equal(rows.p_value < 1 - rows.level, ~inside)
    np.testing.assert_allclose(x.rejection, 1 - x.coverage, atol=1e-12)
    # one replicate is a fit of its own data set
    replay = result.replay("n=40", 17)
    alone = fit(replay.X, replay.y)
    one = rows[(rows.cell == "n=40") & (rows.replicate == 17) & (rows.level == 0.95)].iloc[0]
    np.testing.assert_allclose(one.estimate, alone.coef[1], rtol=1e-9)
    np.testing.assert_allclose(one.lower, alone.confint(method="score").lower[1], rtol=1e-6)
    # more cells compute only what is new, and the old store accepts them
    more = study(columns={"x": "normal"}, truth={"x": 0.0}, level=[0.8, 0.95], n=None,
                 grid={"n": [60, 40]}, methods=["ml:wald", "ml:score"], replicates=150)  # fmt: skip
    before = {part.path.name for part in result.parts}
    wider = more.run(tmp_path / "store", progress=False)
    assert before < {part.path.name for part in wider.parts}
    assert [c.label for c in wider.record.cells] == ["n=40", "n=80", "n=60"]
    again = StudyResult.from_store(tmp_path / "store").summary()
    assert list(dict.fromkeys(again.cell)) == ["n=40", "n=80", "n=60"]
    with pytest.raises(ValueError, match=r"in cell n=40 designs are .*there and .*here"):
        study(columns={"x": "uniform"}, truth={"x": 0.0}, level=[0.8, 0.95], n=40, grid={"n": [40]},
              methods=["ml:wald"], replicates=150,
              ).run(tmp_path / "store", progress=False)  # fmt: skip


def traced(key, cell):
    """Effects that grow with x: a design that no settings describe."""
    of_x, of_y = jax.random.split(key)
    x = jax.random.normal(of_x, (cell["n"],))
    X = jax.numpy.column_stack([jax.numpy.ones(cell["n"]), x])
    mu = jax.nn.sigmoid(-1.0 + cell["slope"] * x)
    y = (jax.random.uniform(of_y, mu.shape) < mu).astype(float)
    return X, jax.numpy.where(x[0] > 1.5, jax.numpy.nan, y)


def host(key, cell):
    """The same by NumPy, which JAX cannot trace; raises in some replicates."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    x = rng.normal(size=cell["n"])
    if x[0] > 1.5:
        raise RuntimeError("no convergence of something")
    y = rng.uniform(size=x.size) < expit(-1.0 + cell["slope"] * x)
    return np.column_stack([np.ones(x.size), x]), y


@pytest.mark.parametrize("generate", [traced, host])
def test_a_generators_failures_are_counted_and_replayable(tmp_path, generate):
    made = Study(name="own", seed=4, replicates=60, generate=generate, names=["one", "x"],
                 methods=["ml:wald"], truth=lambda cell: [-1.0, cell["slope"]],
                 grid={"n": [30], "slope": [0.5]})  # fmt: skip
    assert made.cells[0].truth.tolist() == [-1.0, 0.5]
    assert made.cells[0].source.traceable == (generate is traced)
    data = drawn(made, 60)
    failed = np.flatnonzero(data.failed)
    assert 0 < len(failed) < 20
    result = made.run(tmp_path / "store", progress=False)
    rows = result.frame(term="x")
    bad = rows.status == Status.NONFINITE_INPUT
    np.testing.assert_array_equal(np.flatnonzero(bad), failed)
    assert rows.estimate[bad].isna().all() and rows.lower[bad].isna().all()
    good = int(np.flatnonzero(~data.failed)[5])
    np.testing.assert_allclose(rows.estimate[good], fit(data.X[good], data.y[good]).coef[1])
    table = result.summary().set_index("term").loc["x"]
    assert table.coverage_n == (rows.lower.notna()).sum()
    assert result.statuses().nonfinite_input.tolist() == [len(failed)] * 2
    if generate is traced:
        replay = made.replay("n=30, slope=0.5", int(failed[0]))
        assert set(replay.table.status) == {"nonfinite_input"}
    else:
        with pytest.raises(ValueError, match=r"generate raised RuntimeError .*: no convergence"):
            made.replay("n=30, slope=0.5", int(failed[0]))
    # a store has no functions: it can be read, and continued from the study
    stored = StudyResult.from_store(tmp_path / "store")
    assert stored.summary().equals(result.summary())
    with pytest.raises(ValueError, match=r"the function .* is not in the store"):
        stored.replay("n=30, slope=0.5", 0)
    made.run(tmp_path / "store", replicates=80, progress=False)
    grid = {"n": [30], "slope": [0.5]}
    other = Study(
        name="own",
        seed=4,
        replicates=60,
        generate=changed,
        names=["one", "x"],
        methods=["ml:wald"],
        truth=[-1.0, 0.5],
        grid=grid,
    )
    with pytest.raises(ValueError, match=r"holds another study: in cell n=30, slope=0\.5 designs"):
        other.run(tmp_path / "store", progress=False)


def changed(key, cell):
    return traced(key, cell | {"slope": 0.47})


def ignores(key, cell):
    rng = np.random.default_rng(3)
    return rng.normal(size=(20, 2)), rng.integers(0, 2, 20).astype(float)


def negative(key, cell):
    X, y = traced(key, {"n": 20, "slope": 0.0})
    return X, y, {"weights": jax.numpy.where(X[:, 1] > 2.5, -1.0, 1.0)}


def broken(key, cell):
    raise KeyError("n_rows")


def test_cells_with_one_address_are_refused():
    """Two levels whose 32-bit addresses agree, found by search."""
    with pytest.raises(ValueError, match="n=40203 and n=51883 would draw the same random numbers"):
        points({"n": [40203, 51883]})


def test_events_per_variable_count_trials():
    X = np.column_stack([np.ones(4), np.arange(4.0)])
    cell = Study(name="a", seed=1, replicates=1, X=X, names=["Intercept", "x"], truth={"x": 0.1},
                 trials=[10] * 4, event_rate=0.2, events_per_variable=10).cells[0]  # fmt: skip
    assert cell.n_rows == 10 / (0.2 * 10)


def test_rows_without_trials_or_weight_are_not_drawn():
    X = np.column_stack([np.ones(3), [0.0, 1.0, 2.0]])
    cell = Study(name="a", seed=1, replicates=1, X=X, truth=[0.0, 0.0], n=9, trials=[1, 0, 2],
                 weights=[1.0, 1.0, 0.0]).cells[0]  # fmt: skip
    np.testing.assert_array_equal(cell.X, X[:1])


ERRORS = {
    "distribution": ({"columns": {"x": "norml"}}, r"columns\.x\.distribution must be one of normal"
                     r".*found 'norml'; did you mean 'normal'"),
    "parameter": ({"columns": {"x": {"distribution": "normal", "sdd": 1}}},
                  r'unknown key "columns\.x\.sdd": a normal column has mean, sd; did you mean'),
    "sd": ({"columns": {"x": {"distribution": "normal", "sd": 0}}}, "x.sd must be above 0"),
    "df": ({"columns": {"x": "t"}}, r"columns\.x\.df is missing"),
    "shares": ({"columns": {"x": {"distribution": "categorical", "probabilities": [0.5, 0.4]}}},
               r"columns\.x\.probabilities must sum to 1: found 0\.9"),
    "product": ({"columns": {"x": {"product": ["y", "z"]}}}, "columns of numbers above"),
    "correlation": ({"correlation": [[1, 2], [2, 1]]}, r"correlation must be a number or a 2 x 2"),
    "not definite": ({"columns": {"a": "normal", "b": "normal", "c": "normal"}, "correlation": -0.9,
                      "truth": dict.fromkeys("abc", 0)}, r"positive definite: found a smallest"),
    "n": ({"n": None}, "columns need n, or events_per_variable and event_rate"),
    "n twice": ({"events_per_variable": 5}, "n must not be given beside events_per_variable"),
    "epv": ({"n": None, "events_per_variable": 5, "event_rate": None}, "needs event_rate"),
    "rate": ({"event_rate": 1.5}, r"event_rate must lie strictly between 0 and 1: found 1\.5"),
    "intercept": ({"truth": {**TRUTH, "Intercept": 0.0}}, "truth must not give the Inter"),
    "no intercept": ({"intercept": False}, r'event_rate needs a column "Intercept"'),
    "truth": ({"truth": {"age": 1.0}}, "truth must give every coefficient: sex, both m"),
    "goes with": ({"formula": "y ~ x"}, "formula goes with data, not with columns"),
    "redraw": ({"columns": None, "n": None, "event_rate": None, "groups": [5, 5], "redraw": True,
                "event_rates": [0.1, 0.2], "truth": None}, "redraw goes with data or X or columns"),
    "groups": ({"columns": None, "n": None, "groups": [5], "truth": {"group": 1}}, "must be two n"),
    "grid word": ({"grid": {"evnt_rate": [0.1]}}, r"evnt_rate must be a set.*'event_rate'"),
    "grid level": ({"grid": {"n": [None]}}, "grid.n must have finite numbers .*None"),
    "grid cell": ({"grid": {"n": [20, 0]}}, r"cell n=0: n must be an integer from 1"),
    "grid twice": ({"grid": {"n": [20, 20]}}, "grid must have each cell once: found n=20 twice"),
    "grid place": ({"grid": {"columns.age.sd.x": [1]}}, "age.sd.x must lie in a tab"),
    "levels": ({"level": [0.9, 0.9]}, r"level must be one or more numbers, each once"),
    "generate": ({"columns": None, "n": None, "event_rate": None, "generate": broken,
                  "truth": [0.0]}, "no data set in 10 replicates: KeyError: 'n_rows'"),
    "own key": ({"columns": None, "n": None, "event_rate": None, "generate": ignores,
                 "truth": [0.0, 0.0]}, "generate must draw from its key"),
    "negative": ({"columns": None, "n": None, "event_rate": None, "generate": negative,
                  "truth": [0.0, 0.0]}, r"weights of at least 0: found -1.0 in replicate \d+ at"),
    "reserved": ({"grid": {"level": [0.9]}}, "grid.level must have another name"),
    "infinite": ({"grid": {"n": [np.inf]}}, "grid.n must have finite numbers or texts"),
    "labels": ({"grid": {"n": [20, "20"]}}, "grid must have each cell once: found n=20 twice"),
    "whole": ({"grid": {"n": [20, 20.0]}}, "grid must have each cell once: found n=20 twice"),
    "flag": ({"redraw": 0}, "redraw must be true or false: found 0"),
    "list": ({"columns": {"x": {"distribution": ["normal"]}}}, "x.distribution must be one of"),
    "heavy": ({"columns": {"x": {"distribution": "lognormal", "sdlog": 500}},
               "truth": {"x": 1}}, "event_rate has no intercept where"),
    "product of levels": ({"columns": {"x": "normal", "c": COLUMNS["site"],
                                       "b": {"product": ["x", "c"]}}}, "columns of numbers above"),
    "no function": ({"columns": None, "n": None, "event_rate": None, "generate": 3,
                     "truth": [0.0]}, "generate must be a function of key and cell: found 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_setting_rule_and_value(case):
    changes, message = ERRORS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        study(**changes).cells  # noqa: B018


def test_a_grid_in_toml(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text("""
name = "rare"
seed = 1
replicates = 10
level = [0.9, 0.95]
[design]
events_per_variable = 4
event_rate = 0.1
[design.columns]
x = { distribution = "t", df = 4 }
group = "bernoulli"
[design.truth]
x = 0.5
group = 0
[grid]
event_rate = [0.05, 0.2]
"truth.group" = [0, 1]
""")
    made = Study.from_toml(path)
    assert [cell.n_rows for cell in made.cells] == [160, 160, 40, 40]
    assert made.levels == (0.9, 0.95)
    assert [cell.truth[2] for cell in made.cells] == [0.0, 1.0, 0.0, 1.0]
    path.write_text(path.read_text().replace("df = 4", "ddf = 4"))
    with pytest.raises(ValueError, match=r"columns\.x\.ddf.*did you mean 'df'"):
        Study.from_toml(path).cells  # noqa: B018
