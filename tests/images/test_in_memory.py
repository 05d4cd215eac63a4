import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_active_seg.errors import ImageError
from napari_active_seg.images import (
    PlainImage,
    compute_fingerprint,
    count_planes,
    read_rgb,
    scan_folder,
)

RED = (200, 30, 40)


def save(path, mode, colour, **options):
    Image.new(mode, (7, 5), colour).save(path, **options)
    return read_rgb(path)


@pytest.mark.parametrize(
    ("name", "mode", "colour", "expected"),
    [
        ("rgb.png", "RGB", RED, RED),
        ("grey.png", "L", 77, (77, 77, 77)),
        ("clear.png", "RGBA", (*RED, 255), RED),
        ("half.png", "RGBA", (0, 0, 0, 128), (127, 127, 127)),  # over white
        ("grey-alpha.png", "LA", (50, 255), (50, 50, 50)),
        ("bit.png", "1", 1, (255, 255, 255)),
        ("rgb.bmp", "RGB", RED, RED),
        ("rgb.tif", "RGB", RED, RED),
    ],
)
def test_every_mode_comes_out_as_rgb(tmp_path, name, mode, colour, expected):
    pixels = save(tmp_path / name, mode, colour)
    assert pixels.shape == (5, 7, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == expected).all()


def test_palette_and_cmyk_pictures_show_their_colours(tmp_path):
    Image.new("RGB", (7, 5), RED).quantize(4).save(tmp_path / "p.png")
    assert np.abs(read_rgb(tmp_path / "p.png").astype(int) - RED).max() <= 1
    Image.new("CMYK", (7, 5), (0, 0, 0, 0)).save(tmp_path / "c.jpg")
    assert (read_rgb(tmp_path / "c.jpg") == 255).all()


def test_sixteen_bits_are_scaled_by_their_depth(tmp_path):
    full = np.array([[0, 65535], [32768, 257]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", full)
    assert read_rgb(tmp_path / "a.tif")[..., 0].tolist() == [[0, 255], [128, 1]]
    twelve = np.array([[0, 4095], [2048, 16]], np.uint16)
    tifffile.imwrite(tmp_path / "b.tif", twelve)
    assert read_rgb(tmp_path / "b.tif")[..., 0].tolist() == [[0, 255], [128, 1]]


def test_exif_orientation_is_honoured(tmp_path):
    picture = Image.new("RGB", (7, 5))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert PlainImage(tmp_path / "turned.jpg").shape == (7, 5)


def test_windows_are_cut_out_and_checked(tmp_path):
    values = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    Image.fromarray(values).save(tmp_path / "a.png")
    source = PlainImage(tmp_path / "a.png")
    assert (source.read(0, 1, 2, 3, 2) == values[1:4, 2:4]).all()
    assert source.level_shapes == ((5, 4),)
    with pytest.raises(ImageError, match="does not lie inside"):
        source.read(0, 3, 0, 3, 1)
    with pytest.raises(ImageError, match="has 1 level"):
        source.read(1, 0, 0, 1, 1)


def rubbish(folder):
    (folder / "text.png").write_text("this is no picture")
    (folder / "empty.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "short.png")
    whole = (folder / "short.png").read_bytes()
    (folder / "short.png").write_bytes(whole[: len(whole) // 2])
    tifffile.imwrite(folder / "short.tif", noise)
    (folder / "short.tif").write_bytes((folder / "short.tif").read_bytes()[:3000])
    header = bytearray(whole)
    header[16:24] = (2_000_000).to_bytes(4, "big") * 2  # a PNG that claims 4 terapixels
    (folder / "bomb.png").write_bytes(bytes(header))
    return ["text.png", "empty.png", "short.png", "short.tif", "bomb.png"]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_are_named_with_a_reason(tmp_path):
    for name in rubbish(tmp_path):
        with pytest.raises(ImageError, match=name):
            read_rgb(tmp_path / name)


def test_float_picture_with_nan_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "nan.tif", np.full((4, 4), np.nan, np.float32))
    with pytest.raises(ImageError, match="NaN"):
        read_rgb(tmp_path / "nan.tif")


def test_fingerprint_follows_content_and_not_name(tmp_path):
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    (tmp_path / "c").write_bytes(b"sane")
    big = bytearray(9 * 2**20)
    (tmp_path / "d").write_bytes(big)
    big[len(big) // 2 + 7] = 1
    (tmp_path / "e").write_bytes(big)
    prints = {name: compute_fingerprint(tmp_path / name) for name in "abcde"}
    assert prints["a"] == prints["b"] != prints["c"]
    assert prints["d"] != prints["e"]
    with pytest.raises(ImageError, match="cannot be read"):
        compute_fingerprint(tmp_path / "missing")


def test_files_of_several_planes_are_noted(tmp_path):
    """Stacks and channels are read in part; pyramids, thumbnails and RGB are read whole."""
    grey = np.zeros((40, 60), np.uint8)

    def planes(name, pixels, **more):
        tifffile.imwrite(tmp_path / name, pixels, **more)
        return count_planes(tmp_path / name)

    assert planes("stack.tif", np.zeros((5, 40, 60), np.uint8), photometric="minisblack") == 5
    assert planes("z.tif", np.zeros((4, 2, 40, 60), np.uint8), imagej=True) == 8
    assert planes("t.ome.tif", np.zeros((3, 40, 60), np.uint8), metadata={"axes": "TYX"}) == 3
    assert planes("c.ome.tif", np.zeros((2, 40, 60), np.uint8), metadata={"axes": "CYX"}) == 2
    assert planes("rgb.ome.tif", np.zeros((3, 40, 60), np.uint8), metadata={"axes": "CYX"}) == 1
    assert planes("grey.tif", grey) == 1
    assert planes("rgb.tif", np.zeros((40, 60, 3), np.uint8), photometric="rgb") == 1
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as file:
        file.write(grey)
        file.write(grey[::4, ::4], subfiletype=1)
    assert count_planes(tmp_path / "thumb.tif") == 1
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert count_planes(tmp_path / "a.png") == 1
    notes = scan_folder(tmp_path).notes
    assert len(notes) == 1 and notes[0].startswith("4 files hold several planes (z-stack, time")
    assert "stack.tif (5 planes)" in notes[0]
