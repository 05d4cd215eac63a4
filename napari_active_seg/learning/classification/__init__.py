"""Networks that classify whole images, with Monte-Carlo dropout."""

# ruff: noqa: E402 - torch and torchvision are imported in a way of our own first
from napari_active_seg.learning.torch_loading import load_torch

load_torch()

from napari_active_seg.learning.classification.classifier import TorchClassifier, build_classifier
from napari_active_seg.learning.classification.image_head import fit_image_head

__all__ = ["TorchClassifier", "build_classifier", "fit_image_head"]
