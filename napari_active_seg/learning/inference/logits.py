"""Logits of a pass as the plan wants them: at its temperature, and calibrated."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_active_seg.models.inference_options import InferenceOptions

__all__ = ["calibrate_logits"]

_SMALLEST, _NEAREST = -87.0, -1e-7


def calibrate_logits(logits: Tensor, plan: InferenceOptions) -> Tensor:
    """Return logits (N, C, H, W) whose softmax equals that of ``calibration.apply_calibration``.

    They are returned untouched, in their own precision, where the plan changes nothing.
    """
    scaled = logits if plan.temperature == 1 else logits.float() / plan.temperature
    calibration = plan.fitted_calibration
    if calibration is None:
        return scaled
    log = scaled.float().log_softmax(dim=1).clamp_min(_SMALLEST)
    weights, offsets = (
        torch.tensor(values, dtype=torch.float32, device=log.device)[:, None, None]
        for values in (calibration.weights, calibration.offsets)
    )
    if calibration.method != "platt":
        return weights * log + offsets
    log = log.clamp_max(_NEAREST)
    logit = log - (-torch.expm1(log)).log()
    return F.logsigmoid(weights * logit + offsets)
