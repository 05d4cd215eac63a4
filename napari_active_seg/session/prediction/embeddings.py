"""Embed whole images with the model in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.images import read_whole
from napari_active_seg.project import ModelRecord
from napari_active_seg.session.task_context import TaskContext

__all__ = ["embed_images"]


def embed_images(
    task: TaskContext, image_ids: tuple[str, ...], model: ModelRecord
) -> NDArray[np.float32]:
    """Return the mean embedding of each image (N, D)."""
    segmenter = task.models.get(model)
    found = []
    for number, image_id in enumerate(image_ids):
        task.check_cancelled()
        task.report(number, len(image_ids), f"embedding {image_id}")
        pixels = read_whole(task.open_image(image_id), image_id)
        embedding = segmenter.embed(pixels, check_cancelled=task.check_cancelled)
        found.append(embedding.mean(axis=(1, 2), dtype=np.float64))
    return np.array(found, np.float32)
