import csv

import numpy as np
import pytest
from PIL import Image

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.export import EXPORTERS, ExportImage, ExportSet, exporter_named
from napari_active_seg.regions import UNLABELLED, LabelSchema


def data(targets):
    images = tuple(
        ExportImage(name, "pool", lambda target=target: target) for name, target in targets.items()
    )
    return ExportSet("set", LabelSchema.from_names(["a", "b", "c"]), images, ())


def target(seed=0):
    return np.random.default_rng(seed).choice([0, 1, 2, UNLABELLED], (9, 7)).astype(np.uint8)


def test_masks_come_back_pixel_for_pixel(tmp_path):
    targets = {"x.png": target(0), "sub dir/ÿ.jpg": target(1)}
    seen = []
    files = EXPORTERS["masks"].write(
        data(targets), tmp_path / "out", on_image=lambda *now: seen.append(now)
    )
    assert seen == [(1, 2), (2, 2)]
    assert all(path.is_file() for path in files)
    for name, expected in targets.items():
        path = (tmp_path / "out" / "masks" / "pool" / name).with_suffix(".png")
        picture = Image.open(path)
        assert (np.asarray(picture) == expected).all()
        assert picture.mode == "P"
    with (tmp_path / "out" / "classes.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[1][:2] == ["0", "a"]
    assert rows[-1][:2] == ["255", "not labelled"]


def test_half_an_export_is_never_left_behind(tmp_path):
    def fail(number, total):
        raise BadInputError("stopped")

    with pytest.raises(BadInputError, match="stopped"):
        EXPORTERS["masks"].write(data({"x.png": target()}), tmp_path / "out", on_image=fail)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(BadInputError, match="not empty"):
        EXPORTERS["masks"].write(data({"x.png": target()}), tmp_path, on_image=lambda *a: None)
    assert [p.name for p in tmp_path.iterdir()] == ["keep.txt"]


def test_unknown_format_lists_the_known():
    with pytest.raises(ConfigError, match="known: masks"):
        exporter_named("coco")
