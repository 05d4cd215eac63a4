"""Augmentation of training crops.

Geometry moves the picture and its masks alike: what a warp brings in from outside is 255, and
masks are never interpolated. Colour changes the picture alone. Every draw comes from the generator
that is handed in, so that a crop is a function of its seed.

Loads torchvision, which is slow: import it where crops are about to be drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.learning.training.dermoscopy import add_hairs, add_uneven_light
from napari_active_seg.learning.training.stain import jitter_stain
from napari_active_seg.regions import UNLABELLED

__all__ = ["Augmentation", "Warp", "get_augmentation"]


@dataclass(frozen=True, slots=True)
class Warp:
    """A rotation in degrees and a zoom about the middle of a window."""

    angle: float = 0.0
    zoom: float = 1.0

    @property
    def is_none(self) -> bool:
        """Whether nothing is warped."""
        return self.angle == 0 and self.zoom == 1

    def source_side(self, crop: int) -> int:
        """Return the side of the window that fills a crop of ``crop`` pixels after the warp."""
        turned = math.radians(self.angle)
        reach = abs(math.cos(turned)) + abs(math.sin(turned))
        return math.ceil(crop * reach / self.zoom) + 2


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a picture may be changed; 0 or False switches a change off.

    ``warped`` is the share of crops that are turned freely and zoomed by up to ``zoom``; flips and
    right angles cost nothing and come first.
    """

    turns: bool = True
    warped: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    stain: float = 0.0
    hairs: float = 0.0  # share of crops
    light: float = 0.0
    blur: float = 0.0  # share of crops
    grey: float = 0.0  # share of crops

    def strong(self) -> Augmentation:
        """Return the strong augmentation for consistency training."""
        return replace(
            self,
            turns=False,  # both views show the same place
            warped=0.0,
            brightness=0.4,
            saturation=0.5,
            hue=0.08,
            stain=0.3 if self.stain else 0.0,
            blur=0.5,
            grey=0.2,
        )

    def draw_warp(self, rng: np.random.Generator) -> Warp:
        """Return how the next crop is turned and zoomed."""
        if rng.random() >= self.warped:
            return Warp()
        zoom = math.exp(rng.uniform(-1, 1) * math.log1p(self.zoom))
        return Warp(float(rng.uniform(-180, 180)), zoom)

    def moved(
        self,
        image: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        warp: Warp,
        crop: int,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return (3, crop, crop) and (M, crop, crop) uint8 of a window (H, W, 3) and (M, H, W).

        The window is what ``warp`` needs; its middle becomes the middle of the crop.
        """
        picture: Tensor = tv_tensors.Image(image.transpose(2, 0, 1).copy())
        labels: Tensor = tv_tensors.Mask(masks.copy())
        if not warp.is_none:
            how = {"angle": warp.angle, "translate": [0, 0], "scale": warp.zoom, "shear": [0, 0]}
            picture = F.affine(picture, interpolation=InterpolationMode.BILINEAR, **how)
            labels = F.affine(labels, fill=UNLABELLED, **how)
            picture, labels = F.center_crop(picture, [crop]), F.center_crop(labels, [crop])
        if self.turns:
            if rng.random() < 0.5:
                picture, labels = F.horizontal_flip(picture), F.horizontal_flip(labels)
            turns = int(rng.integers(4))
            picture = torch.rot90(picture, turns, (-2, -1))
            labels = torch.rot90(labels, turns, (-2, -1))
        return picture.as_subclass(Tensor), labels.as_subclass(Tensor)

    def augment_colour(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Return ``image`` (3, H, W) uint8 as (3, H, W) in 0..1, its colours changed."""
        picture = image.float() / 255
        if self.brightness:
            picture = F.adjust_brightness(picture, _near_one(self.brightness, rng))
            picture = F.adjust_contrast(picture, _near_one(self.brightness, rng))
        if self.saturation:
            picture = F.adjust_saturation(picture, _near_one(self.saturation, rng))
        if self.hue and rng.random() < 0.5:  # slow, and a little goes a long way
            picture = F.adjust_hue(picture, float(rng.uniform(-self.hue, self.hue)))
        if self.stain:
            picture = jitter_stain(picture, rng, strength=self.stain)
        if self.light:
            picture = add_uneven_light(picture, rng, strength=self.light)
        if rng.random() < self.hairs:
            picture = add_hairs(picture, rng)
        if rng.random() < self.grey:
            picture = F.rgb_to_grayscale(picture, num_output_channels=3)
        if rng.random() < self.blur:
            picture = F.gaussian_blur(picture, [5, 5], [float(rng.uniform(0.3, 2.0))])
        return picture.clamp(0, 1)


_GENERAL = Augmentation(warped=0.3, zoom=0.25, brightness=0.15, saturation=0.2, hue=0.03)
_NAMED = {
    "none": Augmentation(turns=False),
    "flips": Augmentation(),
    "general": _GENERAL,
    # Hue is left to the dyes: a free shift of it makes sections that no laboratory stains.
    "histology": replace(_GENERAL, saturation=0.0, hue=0.0, stain=0.15),
    "dermoscopy": replace(_GENERAL, light=0.15, hairs=0.3),
}


def get_augmentation(name: str) -> Augmentation:
    """Return the set called ``name``; ConfigError with the known ones."""
    if name not in _NAMED:
        raise ConfigError(f"no augmentation {name!r}: {did_you_mean(name, _NAMED)}")
    return _NAMED[name]


def _near_one(strength: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(1 - strength, 1 + strength))
