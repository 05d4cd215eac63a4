"""Dropout masks that belong to a pass, not to a call.

Each pass has one mask a layer, drawn from the seed, the number of the pass and the place of the
layer. How passes are batched, or an image is tiled, changes nothing: every tile of a pass meets the
same mask, and where masks differ from pixel to pixel they depend on the place in the image.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from napari_active_seg.learning.dropout_layers import DropoutLayer
from napari_active_seg.learning.networks import Network

__all__ = ["PassMasks"]

#: Masks of single pixels are drawn in squares of this many feature pixels a side.
_BLOCK = 32


class PassMasks:
    """While entered, the dropout layers of ``network`` draw by pass; see the module.

    ``Dropout`` and ``Dropout1d`` to ``3d`` take part, where they are in training mode. Each is put
    into evaluation, in which it passes its input on, and a hook applies the mask. Other kinds draw
    as torch does.
    """

    def __init__(self, network: Network, seed: int) -> None:
        known = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
        self._layers = [
            layer for layer in network.sampled_dropout() if isinstance(layer, known) and layer.p > 0
        ]
        self._seed = seed
        self._first, self._count = 0, 1
        self._origin: tuple[int, int] | None = None
        self._size = (1, 1)
        self._streams: list[np.random.Generator] = []
        self._calls: Counter[int] = Counter()
        self._hooked: list[tuple[DropoutLayer, RemovableHandle]] = []

    def __enter__(self) -> Self:
        for number, layer in enumerate(self._layers):
            if layer.training:
                layer.eval()
                hook = layer.register_forward_hook(partial(self._drop, number))
                self._hooked.append((layer, hook))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for layer, hook in self._hooked:
            hook.remove()
            layer.train()
        self._hooked.clear()

    def at(
        self,
        first: int,
        count: int,
        *,
        size: tuple[int, int],
        origin: tuple[int, int] | None = None,
    ) -> None:
        """Set the passes of the next call, the size of the image, and the place of the tile.

        ``origin`` None is a whole image.
        """
        self._first, self._count = first, count
        self._size, self._origin = size, origin
        self._calls.clear()
        self._streams = [_stream((self._seed, first + b)) for b in range(count)]

    def _drop(self, number: int, layer: DropoutLayer, _inputs: object, x: Tensor) -> Tensor:
        """Return what a layer in evaluation gave, with the masks of the current passes."""
        call = self._calls[number]
        self._calls[number] += 1
        if x.shape[0] != self._count:
            return _draw_as_torch(layer, x)  # passes are not its first axis
        shape = x.shape[1:]
        if not isinstance(layer, nn.Dropout):
            shape = torch.Size([shape[0], *(1 for _ in shape[1:])])
        kept = torch.stack(
            [
                self._kept(b, (self._seed, self._first + b, number, call), shape, layer.p, x.device)
                for b in range(self._count)
            ]
        )
        scale = 1 / (1 - layer.p) if layer.p < 1 else 0.0
        if kept[0].numel() == shape[0]:  # by channel: the scale goes into the small mask
            return x * (kept * scale).to(x.dtype)
        return (x * kept).mul_(scale)

    def _kept(
        self,
        b: int,
        key: tuple[int, int, int, int],
        shape: torch.Size,
        p: float,
        device: torch.device,
    ) -> Tensor:
        """Return which elements of ``shape`` the b-th pass keeps, as booleans.

        What has no place in the image comes from the pass's own stream, in the order of layers.
        """
        in_tile = self._origin is not None and len(shape) == 3 and shape[1] * shape[2] > 1
        if in_tile:
            return torch.from_numpy(self._in_blocks(key, shape, p)).to(device)
        if device.type == "cpu" or shape.numel() < 1 << 16:
            return torch.from_numpy(_drawn(self._streams[b], tuple(shape), p)).to(device)
        generator = torch.Generator(device).manual_seed(hash(key) & 0x7FFF_FFFF_FFFF_FFFF)
        return torch.rand(shape, device=device, generator=generator) >= p

    def _in_blocks(
        self, key: tuple[int, int, int, int], shape: torch.Size, p: float
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return the mask of a tile, cut out of blocks that tile the whole image's features."""
        channels, height, width = shape
        origin = self._origin or (0, 0)
        top = round(origin[0] * height / self._size[0])
        left = round(origin[1] * width / self._size[1])
        rows = range(top // _BLOCK, (top + height - 1) // _BLOCK + 1)
        columns = range(left // _BLOCK, (left + width - 1) // _BLOCK + 1)
        whole = np.concatenate(
            [
                np.concatenate(
                    [_drawn(_stream((*key, r, c)), (channels, _BLOCK, _BLOCK), p) for c in columns],
                    axis=2,
                )
                for r in rows
            ],
            axis=1,
        )
        y, x = top - rows.start * _BLOCK, left - columns.start * _BLOCK
        return np.ascontiguousarray(whole[:, y : y + height, x : x + width])


def _draw_as_torch(layer: DropoutLayer, x: Tensor) -> Tensor:
    layer.train()
    try:
        return layer.forward(x)  # past the hook
    finally:
        layer.eval()


def _stream(key: tuple[int, ...]) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


def _drawn(
    random: np.random.Generator, shape: tuple[int, ...], p: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return True with probability 1 - p, to 1 in 65,536."""
    count = math.prod(shape)
    raw = np.frombuffer(random.bytes(2 * count), np.uint16)
    return (raw >= round(p * 65536)).reshape(shape)
