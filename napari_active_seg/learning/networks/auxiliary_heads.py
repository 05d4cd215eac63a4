"""Auxiliary heads of a network: the prediction of its loss, and a discriminator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features, Network

__all__ = ["AuxiliaryHeads", "Discriminator", "LossPredictor"]

#: Channels of each level that predict the loss.
_SQUEEZED = 128
#: Layers of a discriminator, and how wide its first may be.
_JUDGING_LAYERS, _WIDTHS = 4, (64, 32, 16)


class AuxiliaryHeads(nn.Module):
    """The auxiliary heads of a network; either may be missing."""

    def __init__(
        self,
        *,
        loss_predictor: LossPredictor | None = None,
        discriminator: Discriminator | None = None,
    ) -> None:
        super().__init__()
        self.loss_predictor = loss_predictor
        self.discriminator = discriminator


class LossPredictor(nn.Module):
    """Learned loss (Yoo and Kweon 2019), as a map: each level squeezed to 128, joined by a line.

    The original pools each level first and gives one number an image; here the levels are joined
    at the finest one's size, so that regions can be ranked, and the mean of the map over the
    labelled pixels of a crop is what the ranking loss sees.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.squeeze = nn.ModuleList(nn.Conv2d(c, _SQUEEZED, 1) for c in channels)
        self.join = nn.Conv2d(_SQUEEZED * len(channels), 1, 1)

    @classmethod
    def for_network(cls, network: Network) -> LossPredictor:
        """Return a module that fits what ``network.stages`` returns."""
        device = next(network.parameters()).device
        was_training = network.training
        network.eval()
        with torch.no_grad():
            probe = torch.zeros(1, 3, 64, 64, device=device)
            stages = network.stages(network.middle(network.prefix(probe)))
        network.train(was_training)
        return cls([stage.shape[1] for stage in stages]).to(device)

    def forward(self, stages: Features, size: tuple[int, int]) -> Tensor:
        """Return the expected loss (N, *size), at least 0."""
        finest = max((tuple(stage.shape[-2:]) for stage in stages), key=lambda s: s[0] * s[1])
        squeezed = [
            F.interpolate(line(stage).relu(), finest, mode="bilinear", align_corners=False)
            for line, stage in zip(self.squeeze, stages, strict=True)
        ]
        losses = F.softplus(self.join(torch.cat(squeezed, dim=1)))
        large: Tensor = F.interpolate(losses, size, mode="bilinear", align_corners=False)
        return large[:, 0]


class Discriminator(nn.Module):
    """Distinguishes predicted from painted masks (Mittal et al. 2019, s4GAN).

    Four 4 x 4 convolutions of stride 2 (64, 128, 256, 512 for ``width`` 64, the authors'; leaky
    ReLU 0.2; dropout 0.5 after the first three), the mean over all places, one sigmoid. It sees
    class probabilities, or a painted mask, together with the image in 0..1.
    """

    def __init__(self, n_classes: int, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = n_classes + 3
        for number in range(_JUDGING_LAYERS):
            after = width * 2**number
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            if number < _JUDGING_LAYERS - 1:
                layers.append(nn.Dropout2d(0.5))
            before = after
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(before, 1)

    @classmethod
    def for_network(cls, network: Network, n_classes: int) -> Discriminator:
        """Return one with at most a quarter of the network's weights, as far as 16 wide.

        The authors' has a sixteenth of theirs. Together with a small network it would be the
        larger of the two, and most of the work.
        """
        with torch.device("meta"):  # weighed without being made
            weights = {width: _get_weights(cls(n_classes, width=width)) for width in _WIDTHS}
        most = _get_weights(network) / 4
        width = next((w for w in _WIDTHS if weights[w] <= most), _WIDTHS[-1])
        return cls(n_classes, width=width).to(next(network.parameters()).device)

    @classmethod
    def stored(cls, weights: Mapping[str, Tensor], n_classes: int) -> Discriminator:
        """Return one as wide as the one whose weights were kept."""
        return cls(n_classes, width=weights["body.0.weight"].shape[0])

    def forward(self, probs: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N,) of being real, and the pooled features (N, 8 x width)."""
        pooled = self._features(probs, images).mean(dim=(-2, -1))
        return self.head(pooled)[:, 0], pooled

    def map(self, probs: Tensor, images: Tensor) -> Tensor:
        """Return how real each place looks (N, H, W), 0 to 1."""
        planes = self._features(probs, images).movedim(1, -1)
        real = torch.sigmoid(self.head(planes)).movedim(-1, 1)
        size = (probs.shape[-2], probs.shape[-1])
        large: Tensor = F.interpolate(real, size, mode="bilinear", align_corners=False)
        return large[:, 0]

    def _features(self, probs: Tensor, images: Tensor) -> Tensor:
        joined = torch.cat([probs, images], dim=1)
        smallest = 2**_JUDGING_LAYERS
        bottom, right = (max(0, smallest - length) for length in joined.shape[-2:])
        planes: Tensor = self.body(F.pad(joined, (0, right, 0, bottom)))
        return planes


def _get_weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
