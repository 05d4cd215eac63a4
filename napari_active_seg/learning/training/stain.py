"""Stain augmentation: each dye of a section a little stronger, weaker or shifted.

Colours are taken apart into haematoxylin, eosin and DAB densities (Ruifrok and Johnston 2001),
scaled and shifted one by one as in Tellez et al. 2018, and put together again.
"""

from __future__ import annotations

import numpy as np
import torch
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Tensor

__all__ = ["hed_to_rgb", "jitter_stain", "rgb_to_hed"]

_TO_HED = torch.from_numpy(np.ascontiguousarray(hed_from_rgb)).float()
_TO_RGB = torch.from_numpy(np.ascontiguousarray(rgb_from_hed)).float()
_DARKEST = 1e-6


def rgb_to_hed(image: Tensor) -> Tensor:
    """Return the densities (3, H, W) of haematoxylin, eosin and DAB of ``image`` in 0..1."""
    density = torch.log(image.clamp_min(_DARKEST)) / np.log(_DARKEST)
    return torch.einsum("chw,ck->khw", density, _TO_HED.to(image.device))


def hed_to_rgb(hed: Tensor) -> Tensor:
    """Return the image (3, H, W) in 0..1 of densities."""
    density = torch.einsum("chw,ck->khw", hed, _TO_RGB.to(hed.device))
    return torch.exp(density * np.log(_DARKEST)).clamp(0, 1)


def jitter_stain(image: Tensor, rng: np.random.Generator, *, strength: float) -> Tensor:
    """Return ``image`` (3, H, W) in 0..1 with every dye scaled and shifted by up to ``strength``.

    What is shifted is a tenth of that, in units of the densest dye: glass stays nearly white.
    """
    scale = torch.from_numpy(rng.uniform(1 - strength, 1 + strength, 3)).float()
    shift = torch.from_numpy(rng.uniform(-strength, strength, 3)).float() * 0.1
    hed = rgb_to_hed(image)
    span = hed.amax(dim=(1, 2)) - hed.amin(dim=(1, 2))
    changed = hed * scale.to(hed)[:, None, None] + (shift.to(hed) * span)[:, None, None]
    return hed_to_rgb(changed)
