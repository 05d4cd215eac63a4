import numpy as np
import pytest
from PIL import Image, ImageFilter

from napari_active_seg.errors import ImageError
from napari_active_seg.images import scan_folder, tissue_mask
from napari_active_seg.importers import (
    MaskConvention,
    MaskReading,
    detect_convention,
    find_masks,
    read_mask_target,
)


def write(folder, name, values):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("masks", "n_classes", "expected"),
    [
        ([[[0, 255]], [[0, 0]]], 2, MaskConvention.BINARY),
        ([[[0, 1]], [[1, 1]]], 2, MaskConvention.INDEX),
        ([[[0, 1, 255]], [[0, 255, 255]]], 2, MaskConvention.INDEX),  # 255 is "not labelled" here
        ([[[0, 1]], [[0, 7]]], 2, MaskConvention.INSTANCES),
        ([[[0, 2]], [[1, 3]]], 4, MaskConvention.INDEX),
    ],
)
def test_convention_explains_the_whole_folder(tmp_path, masks, n_classes, expected):
    paths = [write(tmp_path, f"{i}.png", mask) for i, mask in enumerate(masks)]
    assert detect_convention(paths, n_classes=n_classes) is expected


def test_value_that_is_no_class_is_named(tmp_path):
    path = write(tmp_path, "a.png", [[0, 5]])
    with pytest.raises(ImageError, match="values 5 but there are 3 classes"):
        detect_convention([path], n_classes=3)


def test_masks_become_targets(tmp_path):
    path = write(tmp_path, "a.png", [[0, 1, 255]])
    read = {
        c: read_mask_target(path, shape=(1, 3), reading=MaskReading(c)).tolist()
        for c in MaskConvention
        if c is not MaskConvention.COLOURS
    }
    assert read[MaskConvention.INDEX] == [[0, 1, 255]]
    assert read[MaskConvention.BINARY] == [[0, 0, 1]]
    assert read[MaskConvention.INSTANCES] == [[0, 1, 1]]
    assert read[MaskConvention.NAPARI] == [[255, 0, 254]]


def test_palette_masks_are_read_by_index_and_grey_rgb_by_value(tmp_path):
    picture = Image.fromarray(np.array([[0, 1, 1]], np.uint8))
    picture.putpalette([10, 20, 30, 200, 100, 50] + [0] * 762)
    picture.save(tmp_path / "p.png")
    grey = np.repeat(np.array([[[0], [1], [1]]], np.uint8), 3, axis=2)
    Image.fromarray(grey).save(tmp_path / "g.png")
    for name in ("p.png", "g.png"):
        target = read_mask_target(
            tmp_path / name, shape=(1, 3), reading=MaskReading(MaskConvention.INDEX)
        )
        assert target.tolist() == [[0, 1, 1]]


def test_mask_of_another_size_and_colour_mask_are_refused(tmp_path):
    path = write(tmp_path, "a.png", np.zeros((4, 5)))
    with pytest.raises(ImageError, match=r"a.png is 4 x 5 but its image is 5 x 4"):
        read_mask_target(path, shape=(5, 4), reading=MaskReading(MaskConvention.INDEX))
    colour = write(tmp_path, "c.png", np.arange(60).reshape(4, 5, 3))
    with pytest.raises(ImageError, match="colour"):
        read_mask_target(colour, shape=(4, 5), reading=MaskReading(MaskConvention.INDEX))


def test_masks_are_found_by_the_images_name(tmp_path):
    for name in ("a.png", "b_mask.tif", "sub/c_segmentation.png", "d_anno.bmp", "e2.png"):
        write(tmp_path, name, np.zeros((2, 2)))
    found = find_masks(["a.jpg", "b.png", "sub/c.jpg", "d.bmp", "e.png"], tmp_path)
    assert {i: p.name for i, p in found.items()} == {
        "a.jpg": "a.png",
        "b.png": "b_mask.tif",
        "sub/c.jpg": "c_segmentation.png",
        "d.bmp": "d_anno.bmp",
    }
    with pytest.raises(ImageError, match="no folder"):
        find_masks([], tmp_path / "missing")


def test_scan_names_what_is_broken_and_goes_on(tmp_path):
    write(tmp_path, "good.png", np.zeros((4, 5, 3)))
    write(tmp_path, "sub folder/gut ß.png", np.zeros((6, 5, 3)))
    write(tmp_path, ".hidden.png", np.zeros((6, 5, 3)))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    (tmp_path / "notes.txt").write_text("not looked at")
    seen = []
    result = scan_folder(tmp_path, on_file=lambda done, total: seen.append((done, total)))
    assert [i.id for i in result.images] == ["good.png", "sub folder/gut ß.png"]
    assert [i.shape for i in result.images] == [(4, 5), (6, 5)]
    assert [p.file for p in result.problems] == ["bad.png"]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_folder_without_a_usable_image_is_refused(tmp_path):
    with pytest.raises(ImageError, match="no usable image"):
        scan_folder(tmp_path)
    with pytest.raises(ImageError, match="no folder"):
        scan_folder(tmp_path / "missing")


def test_glass_is_told_from_tissue_but_skin_is_tissue_all_over():
    slide = np.full((60, 80, 3), 245, np.uint8)
    slide[10:50, 20:60] = (190, 110, 170)
    expected = np.zeros((60, 80), bool)
    expected[10:50, 20:60] = True
    assert (tissue_mask(slide) == expected).all()
    skin = np.random.default_rng(0).normal((205, 155, 130), 8, (60, 80, 3)).astype(np.uint8)
    skin[20:40, 20:40] = (90, 50, 40)
    assert tissue_mask(skin).all()
    assert tissue_mask(np.full((8, 8, 3), 250, np.uint8)).all()


def disks(rng, side=160):
    """A mask (side, side) of a few disks, True inside."""
    y, x = np.mgrid[:side, :side]
    inside = np.zeros((side, side), bool)
    for _ in range(4):
        cy, cx, radius = (*rng.integers(20, side - 20, 2), rng.integers(6, 22))
        inside |= (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    return inside


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", {"quality": 95}),
        (".jpg", {"quality": 70}),
        (".jpg", {"quality": 30}),
        (".jpeg", {"quality": 70, "mode": "RGB"}),
        (".png", {"soft": 1.0}),
        (".png", {"soft": 2.0}),
    ],
)
def test_black_and_white_masks_with_soft_edges_are_two_classes(tmp_path, suffix, options):
    """Read as instance ids, four fifths of their pixels were wrong."""
    rng = np.random.default_rng(5)
    truths = []
    for number in range(4):
        inside = disks(rng)
        truths.append(inside)
        picture = Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))
        if "soft" in options:
            picture = picture.filter(ImageFilter.GaussianBlur(options["soft"]))
        if "mode" in options:
            picture = picture.convert(options["mode"])
        kept = {key: value for key, value in options.items() if key == "quality"}
        picture.save(tmp_path / f"{number}{suffix}", **kept)
    paths = sorted(tmp_path.iterdir())
    convention = detect_convention(paths, n_classes=2)
    assert convention is MaskConvention.BINARY
    wrong = np.mean(
        [
            read_mask_target(p, shape=t.shape, reading=MaskReading(convention)) != t
            for p, t in zip(paths, truths, strict=True)
        ]
    )
    assert wrong < 0.01


def test_instance_ids_over_the_whole_range_stay_instance_ids(tmp_path):
    ids = np.repeat(np.arange(256, dtype=np.uint8), 16).reshape(64, 64)
    Image.fromarray(ids).save(tmp_path / "a.png")
    assert detect_convention([tmp_path / "a.png"], n_classes=2) is MaskConvention.INSTANCES
    few = np.zeros((64, 64), np.uint8)
    few[:20, :20], few[40:50, 40:50] = 1, 2
    Image.fromarray(few).save(tmp_path / "a.png")
    assert detect_convention([tmp_path / "a.png"], n_classes=2) is MaskConvention.INSTANCES


def test_classes_in_a_jpeg_are_refused(tmp_path):
    mask = np.kron(np.array([[0, 1], [2, 0]], np.uint8), np.ones((40, 40), np.uint8))
    Image.fromarray(mask * 60).save(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg is a JPEG.*export the masks again as PNG"):
        detect_convention([tmp_path / "a.jpg"], n_classes=3)
