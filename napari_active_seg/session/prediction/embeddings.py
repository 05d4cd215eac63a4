"""Ask a model where it sees whole images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import ImageSource, read_whole
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.segmenter import Segmenter

__all__ = ["EmbedRequest", "embed_images"]


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Which images, and which model."""

    image_ids: tuple[str, ...]
    open_source: Callable[[str], ImageSource]
    load_segmenter: Callable[[], Segmenter]


def embed_images(
    request: EmbedRequest, token: CancelToken, report: ProgressCallback
) -> NDArray[np.float32]:
    """Return the mean embedding of each image (N, D)."""
    segmenter = request.load_segmenter()
    found = []
    for number, image_id in enumerate(request.image_ids):
        token.check()
        report(number, len(request.image_ids), f"looking at {image_id}")
        pixels = read_whole(request.open_source(image_id), image_id)
        seen = segmenter.embed(pixels, check_cancelled=token.check)
        found.append(seen.mean(axis=(1, 2), dtype=np.float64))
    return np.array(found, np.float32)
