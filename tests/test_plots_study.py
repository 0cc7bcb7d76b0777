"""Pictures of studies: the table's numbers in the right artists, and words that do not overlap."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from study_results import METHODS, ODD, grid, single

import jaxlogit as jl

matplotlib.use("Agg")
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from jaxlogit.plots import studied
from jaxlogit.plots.zips import distances

TERM = "Intercept"
FIRST = "event_rate=0.1, n=16"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return grid(tmp_path_factory.mktemp("grid") / "store")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return single(tmp_path_factory.mktemp("one") / "store")


def gid(ax, name):
    return [artist for artist in ax.get_children() if artist.get_gid() == name]


def words(ax):
    return [text.get_text() for text in gid(ax, "beside")]


def overlaps(ax):
    """Pairs of texts that cover each other, in the picture as it is saved."""
    ax.figure.draw_without_rendering()
    shown = [t for t in [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()] if t.get_text()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    # A pixel of two fonts' line spacing may be shared without a letter touching another.
    return [
        (a, b) for i, (a, one) in enumerate(boxes) for b, other in boxes[:i]
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 2
    ]  # fmt: skip


def inside(ax):
    """Nothing is cut off at the edge of the picture."""
    ax.figure.draw_without_rendering()
    page, box = ax.figure.bbox, ax.get_tightbbox()
    return box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1


def test_coverage_is_the_summary_s(result):
    ax = jl.plots.coverage(result, TERM)
    table = result.summary()
    table = table[table.term == TERM]
    defined = table[table.coverage_n > 0]
    np.testing.assert_allclose([m.get_xdata()[0] for m in gid(ax, "coverage")], defined.coverage)
    bars = np.array([bar.get_xdata() for bar in gid(ax, "bar")])
    expected = defined[["coverage_wilson_low", "coverage_wilson_high"]]
    np.testing.assert_allclose(bars, expected)
    lost = table[table.coverage_n < table.n_replicates]
    bounds = np.array([line.get_xdata() for line in gid(ax, "bounds")])
    expected = lost[["coverage_undefined_miss", "coverage_undefined_cover"]]
    np.testing.assert_allclose(bounds, expected)
    assert len(lost) > 2


def test_exact_coverages_lie_over_the_simulated_ones(result):
    exact = result.summary()[["cell", "method", "term", "coverage"]].assign(coverage=0.931)
    ax = jl.plots.coverage(result, TERM, methods="ml:lr", exact=exact)
    assert [tick.get_xdata()[0] for tick in gid(ax, "exact")] == [0.931] * 6
    assert "exact" in ax.get_xlabel()
    with pytest.raises(ValueError, match=r"exact must have the columns .*coverage missing"):
        jl.plots.coverage(result, exact=exact.drop(columns="coverage"))
    with pytest.raises(TypeError, match="exact must be a data frame: found int"):
        jl.plots.coverage(result, exact=3)


def test_misses_point_to_both_sides(result):
    ax = jl.plots.misses(result, TERM, cells=FIRST)
    table = result.summary().query("term == @TERM and cell == @FIRST")
    widths = np.array([bar.get_width() for bar in gid(ax, "miss")]).reshape(-1, 2)
    np.testing.assert_allclose(widths, 100 * table[["missed_low", "missed_high"]] * [-1, 1])


def test_statuses_are_shares_of_all_intervals(result):
    ax = jl.plots.statuses(result, cells=FIRST)
    counts = result.statuses().query("cell == @FIRST").groupby("method", sort=False).sum()
    for name in ("converged", "infinite", "separated_quasi"):
        expected = 100 * counts[name] / counts.n_replicates
        found = [bar.get_width() for bar in gid(ax, name)]
        np.testing.assert_allclose(found, expected[expected > 0])
    for i, method in enumerate(METHODS):
        bars = [bar for bar in ax.patches if bar.get_gid()
                and round(bar.get_y() + bar.get_height() / 2) == i]  # fmt: skip
        assert sum(bar.get_width() for bar in bars) == pytest.approx(100), method


def test_estimates_count_what_has_no_place(result):
    ax = jl.plots.estimates(result, ODD, cells=FIRST)
    drawn = result.frame("ml:wald", ODD).query("cell == @FIRST").estimate
    ml, firth = words(ax)
    assert f"{100 * np.mean(drawn == np.inf):.1f} % ∞" in ml
    assert f"{100 * np.mean(drawn == -np.inf):.1f} % −∞" in ml
    assert "∞" not in firth
    mean = gid(ax, "mean")[0].get_xdata()[0]
    assert mean == pytest.approx(drawn[np.isfinite(drawn)].mean())
    assert gid(ax, "truth")[0].get_xdata()[0] == 0.8


# -- zip --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_zip_has_the_misses_on_top(result, method):
    ax = jl.plots.zip_plot(result, method, ODD, FIRST)
    row = result.summary().query("cell == @FIRST and term == @ODD and method == @method").iloc[0]
    heights = {
        name: [path.vertices[0, 1] for path in collection.get_paths()]
        for name in ("covers", "misses") for collection in gid(ax, name)
    }  # fmt: skip
    assert len(heights["covers"]) + len(heights["misses"]) == row.coverage_n
    assert max(heights["covers"]) < 100 * row.coverage < min(heights["misses"], default=101)
    assert [line.get_ydata()[0] for line in gid(ax, "wilson")] == pytest.approx(
        [100 * row.coverage_wilson_low, 100 * row.coverage_wilson_high]
    )
    assert ("undefined" in ax.get_title("left")) == (row.coverage_n < row.n_replicates)


def test_zip_of_wald_intervals_ranks_by_the_usual_z():
    draw = np.random.default_rng(3)
    estimate, error = draw.normal(0.4, 1, 50), draw.uniform(0.5, 2, 50)
    ratio, _ = distances(estimate, estimate - 1.96 * error, estimate + 1.96 * error, 0.3)
    np.testing.assert_allclose(ratio, np.minimum(np.abs(estimate - 0.3) / error / 1.96, ratio))
    assert np.array_equal(np.argsort(ratio), np.argsort(np.abs(estimate - 0.3) / error))


def test_zip_ranks_infinite_estimates_by_their_finite_end():
    inf = np.inf
    estimate = np.array([inf, inf, inf, -inf, 0.0, 2.0])
    lower = np.array([-1.0, 0.5, 2.0, -inf, -inf, 2.5])
    upper = np.array([inf, inf, inf, 0.0, inf, 4.0])
    ratio, beyond = distances(estimate, lower, upper, 1.0)
    assert ratio.tolist() == [1, 1, 1, 1, 0, 2]  # the last estimate is outside its interval
    assert np.lexsort((beyond, ratio)).tolist() == [4, 0, 1, 2, 3, 5]
    assert (beyond <= 0).tolist() == [True, True, False, False, True, False]


def test_zip_needs_a_method_that_is_defined(result):
    with pytest.raises(ValueError, match=r"top must lie in \(0, 1\]: found 0"):
        jl.plots.zip_plot(result, "ml:lr", TERM, FIRST, top=0)
    with pytest.raises(ValueError, match=r"method must name one of ml:wald, ml:lr, .*: found none"):
        jl.plots.zip_plot(result, None, TERM, FIRST)


# -- nested loop ------------------------------------------------------------------------------


def test_nested_loop_follows_the_factors(result):
    ax = jl.plots.nested_loop(result, TERM, factors=["event_rate", "n"])
    table = result.summary().query("term == @TERM and method == 'ml:lr'").set_index("cell")
    order = [f"event_rate={rate}, n={n}" for rate in (0.1, 0.4) for n in (16, 30, 60)]
    (line,) = gid(ax, "ml:lr")
    np.testing.assert_allclose(line.get_ydata()[:-1], table.coverage[order])
    (steps,) = gid(ax, "factor n")
    assert np.array_equal(np.argsort(steps.get_ydata()[:3]), [0, 1, 2])
    assert sorted(words(ax)) == sorted(METHODS)


def test_nested_loop_draws_an_estimator_once(result):
    ax = jl.plots.nested_loop(result, TERM, "bias")
    assert sorted(words(ax)) == ["firth", "ml"]


def test_nested_loop_needs_factors(one, result):
    with pytest.raises(ValueError, match="cells come from factors: found none"):
        jl.plots.nested_loop(one)
    with pytest.raises(ValueError, match="factors must be n, event_rate in some order: found n"):
        jl.plots.nested_loop(result, TERM, factors="n")
    with pytest.raises(ValueError, match="measure must be"):
        jl.plots.nested_loop(result, TERM, "covrage")


# -- all --------------------------------------------------------------------------------------

PICTURES = {
    "coverage": lambda r, **on: jl.plots.coverage(r, **on),
    "misses": lambda r, **on: jl.plots.misses(r, **on),
    "statuses": lambda r, **on: jl.plots.statuses(r, **on),
    "estimates": lambda r, **on: jl.plots.estimates(r, TERM, **on),
    "zip": lambda r, **on: jl.plots.zip_plot(r, "ml:wald", TERM, r.record.cells[0].label, **on),
    "loop": lambda r, **on: jl.plots.nested_loop(r, TERM, **on),
}


@pytest.mark.parametrize("size", ["one", "result"])
@pytest.mark.parametrize("name", PICTURES)
def test_words_do_not_overlap(name, size, request, tmp_path):
    if (name, size) == ("loop", "one"):
        pytest.skip("a study of one cell has no nested loops")
    ax = PICTURES[name](request.getfixturevalue(size))
    assert overlaps(ax) == []
    assert inside(ax)
    ax.figure.savefig(tmp_path / "picture.png")  # without a warning, which would be an error


@pytest.mark.parametrize("name", PICTURES)
def test_axes_given_are_drawn_on(name, result):
    ax = Figure(figsize=(6, 9), layout="constrained").add_subplot()
    assert PICTURES[name](result, ax=ax) is ax
    with pytest.raises(TypeError, match="ax must be matplotlib Axes: found str"):
        PICTURES[name](result, ax="no")
    with pytest.raises(TypeError, match="result must be a StudyResult: found DataFrame"):
        PICTURES["coverage"](pd.DataFrame())


def test_unknown_names_are_named(result):
    with pytest.raises(ValueError, match=r"methods must be among .*: found 'ml:wold'.*'ml:wald'"):
        jl.plots.coverage(result, methods="ml:wold")
    with pytest.raises(ValueError, match=r"level must be among 0\.95: found 0\.9"):
        jl.plots.misses(result, level=0.9)
    with pytest.raises(ValueError, match="terms must name at least one: found none"):
        jl.plots.statuses(result, terms=[])


def test_methods_are_told_apart_without_colour():
    looks = {studied.look_of(f"{e}:{k}") for e in ("ml", "firth") for k in ("wald", "lr", "score")}
    assert len({(look.marker, fill == "white") for look, fill in looks}) == 6
    resampled = ("normal", "basic", "percentile", "studentized", "bca")
    kinds = [studied.look_of(f"bootstrap:{kind}")[0] for kind in resampled]
    assert len({look.marker for look in kinds}) == 5
    for look in kinds:  # words on paper: contrast 3 to 1 at least
        assert 1.05 / (np.dot([0.2126, 0.7152, 0.0722], np.array(to_rgb(look.color)) ** 2.2)
                       + 0.05) > 3  # fmt: skip
