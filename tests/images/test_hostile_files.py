"""Files of strangers: nothing in them runs, none of them stops the others, none lies unseen."""

import ast
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_active_seg
from napari_active_seg.errors import ImageError
from napari_active_seg.export.model_export import EXAMPLE
from napari_active_seg.images import open_image, read_array, read_rgb, scan_folder
from napari_active_seg.images.pillow_reader import PICTURE_FORMATS, open_picture

PACKAGE = Path(napari_active_seg.__file__).parent
needs_posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def write_postscript(path):
    """A picture for Ghostscript that writes a file of its own when it is drawn."""
    trace = path.with_suffix(".ran")
    path.write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
        f"({trace}) (w) file closefile showpage\n%%EOF\n"
    )
    return trace


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_postscript_under_the_name_of_a_picture_is_refused_unread(tmp_path, suffix, monkeypatch):
    def start(*_args, **_options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", start)
    path = tmp_path / f"art{suffix}"
    trace = write_postscript(path)
    with pytest.raises(ImageError, match="art"):
        read_rgb(path)
    assert not trace.exists()


def calls_of_image_open(tree):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "open"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "Image"
    ]


def test_every_picture_is_opened_with_a_list_of_formats():
    found = 0
    for path in PACKAGE.rglob("*.py"):
        for call in calls_of_image_open(ast.parse(path.read_text(encoding="utf-8"))):
            found += 1
            assert "formats" in {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno}"
    assert found


def test_the_exported_script_names_its_formats():
    calls = calls_of_image_open(ast.parse(EXAMPLE))
    assert len(calls) == 1
    assert [keyword.arg for keyword in calls[0].keywords] == ["formats"]


def test_no_format_that_pillow_hands_to_another_program_is_read():
    assert not {"EPS", "WMF", "FPX", "MIC", "GRIB", "HDF5", "BUFR"} & set(PICTURE_FORMATS)


@needs_posix
def test_pipes_and_links_to_themselves_are_passed_over(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (32, 32), "pink").save(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    scan = scan_folder(tmp_path)
    assert [image.id for image in scan.images] == ["a.png", "b.png"]


@needs_posix
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for read in (open_image, read_array, open_picture):
        with pytest.raises(ImageError, match=r"pipe\.png is a pipe or a device"):
            read(pipe)


@needs_posix
def test_a_name_that_cannot_be_stored_costs_that_file_alone(tmp_path):
    Image.new("RGB", (32, 32), "pink").save(tmp_path / "a.png")
    for name in (b"\xff\xfe.png", b"back\\slash.png", b"line\nbreak.png"):
        (tmp_path / os.fsdecode(name)).write_bytes((tmp_path / "a.png").read_bytes())
    scan = scan_folder(tmp_path)
    assert [image.id for image in scan.images] == ["a.png"]
    assert len(scan.problems) == 3
    assert all("rename the file" in problem.why for problem in scan.problems)
    for problem in scan.problems:  # what a terminal prints
        problem.file.encode("utf-8")
        problem.why.encode("utf-8")


def with_tag(data, number, value):
    """Return a little-endian TIFF with another value of one SHORT or LONG tag."""
    changed = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from("<HH", data, entry)
        if tag == number:
            struct.pack_into("<H" if kind == 3 else "<I", changed, entry + 8, value)
            return bytes(changed)
    raise AssertionError(f"no tag {number}")


@pytest.mark.parametrize(
    ("number", "tiled"), [(256, False), (257, False), (322, True), (323, True)]
)
def test_a_tiff_of_size_0_does_not_stop_the_scan(tmp_path, number, tiled):
    Image.new("RGB", (32, 32), "pink").save(tmp_path / "good.png")
    options = {"tile": (32, 32)} if tiled else {}
    image = np.full((64, 64, 3), 90, np.uint8)
    tifffile.imwrite(tmp_path / "bad.tif", image, photometric="rgb", **options)
    data = (tmp_path / "bad.tif").read_bytes()
    (tmp_path / "bad.tif").write_bytes(with_tag(data, number, 0))
    scan = scan_folder(tmp_path)
    assert [image.id for image in scan.images] == ["good.png"]
    assert [problem.file for problem in scan.problems] == ["bad.tif"]


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "strips", "tiles", "deflate"])
def test_a_scrambled_file_is_a_problem_and_never_an_end(tmp_path, kind):
    """Bytes are changed at random; a file either still decodes or is named with a reason."""
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (48, 64, 3), np.uint8)
    folder = tmp_path / "images"
    folder.mkdir()
    if kind in ("png", "jpg", "bmp"):
        good = tmp_path / f"good.{kind}"
        Image.fromarray(image).save(good)
    else:
        good = tmp_path / "good.tif"
        options = {"tile": (16, 16)} if kind == "tiles" else {}
        compression = "zlib" if kind == "deflate" else None
        tifffile.imwrite(good, image, photometric="rgb", compression=compression, **options)
    data = np.frombuffer(good.read_bytes(), np.uint8)
    for number in range(60):
        changed = data.copy()
        many = rng.integers(1, 8)
        places = rng.integers(0, 200 if number % 2 else len(data), many)
        changed[np.minimum(places, len(data) - 1)] = rng.integers(0, 256, many)
        (folder / f"{number}{good.suffix}").write_bytes(changed.tobytes())
    (folder / f"good{good.suffix}").write_bytes(data.tobytes())
    scan = scan_folder(folder)
    assert len(scan.images) + len(scan.problems) == 61
    assert all(problem.why for problem in scan.problems)


@pytest.mark.parametrize("highest", [0.8, 1.0, 1.02, 1.6, 200.0, 255.0, 257.0, 4000.0])
def test_real_numbers_a_little_above_full_brightness_do_not_turn_black(tmp_path, highest):
    full = {True: 1.0, False: 255.0}[highest <= 2] if highest < 300 else 4095.0
    ramp = np.linspace(0, highest, 64, dtype=np.float32)
    pixels = np.broadcast_to(ramp[None, :, None], (32, 64, 3))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    expected = np.clip(np.round(pixels / full * 255), 0, 255)
    assert np.abs(read_rgb(tmp_path / "a.tif").astype(int) - expected).max() <= 1


def test_real_numbers_without_a_known_scale_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((32, 32, 3), 5, np.float32), photometric="rgb")
    with pytest.raises(ImageError, match=r"up to 5.*scale it to 0\.\.1 or 0\.\.255"):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("shifted", [False, True])
def test_a_cielab_tiff_shows_its_colours(tmp_path, shifted):
    """Red in CIELab is L 53.24, a 80.09, b 67.20."""
    lab = np.array([53.24 * 2.55, 80.09, 67.2])
    stored = lab + np.array([0, 128, 128]) if shifted else lab
    pixels = np.broadcast_to(np.round(stored).astype(np.uint8), (32, 32, 3))
    photometric = tifffile.PHOTOMETRIC.ICCLAB if shifted else tifffile.PHOTOMETRIC.CIELAB
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric)
    shown = read_rgb(tmp_path / "a.tif")[0, 0].astype(int)
    assert np.abs(shown - np.array([255, 0, 0])).max() <= 4


def test_an_ome_zarr_chunk_that_fills_the_memory_is_refused_at_the_door(tmp_path):
    zarr = pytest.importorskip("zarr")
    folder = tmp_path / "images" / "a.zarr"
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    group.create_array(
        "0", shape=(3, 40_000, 40_000), chunks=(3, 20_000, 20_000), dtype="u1", fill_value=7
    )
    axes = [{"name": name, "type": "space"} for name in "yx"]
    multiscale = {
        "version": "0.4",
        "axes": [{"name": "c", "type": "channel"}, *axes],
        "datasets": [{"path": "0"}],
    }
    (folder / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}))
    with pytest.raises(ImageError, match=r"chunks of 1,200,000,000 values"):
        scan_folder(tmp_path / "images")
