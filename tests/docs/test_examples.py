"""Every script and notebook in examples/ runs as a person runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def pictures(notebook):
    """Return how many pictures the outputs of a notebook hold."""
    return len(
        re.findall(r"image/(?:png|jpeg)", json.dumps([c.get("outputs") for c in notebook.cells]))
    )


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_leaves_what_it_says(script, tmp_path):
    ended = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.strip()
    assert any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_a_clean_kernel_and_shows_pictures(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setenv("IPYTHONDIR", "")  # both are put back afterwards
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "")
    from run_notebooks import run

    executed = run(path, tmp_path)
    assert pictures(executed) >= 1
    kept = nbformat.read(path, as_version=4)
    assert pictures(kept) >= 1  # what the repository shows
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


def test_each_of_the_eight_notebooks_has_a_script_beside_it():
    text = (ROOT / "docs" / "how-to" / "notebooks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+\.ipynb)`.*\| `([\w]+\.py)` \|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == [path.name for path in NOTEBOOKS]
    assert {script for _, script in rows} <= {path.name for path in EXAMPLES}
    assert len(NOTEBOOKS) == 8
