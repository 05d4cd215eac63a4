"""Small slides in the layouts of scanners, made on the spot."""

import numpy as np
import tifffile


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
