"""The code of the pages: run it, compare what it prints, or draw the pictures again.

`python docs/blocks.py` runs every page that saves a picture, inside docs/figures.
"""

import contextlib
import doctest
import os
import re
from pathlib import Path

HERE = Path(__file__).parent
FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"figures/([\w-]+\.svg)")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages() -> list[Path]:
    """The pages with code to run."""
    every = sorted([*HERE.glob("*.md"), *HERE.glob("*/*.md")])
    return [page for page in every if FENCE.search(page.read_text(encoding="utf-8"))]


def run(page: Path) -> list[str]:
    """Run a page's blocks in order, in one namespace; what they print where it is not as shown."""
    text = page.read_text(encoding="utf-8")
    names: dict = {"__name__": "__main__"}
    differences: list[str] = []
    for block in FENCE.finditer(text):
        kind, code = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        if kind == "python":
            exec(compile("\n" * line + code, str(page), "exec"), names)
            continue
        shown = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
        shown.globs = names  # the parser's own is a copy
        runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
        runner.run(shown, out=differences.append, clear_globs=False)
    return differences


def pictures(page: Path) -> set[str]:
    """Names of the drawn pictures that a page shows."""
    return set(PICTURE.findall(page.read_text(encoding="utf-8")))


def main() -> None:
    """Draw every picture again, without a date or random names in the files."""
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "jaxlogit"
    with contextlib.chdir(HERE / "figures"):
        for page in pages():
            if pictures(page):
                run(page)


if __name__ == "__main__":
    main()
