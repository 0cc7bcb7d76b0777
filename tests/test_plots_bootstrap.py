"""Pictures of a bootstrap: every replicate has its place, or is counted where it would be."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from scipy.stats import norm

import jaxlogit as jl

matplotlib.use("Agg")
from matplotlib.figure import Figure

from jaxlogit.plots import paper

N, R = 24, 800
DOSE = np.repeat(np.arange(6.0), 4)
X = np.column_stack([np.ones(N), DOSE])
MIXED = np.tile([0.0, 1.0, 1.0, 0.0, 0.0, 1.0], 4)
NEARLY = (DOSE > 2.5).astype(float)
NEARLY[[8, 9, 14, 15]] = [1, 1, 0, 0]  # without both of a pair the rest is separated
DRAW = {"bootstrap": jl.plots.bootstrap, "quantiles": jl.plots.quantiles,
        "jackknife_after": jl.plots.jackknife_after}  # fmt: skip


@pytest.fixture(scope="module")
def many():
    responses = np.array([MIXED, NEARLY, DOSE > 2.5])
    return jl.bootstrap(X, responses, replicates=R, names=["const", "dose"])


def one(many, b):
    part = slice(b, b + 1)
    return replace(many, _fit=many.fit[b], _coef=many._coef[part], _status=many._status[part])


@pytest.fixture(scope="module")
def finite(many):
    return one(many, 0)


@pytest.fixture(scope="module")
def nearly(many):
    found = one(many, 1)
    assert 0.05 < np.mean(np.isinf(found.coef[:, 1])) < 0.5 and found.fit.status == 0
    return found


@pytest.fixture(scope="module")
def separated(many):
    return one(many, 2)


def lines(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def texts(ax, gid):
    return [text.get_text() for text in ax.texts if text.get_gid() == gid]


def saves(ax, path):
    ax.figure.savefig(path / "picture.png")
    assert (path / "picture.png").stat().st_size > 1000


# -- histogram and intervals ------------------------------------------------------------------


def test_histogram_holds_every_replicate(finite, tmp_path):
    ax = jl.plots.bootstrap(finite, "dose", level=0.9)
    t = finite.coef[:, 1]
    bars = ax.patches
    assert bars[0].get_x() == pytest.approx(t.min())
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(t.max())
    counts, _ = np.histogram(t, len(bars))
    np.testing.assert_allclose([bar.get_height() for bar in bars], counts / counts.max())
    (estimate,) = lines(ax, "estimate")
    assert estimate.get_xdata()[0] == finite.fit.coef[1]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["normal", "basic", "percentile", "BCa"]
    for kind in ("normal", "basic", "percentile", "bca"):
        ends = finite.confint(0.9, kind)
        (bar,) = lines(ax, kind)
        np.testing.assert_allclose(bar.get_xdata(), [ends.lower[1], ends.upper[1]])
    words = [text.get_text() for text in ax.texts]
    assert paper.interval_words(ends.lower[1], ends.upper[1]) in words
    assert ax.get_xlabel() == "dose (log odds), 800 replicates, 90 % intervals"
    assert texts(ax, "share") == [] and texts(ax, "infinite") == []
    saves(ax, tmp_path)


def test_infinite_replicates_are_counted_on_their_side(nearly, tmp_path):
    ax = jl.plots.bootstrap(nearly, "dose", kinds=["normal", "basic", "percentile"])
    t = nearly.coef[:, 1]
    share = f"{100 * float(f'{np.mean(t == np.inf):.4g}'):.10g} % ∞"
    (right,) = [text for text in ax.texts if text.get_text().startswith(share)]
    assert right.get_position()[0] == 1.0
    assert "undefined without finite moments" in [text.get_text() for text in ax.texts]
    ends = nearly.confint(kind="percentile")
    (bar,) = lines(ax, "percentile")
    assert bar.get_xdata()[0] == ends.lower[1] and np.isinf(ends.upper[1])
    assert bar.get_xdata()[1] == ax.get_xlim()[1]
    assert len(texts(ax, "infinite")) >= 1
    saves(ax, tmp_path)


def test_data_without_a_finite_estimate(separated, tmp_path):
    ax = jl.plots.bootstrap(separated, "dose")
    words = [text.get_text() for text in ax.texts]
    assert "estimate ∞" in words and not lines(ax, "estimate") and not ax.patches
    assert words.count("undefined without a finite estimate") == 2
    assert list(ax.get_xticks()) == []
    saves(ax, tmp_path)


def test_far_replicates_are_counted(finite):
    coef = finite._coef.copy()
    coef[0, :4, 1] = 1e4
    ax = jl.plots.bootstrap(replace(finite, _coef=coef), "dose", kinds="percentile")
    assert texts(ax, "share") == ["0.5 % beyond"]
    assert ax.get_xlim()[1] < 100


def test_replicates_without_a_value_are_counted(finite, tmp_path):
    coef = finite._coef.copy()
    coef[0, :8, 1] = np.nan
    lost = replace(finite, _coef=coef)
    for draw in (jl.plots.bootstrap, jl.plots.quantiles):
        ax = draw(lost, "dose")
        assert texts(ax, "share") == ["replicates: 1 % without a value"]
        saves(ax, tmp_path)


def test_kinds_of_the_scheme():
    boot = jl.bootstrap(X, MIXED, replicates=200, scheme="score")
    labels = jl.plots.bootstrap(boot, 1).get_yticklabels()
    assert [label.get_text() for label in labels] == ["normal", "basic", "percentile"]


# -- quantiles --------------------------------------------------------------------------------


def test_quantiles_keep_their_rank(finite, nearly, tmp_path):
    for boot in (finite, nearly):
        ax = jl.plots.quantiles(boot, "dose")
        (points,) = lines(ax, "replicates")
        t = boot.coef[:, 1]
        z, value = points.get_data()
        at = ranks(t)
        for place, drawn in zip(z[:: len(z) // 20], value[:: len(z) // 20], strict=True):
            assert drawn == at[np.argmin(np.abs(at[:, 0] - place)), 1]
        assert value[0] == t.min() and value[-1] == t[np.isfinite(t)].max()
        saves(ax, tmp_path)


def ranks(t):
    return np.column_stack([norm.ppf(np.arange(1, len(t) + 1) / (len(t) + 1)), np.sort(t)])


def test_lines_of_quantiles(finite, nearly):
    t = finite.coef[:, 1]
    line = jl.plots.quantiles(finite, "dose").lines[1]
    slope = np.diff(line.get_ydata()) / np.diff(line.get_xdata())
    assert slope == pytest.approx(np.std(t, ddof=1))
    assert np.mean(line.get_ydata()) == pytest.approx(np.mean(t))
    coef = finite._coef.copy()
    coef[0, :5, 1] = np.inf
    few = replace(finite, _coef=coef)
    ax = jl.plots.quantiles(few, "dose")
    assert ax.get_legend().get_texts()[0].get_text().startswith("quartiles")
    x, y = ax.lines[1].get_data()
    quartiles = np.interp(norm.ppf([0.25, 0.75]), x, y)
    np.testing.assert_allclose(quartiles, np.quantile(few.coef[:, 1], [0.25, 0.75]), atol=0.02)
    assert texts(ax, "share") == ["replicates: 0.625 % ∞"]
    assert jl.plots.quantiles(nearly, "dose").get_legend() is None  # a quartile is infinite


# -- without each unit ------------------------------------------------------------------------


def test_quantiles_without_each_unit(finite, tmp_path):
    ax = jl.plots.jackknife_after(finite, "dose")
    found = finite.jackknife_after(0.9, contrasts="dose")
    influence = found.influence[:, 0]
    order = np.argsort(influence, kind="stable")
    drawn = lines(ax, "quantile")
    assert len(drawn) == 7
    np.testing.assert_allclose(drawn[0].get_xdata(), (influence / np.std(influence, ddof=1))[order])
    expected = found.quantiles_without[order, 0, 0] - found.estimate_without[order, 0]
    np.testing.assert_allclose(drawn[0].get_ydata(), expected)
    assert texts(ax, "unit")[1] == ", ".join(str(i) for i in order[-3:])
    assert {text.get_text() for text in ax.texts} >= {"5 %", "50 %", "95 %"}
    saves(ax, tmp_path)


def test_without_finite_quantiles(nearly, separated, tmp_path):
    ax = jl.plots.jackknife_after(nearly, "dose")
    assert np.any(np.isnan(lines(ax, "quantile")[-1].get_ydata()))
    saves(ax, tmp_path)
    with pytest.raises(ValueError, match="term must have finite quantiles to draw: found none"):
        jl.plots.jackknife_after(separated, "dose")
    with pytest.raises(ValueError, match="two finite replicates or more to draw: found 0 of 800"):
        jl.plots.quantiles(separated, "dose")


# -- Axes and bad input -----------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAW)
def test_axes_given_are_drawn_on(finite, name):
    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    assert DRAW[name](finite, [1, 2], ax=ax) is ax
    assert ax.lines and dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", DRAW)
def test_refusals(many, finite, name):
    draw = DRAW[name]
    with pytest.raises(ValueError, match="boot must be of one data set: found 3"):
        draw(many, "dose")
    with pytest.raises(TypeError, match="boot must be a Bootstrap: found Fit"):
        draw(finite.fit, "dose")
    with pytest.raises(TypeError, match="ax must be matplotlib Axes: found Figure"):
        draw(finite, "dose", ax=Figure())
    with pytest.raises(ValueError, match="did you mean 'dose'"):
        draw(finite, "doze")
    other = replace(finite, _scheme=replace(finite._scheme, name="jackknife"))
    with pytest.raises(ValueError, match="found scheme 'jackknife'"):
        draw(other, "dose")


def test_refused_kinds_and_levels(finite):
    with pytest.raises(ValueError, match="kinds must be one of"):
        jl.plots.bootstrap(finite, "dose", kinds=["bcb"])
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
        jl.plots.bootstrap(finite, "dose", level=95)
