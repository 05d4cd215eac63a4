"""Networks that classify whole images, with Monte-Carlo dropout."""

from napari_active_seg.learning.classification.classifier import TorchClassifier, build_classifier
from napari_active_seg.learning.classification.image_head import fit_image_head

__all__ = ["TorchClassifier", "build_classifier", "fit_image_head"]
