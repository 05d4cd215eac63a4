"""Training on labelled pixels: what is drawn, what it costs, and the loop over it."""

from napari_active_seg.learning.torch_loading import load_torch

load_torch()
