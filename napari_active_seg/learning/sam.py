"""A click helper of the SAM family, from a folder in the layout of ``transformers``.

Nothing is downloaded, and only safetensors are read: a checkpoint runs none of its own code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.errors import BadInputError, ModelError
from napari_active_seg.learning.devices import resolve_device
from napari_active_seg.models.interactive import Prompts

__all__ = ["SamHelper", "load_sam"]

#: The mean and the deviation of the pictures that the encoder was trained on.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_sam(folder: Path, device: str = "auto") -> SamHelper:
    """Return the helper whose config.json and model.safetensors are in ``folder``.

    ModelError names what is missing, and the remedy.
    """
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} holds no SAM checkpoint: it needs config.json and model.safetensors, as "
            "save_pretrained of transformers writes them"
        ) from error
    kind = facts.get("model_type") if isinstance(facts, dict) else None
    if kind != "sam":
        raise ModelError(f"{folder} holds a model of type {kind!r}; only 'sam' is known here")
    try:
        from transformers import SamModel
        from transformers.utils import logging
    except ImportError as error:
        raise ModelError(
            "a click helper needs transformers; pip install 'napari-active-seg[clicks]'"
        ) from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SamModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except Exception as error:  # whatever is wrong with the files
        raise ModelError(f"the SAM checkpoint in {folder} cannot be loaded: {error}") from error
    return SamHelper(model, resolve_device(device))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A picture as the encoder left it, its shape, and how much it was scaled."""

    embeddings: Tensor
    shape: tuple[int, int]
    scale: float


class SamHelper:
    """Encodes a picture once, and segments by clicks and boxes from the encoding."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self._model = model.eval().to(device)
        self._device = device
        self._side = int(model.config.vision_config.image_size)

    def set_image(self, image: NDArray[np.uint8]) -> object:
        """Return the encoded picture (H, W, 3)."""
        height, width = image.shape[:2]
        scale = self._side / max(height, width)
        pixels = torch.tensor(image, device=self._device).permute(2, 0, 1)[None].float() / 255
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (torch.tensor(v, device=self._device)[:, None, None] for v in (_MEAN, _STD))
        padded = F.pad((pixels - mean) / std, (0, self._side - size[1], 0, self._side - size[0]))
        with torch.inference_mode():
            embeddings = self._model.get_image_embeddings(padded)
        return _Seen(embeddings, (height, width), scale)

    def segment(self, seen: object, hints: Prompts) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of the object that ``hints`` point at.

        One click may mean an object or a part of it: of three answers it is the likeliest.
        """
        if not isinstance(seen, _Seen):
            raise BadInputError("this was not seen by this helper")
        if not hints.inside and hints.box is None:
            raise BadInputError("an object needs a click on it or a box around it")
        several = hints.box is None and len(hints.inside) + len(hints.outside) == 1
        with torch.inference_mode():
            out = self._model(
                image_embeddings=seen.embeddings,
                multimask_output=several,
                **self._prompts(hints, seen.scale),
            )
            best = int(out.iou_scores[0, 0].argmax())
            logits = out.pred_masks[:, 0, best][None].float()
            side = (self._side, self._side)
            fine = F.interpolate(logits, side, mode="bilinear", align_corners=False)
            rows, columns = (max(1, round(length * seen.scale)) for length in seen.shape)
            mask = F.interpolate(
                fine[..., :rows, :columns], seen.shape, mode="bilinear", align_corners=False
            )
        return (mask[0, 0] > 0).cpu().numpy()

    def _prompts(self, hints: Prompts, scale: float) -> dict[str, Tensor]:
        """Return clicks and box as the network takes them: (x, y) in the scaled picture."""
        prompts: dict[str, Tensor] = {}
        clicks = [*hints.inside, *hints.outside]
        if clicks:
            points = [[(x + 0.5) * scale, (y + 0.5) * scale] for y, x in clicks]
            signs = [1] * len(hints.inside) + [0] * len(hints.outside)
            prompts["input_points"] = torch.tensor([[points]], device=self._device)
            prompts["input_labels"] = torch.tensor([[signs]], device=self._device)
        if hints.box is not None:
            top, left, bottom, right = (value * scale for value in hints.box)
            box = [[[left, top, right, bottom]]]
            prompts["input_boxes"] = torch.tensor(box, device=self._device)
        return prompts
