"""Calibration of passes in torch: the same as in numpy, on every way of asking."""

import numpy as np
import pytest
import torch
from tiny_networks import built, outputs_of, picture

from napari_active_seg.calibration import METHODS, Calibration, apply_calibration
from napari_active_seg.learning.inference.logits import calibrate_logits
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.uncertainty import MomentStream

_WEIGHTS, _OFFSETS = (0.6, 1.3, 0.9), (0.2, -0.4, 0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [2.0, 60.0])
def test_torch_and_numpy_calibrate_alike(method, spread):
    logits = np.random.default_rng(0).normal(0, spread, (2, 3, 5, 4)).astype(np.float32)
    calibration = Calibration(method, _WEIGHTS, _OFFSETS)
    plan = InferenceOptions(fitted_calibration=calibration)
    found = calibrate_logits(torch.from_numpy(logits), plan).softmax(dim=1).numpy()
    log = torch.from_numpy(logits).log_softmax(dim=1).clamp_min(-87).numpy().reshape(2, 3, -1)
    expected = np.exp(apply_calibration(log, calibration))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.reshape(2, 3, -1), expected, atol=2e-5)


def test_a_plan_without_calibration_leaves_logits_alone():
    logits = torch.randn(1, 2, 3, 3)
    assert calibrate_logits(logits, InferenceOptions()) is logits


def test_moments_are_those_of_calibrated_passes():
    network, image = built("unet", 2), picture()
    calibration = Calibration("vector", (0.5, 0.8), (0.3, -0.3))
    passes = outputs_of(network, image, samples=4, seed=1, joint_stride=1, joint_picks=True).samples
    found = outputs_of(network, image, samples=4, seed=1, fitted_calibration=calibration).moments
    stream = MomentStream()
    for one in passes:
        log = apply_calibration(np.log(one).reshape(len(one), -1), calibration)
        probs = np.exp(log)
        stream.add((probs / probs.sum(axis=0)).reshape(one.shape))
    expected = stream.moments()
    for name in ("mean_p", "mean_plogp", "var_p"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-5)


def test_picked_pixels_are_those_of_single_passes():
    network, image = built("unet"), picture()
    every = outputs_of(network, image, samples=3, joint_stride=1, joint_picks=True)
    some = outputs_of(network, image, samples=3, joint_stride=3, joint_picks=True)
    np.testing.assert_allclose(some.samples, every.samples[:, :, ::3, ::3], atol=1e-6)
    np.testing.assert_allclose(every.samples.mean(axis=0), every.moments.mean_p, atol=1e-5)
