"""The form for a new project, in a real window: careless folders, masks, patients, shares."""

import json

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tiny_data import disk_picture

from napari_active_seg.project import Split

NAMES = ("p_1_a", "p_1_b", "p_2_a", "p_2_b")


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write(folder, image, mask=None):
    for seed, name in enumerate(NAMES):
        pixels, truth = disk_picture(seed)
        save(folder / image.format(name), pixels)
        if mask is not None:
            save(folder / mask.format(name), truth * 255)


class Form:
    """What a person does with the form."""

    def __init__(self, window):
        self.window = window
        self.box = window.panel("Project").new

    def type_folder(self, folder):
        """Type a folder, letter by letter, and wait until it was looked at."""
        line = self.box.images_dir.line_edit.native
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, str(folder))
        self.wait_for("images of")

    def wait_for(self, text):
        self.window.qtbot.waitUntil(
            lambda: text in self.box.found.text() and not self.box._task.is_running,
            timeout=20_000,
        )

    def open_advanced(self):
        if not self.box.advanced.is_open:
            self.window.click(self.box.advanced.toggle)

    def create(self):
        self.window.click(self.box.make)
        self.window.qtbot.waitUntil(lambda: self.window.session is not None, timeout=30_000)
        return self.window.session.project


@pytest.fixture
def form(window):
    return Form(window)


LAYOUTS = {
    "whole": (".", "images/{}.png", "masks/{}.png", "masks/"),
    "images alone": ("img", "img/{}.png", "groundtruth/{}_gt.png", "groundtruth/"),
    "side by side": (".", "{}.png", "{}_segmentation.png", "the same folder"),
    "splits": (".", "train/images/{}.png", "train/labels/{}.png", "train/labels/"),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_typed_folder_says_what_is_in_it_and_becomes_a_project(
    form, tmp_path, layout, monkeypatch
):
    shown = []
    monkeypatch.setattr("napari_active_seg.gui.panels.new_project.notify", shown.append)
    chosen, image, mask, place = layout
    data = tmp_path / "data"
    write(data, image, mask)
    (data / "Thumbs.db").write_bytes(b"nothing")
    form.type_folder(data / chosen)
    box = form.box
    assert f"4 images of 96 x 128 pixels, masks found in {place} (4 match)" in box.found.text()
    assert "Suggested region size: 64 px" in box.region_size.text()
    assert not box.masks_dir.native.isVisible()  # few fields at first
    assert not box.question_box.isVisible()
    box.template.value = "background, nucleus"
    project = form.create()
    assert len(project.images.all()) == 4
    assert project.schema.names == ("background", "nucleus")
    assert len(project.labels.done([ref.id for ref in project.images.all(Split.VALIDATION)])) == 1
    assert project.config.region_size == 64
    assert form.window.panel("Propose").size.value == 64
    assert len(shown) == 1 and shown[0].startswith("Masks were read as ")


def test_masks_among_images_have_to_be_settled_first(form, tmp_path):
    data = tmp_path / "data"
    write(data, "{}.jpg", "{}.png")
    form.type_folder(data)
    box = form.box
    assert "4 of 8 files look like masks" in box.question.text()
    assert box.question_box.isVisible() and not box.make.isEnabled()
    form.window.click(box.make)
    assert form.window.session is None and not (tmp_path / "data-project").exists()
    form.window.click(box.use_as_masks)
    form.wait_for("4 images of 96 x 128 pixels, masks found in the same folder (4 match)")
    assert not box.question_box.isVisible()
    project = form.create()
    assert sorted(ref.id for ref in project.images.all()) == [f"{name}.jpg" for name in NAMES]
    assert len(project.labels.done([ref.id for ref in project.images.all(Split.VALIDATION)])) == 1


def test_two_valued_images_may_be_images(form, tmp_path):
    data = tmp_path / "data"
    write(data, "{}.png", "drawn {}.png")
    form.type_folder(data)
    form.window.click(form.box.are_images)
    form.wait_for("8 images")
    assert len(form.create().images.all()) == 8


def test_masks_alone_cannot_be_their_own_images(form, tmp_path):
    write(tmp_path / "data", "images/{}.png", "masks/{}.png")
    form.type_folder(tmp_path / "data" / "masks")
    assert "4 of 4 files look like masks" in form.box.question.text()
    assert "Choose the folder of the images" in form.box.question.text()
    assert not form.box.use_as_masks.isEnabled() and not form.box.make.isEnabled()
    form.type_folder(tmp_path / "data")
    form.wait_for("(4 match)")
    assert not form.box.question_box.isVisible() and form.box.make.isEnabled()


def test_masks_can_be_named_and_taken_away(form, tmp_path):
    data = tmp_path / "data"
    write(data, "images/{}.png", "masks/{}.png")
    save(tmp_path / "by Anna" / f"{NAMES[0]}.png", np.zeros((30, 40), np.uint8))
    save(tmp_path / "by Anna" / f"{NAMES[1]}.png", disk_picture(1)[1])
    form.type_folder(data)
    form.open_advanced()
    line = form.box.masks_dir.line_edit.native
    assert line.text() == str(data / "masks")
    line.selectAll()
    QTest.keyClicks(line, str(tmp_path / "by Anna"))
    form.wait_for("masks found in by Anna/ (1 of 4 match)")
    assert "30 x 40 pixels, its image 96 x 128" in form.box.found.text()
    line.selectAll()
    QTest.keyClick(line, Qt.Key.Key_Delete)
    form.window.qtbot.waitUntil(lambda: "masks" not in form.box.found.text(), timeout=10_000)
    project = form.create()
    assert project.config.masks_dir is None
    assert not project.labels.done([ref.id for ref in project.images.all()])


def test_patients_and_the_validation_share_are_said_and_kept(form, tmp_path):
    write(tmp_path / "data", "{}.png")
    form.type_folder(tmp_path / "data")
    form.open_advanced()
    split = form.box.split
    split.validation.value = 50
    says = form.window.qtbot.waitUntil
    says(lambda: "Validation: 2 of 4 images" in split.effect.text(), timeout=5000)
    split.groups.value = 'up to last "_"'
    says(lambda: "p_1 from p_1_a.png; 2 groups" in split.effect.text(), timeout=5000)
    assert "2 of 4 images, 1 of 2 patients or slides" in split.effect.text()
    assert not split.pattern.visible
    split.groups.value = "custom pattern"
    assert split.pattern.visible
    QTest.keyClicks(split.pattern.native, "(")
    says(lambda: "not a regular expression" in split.effect.text(), timeout=5000)
    QTest.keyClicks(split.pattern.native, "[ab]).png")
    says(lambda: "a from p_1_a.png; 2 groups" in split.effect.text(), timeout=5000)
    split.groups.value = 'up to last "_"'
    project = form.create()
    groups = {p.group: p.split for p in project.images.placements().values()}
    assert sorted(groups) == ["p_1", "p_2"]
    assert sorted(groups.values()) == [Split.POOL, Split.VALIDATION]


def test_a_table_names_the_patients(form, tmp_path):
    write(tmp_path / "data", "{}.png")
    rows = "".join(f"{name},{'A' if name < 'p_2' else 'B'}\n" for name in NAMES)
    (tmp_path / "patients.csv").write_text("image,patient\n" + rows)
    form.type_folder(tmp_path / "data")
    form.open_advanced()
    QTest.keyClicks(form.box.split.table.line_edit.native, str(tmp_path / "patients.csv"))
    form.window.qtbot.waitUntil(lambda: "2 groups" in form.box.split.effect.text(), timeout=10_000)
    assert {p.group for p in form.create().images.placements().values()} == {"A", "B"}


def test_advanced_stays_open_where_it_was_opened(form, preferences, qtbot):
    from napari_active_seg.gui.panels.new_project import NewProjectBox

    assert not form.box.advanced.is_open
    form.window.click(form.box.advanced.toggle)
    assert form.box.masks_dir.native.isVisible()
    assert json.loads(preferences.read_text())["open_sections"] == {"new project": True}
    other = NewProjectBox(form.window.dock.context)
    qtbot.addWidget(other)
    assert other.advanced.is_open
    other.release()


def test_presets_begin_with_the_background(form):
    choices = list(form.box.template.choices)
    assert choices[-1] == "Custom"
    assert [choice.split(", ")[0] for choice in choices[:-1]] == [
        "background", "background", "skin", "other",
    ]  # fmt: skip
    form.box.classes.value = "background, cell"
    assert form.box.template.value == "Custom"
