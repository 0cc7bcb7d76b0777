"""The notebooks run from top to bottom, and are kept without what running leaves in them."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra test")
nbclient = pytest.importorskip("nbclient", reason="notebooks need the extra test")

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FEWER = {"replicates=4000": "replicates=200", "100_000": "4_000", "(1000, 79)": "(60, 79)"}
"""What a run for the tests changes: shares and ends are not looked at, only that all of it runs."""


def read(path: Path):
    return nbformat.reads(path.read_text(encoding="utf-8"), nbformat.NO_CONVERT)


def test_there_are_five():
    assert [path.name[:2] for path in NOTEBOOKS] == ["1-", "2-", "3-", "4-", "5-"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stripped(path: Path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
        assert cell.metadata == {}


def test_all_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One after the other in one process, since each new one imports and compiles again."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    joined, changed = nbformat.v4.new_notebook(), 0
    for path in NOTEBOOKS:
        for cell in read(path).cells:
            if cell.cell_type == "code":
                for many, few in FEWER.items():
                    changed += many in cell.source
                    cell.source = cell.source.replace(many, few)
                joined.cells.append(nbformat.v4.new_code_cell(f"# {path.name}\n{cell.source}"))
        joined.cells.append(nbformat.v4.new_code_cell("%reset -f"))
    assert changed >= len(FEWER)
    client = nbclient.NotebookClient(
        joined, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    pictures = [
        output for cell in joined.cells for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]  # fmt: skip
    assert len(pictures) == 8
