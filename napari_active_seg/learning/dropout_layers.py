"""Which layers are dropout: torch's public classes, since their common base is private."""

from __future__ import annotations

from torch import nn

__all__ = ["DropoutLayer", "find_dropout"]

DropoutLayer = (
    nn.Dropout
    | nn.Dropout1d
    | nn.Dropout2d
    | nn.Dropout3d
    | nn.AlphaDropout
    | nn.FeatureAlphaDropout
)


def find_dropout(*modules: nn.Module) -> list[DropoutLayer]:
    """Return the dropout layers of some modules, in order."""
    return [
        part for module in modules for part in module.modules() if isinstance(part, DropoutLayer)
    ]
