"""Switch a network between training, plain evaluation and Monte-Carlo dropout, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["evaluating", "sampling_dropout", "seeded", "training"]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put every layer in evaluation mode for a while."""
    with _restored(network):
        network.eval()
        yield


@contextmanager
def sampling_dropout(network: nn.Module) -> Iterator[None]:
    """Put dropout layers alone in training mode; batch norm keeps its running statistics."""
    with _restored(network):
        network.eval()
        for layer in network.modules():
            if isinstance(layer, _DropoutNd):
                layer.train()
        yield


@contextmanager
def training(network: nn.Module) -> Iterator[None]:
    """Put every layer in training mode for a while."""
    with _restored(network):
        network.train()
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` for a while, and go on as before after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def _restored(network: nn.Module) -> Iterator[None]:
    before = [(layer, layer.training) for layer in network.modules()]
    try:
        yield
    finally:
        for layer, mode in before:
            layer.training = mode
