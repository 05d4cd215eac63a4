"""Slides of every layout that we can write ourselves, compared with what was written."""

import pickle
import threading

import numpy as np
import pytest
import tifffile
from tiny_slides import half, scene, write_ndpi, write_pages, write_svs

from napari_active_seg.errors import ImageError
from napari_active_seg.images import SlideImage, open_image, open_lazy_levels, scan_folder
from napari_active_seg.images.pyramid import Overview
from napari_active_seg.images.tissue import find_tissue


def windows(shape):
    h, w = shape
    return [
        (0, 0, h, w),
        (5, 7, h // 2, w // 2),
        (h - 1, w - 1, 1, 1),
        (120, 120, 20, 20),
        (0, w - 50, h, 50),
    ]


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "jpeg", "jpeg2000", "zstd"])
def test_every_window_of_every_level_is_what_was_written(tmp_path, compression):
    image = scene()
    levels = [image, half(image), half(half(image))]
    path = write_pages(tmp_path / "a.tif", levels, compression=compression)
    source = open_image(path)
    assert isinstance(source, SlideImage)
    assert source.level_shapes == tuple(level.shape[:2] for level in levels)
    for number, level in enumerate(levels):
        decoded = tifffile.imread(path, key=number)
        assert np.abs(decoded.astype(int) - level).mean() < (3 if compression == "jpeg" else 1e-9)
        for y, x, h, w in windows(level.shape[:2]):
            got = source.read(number, y, x, h, w)
            assert got.dtype == np.uint8
            np.testing.assert_array_equal(got, decoded[y : y + h, x : x + w])


def test_aperio_levels_and_spacing_are_read_and_label_and_macro_never(tmp_path, monkeypatch):
    path = write_svs(tmp_path / "a.svs")
    source = open_image(path)
    assert source.level_shapes == ((700, 900), (350, 450))
    assert source.spacing == (0.5, 0.5)
    difference = np.abs(source.read(0, 0, 0, 700, 900).astype(int) - scene())
    assert difference.mean() < 2
    assert (source.read(1, 0, 0, 350, 450) == half(scene())).all()
    pages = [page for level in source._levels for page in level.pages]
    assert all(page.shape[0] > 60 for page in pages)


def test_ome_pyramids_in_sub_ifds_and_channels_in_planes(tmp_path):
    image = scene()
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        facts = {"axes": "YXS", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm",
                 "PhysicalSizeY": 0.3, "PhysicalSizeYUnit": "µm"}  # fmt: skip
        file.write(image, tile=(128, 128), subifds=1, photometric="rgb", metadata=facts)
        file.write(half(image), tile=(128, 128), subfiletype=1, photometric="rgb")
    source = open_image(path)
    assert source.level_shapes == ((700, 900), (350, 450))
    assert source.spacing == (0.3, 0.25)
    assert (source.read(1, 3, 4, 90, 80) == half(image)[3:93, 4:84]).all()

    planes = tmp_path / "planes.ome.tif"
    tifffile.imwrite(
        planes, np.moveaxis(image, -1, 0), metadata={"axes": "CYX"}, photometric="minisblack"
    )
    assert (open_image(planes).read(0, 10, 20, 30, 40) == image[10:40, 20:60]).all()


def test_leica_scn_shows_the_scan_and_not_the_macro(tmp_path):
    image, macro = scene(), np.full((300, 200, 3), 9, np.uint8)
    dimension = '<dimension sizeX="{1}" sizeY="{0}" r="{2}" ifd="{3}"/>'

    def pixels(levels, first):
        inner = "".join(
            dimension.format(*level.shape[:2], r, first + r) for r, level in enumerate(levels)
        )
        return f'<image name="image_{first}"><pixels>{inner}</pixels></image>'

    levels = [image, half(image)]
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f"<collection>{pixels([macro], 0)}{pixels(levels, 1)}</collection></scn>"
    )
    path = tmp_path / "a.scn"
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, page in enumerate([macro, *levels]):
            file.write(page, tile=(128, 128), photometric="rgb", metadata=None,
                       description=xml if number == 0 else None)  # fmt: skip
    source = open_image(path)
    assert source.level_shapes == ((700, 900), (350, 450))
    assert (source.read(0, 650, 850, 50, 50) == image[650:, 850:]).all()


def test_hamamatsu_ndpi_is_read_by_its_restart_markers(tmp_path):
    image = scene(512, 1024)
    levels = [image, np.ascontiguousarray(half(image))]
    path = write_ndpi(tmp_path / "a.ndpi", levels, np.full((96, 128, 3), 7, np.uint8))
    source = open_image(path)
    assert source.level_shapes == ((512, 1024), (256, 512))
    assert source.spacing == (0.5, 0.5)
    for number, level in enumerate(levels):
        h, w = level.shape[:2]
        got = source.read(number, 5, 7, h - 30, w - 40).astype(int)
        assert np.abs(got - level[5 : h - 25, 7 : w - 33]).mean() < 2
    assert (source.read(0, 100, 100, 50, 60) == source.read(0, 90, 90, 90, 90)[10:60, 10:70]).all()


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (scene(), {"planarconfig": "separate", "photometric": "rgb"}, lambda p: p),
        (scene()[..., 0], {"photometric": "minisblack"}, lambda p: np.repeat(p[..., None], 3, 2)),
        (
            scene()[..., 0],
            {"photometric": "miniswhite"},
            lambda p: 255 - np.repeat(p[..., None], 3, 2),
        ),
        (
            scene().astype(np.uint16) * 16,
            {"photometric": "rgb"},
            lambda p: np.round(p * (255 / 4095)).astype(np.uint8),
        ),
        (
            np.concatenate([scene(), np.full((700, 900, 1), 255, np.uint8)], axis=2),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
            lambda p: p[..., :3],
        ),
        (
            np.concatenate([255 - scene(), np.zeros((700, 900, 1), np.uint8)], axis=2),
            {"photometric": "separated"},
            lambda p: 255 - p[..., :3],
        ),
    ],
    ids=["planes", "grey", "white is zero", "12 of 16 bits", "alpha", "cmyk"],
)
@pytest.mark.parametrize("tile", [(128, 128), None])
def test_every_kind_of_pixel_comes_out_as_rgb(tmp_path, pixels, options, expected, tile):
    path = tmp_path / "a.tif"
    more = {"tile": tile} if tile else {"rowsperstrip": 37}
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(path, pixels, metadata=None, **options, **more)
    wanted = expected(np.moveaxis(pixels, 0, -1) if "planarconfig" in options else pixels)
    plain = open_image(path).read(0, 0, 0, 700, 900)
    assert (plain == wanted).all()
    slide = SlideImage(path, white=4095 if pixels.dtype == np.uint16 else None)
    for y, x, h, w in windows((700, 900)):
        assert (slide.read(0, y, x, h, w) == wanted[y : y + h, x : x + w]).all()


def test_palette_slides_show_their_colours(tmp_path):
    indices = (scene()[..., 0] // 64).astype(np.uint8)
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :4] = np.array([[0, 80, 160, 240], [10, 20, 30, 40], [200, 100, 50, 0]]) << 8
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, indices, photometric="palette", colormap=colours, tile=(128, 128))
    wanted = np.moveaxis(colours[:, indices] >> 8, 0, -1)
    assert (open_image(path).read(0, 0, 0, 700, 900) == wanted).all()
    assert (SlideImage(path).read(0, 9, 9, 300, 300) == wanted[9:309, 9:309]).all()


def test_a_tile_that_was_left_out_is_bare_glass(tmp_path):
    path = tmp_path / "a.tif"
    image = scene(256, 256)
    tifffile.imwrite(path, image, tile=(128, 128), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        counts = list(tags["TileByteCounts"].value)
        tags["TileByteCounts"].overwrite([counts[0], 0, counts[2], counts[3]])
    got = SlideImage(path).read(0, 0, 0, 256, 256)
    assert (got[:128, 128:] == 255).all()
    assert (got[128:] == image[128:]).all()


def test_slide_that_is_cut_short_is_set_aside(tmp_path):
    path = write_pages(tmp_path / "cut.tif", [scene(), half(scene())])
    whole = path.read_bytes()
    write_pages(tmp_path / "whole.tif", [scene(), half(scene())])
    path.write_bytes(whole[: len(whole) // 2])
    found = scan_folder(tmp_path)
    assert [image.id for image in found.images] == ["whole.tif"]
    (problem,) = found.problems
    assert problem.file == "cut.tif"


def test_tiff_that_lies_about_its_size_is_refused_without_asking_for_memory(tmp_path):
    path = tmp_path / "liar.tif"
    tifffile.imwrite(path, scene(64, 64), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(2_000_000_000)
        file.pages[0].tags["ImageWidth"].overwrite(60_000)
    write_pages(tmp_path / "fine.tif", [scene()])
    (problem,) = scan_folder(tmp_path).problems
    assert problem.file == "liar.tif"


def test_sources_travel_to_workers_and_reopen_there(tmp_path):
    path = write_pages(tmp_path / "a.tif", [scene(), half(scene())])
    source = open_image(path)
    before = source.read(0, 100, 100, 50, 60)
    again = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own object
    assert (again.read(0, 100, 100, 50, 60) == before).all()


def test_threads_read_at_once(tmp_path):
    image = scene()
    source = open_image(
        write_pages(tmp_path / "a.tif", [image, half(image)], compression="deflate")
    )
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(40):
            y, x = (int(v) for v in rng.integers(0, (500, 700)))
            if (source.read(0, y, x, 200, 200) != image[y : y + 200, x : x + 200]).any():
                wrong.append((y, x))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_large_picture_without_levels_gets_a_coarse_one(tmp_path):
    path = tmp_path / "wide.tif"
    image = np.zeros((300, 60_000, 3), np.uint8)
    image[:, 30_000:] = 200
    tifffile.imwrite(path, image, tile=(256, 256), photometric="rgb", compression="deflate")
    source = open_image(path)
    assert len(source.level_shapes) == 2
    (h, w) = source.level_shapes[1]
    assert max(h, w) <= 2048
    coarse = source.read(1, 0, 0, h, w)
    assert (coarse[:, : w // 2 - 1] == 0).all() and (coarse[:, w // 2 + 1 :] == 200).all()


@pytest.mark.parametrize("shape", [(5, 5000), (4100, 3), (1000, 1000), (4097, 4099)])
def test_overview_is_the_mean_of_its_pixels(shape):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    overview = Overview(lambda y, x, h, w: image[y : y + h, x : x + w], shape, longest=500)
    got = overview.read(0, 0, *overview.shape)
    f = overview.factor
    rows, columns = (max(1, n // f) for n in shape)
    cut = image[: rows * f, : columns * f].astype(float)
    fy, fx = cut.shape[0] // rows, cut.shape[1] // columns
    wanted = cut.reshape(rows, fy, columns, fx, 3).mean(axis=(1, 3))
    assert np.abs(got - wanted).max() <= 0.51


def test_lazy_levels_index_like_arrays_and_read_only_what_is_asked(tmp_path):
    image = scene()
    source = open_image(write_pages(tmp_path / "a.tif", [image, half(image)]))
    level, coarse = open_lazy_levels(source)
    assert level.shape == image.shape and coarse.shape == half(image).shape
    for index in (
        np.s_[10:20, 30:50], np.s_[5], np.s_[-1, 4], np.s_[..., 1], np.s_[3:99:7, ::50, 0],
        np.s_[20:10:-2, 5:6], np.s_[7:7], np.s_[:, 3], np.s_[2:4, ..., :2],
    ):  # fmt: skip
        assert (level[index] == image[index]).all(), index
        assert level[index].shape == image[index].shape
    assert (np.asarray(coarse) == half(image)).all()
    with pytest.raises(IndexError):
        level[700]
    reads = []
    source.read = lambda *window: reads.append(window) or np.zeros((*window[3:], 3), np.uint8)
    level[600:610, 800:805]
    assert reads == [(0, 600, 800, 10, 5)]


def test_tissue_of_a_slide_is_found_at_a_low_level(tmp_path):
    image = np.full((2500, 2600, 3), 245, np.uint8)
    image[500:1500, 700:2000] = (180, 80, 150)
    source = open_image(
        write_pages(tmp_path / "a.tif", [image, half(image)], compression="deflate")
    )
    mask = find_tissue(source)
    assert max(mask.shape) <= 1300
    scale = mask.shape[0] / 2500
    inside = mask[int(510 * scale) : int(1490 * scale), int(710 * scale) : int(1990 * scale)]
    assert inside.all()
    assert abs(mask.mean() - 1000 * 1300 / (2500 * 2600)) < 0.01


def test_missing_level_and_window_outside_are_named(tmp_path):
    source = open_image(write_pages(tmp_path / "a.tif", [scene(), half(scene())]))
    with pytest.raises(ImageError, match="has 2 level"):
        source.read(2, 0, 0, 5, 5)
    with pytest.raises(ImageError, match="does not lie inside"):
        source.read(1, 340, 0, 20, 5)


@pytest.mark.parametrize(
    ("kind", "highest"), [(np.float32, 255.0), (np.float32, 1.0), (np.uint16, 4000)]
)
def test_deep_pixels_have_one_brightness_in_every_window(tmp_path, kind, highest):
    """White is one for the whole image: a dark window is not brightened."""
    ramp = np.linspace(0, highest, 256).astype(kind)
    pixels = np.broadcast_to(ramp[None, :, None], (128, 256, 3)).copy()
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64), photometric="rgb")
    source = SlideImage(tmp_path / "a.tif")
    whole = source.read(0, 0, 0, 128, 256)
    parts = [SlideImage(tmp_path / "a.tif").read(0, 0, x, 128, 2) for x in range(0, 256, 2)]
    assert (np.concatenate(parts, axis=1) == whole).all()
    assert whole[0, -1, 0] >= 240 and 110 < whole[0, 128, 0] < 130
    again = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own object
    assert again.__dict__.get("white", again._white) == source.white


@pytest.mark.parametrize(("at", "value"), [(200, 5.0), (10, np.nan)])
def test_real_numbers_without_a_known_white_are_refused_in_every_window(tmp_path, at, value):
    pixels = np.full((128, 256, 3), 0.5, np.float32)
    pixels[:, at] = value
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64), photometric="rgb")
    source = SlideImage(tmp_path / "a.tif")
    for x in (0, 100):
        with pytest.raises(ImageError, match=r"full brightness is unknown|NaN or infinity"):
            source.read(0, 0, x, 16, 16)
