"""Bars and the stop button, in the kernel of a notebook."""

import time

import pytest

from napari_active_seg.notebook.progress import NotebookProgress, in_notebook

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")


class Bar:
    """Keeps what it was told, as tqdm's bars do."""

    def __init__(self, desc, total):
        self.desc, self.total, self.n, self.closed, self.shown = desc, total, 0, False, []

    def set_postfix_str(self, text, refresh):
        self.text = text

    def refresh(self):
        self.shown.append((self.n, self.total, self.text))

    def close(self):
        self.closed = True


def test_each_job_has_a_bar_that_is_closed_with_it(session, pool):
    bars = []

    def make(**facts):
        bars.append(Bar(**facts))
        return bars[-1]

    assert not in_notebook()
    NotebookProgress(session, make)
    session.proposals.propose(count=2, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    by_job = {bar.desc: bar for bar in bars}
    assert {"proposing", "labelling", "training"} <= set(by_job)
    training = by_job["training"]
    assert [3, 3] in [[done, total] for done, total, text in training.shown if "loss" in text]
    assert all(bar.closed for bar in bars)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A client of a fresh kernel that works in a folder of its own."""
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.v4.new_notebook()
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    with client.setup_kernel():
        yield client


def run(client, code):
    cell = nbformat.v4.new_code_cell(code)
    client.nb.cells.append(cell)
    return client.execute_cell(cell, len(client.nb.cells) - 1)


@pytest.mark.slow
def test_bars_are_widgets_and_the_stop_button_ends_a_training_without_harm(kernel, tmp_path):
    """An interrupted training leaves no model, can go on, and the session works as before."""
    run(
        kernel,
        """
from pathlib import Path
from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set
data = Path("data")
write_sample_set("dermoscopy", data, count=4)
create_project(Path("p"), images_dir=data / "images", masks_dir=data / "masks",
               classes=["skin", "lesion"])
session = open_session("p", device="cpu")
session.proposals.propose(count=4, size=64)
session.labels.answer_from_masks(data / "masks")
""",
    )
    shown = [out for cell in kernel.nb.cells for out in cell.outputs]
    assert any("application/vnd.jupyter.widget-view+json" in out.get("data", {}) for out in shown)
    code = """
import os, signal, threading
def stop_when_it_runs(progress):
    if progress.done >= 3:
        os.kill(os.getpid(), signal.SIGINT)  # what the stop button sends
session.progressed.connect(stop_when_it_runs)
try:
    session.train(epochs=400)
except KeyboardInterrupt:
    print("interrupted", session.state.jobs, session.state.model)
finally:
    session.progressed.disconnect(stop_when_it_runs)
"""
    began = time.monotonic()
    out = run(kernel, code).outputs
    assert any("interrupted () None" in o.get("text", "") for o in out), out
    assert time.monotonic() - began < 60
    out = run(
        kernel,
        """
session.train(epochs=400)
print(session.last_training.outcome.resumed_at > 0, session.state.model.id)
session.close()
""",
    ).outputs
    assert any("True m001" in o.get("text", "") for o in out), out
