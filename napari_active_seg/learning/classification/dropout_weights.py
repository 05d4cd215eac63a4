"""Heads of dense layers with dropout, and one draw of their weights."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["sample_weights"]


def sample_weights(head: nn.Sequential, generator: torch.Generator) -> nn.Sequential:
    """Return a head of dense layers in which dropout has left something out, for every image alike.

    A dropout takes the columns that it leaves out from the weights of the dense layer after it.
    """
    layers: list[nn.Module] = []
    share = 0.0
    for layer in head:
        if isinstance(layer, nn.Dropout):
            share = layer.p
        elif isinstance(layer, nn.Linear):
            drawn = _like(layer)
            weights = layer.weight.detach()
            if share:
                kept = (torch.rand(layer.in_features, generator=generator) >= share).float()
                weights = weights * (kept / (1 - share)).to(weights.device)
            drawn.weight.data = weights
            drawn.bias.data = layer.bias.detach()
            layers.append(drawn)
            share = 0.0
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _like(layer: nn.Linear) -> nn.Linear:
    """Return an empty layer of the same shape on the same device."""
    size = (layer.in_features, layer.out_features)
    empty: nn.Linear = nn.utils.skip_init(nn.Linear, *size, device=layer.weight.device)
    return empty
