"""Exports of a study's table: every figure where its labels say, names escaped."""

import sys

import numpy as np
import polars
import pytest
import study_results
from study_results import ODD, grid, single

from jaxlogit.cli import main
from jaxlogit.report import study_text
from jaxlogit.report.words import latex, markdown


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return grid(tmp_path_factory.mktemp("grid") / "store")


def test_xarray_holds_the_summary(result):
    found = result.to_xarray()
    assert dict(found.sizes) == {"cell": 6, "method": 3, "term": 2}
    for row in result.summary().to_dict("records"):
        here = found.sel({name: row[name] for name in ("cell", "method", "term")})
        for name in ("coverage", "bias_mcse", "width_infinite", "n_replicates", "truth"):
            np.testing.assert_equal(float(here[name]), row[name])
    assert found.n.sel(cell="event_rate=0.4, n=30") == 30
    assert found.event_rate.dims == ("cell",)
    assert found.attrs["level"] == 0.95 and found.attrs["seed"] == 7


def test_long_frames_agree_with_the_summary(result):
    table, summary = result.to_frame(), result.summary()
    place = ["cell", "method", "term"]
    for measure in ("coverage", "bias", "model_se"):
        rows = table[table.measure == measure].set_index(place)
        wide = summary.set_index(place)
        np.testing.assert_array_equal(rows.value, wide[measure])
        np.testing.assert_array_equal(rows.mcse, wide[f"{measure}_mcse"])
        np.testing.assert_array_equal(rows.n_defined, wide[f"{measure}_n"])
    assert list(table.columns[:6]) == ["cell", "n", "event_rate", "method", "level", "term"]
    assert "coverage_mcse" not in set(table.measure)


def test_polars_is_the_same_table(result):
    table, found = result.to_frame(), result.to_polars()
    assert isinstance(found, polars.DataFrame)
    assert found.columns == list(table.columns)
    for name in table.columns:
        np.testing.assert_array_equal(found[name].to_numpy(), table[name].to_numpy())


@pytest.mark.parametrize("package", ["polars", "xarray"])
def test_missing_extra_is_named(result, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"install jaxlogit-inference\[frames\]"):
        getattr(result, f"to_{package}")()


def test_latex_is_a_table_with_escaped_names(result, capsys):
    text = result.to_latex()
    assert latex(ODD) in text and ODD not in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 36
    assert {line.replace(r"\&", "").count("&") for line in rows} == {8}
    assert text.count(r"\begin") == text.count(r"\end") == 2
    assert r"undefined in more than 1 \% of the replicates" in text
    assert r"$\infty$" in text
    assert main(["study", "summary", str(result.store), "--latex"]) == 0
    assert capsys.readouterr().out == text


def test_markdown_escapes_names(result):
    text = result.to_markdown()
    assert markdown(ODD) in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace(r"\|", "").endswith(" |") for line in tables)
    assert "- ml:wald is undefined" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a|b", r"a\|b"), ("*x*", r"\*x\*"), ("_x_", r"\_x\_"), ("a_b", "a_b"), ("<b>", r"\<b\>"),
     ("C(race)[T.2]", "C(race)[T.2]")],
)  # fmt: skip
def test_markdown_text(text, safe):
    assert markdown(text) == safe


def test_latex_text():
    assert latex(r"50% \a_b {x} ~^ $&#") == (
        r"50\% \textbackslash{}a\_b \{x\} \textasciitilde{}\textasciicircum{} \$\&\#"
    )


# -- warnings ---------------------------------------------------------------------------------


def test_warnings_name_method_share_and_place(result, tmp_path):
    first, second = result.warnings()
    assert first == (
        "ml:wald is undefined in more than 1 % of the replicates of 4 of 6 cells, at most in "
        "50.0 % (cell event_rate=0.1, n=16): its coverage there is conditional"
    )
    assert second == (
        "ml:wald and ml:lr are defined on different replicates of cell event_rate=0.1, n=16 "
        "(150 and 300 of 300): compare them by their paired differences"
    )
    one = single(tmp_path / "one")
    assert one.warnings()[0] == (
        "ml:wald is undefined in 12.0 % of the replicates: its coverage is conditional"
    )
    assert single(tmp_path / "none", methods=("ml:lr",)).warnings() == []


def test_warnings_stand_under_the_table_of_coverages(result, tmp_path):
    text = study_text(single(tmp_path / "one"))
    blocks = text.split("\n\n")
    assert blocks[3].startswith("ml:wald is undefined in 12.0 %")
    sentences = [line for line in study_text(result).splitlines() if line.startswith("ml:wald ")]
    assert len(sentences) == 2 and max(map(len, sentences)) <= 100


def test_method_that_is_undefined_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(study_results, "separated_share", lambda rows: 1.0)
    one = single(tmp_path / "one")
    assert one.warnings()[0] == "ml:wald is undefined in every replicate: it has no coverage"
    assert "n/a & n/a" in one.to_latex()
    page = one.report(tmp_path / "one.html").read_text(encoding="utf-8")
    assert "ml:wald is defined nowhere." in page
