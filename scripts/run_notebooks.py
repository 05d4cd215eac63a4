"""Run the notebooks of examples/ from clean kernels and keep what they show.

    python scripts/run_notebooks.py [NAME ...]

Figures are kept as JPEG, so that the files stay small. Needs a display, or a virtual one
(``xvfb-run``), for the notebook that drives the window.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL_FIGURES = 'c = get_config()\nc.InlineBackend.figure_formats = {"jpeg"}\n'


def run(path: Path, work: Path, *, timeout: int = 600) -> nbformat.NotebookNode:
    """Return the notebook with its outputs; nbclient raises what a cell ends with."""
    own = work / "ipython"
    profile = own / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(SMALL_FIGURES, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(own)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(work / "runtime")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=timeout, resources={"metadata": {"path": str(work)}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran is nobody's business
        cell.outputs = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
        if cell.cell_type != "code":
            del cell["outputs"]
    notebook.metadata.pop("widgets", None)
    return notebook


def main(names: list[str]) -> None:
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        if names and not any(path.stem.startswith(name) for name in names):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            notebook = run(path, Path(work))
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - began:.0f} s, {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
