"""Pictures: the right numbers in the right artists, also without finite estimates."""

import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from scipy.stats import chi2, norm

import jaxlogit as jl

matplotlib.use("Agg")
from matplotlib.figure import Figure

from jaxlogit.plots import paper, subject
from jaxlogit.plots.pairs import boundary_line

DRAWN = 1e-9
"""Relative: the same numbers on both sides, one search apart."""
CUT = chi2.ppf(0.95, 1) / 2
Z = norm.ppf(0.975)
N = 18


@pytest.fixture(scope="module")
def batch():
    """Doses as rows of subjects: a finite model, quasi-, completely separated, rank deficient."""
    dose = np.repeat(np.arange(6.0), 3)
    group = np.tile([0.0, 1.0, 0.0], 6)
    y = np.array([0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1.0])
    quasi = np.where(group == 1, 1.0, y)
    weights = np.ones((5, N))
    weights[4, 2:] = 0
    responses = np.array([y, quasi, dose > 2.5, np.ones(N), y])
    X = np.column_stack([np.ones(N), dose, group])
    return jl.fit(X, responses, weights=weights, names=["const", "dose", "group"])


@pytest.fixture(scope="module", params=range(4), ids=["finite", "quasi", "complete", "flat"])
def fit(batch, request):
    return batch[request.param]


@pytest.fixture(scope="module")
def one(batch):
    return batch[0]


@pytest.fixture(scope="module")
def quasi(batch):
    return batch[1]


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, gid):
    return [found for found in ax.lines if found.get_gid() == gid]


def arrows(ax):
    return [text for text in ax.texts if text.get_gid() == "infinite"]


def saves(ax, path):
    """Draws without a warning, which would be an error."""
    ax.figure.savefig(path / "picture.png")
    assert (path / "picture.png").stat().st_size > 1000


def test_statuses(batch):
    assert [jl.Status(int(code)).name for code in batch.status] == [
        "CONVERGED", "SEPARATED_QUASI", "SEPARATED_COMPLETE", "SEPARATED_COMPLETE",
        "RANK_DEFICIENT",
    ]  # fmt: skip


# -- three tests ------------------------------------------------------------------------------


def test_three_tests_on_one_curve(one, tmp_path):
    ax = jl.plots.three_tests(one, "dose", null=0.1)
    curve, _, drop, distance, *_, tangent, null = ax.lines
    at = one.profile("dose", curve.get_xdata())
    np.testing.assert_allclose(curve.get_ydata(), at.loglik - one.loglik, atol=DRAWN)
    tests = {m: one.test(m, null=0.1, contrasts="dose") for m in ("lr", "wald", "score")}
    low, high = drop.get_ydata()
    np.testing.assert_allclose(2 * (high - low), tests["lr"].statistic[0], rtol=DRAWN)
    ends = distance.get_xdata()
    wald = ((ends[1] - ends[0]) / one.std_error[1]) ** 2
    np.testing.assert_allclose(wald, tests["wald"].statistic[0], rtol=DRAWN)
    rise = np.diff(tangent.get_ydata()) / np.diff(tangent.get_xdata())
    # S = slope² times the variance of the estimate at the restricted maximum.
    coef = one.profile("dose", [0.1]).coef[0]
    X = one._models.design
    mu = 1 / (1 + np.exp(-X @ coef))
    variance = np.linalg.inv(X.T @ ((mu * (1 - mu))[:, None] * X))[1, 1]
    np.testing.assert_allclose(rise**2 * variance, tests["score"].statistic[0], rtol=1e-5)
    assert null.get_xdata()[0] == 0.1
    for text, method in zip(words(ax), ("lr", "wald", "score"), strict=True):
        assert paper.number(tests[method].statistic[0]) in text
        assert paper.p_words(tests[method].p_value[0]) in text
    saves(ax, tmp_path)


@pytest.mark.parametrize("null", [0.0, -3.0, 6.0])
@pytest.mark.slow
def test_three_tests_show_null_and_curve(fit, null, tmp_path):
    ax = jl.plots.three_tests(fit, "dose", null)
    left, right = ax.get_xlim()
    assert left < null < right
    assert not np.isfinite(fit.coef[1]) or left < fit.coef[1] < right
    assert ("undefined" in words(ax)[1]) == (not np.isfinite(fit.coef[1]))
    assert np.all(np.isfinite(ax.lines[0].get_ydata()))
    saves(ax, tmp_path)


# -- curves -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_profile_is_the_fit_s(fit, tmp_path):
    ax = jl.plots.profile(fit, "dose")
    found, ends = fit.profile("dose"), fit.confint()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), found.value)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found.loglik - fit.loglik, atol=1e-12)
    assert ax.lines[1].get_ydata()[0] == pytest.approx(-CUT)
    drawn = [end.get_xdata()[0] for end in line(ax, "end")]
    both = np.array([ends.lower[1], ends.upper[1]])
    np.testing.assert_allclose(drawn, both[np.isfinite(both)])
    assert len(arrows(ax)) == np.sum(np.isinf(both))
    assert ax.get_xlabel() == "dose (log odds)"
    saves(ax, tmp_path)


def test_signed_root_is_the_fit_s(fit, tmp_path):
    ax = jl.plots.signed_root(fit, "dose", level=0.9)
    found, ends = fit.profile("dose"), fit.confint(0.9)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.signed_root)
    heights = [end.get_ydata()[0] for end in line(ax, "end")]
    expected = np.array([-1, 1]) * norm.ppf(0.95)
    np.testing.assert_allclose(heights, expected[np.isfinite([ends.lower[1], ends.upper[1]])])
    saves(ax, tmp_path)


def test_wald_beside_the_profile(one):
    wald = one.confint(method="wald")
    pair = [wald.lower[1], wald.upper[1]]
    for draw, heights in ((jl.plots.profile, [-CUT, -CUT]), (jl.plots.signed_root, [-Z, Z])):
        lines = draw(one, "dose").lines
        (marks,) = [found for found in lines if found.get_marker() == "s"]
        np.testing.assert_allclose(marks.get_xdata(), pair, rtol=DRAWN)
        np.testing.assert_allclose(marks.get_ydata(), heights, rtol=DRAWN)
        curve = next(found for found in lines if found.get_label().startswith("Wald"))
        at = np.interp(pair, curve.get_xdata(), curve.get_ydata())
        np.testing.assert_allclose(at, heights, rtol=5e-3)  # straight lines between 81 points


def test_wide_levels_have_curves_as_wide(one):
    ax = jl.plots.profile(one, "dose", level=0.99999)
    ends = one.confint(0.99999)
    left, right = ax.get_xlim()
    assert left < ends.lower[1] < ends.upper[1] < right
    assert ax.lines[0].get_xdata()[0] == pytest.approx(ends.lower[1], rel=1e-12)


def test_points_that_were_not_found_are_left_out(one):
    profile = one.profile("dose")
    loglik = profile.loglik.copy()
    loglik[:2] = np.nan
    part = subject.known(replace(profile, loglik=loglik))
    np.testing.assert_array_equal(part.value, profile.value[2:])
    with pytest.raises(ValueError, match="term must have a profile to draw"):
        subject.known(replace(profile, loglik=np.full(41, np.nan)))


# -- forests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("odds_ratio", [False, True])
def test_forest_draws_every_interval(fit, odds_ratio, tmp_path):
    ax = jl.plots.forest(fit, odds_ratio=odds_ratio)
    scale = np.exp if odds_ratio else np.asarray
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(fit.names)
    assert ax.get_xscale() == ("log" if odds_ratio else "linear")
    for method in ("wald", "lr", "score"):
        ends = fit.confint(method=method)
        drawn = [found.get_xdata() for found in line(ax, paper.LOOKS[method].name)]
        found = ~np.isnan(ends.lower) | ~np.isnan(ends.upper)
        assert len(drawn) == np.sum(found)
        pairs = zip(scale(ends.lower)[found], scale(ends.upper)[found], strict=True)
        for (left, right), (lower, upper) in zip(drawn, pairs, strict=True):
            if np.isfinite(lower) and lower > (0 if odds_ratio else -np.inf):
                np.testing.assert_allclose(left, lower)
            if np.isfinite(upper):
                np.testing.assert_allclose(right, upper)
    infinite = sum(
        np.sum(np.isinf(ends.lower)) + np.sum(np.isinf(ends.upper))
        for ends in (fit.confint(), fit.confint(method="score"))
    )
    assert len(arrows(ax)) == infinite
    undefined = [text for text in ax.texts if "undefined" in text.get_text()]
    assert len(undefined) >= (0 if fit.status == 0 else 3)
    saves(ax, tmp_path)


def test_forest_says_why(batch, quasi):
    texts = [text.get_text() for text in jl.plots.forest(quasi, methods=["wald"]).texts]
    assert "Wald: undefined, the estimate is ∞" in texts
    assert "Wald: undefined, other coefficients are infinite" in texts
    texts = [text.get_text() for text in jl.plots.forest(batch[4], methods="lr").texts]
    assert texts == ["likelihood ratio: undefined, rank deficient"] * 3


def test_forest_of_some_contrasts(one):
    ax = jl.plots.forest(one, terms=[[0, 1, 1], [0, 1, 0]], methods=["lr"])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["contrast 0", "dose"]
    sum_ = one.confint(contrasts=[[0, 1, 1]])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [sum_.lower[0], sum_.upper[0]])


# -- pairs ------------------------------------------------------------------------------------


def test_pairs(fit, tmp_path):
    grid = jl.plots.pairs(fit, ["dose", "group"])
    assert grid.shape == (2, 2) and grid[0, 1] is None
    region = fit.region(["dose", "group"], points=96)
    drawn = line(grid[1, 0], "region")
    assert len(drawn) == (fit.status != 4 or np.any(np.isfinite(region.value)))
    if fit.status == 0:
        np.testing.assert_allclose(drawn[0].get_xydata()[:-1], region.value)
        np.testing.assert_allclose(line(grid[1, 0], "wald")[0].get_xydata()[:-1], region.wald)
    else:
        assert not line(grid[1, 0], "wald")
    np.testing.assert_array_equal(grid[0, 0].get_xlim(), grid[1, 0].get_xlim())
    assert (grid[1, 0].get_xlabel(), grid[1, 0].get_ylabel()) == ("dose", "group")
    saves(grid[1, 0], tmp_path)


def test_open_boundaries_leave_their_panels(quasi):
    region = quasi.region(["dose", "group"], points=48)
    drawn = boundary_line(region, 100.0)
    found = np.isfinite(region.value[:, 0])
    assert len(drawn) == np.sum(found) + 2
    assert np.all(drawn[[0, -1], 1] > 20)  # the group's coefficient is infinite
    # Counterclockwise and convex: every turn is to the left.
    steps = np.diff(drawn, axis=0)
    turns = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    assert np.all(turns > -1e-9)


# -- Axes and bad input -----------------------------------------------------------------------

DRAW = {
    "three_tests": lambda fit, **given: jl.plots.three_tests(fit, "dose", **given),
    "profile": lambda fit, **given: jl.plots.profile(fit, "dose", **given),
    "signed_root": lambda fit, **given: jl.plots.signed_root(fit, "dose", **given),
    "forest": lambda fit, **given: jl.plots.forest(fit, **given),
}


@pytest.mark.parametrize("name", DRAW)
def test_axes_given_are_drawn_on(one, name):
    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    assert DRAW[name](one, ax=ax) is ax
    assert ax.lines
    assert dict(matplotlib.rcParams) == before
    assert DRAW[name](one) is not ax


@pytest.mark.parametrize("name", DRAW)
def test_refused_fits_and_axes(batch, one, name):
    with pytest.raises(ValueError, match=r"fit must be of one model: found 5; take one"):
        DRAW[name](batch)
    with pytest.raises(TypeError, match="fit must be a Fit of one model: found str"):
        DRAW[name]("fit")
    with pytest.raises(TypeError, match="ax must be matplotlib Axes: found Figure"):
        DRAW[name](one, ax=Figure())


def test_a_batch_of_one_will_do(batch):
    assert jl.plots.profile(batch[:1], "dose").lines


def test_refusals(batch, one):
    plots = jl.plots
    with pytest.raises(ValueError, match="did you mean 'dose'"):
        plots.profile(one, "doze")
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
        plots.signed_root(one, "dose", level=95)
    with pytest.raises(ValueError, match="null must be finite"):
        plots.three_tests(one, "dose", np.inf)
    with pytest.raises(ValueError, match="'likelihood'"):
        plots.forest(one, methods=["likelihood"])
    with pytest.raises(ValueError, match="null must have a restricted maximum: found status"):
        plots.three_tests(one, "dose", 1e6)
    with pytest.raises(ValueError, match="methods must name at least one method"):
        plots.forest(one, methods=[])
    with pytest.raises(ValueError, match="terms must be two or more: found 1"):
        plots.pairs(one, ["dose"])
    with pytest.raises(TypeError, match="fig must be a matplotlib Figure: found Axes"):
        plots.pairs(one, fig=Figure().add_subplot())
    with pytest.raises(ValueError, match="found status RANK_DEFICIENT"):
        plots.profile(batch[4], "dose")
    with pytest.raises(ValueError, match="found status RANK_DEFICIENT"):
        plots.pairs(batch[4])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"), (1.7, "1.70"), (-0.0795, "−0.0795"), (123.4, "123"), (27696.6, "27697"),
        (np.inf, "∞"), (-np.inf, "−∞"), (np.nan, "none"), (2.5e-7, "2.50·10$^{-7}$"),
    ],
)  # fmt: skip
def test_numbers(value, text):
    assert paper.number(value) == text.replace("{-", "{−")


def test_without_matplotlib_the_extra_is_named():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import jaxlogit as jl\n"
        "try: jl.plots\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "plots need matplotlib: install jaxlogit-inference[plots]" in done.stdout


def test_plots_are_imported_when_asked_for():
    code = "import sys, jaxlogit; assert 'matplotlib' not in sys.modules; jaxlogit.plots.forest"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- penalised and robust fits ----------------------------------------------------------------

PROFILES = {name: DRAW[name] for name in ("profile", "signed_root")}


@pytest.fixture(scope="module")
def small():
    x = np.arange(8.0)
    return np.column_stack([np.ones(8), x]), np.array([0, 0, 1, 0, 1, 0, 1, 1.0])


@pytest.mark.parametrize("penalty", ["flac", "flic"])
def test_corrected_fits(small, penalty):
    fit = jl.fit(*small, names=["const", "dose"], penalty=penalty)
    ends, wald = fit.confint(method="lr", contrasts="dose"), fit.confint(method="wald")
    drawn = [end.get_xdata()[0] for end in line(jl.plots.profile(fit, "dose"), "end")]
    np.testing.assert_allclose(drawn, [ends.lower[0], ends.upper[0]], rtol=DRAWN)
    drawn = line(jl.plots.forest(fit, methods="wald"), "Wald")
    np.testing.assert_allclose(drawn[1].get_xdata(), [wald.lower[1], wald.upper[1]])


def test_robust_fits(small):
    plain = jl.fit(*small, names=["const", "dose"])
    fit = plain.robust("HC3")
    ends, wald = plain.confint(contrasts="dose"), fit.confint()
    for draw in PROFILES.values():
        ax = draw(fit)
        drawn = [end.get_xdata()[0] for end in line(ax, "end")]
        np.testing.assert_allclose(drawn, [ends.lower[0], ends.upper[0]], rtol=DRAWN)
        (marks,) = [found for found in ax.lines if found.get_marker() == "s"]
        np.testing.assert_allclose(marks.get_xdata(), [wald.lower[1], wald.upper[1]])
        assert words(ax)[1].startswith("Wald (HC3): ")
    ellipse = line(jl.plots.pairs(fit)[1, 0], "wald")[0].get_xydata() - fit.coef
    square = np.einsum("ki,ij,kj->k", ellipse, np.linalg.inv(fit.covariance), ellipse)
    np.testing.assert_allclose(square, chi2.ppf(0.95, 2), rtol=1e-9)
    with pytest.raises(ValueError, match="fit must not be robust"):
        jl.plots.three_tests(fit, "dose")
