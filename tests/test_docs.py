"""The pages of the site: their code runs and prints what they show; they need no network."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import jax
import pytest

import jaxlogit

DOCS = Path(__file__).parent.parent / "docs"


def _blocks():
    spec = spec_from_file_location("blocks", DOCS / "blocks.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blocks = _blocks()
PAGES = blocks.pages()


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    """Without the strictness of the suite; set for all threads, as blocks of models use several."""
    usual = {
        "jax_enable_x64": False,
        "jax_numpy_dtype_promotion": "standard",
        "jax_numpy_rank_promotion": "allow",
    }
    before = {name: getattr(jax.config, name) for name in usual}
    try:
        for name, value in usual.items():
            jax.config.update(name, value)
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_code_runs_and_shows_what_it_prints(page: Path, tmp_path: Path):
    with contextlib.chdir(tmp_path):
        assert not (differences := blocks.run(page)), "\n".join(differences)
    assert blocks.pictures(page) <= {drawn.name for drawn in tmp_path.iterdir()}


def test_pictures_are_those_of_the_pages():
    shown = set().union(*map(blocks.pictures, PAGES))
    assert shown == {picture.name for picture in (DOCS / "figures").iterdir()}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    for module in ("sphinx", "myst_parser", "furo", "numpydoc", "sphinx_argparse_cli"):
        pytest.importorskip(module, reason="the site needs the extra docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-d"]
    done = subprocess.run(
        [*command, str(out / "doctrees"), str(DOCS), str(out / "html")],
        env=os.environ | {"PYTHONPATH": str(DOCS.parent)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_nothing_is_fetched_by_a_reader(site: Path):
    pages = [*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.js")]
    assert len(pages) > 30
    fetched = re.compile(
        r"<(?:script|img|iframe|source|embed|object)\b[^>]*?\b(?:src|data)\s*=\s*[\"']?(?:https?:)?//"
        r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*?href\s*=\s*[\"']?(?:https?:)?//"
        r"|url\(\s*[\"']?(?:https?:)?//|@import\s+[\"'](?:https?:)?//"
    )
    for page in pages:
        found = fetched.search(page.read_text(encoding="utf-8"))
        assert found is None, f"{page.relative_to(site)} fetches {found.group()}"


def test_public_names_are_in_the_reference(site: Path):
    pages = "".join(page.read_text(encoding="utf-8") for page in site.glob("reference/*.html"))
    modules = {"core", "datasets", "penalties"}
    for name in set(jaxlogit.__all__) - modules:
        assert f'id="jaxlogit.{name}"' in pages, name
    for name in jaxlogit.plots.__all__:
        assert f'id="jaxlogit.plots.{name}"' in pages, name
    assert 'id="jaxlogit-study-run-' in pages or "jaxlogit study run" in pages


def test_measured_figures_are_those_of_the_results(site: Path):
    page = (site / "performance.html").read_text(encoding="utf-8")
    results = DOCS.parent / "benchmarks" / "results" / "cpu-2core.json"
    if not results.exists():
        pytest.skip("this copy of the source has no measured results")
    first = json.loads(results.read_text(encoding="utf-8"))["workloads"][0]
    assert first["title"] in page
    assert f"{first['lines'][0]['us_per_model']:.2f}" in page
