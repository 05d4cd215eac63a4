"""Any encoder and decoder of segmentation-models-pytorch, with dropout put in where it has none.

Encoder: runs once per image, whatever dropout it holds. Decoder: channel dropout after each of its
blocks, or before the head where it has no list of blocks. Head: as the package makes it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from napari_active_seg.learning.dropout_layers import DropoutLayer, find_dropout
from napari_active_seg.learning.networks.base import Features, Network
from napari_active_seg.learning.networks.preprocessing import (
    HALF,
    IMAGENET,
    Normalise,
    Statistics,
    pad_to_multiple,
)

__all__ = ["SmpNetwork", "encoder_statistics"]

_MULTIPLE = 32
_RATE = 0.2
#: Beginnings of names of encoders that were not trained with ImageNet's statistics. The package
#: has these numbers on a server only.
_OTHER_STATISTICS: dict[str, Statistics] = {
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
    "inception": HALF,
    "timm-tf_efficientnet_lite": HALF,
    "xception": HALF,
}


def encoder_statistics(encoder: str) -> Statistics:
    """Return the mean and spread of the images that an encoder's weights were trained on.

    Encoders of timm (``tu-NAME``) have them in their configuration. ImageNet's where none is known.
    """
    if encoder.startswith("tu-"):
        from segmentation_models_pytorch.encoders import get_preprocessing_params

        try:
            found = get_preprocessing_params(encoder)
        except ValueError:  # this encoder has no pretrained weights
            return IMAGENET
        return tuple(found["mean"]), tuple(found["std"])
    others = _OTHER_STATISTICS.items()
    return next((values for start, values in others if encoder.startswith(start)), IMAGENET)


class SmpNetwork(Network):
    """A pair by name, cut between encoder and decoder."""

    stride = _MULTIPLE

    def __init__(
        self, whole: Any, *, dropout: float = _RATE, statistics: Statistics = IMAGENET
    ) -> None:
        """Take a model of segmentation-models-pytorch: encoder, decoder, segmentation_head."""
        super().__init__()
        self.normalise = Normalise(statistics)
        self.encoder: nn.Module = whole.encoder
        self.decoder: nn.Module = whole.decoder
        self.head: nn.Module = whole.segmentation_head
        if not any(layer.p > 0 for layer in self.sampled_dropout()):
            self._put_dropout_in(dropout)

    def prefix(self, images: Tensor) -> Features:
        """Return the encoder's levels, finest first."""
        return tuple(self.encoder(pad_to_multiple(self.normalise(images), _MULTIPLE)))

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        logits: Tensor = self.head(self.decoder(list(features)))
        return logits[..., : size[0], : size[1]]

    def sampled_dropout(self) -> list[DropoutLayer]:
        """Return the dropout layers of decoder and head; the encoder's stay off."""
        return find_dropout(self.decoder, self.head)

    def _put_dropout_in(self, rate: float) -> None:
        blocks = getattr(self.decoder, "blocks", None)
        if isinstance(blocks, nn.ModuleList):
            for number, block in enumerate(blocks):
                blocks[number] = _Dropped(block, rate)
        else:
            self.head = nn.Sequential(nn.Dropout2d(rate), self.head)


class _Dropped(nn.Module):
    """A block with channel dropout behind it."""

    def __init__(self, block: nn.Module, rate: float) -> None:
        super().__init__()
        self.block = block
        self.dropout = nn.Dropout2d(rate)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        dropped: Tensor = self.dropout(self.block(*args, **kwargs))
        return dropped
