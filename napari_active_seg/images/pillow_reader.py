"""Opening a picture with Pillow, in the formats that we read and no others.

Pillow recognises a file by its first bytes, whatever its name, and hands PostScript to a
Ghostscript interpreter. A file from elsewhere must never start a program.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from napari_active_seg.errors import ImageError

__all__ = ["PICTURE_FORMATS", "check_regular_file", "open_picture"]

#: The decoders that may see a file from elsewhere; each decodes pixels and runs nothing.
PICTURE_FORMATS = ("BMP", "JPEG", "PNG", "TIFF")


def open_picture(source: Path | BinaryIO) -> Image.Image:
    """Open a picture; its pixels are decoded when they are first used.

    Parameters
    ----------
    source
        A path, or a file object that is open for reading bytes.

    Raises
    ------
    ImageError
        If the path is a pipe or a device.
    PIL.UnidentifiedImageError
        If the content has none of the formats in `PICTURE_FORMATS`.
    """
    if isinstance(source, Path):
        check_regular_file(source)
    return Image.open(source, formats=PICTURE_FORMATS)


def check_regular_file(path: Path) -> None:
    """Raise ImageError for pipes and devices: reading them may wait for ever.

    A path that does not exist is left to whoever opens it.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ImageError(f"{path.name} is a pipe or a device, not a file; remove it")
