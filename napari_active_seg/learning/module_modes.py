"""Switch a network between training, plain evaluation and Monte-Carlo dropout, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from napari_active_seg.learning.dropout_layers import find_dropout

__all__ = [
    "batch_norms",
    "evaluating",
    "fixed",
    "repeatable",
    "sampling_dropout",
    "seeded",
    "training",
]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put every layer in evaluation mode for a while."""
    with _restore_after(network):
        network.eval()
        yield


@contextmanager
def sampling_dropout(network: nn.Module) -> Iterator[None]:
    """Put dropout layers alone in training mode; batch norm keeps its running statistics."""
    with _restore_after(network):
        network.eval()
        for layer in find_dropout(network):
            layer.train()
        yield


@contextmanager
def training(network: nn.Module) -> Iterator[None]:
    """Put every layer in training mode for a while."""
    with _restore_after(network):
        network.train()
        yield


@contextmanager
def fixed(network: nn.Module) -> Iterator[None]:
    """Freeze the weights for a while; gradients still reach the inputs."""
    learning = [p for p in network.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """Return the layers that learn statistics of a batch."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` for a while, and restore the generators after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Choose algorithms that give the same result every time, where the device has them."""
    if device.type != "cuda":
        yield
        return
    kept = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = kept


@contextmanager
def _restore_after(network: nn.Module) -> Iterator[None]:
    before = [(layer, layer.training) for layer in network.modules()]
    try:
        yield
    finally:
        for layer, mode in before:
            layer.training = mode
