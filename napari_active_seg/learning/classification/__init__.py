"""Networks that classify whole images, with Monte-Carlo dropout."""

from napari_active_seg.learning.classification.classifier import TorchClassifier, build_classifier

__all__ = ["TorchClassifier", "build_classifier"]
