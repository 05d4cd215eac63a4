"""Opening image files with the reader of their format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_active_seg.errors import ImageError, MissingExtraError
from napari_active_seg.images.in_memory import PICTURE_SUFFIXES, TIFF_SUFFIXES, PlainImage
from napari_active_seg.images.ome_zarr import OmeZarrImage, is_ome_zarr
from napari_active_seg.images.openslide_image import OPENSLIDE_SUFFIXES, OpenSlideImage
from napari_active_seg.images.pillow_reader import check_regular_file
from napari_active_seg.images.slide import SLIDE_SUFFIXES, SlideImage, needs_windows
from napari_active_seg.images.source import ImageSource

__all__ = ["IMAGE_SUFFIXES", "candidate_files", "check_image", "check_name", "open_image"]
__all__ += ["printable_name"]

IMAGE_SUFFIXES = PICTURE_SUFFIXES | SLIDE_SUFFIXES | OPENSLIDE_SUFFIXES
BackEnd = Literal["auto", "tifffile", "openslide"]


def open_image(path: Path, *, white: int | None = None, back_end: BackEnd = "auto") -> ImageSource:
    """Open the image at ``path`` with the reader of its format.

    Parameters
    ----------
    path
        A picture, TIFF, slide or OME-Zarr folder.
    white
        Value of full brightness of 16-bit pixels; by default it is derived from the pixels.
    back_end
        Reader of slides: ``tifffile``, ``openslide``, or ``auto`` for tifffile with OpenSlide,
        where installed, as a fallback.

    Returns
    -------
    ImageSource
        Reads windows of the image as (h, w, 3) uint8.

    Raises
    ------
    ImageError
        If the file is missing, damaged or of an unknown kind.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    check_regular_file(path)
    suffix = path.suffix.lower()
    if is_ome_zarr(path):
        return OmeZarrImage(path, white=white)
    if back_end == "openslide" or (back_end == "auto" and suffix in OPENSLIDE_SUFFIXES):
        return OpenSlideImage(path)
    if suffix in SLIDE_SUFFIXES:
        return _slide(path, white, may_fall_back=back_end == "auto")
    if suffix in TIFF_SUFFIXES and needs_windows(path):
        return _slide(path, white, may_fall_back=back_end == "auto")
    if suffix in PICTURE_SUFFIXES:
        return PlainImage(path, white=white)
    raise ImageError(f"{path.name} is of no kind that can be read: {', '.join(_kinds())}")


def check_image(source: ImageSource) -> None:
    """Raise ImageError if an image can be opened but not read."""
    if isinstance(source, SlideImage | OmeZarrImage | OpenSlideImage):
        source.check()
    _ = source.shape


def check_name(name: str) -> None:
    """Raise ImageError for a file name that a project cannot store and open on every system."""
    shown = printable_name(name)
    if shown != name:
        raise ImageError(f"the file name {shown} is not UTF-8; rename the file")
    if "\\" in name or not name.isprintable():
        raise ImageError(
            f"the file name {name!r} holds a backslash or a control character; rename the file"
        )


def printable_name(name: str) -> str:
    """Return a file name with undecodable bytes written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def candidate_files(folder: Path) -> list[Path]:
    """Return what may be an image below ``folder``, sorted; OME-Zarr folders count as one.

    Pipes and devices are left out. A folder that a link leads back to is searched once.
    """
    return _candidates(folder, set())


def _candidates(folder: Path, searched: set[Path]) -> list[Path]:
    real = folder.resolve()
    if real in searched:
        return []
    searched.add(real)
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__MACOSX":  # what macOS leaves in archives
            continue
        if path.is_dir():
            found += [path] if is_ome_zarr(path) else _candidates(path, searched)
        elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            found.append(path)
    return found


def _slide(path: Path, white: int | None, *, may_fall_back: bool) -> ImageSource:
    slide = SlideImage(path, white=white)
    try:
        _ = slide.shape
    except ImageError as error:
        if not may_fall_back:
            raise
        fallback = OpenSlideImage(path)
        try:
            _ = fallback.shape
        except (ImageError, MissingExtraError):
            raise error from None
        return fallback
    return slide


def _kinds() -> list[str]:
    return sorted(suffix[1:] for suffix in IMAGE_SUFFIXES)
