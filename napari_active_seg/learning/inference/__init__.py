"""Several passes over an image, streamed: memory does not grow with their number."""

# ruff: noqa: E402 - torch and torchvision are imported in a way of our own first
from napari_active_seg.learning.torch_loading import load_torch

load_torch()

from napari_active_seg.learning.inference.mc_passes import NetworkPasses
from napari_active_seg.learning.inference.moment_stream import TorchMomentStream
from napari_active_seg.learning.inference.predictor import Member, Sampler, image_to_tensor

__all__ = ["Member", "NetworkPasses", "Sampler", "TorchMomentStream", "image_to_tensor"]
