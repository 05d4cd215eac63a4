"""Write docs/images/notebook-annotator.jpg: the annotator in JupyterLab, painted in with the mouse.

    python scripts/make_notebook_screenshot.py docs/images

Needs Chromium and its driver.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "notebook"))

from lab import chromium, lab, run_all_cells

CELL = """
from pathlib import Path
from napari_active_seg import open_session
from napari_active_seg.notebook import annotate
from napari_active_seg.api import write_sample_project

session = open_session(write_sample_project("histology", Path("data")), device="cpu")
session.proposals.propose(count=4, size=128)
session.labels.answer_from_masks(Path("data/masks"))
session.train(preset="fast")
session.predict()
session.proposals.propose(count=4, size=128, measure="bald", control=0.0, validation=0.0)
annotate(session)
"""


def main(out: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with lab(folder, [CELL]) as address, chromium(folder / "profile") as driver:
            run_all_cells(driver, address)
            ready = "return document.querySelector('.nas-view canvas')?.width > 300"
            WebDriverWait(driver, 300, 0.5).until(lambda d: d.execute_script(ready))
            time.sleep(2)
            canvas = driver.find_element("css selector", ".nas-view canvas")
            mouse = ActionChains(driver, duration=40)
            mouse.move_to_element_with_offset(canvas, -60, -40).click_and_hold()
            for step in range(12):
                mouse.move_to_element_with_offset(canvas, -60 + 10 * step, -40 + 6 * step)
            mouse.release().perform()
            for button in driver.find_elements("css selector", ".nas-annotator button"):
                if button.text == "Uncertainty":
                    button.click()
            time.sleep(2)
            widget = driver.find_element("css selector", ".nas-annotator")
            driver.execute_script("arguments[0].scrollIntoView({block: 'end'})", widget)
            news = "document.querySelectorAll('.Toastify').forEach((node) => node.remove())"
            driver.execute_script(news)
            time.sleep(1)
            picture = Image.open(io.BytesIO(widget.screenshot_as_png)).convert("RGB")
    picture.save(out / "notebook-annotator.jpg", quality=88)
    print(f"wrote {out / 'notebook-annotator.jpg'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
