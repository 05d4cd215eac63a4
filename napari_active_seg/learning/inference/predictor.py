"""Prediction of an image by one network or an ensemble, whole or tile by tile."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.errors import ModelError
from napari_active_seg.learning.inference.logits import calibrate_logits
from napari_active_seg.learning.inference.mc_passes import NetworkPasses
from napari_active_seg.learning.inference.memory import out_of_memory
from napari_active_seg.learning.inference.moment_stream import TorchMomentStream
from napari_active_seg.learning.inference.tile_blending import (
    MapBlender,
    add_moments,
    blended_moments,
)
from napari_active_seg.learning.networks.auxiliary_heads import AuxiliaryHeads
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import ImageOutputs
from napari_active_seg.regions import Tile, tile_grid
from napari_active_seg.uncertainty import Moments

__all__ = ["Member", "Sampler", "image_to_tensor"]

_log = logging.getLogger(__name__)
#: Pictures of more pixels are worked through in tiles.
_LARGEST_WHOLE = 1600 * 1600
#: Sides of tiles; the next smaller one is tried when memory runs out.
_TILES = (1024, 512, 256)
_OVERLAP = 128
Check = Callable[[], None]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A network of an ensemble, or the only one, with its auxiliary heads."""

    passes: NetworkPasses
    companions: AuxiliaryHeads


class Sampler:
    """Streams the passes of all members into one set of moments."""

    def __init__(self, members: Sequence[Member], device: torch.device) -> None:
        self._members = tuple(members)
        self._device = device

    def outputs(
        self, image: Picture, plan: InferenceOptions, check_cancelled: Check
    ) -> ImageOutputs:
        """Predict ``image`` (H, W, 3) with all members."""
        self.check(plan)
        smaller = [side for side in _TILES if side < max(_shape(image))]
        for side in [0, *smaller] if _goes_whole(image) else smaller:
            try:
                if side == 0:
                    return self._part(image, plan, check_cancelled, None)
                return self._tiled(image, plan, check_cancelled, side)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                _log.warning("memory ran out; continuing with smaller tiles")
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
        raise ModelError(
            f"memory does not suffice for tiles of {_TILES[-1]} x {_TILES[-1]} pixels; close other "
            "programs, or choose a smaller network"
        )

    def embedding(
        self, image: Picture, plan: InferenceOptions, check_cancelled: Check
    ) -> NDArray[np.float32]:
        """Return the first member's coarse feature map (D, h, w)."""
        passes = self._members[0].passes
        whole = (Tile(0, 0, image.shape[0], image.shape[1]),)
        tiles = whole if _goes_whole(image) else self._tiles(image, _TILES[0], 1)
        maps = []
        for tile in tiles:
            check_cancelled()
            images = image_to_tensor(_cut(image, tile), self._device)
            with passes.plain(images, plan) as features:
                maps.append(passes.network.embed(features)[0].float().cpu().numpy())
        if len(tiles) == 1:
            return maps[0]
        step = tiles[0].height // maps[0].shape[-2]
        blender = MapBlender(_shape(image), overlap=_OVERLAP, step=step)
        for tile, values in zip(tiles, maps, strict=True):
            blender.add("embedding", values, tile)
        return blender.whole("embedding")

    def _tiled(
        self, image: Picture, plan: InferenceOptions, check_cancelled: Check, side: int
    ) -> ImageOutputs:
        blender = MapBlender(_shape(image), overlap=_OVERLAP)
        joint = MapBlender(_shape(image), overlap=_OVERLAP, step=max(1, plan.joint_stride))
        n = 1
        for tile in self._tiles(image, side, max(1, plan.joint_stride)):
            part = self._part(_cut(image, tile), plan, check_cancelled, (tile.y, tile.x))
            n = part.moments.n
            add_moments(blender, part.moments, tile)
            if part.samples is not None:
                joint.add("samples", part.samples, tile)
        samples = joint.whole("samples") if plan.joint_stride else None
        return ImageOutputs(blended_moments(blender, n), samples)

    def _tiles(self, image: Picture, side: int, align: int) -> tuple[Tile, ...]:
        steps = math.lcm(align, *(member.passes.network.stride for member in self._members))
        side = max(steps, side // steps * steps)
        overlap = min(_OVERLAP, max(0, side - steps))
        return tile_grid(_shape(image), tile=side, overlap=overlap, align=steps)

    def _part(
        self,
        image: Picture,
        plan: InferenceOptions,
        check_cancelled: Check,
        origin: tuple[int, int] | None,
    ) -> ImageOutputs:
        """Return the outputs of an image or tile that goes through whole."""
        images = image_to_tensor(image, self._device)
        stream, joint = TorchMomentStream(), list[NDArray[np.float32]]()

        def take(logits: Tensor) -> None:
            scaled = calibrate_logits(logits, plan)
            stream.add(scaled)
            if plan.joint_stride:
                joint.append(_coarse(scaled.float().softmax(dim=1), plan))

        for member in self._members:
            member.passes.run(images, plan, take, check_cancelled, origin=origin)
        moments = stream.moments()
        if not np.isfinite(moments.mean_p).all():
            raise ModelError(
                "the model returned probabilities that are not numbers (NaN or infinity): its "
                "weights are damaged or its training diverged; use another model, or train again"
            )
        extras = self._extras(images, stream.mean, plan, origin)
        if extras:
            moments = Moments(
                moments.n,
                moments.mean_p,
                moments.mean_plogp,
                moments.var_p,
                moments.votes,
                extras,
            )
        return ImageOutputs(moments, np.concatenate(joint) if joint else None)

    def _extras(
        self,
        images: Tensor,
        mean_p: Tensor,
        plan: InferenceOptions,
        origin: tuple[int, int] | None,
    ) -> dict[str, NDArray[np.float32]]:
        """Return the further outputs in ``plan.extras``, averaged over the members."""
        extras: dict[str, NDArray[np.float32]] = {}
        if "random" in plan.extras:
            rng = np.random.default_rng((plan.seed, *(origin or (0, 0))))
            extras["random"] = rng.random(tuple(images.shape[-2:]), np.float32)
        for name in plan.extras:
            if name == "random":
                continue
            found = [_extra(name, member, images, mean_p, plan) for member in self._members]
            extras[name] = torch.stack(found).mean(dim=0).float().cpu().numpy()
        return extras

    def check(self, plan: InferenceOptions) -> None:
        """Raise ModelError, before the work, if a network does not support ``plan``."""
        for member in self._members:
            network, auxiliary = member.passes.network, member.companions
            if plan.draws and not list(network.sampled_dropout()):
                raise ModelError(
                    "this network has no dropout layer, so that all its MC samples would be equal: "
                    "set uncertainty_from to ensemble, views (flips and turns) or single, or add a "
                    "layer (nn.Dropout2d(0.2) before the last convolution is a start)"
                )
            there = {
                "contour": network.has_contour,
                "learned-loss": auxiliary.loss_predictor is not None,
                "discriminator": auxiliary.discriminator is not None,
                "mirrored": True,
                "random": True,
            }
            for name in plan.extras:
                if not there[name]:
                    raise ModelError(f"this model has no {name!r} output; {_REMEDIES[name]}")


_REMEDIES = {
    "contour": "train the network 'dcan', which draws outlines",
    "learned-loss": "set the measure to 'learned-loss' and train again",
    "discriminator": "train with the unlabelled images (s4GAN), which brings a discriminator",
}


def _extra(
    name: str, member: Member, images: Tensor, mean_p: Tensor, plan: InferenceOptions
) -> Tensor:
    """Return one extra (..., H, W) of one member."""
    passes, size = member.passes, (images.shape[-2], images.shape[-1])
    network = passes.network
    if name == "mirrored":
        with passes.plain(images.flip(-1).contiguous(), plan) as features:
            logits = calibrate_logits(network.suffix(features, size), plan)
            return logits.float().softmax(dim=1)[0].flip(-1)
    if name == "discriminator":
        discriminator = member.companions.discriminator
        with torch.inference_mode():
            return discriminator.eval().map(mean_p[None], images)[0]  # type: ignore[union-attr]
    with passes.plain(images, plan) as features:
        if name == "contour":
            contour = network.heads(features, size).contour
            return contour.float().softmax(dim=1)[0, 1]  # type: ignore[union-attr]
        predictor = member.companions.loss_predictor
        return predictor(network.stages(features), size)[0]  # type: ignore[misc]


def image_to_tensor(image: Picture, device: torch.device) -> Tensor:
    """Return ``image`` (H, W, 3) uint8 as (1, 3, H, W) in 0..1."""
    tensor = torch.tensor(image, device=device)
    return tensor.permute(2, 0, 1)[None].float().div_(255).contiguous()


def _coarse(probs: Tensor, plan: InferenceOptions) -> NDArray[np.float32]:
    step = plan.joint_stride
    if plan.joint_picks:
        return probs[:, :, ::step, ::step].contiguous().cpu().numpy()
    return F.avg_pool2d(probs, step, ceil_mode=True).cpu().numpy()


def _cut(image: Picture, tile: Tile) -> Picture:
    """Return the tile, its part past the border filled by repeating the border."""
    part = image[tile.slices]
    below, right = tile.height - part.shape[0], tile.width - part.shape[1]
    return (
        part if not below and not right else np.pad(part, ((0, below), (0, right), (0, 0)), "edge")
    )


def _goes_whole(image: Picture) -> bool:
    return image.shape[0] * image.shape[1] <= _LARGEST_WHOLE


def _shape(image: Picture) -> tuple[int, int]:
    return (image.shape[0], image.shape[1])
