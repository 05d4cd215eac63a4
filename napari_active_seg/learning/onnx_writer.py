"""Networks as ONNX, for programs that know neither torch nor this package."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_active_seg.errors import MissingExtraError, ModelError
from napari_active_seg.learning.module_modes import evaluating
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.torch_loading import block_triton

__all__ = ["input_multiple", "write_onnx"]

_OPSET = 20


class _Probabilities(nn.Module):
    """Mean class probabilities of some networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        mean_probs = [network(images).softmax(1) for network in self.networks]
        return torch.stack(mean_probs).mean(0)


def input_multiple(networks: Sequence[Network]) -> int:
    """Return of what height and width of an input have to be multiples."""
    return math.lcm(*(max(network.stride, 1) for network in networks))


def write_onnx(networks: Sequence[Network], path: Path) -> None:
    """Write the mean prediction of ``networks`` as ONNX, without dropout.

    Input ``images`` (N=1, 3, H, W) float32 in 0..1, red green blue; output ``probabilities``
    (1, C, H, W). Height and width are multiples of ``input_multiple``.
    """
    try:
        import onnxscript  # noqa: F401  # torch writes with it
    except ImportError as error:
        raise MissingExtraError(
            "ONNX needs the package onnxscript: pip install 'napari-active-seg[export]'"
        ) from error
    multiple = input_multiple(networks)
    module = _Probabilities(networks)
    example = torch.zeros(1, 3, 4 * multiple, 6 * multiple)
    sizes = {2: torch.export.Dim("rows", min=2, max=4096) * multiple}
    sizes[3] = torch.export.Dim("columns", min=2, max=4096) * multiple
    try:
        with evaluating(module), torch.no_grad(), _quiet(), block_triton():
            torch.onnx.export(
                module.cpu(),
                (example,),
                path,
                input_names=["images"],
                output_names=["probabilities"],
                dynamic_shapes={"images": sizes},
                dynamo=True,
                external_data=False,
                opset_version=_OPSET,
                verbose=False,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"this network cannot be written as ONNX: {first}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let nobody hear the converter's own progress."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "torch")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
