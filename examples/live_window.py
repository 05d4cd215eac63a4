"""Drive napari's window from a script: open a project in it, propose, train, take its picture.

    python examples/live_window.py [OUT.png]

Needs a display, or a virtual one: ``xvfb-run python examples/live_window.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import napari
from napari.utils.io import imsave

from napari_active_seg.api import write_sample_project


def main(out: Path) -> None:
    """One lap in the window."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg", "Label and train")
    with TemporaryDirectory() as name:
        folder = Path(name)
        dock.context.open(write_sample_project("histology", folder))
        session = dock.context.session
        session.proposals.propose(count=4, size=128)
        session.labels.answer_from_masks(folder / "masks")
        session.train(preset="fast")
        session.proposals.propose(count=4, size=128)
        session.select_region(session.state.open_regions[0].id)
        print("in hand:", session.state.region.reason)
        imsave(str(out), viewer.screenshot(canvas_only=False, flash=False))
        print(f"wrote {out}")
        dock.release()
        viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "live-window.png"))
