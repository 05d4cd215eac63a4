"""Several passes over an image, streamed: memory does not grow with their number."""

from napari_active_seg.learning.inference.mc_passes import NetworkPasses
from napari_active_seg.learning.inference.moment_stream import TorchMomentStream
from napari_active_seg.learning.inference.predictor import Member, Sampler, image_to_tensor

__all__ = ["Member", "NetworkPasses", "Sampler", "TorchMomentStream", "image_to_tensor"]
