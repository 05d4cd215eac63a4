"""Small slides in the layouts of scanners, made on the spot."""

import io
import struct

import numpy as np
import tifffile
from PIL import Image


def scene(height=700, width=900, seed=0):
    """Return a smooth picture, so that JPEG keeps it nearly."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    planes = [
        127 + 100 * np.sin(y / a + c) * np.cos(x / b) for a, b, c in rng.uniform(30, 90, (3, 3))
    ]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def half(pixels):
    return pixels[::2, ::2]


def write_pages(path, pages, **options):
    """Write a pyramid as plain pages, the way that scanners do."""
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, page in enumerate(pages):
            file.write(page, tile=(128, 128), photometric="rgb", metadata=None,
                       subfiletype=int(number > 0), **options)  # fmt: skip
    return path


def write_svs(path):
    """Write levels, thumbnail, label and macro as an Aperio scanner does."""
    image = scene()
    description = (
        "Aperio Image Library v12\r\n900x700 (128x128) JPEG/RGB Q=90|AppMag = 20|MPP = 0.5"
    )
    secret = np.full((60, 80, 3), 7, np.uint8)
    with tifffile.TiffWriter(path) as file:
        common = {"metadata": None, "photometric": "rgb"}
        file.write(image, tile=(128, 128), description=description, compression="jpeg",
                   compressionargs={"level": 95}, **common)  # fmt: skip
        file.write(image[::8, ::8], description=description, **common)
        file.write(half(image), tile=(128, 128), description=description, **common)
        file.write(secret, subfiletype=1, description="Aperio\r\nlabel 80x60", **common)
        file.write(secret, subfiletype=9, description="Aperio\r\nmacro 80x60", **common)
    return path


def write_ndpi(path, levels, macro):
    """Write a slide in Hamamatsu's own dialect of TIFF: 64-bit offsets, restart markers as tiles.

    Each level is one JPEG whose restart intervals serve as tiles; the macro picture has none.
    """
    pages = [(level, 20.0 / 2**k, True) for k, level in enumerate(levels)] + [(macro, -1.0, False)]
    out = bytearray(b"II*\0" + struct.pack("<Q", 0))
    place_of_next = 4
    for image, magnification, in_tiles in pages:
        data, starts = _jpeg_with_restarts(image, in_tiles)
        strip = len(out)
        out += data
        tags = [
            (256, "I", [image.shape[1]]), (257, "I", [image.shape[0]]), (258, "H", [8, 8, 8]),
            (259, "H", [7]), (262, "H", [6]), (271, "s", b"Hamamatsu\0"), (273, "I", [strip]),
            (277, "H", [3]), (278, "I", [image.shape[0]]), (279, "I", [len(data)]),
            (282, "r", (20_000, 1)), (283, "r", (20_000, 1)), (296, "H", [3]),
            (65420, "I", [1]), (65421, "f", [magnification]),
        ]  # fmt: skip
        if in_tiles:
            tags.append((65426, "I", starts))
        entries = bytearray()
        for code, kind, values in tags:
            number, count, raw = _tag_bytes(kind, values)
            if len(raw) > 4:
                offset = len(out)
                out += raw
                raw = struct.pack("<I", offset)
            entries += struct.pack("<HHI", code, number, count) + raw.ljust(4, b"\0")
        out[place_of_next : place_of_next + 8] = struct.pack("<Q", len(out))
        out += struct.pack("<H", len(tags)) + entries
        place_of_next = len(out)
        out += struct.pack("<Q", 0) + b"\0\0\0\0" * len(tags)
    path.write_bytes(bytes(out))
    return path


def _jpeg_with_restarts(image, in_tiles):
    options = {"restart_marker_blocks": image.shape[1] // 8 // 4} if in_tiles else {}
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, subsampling=0, **options)
    data = file.getvalue()
    scan = data.index(b"\xff\xda")
    first = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    places = range(first, len(data) - 1)
    marked = [p + 2 for p in places if data[p] == 0xFF and 0xD0 <= data[p + 1] <= 0xD7]
    return data, [first, *marked]


def _tag_bytes(kind, values):
    if kind == "s":
        return 2, len(values), values
    if kind == "r":
        return 5, 1, struct.pack("<II", *values)
    number = {"H": 3, "I": 4, "f": 11}[kind]
    return number, len(values), struct.pack(f"<{len(values)}{kind}", *values)
