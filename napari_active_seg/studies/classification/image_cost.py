"""The true and the expected costs of labelling whole images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import perimeter

from napari_active_seg.acquisition import CostExample, CostView
from napari_active_seg.models.image_classifier import ImageNetworks
from napari_active_seg.studies.classification.settings import ImageCosts

__all__ = ["learned_costs", "true_costs"]


def true_costs(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], costs: ImageCosts
) -> NDArray[np.float64]:
    """Return the cost (N,) of labelling each image: its class's, and the length of its outline."""
    bright = images.max(axis=3) > costs.bright
    outlines = np.array([perimeter(image) for image in bright])
    found: NDArray[np.float64] = np.asarray(costs.base, float)[labels] + outlines
    return found


def learned_costs(
    networks: ImageNetworks,
    known: NDArray[np.uint8],
    spent: NDArray[np.float64],
    asked: NDArray[np.uint8],
    *,
    seed: int,
) -> NDArray[np.float64]:
    """Return the expected costs of ``asked`` images, learned from those of ``known`` ones.

    The network is the one that learns how long regions take; it sees the images alone.
    """
    examples = [
        CostExample(_view(image), float(cost)) for image, cost in zip(known, spent, strict=True)
    ]
    predict, _ = networks.fit_cost(examples, seed=seed, check_cancelled=lambda: None)
    return predict([_view(image) for image in asked])


def _view(image: NDArray[np.uint8]) -> CostView:
    shape = image.shape[:2]
    colours = np.broadcast_to(image, (*shape, 3)) if image.shape[2] == 1 else image
    return CostView(colours, np.zeros(shape, np.uint8), np.ones(shape, bool))
