"""A study's page: one file that needs nothing else, read here by a parser and by a browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from study_results import METHODS, ODD, grid, single

from jaxlogit.cli import main
from jaxlogit.report import headline
from jaxlogit.report.pictures import COLORS
from jaxlogit.report.words import POLICY
from jaxlogit.study import StudyResult

VOID = {"meta", "br"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return grid(tmp_path_factory.mktemp("grid") / "store")


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    path = result.report(tmp_path_factory.mktemp("page") / "grid.html", differences=True)
    return path


class Reader(HTMLParser):
    """Checks that elements close in order; collects text, ids and what a browser would load."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.loads, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "srcset", "data", "action", "poster") or (
                name in ("href", "xlink:href") and not value.startswith("#")
            ):
                self.loads.append((tag, name, value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


@pytest.fixture(scope="module")
def read(page):
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    reader.close()
    return reader


def test_page_is_well_formed_and_loads_nothing(page, read):
    assert read.open == []
    assert read.loads == []
    assert len(set(read.ids)) == len(read.ids)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\((?!#)|<link|<iframe|<img", text)
    for name in re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text):
        assert "".join(name) in read.ids


def test_page_escapes_names(page, read):
    text = page.read_text(encoding="utf-8")
    assert ODD not in text and "<c>" not in text
    assert any(ODD in piece for piece in read.text)


def test_page_says_what_the_tables_say(result, read):
    text = " ".join(" ".join(read.text).split())
    for sentence in headline.headlines(result) + result.warnings():
        assert sentence in text
    row = result.summary().iloc[4]
    assert f"{row.coverage:.4f}".lstrip("0") in text
    for words in (POLICY, "Protocol", "seed", "jaxlogit-inference", "threefry2x32", "Statuses"):
        assert words in text


def test_pictures_take_the_page_s_colours(page):
    pieces = re.findall(r"<svg.*?</svg>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(pieces) == 2 + 2 + 2 + len(METHODS) + 2 + 1
    found = {color for piece in pieces for color in re.findall(r"#[0-9a-f]{6}\b", piece)}
    assert found == set(), "give the colour its counterpart in the dark"
    used = {name for piece in pieces for name in re.findall(r"var\(--c([0-9a-f]{6})\)", piece)}
    assert used <= {color[1:] for color in COLORS}


def test_dark_colours_can_be_read():
    def luminance(color):
        shares = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    words = ("#000000", "#0072b2", "#d55e00", "#007a5a", "#8a3b77", "#8a6100", "#4d4d4d", "#a6324a")
    for light in words:  # the contrast that WCAG asks of text that is not large
        assert 1.05 / (luminance(light) + 0.05) > (3.5 if light == "#d55e00" else 4.5), light
        dark = (luminance(COLORS[light]) + 0.05) / (luminance(COLORS["#ffffff"]) + 0.05)
        assert dark > 4.5, light


def test_report_of_one_cell_and_of_nothing(tmp_path):
    one = single(tmp_path / "one")
    text = one.report(tmp_path / "one.html").read_text(encoding="utf-8")
    assert "Nested-loop" not in text and "Coverage study one" in text
    with pytest.raises(ValueError, match="has no replicates to report: run the study first"):
        replace(one, parts=()).report(tmp_path / "none.html")


def test_command_writes_the_page(result, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "report", str(result.store)]) == 0
    assert capsys.readouterr().err == "report written to grid.html\n"
    assert (tmp_path / "grid.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


# -- verdicts ---------------------------------------------------------------------------------


def test_verdicts_allow_for_many_coverages(result):
    """A method's largest deviation is judged among all of its coverages."""
    for verdict in headline.verdicts(result):
        assert len(verdict.rows) == 12
        for row in verdict.rows:
            z = (row["coverage"] - 0.95) / (0.95 * 0.05 / row["coverage_n"]) ** 0.5
            assert (row in verdict.too_low) == (z < -2.8653)  # normal quantile 1 − .05/24
            assert (row in verdict.too_high) == (z > 2.8653)


def test_headlines_are_sentences(tmp_path):
    result = single(tmp_path / "store", methods=("ml:lr", "firth:wald"))
    table = result.summary().set_index("method")
    table.loc["ml:lr", "coverage"] = 0.95
    table.loc["firth:wald", "coverage"] = 0.9
    found = StudyResult(result.store, result.record, result.parts)
    object.__setattr__(found, "summary", table.reset_index)
    assert headline.headlines(found) == [
        "ml:lr holds 95 %: its coverage is not away from it by more than chance explains.",
        "firth:wald does not hold 95 %: its coverage is too low; the worst is .9000 "
        f"({table.loc['firth:wald', 'coverage_mcse']:.4f}), for Intercept.".replace("(0.", "(."),
    ]


# -- a real browser ---------------------------------------------------------------------------

PROBE = """
<script>
const out = {};
const table = document.querySelectorAll("#coverage table")[0];
const column = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === "coverage");
const values = () => [...table.tBodies[0].rows].map(r => parseFloat(r.cells[column].textContent));
const button = table.tHead.rows[0].cells[column].querySelector("button");
button.click(); out.up = values();
button.click(); out.down = values();
out.sort = table.tHead.rows[0].cells[column].getAttribute("aria-sort");
out.wide = [document.documentElement.scrollWidth, window.innerWidth];
out.dark = matchMedia("(prefers-color-scheme: dark)").matches;
out.paper = getComputedStyle(document.body).backgroundColor;
out.axis = getComputedStyle(document.querySelector("svg text")).fill;
const frame = document.createElement("iframe");
frame.style = "width: 390px; border: 0";
frame.srcdoc = "<!DOCTYPE html>" + document.documentElement.innerHTML.split("<script>")[0];
frame.onload = () => {
  out.phone = [frame.contentDocument.documentElement.scrollWidth, frame.contentWindow.innerWidth];
  document.title = "probe " + JSON.stringify(out);
};
document.body.append(frame);
</script>
"""


def probed(page, folder, *flags):
    """What a script finds in the page once a real browser has shown it."""
    copy = folder / "probe.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    command = [BROWSER, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}",
               "--virtual-time-budget=10000", "--dump-dom", copy.as_uri()]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    return json.loads(re.search(r"<title>probe (.*?)</title>", shown)[1])


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
def test_page_in_a_browser(page, tmp_path):
    found = probed(page, tmp_path, "--window-size=1280,900")
    assert found["up"] == sorted(found["up"]) and len(set(found["up"])) > 5
    assert found["down"] == found["up"][::-1] or found["down"] == sorted(found["up"])[::-1]
    assert found["sort"] == "descending"
    assert found["wide"][0] <= found["wide"][1], "the page scrolls sideways"
    assert found["phone"][0] <= found["phone"][1] == 390, "the page scrolls sideways on a phone"
    assert not found["dark"] and found["paper"] == "rgb(255, 255, 255)"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
def test_page_in_the_dark(page, tmp_path):
    found = probed(page, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert found["dark"]
    assert found["paper"] == "rgb(22, 25, 29)"
    assert found["axis"] != "rgb(0, 0, 0)"
