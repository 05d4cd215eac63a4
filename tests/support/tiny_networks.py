"""Networks small enough for a test, and ways to ask them."""

import numpy as np
import torch

from napari_active_seg.learning.inference import Member, NetworkPasses, Sampler
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import (
    DCAN,
    DeepLabV2,
    DeepLabV3Plus,
    FilterBankMLP,
    SmallUNet,
)
from napari_active_seg.learning.networks.auxiliary_heads import AuxiliaryHeads
from napari_active_seg.models.inference_options import InferenceOptions

CPU = torch.device("cpu")
KINDS = {
    "fast": FilterBankMLP,
    "unet": SmallUNet,
    "dcan": lambda c: DCAN(c, width=1 / 16, dropout=0.3),
    "dcan code": lambda c: DCAN(c, width=1 / 16, placement="code"),
    "deeplabv3plus": lambda c: DeepLabV3Plus(c, encoder="wideresnet38", width=1 / 32),
}
LARGE = {"deeplabv3plus": DeepLabV3Plus, "deeplabv2": DeepLabV2}


def built(kind, n_classes=3, seed=0):
    with seeded(seed, CPU):
        return KINDS[kind](n_classes).eval()


def picture(shape=(37, 53), seed=0):
    """Blobs rather than noise, so that neighbouring tiles see alike things."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (shape[0] // 8 + 1, shape[1] // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]]


def sampler_of(*networks, companions=None):
    members = [Member(NetworkPasses(n, CPU), companions or AuxiliaryHeads()) for n in networks]
    return Sampler(members, CPU)


def outputs_of(network, image, check=lambda: None, companions=None, **plan):
    sampler = sampler_of(network, companions=companions)
    return sampler.outputs(image, InferenceOptions(**plan), check)


def moments_of(network, image, **plan):
    return outputs_of(network, image, **plan).moments
