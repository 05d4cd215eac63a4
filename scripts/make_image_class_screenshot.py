"""Write docs/images/image-class.jpg: a question about an image as a whole, in a real window.

python scripts/make_image_class_screenshot.py docs/images
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from napari_active_seg.api import open_session, write_sample_project


def main(out: Path) -> None:
    import napari
    from qtpy.QtWidgets import QApplication

    with tempfile.TemporaryDirectory() as name:
        folder = write_sample_project("dermoscopy", Path(name) / "data")
        session = open_session(folder, device="cpu")
        session.image_classes.name("benign", "malignant")
        session.image_classes.ask(3, wait=False)
        session.close()
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 720)
        _, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
        _wait(1)
        dock.context.open(folder)
        _wait(2)
        dock.context.session.select_region(dock.context.session.state.open_questions[0].id)
        dock.context.show_tab("Annotate")
        _wait(2)
        pixels = viewer.screenshot(canvas_only=False, flash=False)
        out.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels[..., :3])
        held = io.BytesIO()
        picture.save(held, "JPEG", quality=88, optimize=True)
        (out / "image-class.jpg").write_bytes(held.getvalue())
        dock.context.close()
        viewer.close()
        QApplication.processEvents()


def _wait(seconds: float) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
