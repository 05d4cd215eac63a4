"""Names out of a database that somebody else may have written: they must not lead anywhere."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from napari_active_seg.errors import ProjectError

__all__ = ["safe_image_id", "safe_model_id"]

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def safe_image_id(image_id: str) -> str:
    """Return the id, which exports make paths of; ProjectError if it leads out of a folder."""
    path = PurePosixPath(image_id)
    windows = "\\" in image_id or (path.parts and path.parts[0].endswith(":"))
    if not path.parts or path.is_absolute() or ".." in path.parts or windows or "\0" in image_id:
        raise ProjectError(
            f"the project names an image {image_id!r}, which leads outside a folder: this file "
            "was tampered with; do not use it"
        )
    return image_id


def safe_model_id(model_id: str) -> str:
    """Return the id, which names a file of weights; ProjectError if it could name another."""
    if not _MODEL_ID.fullmatch(model_id):
        raise ProjectError(
            f"the project names a model {model_id!r}, which is not a valid model id: this file was "
            "tampered with; do not use it"
        )
    return model_id
