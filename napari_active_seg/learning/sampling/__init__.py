"""Several passes over an image, streamed: memory does not grow with their number."""

from napari_active_seg.learning.sampling.network_passes import NetworkPasses
from napari_active_seg.learning.sampling.sampler import Member, Sampler, image_to_tensor
from napari_active_seg.learning.sampling.stream import TorchMomentStream

__all__ = ["Member", "NetworkPasses", "Sampler", "TorchMomentStream", "image_to_tensor"]
