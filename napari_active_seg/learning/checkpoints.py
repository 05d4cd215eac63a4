"""Checkpoints: safetensors with a header in plain text; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg._version import __version__
from napari_active_seg.errors import ModelError

__all__ = ["load_checkpoint", "save_checkpoint"]

_FORMAT = "napari-active-seg checkpoint 1"
#: Libraries whose versions decide the numbers, in addition to our own code.
_LIBRARIES = ("torch", "torchvision", "numpy", "safetensors")


def save_checkpoint(
    path: Path,
    network: nn.Module,
    *,
    companions: nn.Module,
    preset: str,
    classes: tuple[str, ...],
    facts: Mapping[str, str],
) -> None:
    """Write weights and header; a crash leaves the old file or the new one."""
    header = {
        **facts,
        "format": _FORMAT,
        "preset": preset,
        "classes": json.dumps(classes),
        "version": __version__,
        "libraries": json.dumps({name: version(name) for name in _LIBRARIES}),
    }
    state = {
        **network.state_dict(),
        **{f"companions.{name}": value for name, value in companions.state_dict().items()},
    }
    weights = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    damaged = _first_not_finite(weights)
    if damaged is not None:
        raise ModelError(
            f"the training diverged: {damaged} holds NaN or infinity, and the model was not saved; "
            "train again with a lower learning rate"
        )
    try:
        with atomic_write(path) as begun:
            safetensors.torch.save_file(weights, begun, metadata=header)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"the model {path} could not be written ({error}); the one in use stays. "
            "Free disk space and train again"
        ) from error


def load_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return header and weights; ModelError if missing, foreign or damaged."""
    if not path.is_file():
        raise ModelError(
            f"the model file {path} is not there; put it back, use another, or train a new one"
        )
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            header = dict(file.metadata() or {})
            if header.get("format") != _FORMAT:
                raise ModelError(
                    f"{path} was not written by napari-active-seg; choose another file"
                )
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(f"the model file {path} is damaged ({error}); train again") from error
    damaged = _first_not_finite(weights)
    if damaged is not None:
        raise ModelError(
            f"the model file {path} holds weights that are not numbers (NaN or infinity, in "
            f"{damaged}); use another model, or train again"
        )
    return header, weights


def _first_not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor with NaN or infinity in it."""
    numbers = ((name, tensor) for name, tensor in weights.items() if tensor.is_floating_point())
    return next((name for name, tensor in numbers if not tensor.isfinite().all()), None)
