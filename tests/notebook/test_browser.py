"""The annotator in a real JupyterLab, in a real browser, with a real mouse.

Left out where there is no Chromium; `make test` installs Debian's.
"""

import time

import numpy as np
import pytest

pytest.importorskip("jupyterlab")
pytest.importorskip("selenium")
from lab import chromium, chromium_path, lab, run_all_cells

from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, RegionState

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium with its driver"),
]

CELL = """
from pathlib import Path
from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.notebook import annotate

data = Path("data")
write_sample_set("histology", data, count=2)
create_project(Path("project"), images_dir=data / "images", classes=["background", "gland"])
session = open_session("project", device="cpu")
session.proposals.propose(count=2, size=128)
annotate(session)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser that shows the widget, and the project that it paints in."""
    from selenium.webdriver.support.ui import WebDriverWait

    folder = tmp_path_factory.mktemp("lab")
    with lab(folder, [CELL]) as address, chromium(folder / "profile") as driver:
        run_all_cells(driver, address)
        found = "return document.querySelector('.nas-view canvas')?.width > 300"
        WebDriverWait(driver, 120, 0.5).until(lambda d: d.execute_script(found))
        yield driver, folder / "project"


def button(driver, text):
    (found,) = [
        b
        for b in driver.find_elements("css selector", ".nas-annotator button")
        if b.text == text and b.is_displayed()
    ]
    return found


def frame(driver):
    """Return the canvas and its size on the screen."""
    canvas = driver.find_element("css selector", ".nas-view canvas")
    return canvas, canvas.size


def stroke(driver, places, *, clicks=False):
    """Draw through places (y, x) of the canvas as shares of its sides, button held or in clicks."""
    from selenium.webdriver.common.action_chains import ActionChains

    canvas, size = frame(driver)
    mouse = ActionChains(driver, duration=60)
    for number, (y, x) in enumerate(places):
        across, down = round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"])
        mouse.move_to_element_with_offset(canvas, across, down)
        if clicks:
            mouse.click()
        elif number == 0:
            mouse.click_and_hold()
    if clicks:
        mouse.double_click()
    else:
        mouse.release()
    mouse.perform()


def saved(folder, *, until, within=20):
    """Return what the disk has once ``until`` holds of it, as another program sees it."""
    end = time.monotonic() + within
    while True:
        with Project.open(folder, read_only=True) as project:
            queue = [q for q in project.regions.queue() if q.round]
            labels = {q.id: project.labels.latest(q.id) for q in queue}
        if until(queue, labels):
            return queue, labels
        assert time.monotonic() < end, [(q.state, labels[q.id]) for q in queue]
        time.sleep(0.2)


def painted(label, value=1):
    return 0 if label is None else int((label.target == value).sum())


def test_what_is_painted_with_the_mouse_is_in_the_project(page):
    driver, folder = page
    stroke(driver, [(0.5, 0.4), (0.5, 0.6)])
    queue, labels = saved(folder, until=lambda q, found: any(painted(x) for x in found.values()))
    (region,) = [q for q in queue if painted(labels[q.id])]
    assert region.state is RegionState.IN_PROGRESS
    target = labels[region.id].target
    rows, columns = np.nonzero(target == 1)
    assert columns.max() - columns.min() > 2 * (rows.max() - rows.min()) > 0  # a level stroke
    with Project.open(folder, read_only=True) as project:
        effort = project.labels.history(region.id)[-1].effort
    assert effort.strokes == 1 and effort.active_s > 0

    before = painted(labels[region.id])
    button(driver, "Erase").click()
    stroke(driver, [(0.5, 0.5), (0.5, 0.52)])
    _, labels = saved(folder, until=lambda q, found: painted(found[region.id]) < before)
    button(driver, "Undo").click()
    saved(folder, until=lambda q, found: painted(found[region.id]) == before)

    button(driver, "Polygon").click()
    stroke(driver, [(0.3, 0.3), (0.3, 0.45), (0.42, 0.4)], clicks=True)
    saved(folder, until=lambda q, found: painted(found[region.id]) > before)

    button(driver, "background").click()
    button(driver, "Rest").click()
    _, labels = saved(folder, until=lambda q, found: not painted(found[region.id], UNLABELLED))
    assert painted(labels[region.id], 0) > painted(labels[region.id], 1) > before


def test_done_by_key_takes_the_next_one_in_hand_and_outside_the_frame_nothing_is_painted(page):
    from selenium.webdriver.common.keys import Keys

    driver, folder = page
    root = driver.find_element("css selector", ".nas-annotator")
    root.send_keys(Keys.SHIFT, "d")
    queue, _ = saved(folder, until=lambda q, found: any(x.state == "done" for x in q))
    (second,) = [q for q in queue if q.state is RegionState.PROPOSED]
    button(driver, "gland").click()
    button(driver, "Brush").click()
    stroke(driver, [(0.02, 0.02), (0.03, 0.05)])  # in the corner, beside the frame
    stroke(driver, [(0.5, 0.5)])
    _, labels = saved(folder, until=lambda q, found: painted(found[second.id]))
    rows, columns = np.nonzero(labels[second.id].target == 1)
    assert rows.min() > 8 and columns.min() > 8
    root.send_keys(Keys.SHIFT, "s")
    queue, _ = saved(folder, until=lambda q, found: all(x.is_answered for x in q))
    assert sorted(q.state for q in queue) == ["done", "skipped"]
    words = driver.find_element("css selector", ".nas-words")
    end = time.monotonic() + 10
    while "No region waits" not in words.text and time.monotonic() < end:
        time.sleep(0.2)
    assert "No region waits" in words.text


def test_what_the_browser_painted_is_what_the_next_session_learns_from(page):
    _, folder = page
    with Project.open(folder, read_only=True) as project:
        pool = [ref.id for ref in project.images.all("pool")]
        (label,) = project.labels.done(pool)
    assert label.labelled_pixels == label.target.size
