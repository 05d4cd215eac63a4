"""OME-Zarr, OpenSlide, spacing, and pictures of every mode."""

import json
import pickle
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiny_slides import half, scene, write_svs

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images import compute_fingerprint, open_image, read_rgb, scan_folder
from napari_active_seg.images.openslide_image import OpenSlideImage
from napari_active_seg.images.to_rgb import ycbcr_to_rgb


def write_zarr(folder, levels, *, version, channels_first=True):
    """Write an OME-Zarr of 0.4 (zarr 2) or 0.5 (zarr 3)."""
    zarr = pytest.importorskip("zarr")
    names = ["t", "c", "y", "x"] if channels_first else ["y", "x"]
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": n, "type": kinds.get(n, "space")} for n in names]
    for axis in axes[-2:]:
        axis["unit"] = "micrometer"
    datasets = []
    for number, level in enumerate(levels):
        data = np.moveaxis(level, -1, 0)[None] if channels_first else level[..., 0]
        array = zarr.create_array(
            folder / str(number),
            shape=data.shape,
            dtype=data.dtype,
            chunks=(*data.shape[:-2], 100, 100),
            zarr_format=2 if version == "0.4" else 3,
        )
        array[:] = data
        scale = [1.0] * (len(names) - 2) + [0.25 * 2**number] * 2
        datasets.append(
            {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    multiscales = [{"version": version, "axes": axes, "datasets": datasets}]
    if version == "0.4":
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps({"multiscales": multiscales}))
    else:
        attributes = {"ome": {"version": "0.5", "multiscales": multiscales}}
        text = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / "zarr.json").write_text(json.dumps(text))
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_of_both_versions_reads_like_any_image(tmp_path, version):
    image = scene()
    (tmp_path / "a.zarr").mkdir()
    write_zarr(tmp_path / "a.zarr", [image, half(image)], version=version)
    (found,) = scan_folder(tmp_path).images
    assert (found.id, found.shape, found.spacing) == ("a.zarr", (700, 900), (0.25, 0.25))
    source = pickle.loads(pickle.dumps(open_image(found.path)))  # noqa: S301 - our own object
    assert source.level_shapes == ((700, 900), (350, 450))
    assert (source.read(0, 90, 95, 200, 300) == image[90:290, 95:395]).all()
    assert (source.read(1, 0, 0, 350, 450) == half(image)).all()


def test_grey_ome_zarr_becomes_rgb_and_its_fingerprint_follows_its_content(tmp_path):
    image = scene(200, 300)
    (tmp_path / "a.zarr").mkdir()
    path = write_zarr(tmp_path / "a.zarr", [image], version="0.5", channels_first=False)
    assert (open_image(path).read(0, 5, 5, 9, 9) == image[5:14, 5:14, :1]).all()
    before = compute_fingerprint(path)
    moved = path.rename(tmp_path / "b.zarr")
    assert compute_fingerprint(moved) == before
    (moved / "0" / "zarr.json").write_text("{}")
    assert compute_fingerprint(moved) != before


def test_ome_zarr_that_points_outside_itself_or_is_broken_is_refused(tmp_path):
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    write_zarr(folder, [scene(200, 200)], version="0.4")
    attributes = json.loads((folder / ".zattrs").read_text())
    attributes["multiscales"][0]["datasets"][0]["path"] = "../elsewhere"
    (folder / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(ImageError, match="points outside itself"):
        _ = open_image(folder).shape
    (folder / ".zattrs").write_text("{ rubbish")
    with pytest.raises(ImageError, match="cannot be read"):
        _ = open_image(folder).shape


def test_missing_zarr_package_is_said_with_the_command(tmp_path, monkeypatch):
    (tmp_path / "a.zarr").mkdir()
    write_zarr(tmp_path / "a.zarr", [scene(200, 200)], version="0.5")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtraError, match=r"pip install napari-active-seg\[zarr\]"):
        _ = open_image(tmp_path / "a.zarr").shape


def test_openslide_agrees_with_tifffile(tmp_path):
    pytest.importorskip("openslide")
    path = write_svs(tmp_path / "a.svs")
    ours, other = open_image(path), open_image(path, back_end="openslide")
    assert isinstance(other, OpenSlideImage)
    assert other.level_shapes == ours.level_shapes
    assert other.spacing == pytest.approx(ours.spacing)
    window = (0, 100, 130, 200, 150)
    assert np.abs(ours.read(*window).astype(int) - other.read(*window)).mean() < 2
    again = pickle.loads(pickle.dumps(other))  # noqa: S301 - our own object
    assert (again.read(*window) == other.read(*window)).all()


def test_openslide_that_is_not_there_is_said_with_the_command(tmp_path, monkeypatch):
    (tmp_path / "a.mrxs").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(MissingExtraError, match=r"pip install napari-active-seg\[openslide\]"):
        _ = open_image(tmp_path / "a.mrxs").shape


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20_000, 40_000), 3, (0.25, 0.5)),
        ((72, 72), 2, None),
        ((300, 300), 2, None),
        ((0, 0), 3, None),
    ],
)
def test_spacing_is_read_where_it_can_be_believed(tmp_path, resolution, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, scene(50, 60), photometric="rgb", resolution=resolution, resolutionunit=unit
    )
    assert open_image(path).spacing == expected


def test_spacing_of_imagej_and_png(tmp_path):
    tifffile.imwrite(
        tmp_path / "ij.tif", scene(50, 60)[..., 0], imagej=True, resolution=(2.0, 2.0),
        metadata={"unit": "um"},
    )  # fmt: skip
    assert open_image(tmp_path / "ij.tif").spacing == (0.5, 0.5)
    Image.fromarray(scene(50, 60)).save(tmp_path / "a.png", dpi=(50_800, 50_800))
    assert open_image(tmp_path / "a.png").spacing == pytest.approx((0.5, 0.5), rel=1e-3)
    Image.fromarray(scene(50, 60)).save(tmp_path / "b.jpg", dpi=(96, 96))
    assert open_image(tmp_path / "b.jpg").spacing is None


def test_sixteen_bit_pictures_of_one_set_share_their_white(tmp_path):
    bright = (scene(60, 60).astype(np.uint16) * 16) + 15
    dark = bright // 8
    tifffile.imwrite(tmp_path / "bright.tif", bright, photometric="rgb")
    tifffile.imwrite(tmp_path / "dark.tif", dark, photometric="rgb")
    found = {image.id: image for image in scan_folder(tmp_path).images}
    assert {image.white for image in found.values()} == {4095}
    got = open_image(found["dark.tif"].path, white=found["dark.tif"].white).read(0, 0, 0, 60, 60)
    assert np.abs(got - dark / 4095 * 255).max() <= 0.51


def test_transparent_palettes_lie_over_white_and_cmyk_jpeg_is_rgb(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([200, 10, 10, 10, 200, 10] + [0] * 762)
    picture.info["transparency"] = 1
    picture.save(tmp_path / "p.png", transparency=1)
    assert read_rgb(tmp_path / "p.png").tolist() == [[[200, 10, 10], [255, 255, 255]]]
    ink = Image.new("CMYK", (40, 30), (0, 255, 255, 0))
    ink.save(tmp_path / "c.jpg", quality=95)
    red = read_rgb(tmp_path / "c.jpg").reshape(-1, 3).mean(axis=0)
    assert red[0] > 200 and red[1:].max() < 60


def test_luma_and_chroma_become_rgb_as_pillow_does():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(pixels, mode="YCbCr").convert("RGB")).astype(int)
    assert np.abs(ycbcr_to_rgb(pixels) - wanted).max() <= 1


def test_file_of_no_known_kind_is_named(tmp_path):
    (tmp_path / "notes.docx").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"notes.docx is of no kind that can be read"):
        open_image(tmp_path / "notes.docx")
