"""What every encoder does to an image first, and every head to its logits last."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "HALF",
    "IMAGENET",
    "Normalise",
    "Statistics",
    "find_normalise",
    "pad_to_multiple",
    "upsample",
]

#: Mean and standard deviation of red, green and blue, of images in 0..1.
Statistics = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: Images in -1..1, as the encoders of several families were trained.
HALF: Statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Normalise(nn.Module):
    """Subtracts the mean of the images that an encoder was trained on, and divides by their spread.

    The statistics belong to the encoder: weights that were trained with others give poor features,
    and nothing fails. They are not among the weights; a checkpoint stores them in its header.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: Statistics = IMAGENET) -> None:
        super().__init__()
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, Tensor(values).view(1, 3, 1, 1), persistent=False)
        self.statistics = statistics

    def forward(self, images: Tensor) -> Tensor:
        """Return ``images`` (N, 3, H, W) in 0..1 normalised."""
        return (images - self.mean.to(images)) / self.std.to(images)

    def replace(self, statistics: Statistics) -> None:
        """Set other statistics."""
        self.statistics = statistics
        for buffer, values in zip((self.mean, self.std), statistics, strict=True):
            buffer.copy_(Tensor(values).view(1, 3, 1, 1))


def find_normalise(network: nn.Module) -> Normalise | None:
    """Return the normalisation of a network's encoder; None where it has none."""
    return next((part for part in network.modules() if isinstance(part, Normalise)), None)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Return ``images`` grown at the bottom and right to multiples, borders repeated."""
    bottom, right = -images.shape[-2] % multiple, -images.shape[-1] % multiple
    if not bottom and not right:
        return images
    return F.pad(images, (0, right, 0, bottom), mode="replicate")


def upsample(logits: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
    """Return ``logits`` (N, C, h, w) ``factor`` times as large, cut to ``size``."""
    if factor != 1:  # few planes are faster one after the other than interleaved
        logits = logits.contiguous()
        logits = F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)
    return logits[..., : size[0], : size[1]]
