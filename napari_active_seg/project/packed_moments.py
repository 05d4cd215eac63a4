"""Moments packed for the disk: the digits that maps and rankings need, compressed.

Probabilities keep their logits to 5e-4, so that those near 0 and 1 stay as exact as the others;
disagreement (BALD) and variance keep three digits (float16); votes are exact. A pixel of two
classes takes at most seven bytes before compression, in place of 24.
"""

from __future__ import annotations

from collections.abc import Mapping

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit, logit

from napari_active_seg.uncertainty import Moments

__all__ = ["compress", "decompress", "pack_moments", "unpack_moments"]

Packed = dict[str, NDArray[np.generic]]
#: Logits and logarithms beyond this are certain: 0 or 1.
_MOST = 16.0
_STEPS = 65_535
_LEVEL = 3


def pack_moments(moments: Moments) -> Packed:
    """Return the arrays that `unpack_moments` makes moments of again, without the extras."""
    bald = np.maximum(entr(moments.mean_p).sum(axis=0) + moments.mean_plogp, 0)
    if moments.n == 1:
        bald = np.zeros_like(bald)
    votes = moments.votes.astype(np.uint8 if moments.n < 256 else np.uint16)
    variances = moments.var_p.astype(np.float16)
    if moments.n_classes == 2:
        probabilities = _logits_to_steps(moments.mean_p[1])
        if (moments.votes.sum(axis=0) == moments.n).all():
            votes = votes[1]
        if np.array_equal(variances[0], variances[1]):
            variances = variances[1]
    else:
        probabilities = _logarithms_to_steps(moments.mean_p)
    return {
        "passes": np.array([moments.n], np.int64),
        "classes": np.array([moments.n_classes], np.int64),
        "probabilities": probabilities,
        "bald": bald.astype(np.float16),
        "variances": variances,
        "votes": votes,
    }


def unpack_moments(packed: Mapping[str, NDArray[np.generic]], extras: Packed) -> Moments:
    """Return moments out of what `pack_moments` returned."""
    n, n_classes = int(packed["passes"][0]), int(packed["classes"][0])
    steps = packed["probabilities"]
    if n_classes == 2:
        second = _steps_to_probabilities(steps)
        mean_p = np.stack([1 - second, second])
    else:
        mean_p = np.exp(steps.astype(np.float32) * np.float32(-_MOST / _STEPS))
        mean_p[steps == _STEPS] = 0
        mean_p /= mean_p.sum(axis=0)
    bald = packed["bald"].astype(np.float32)
    votes = packed["votes"].astype(np.uint16)
    if votes.ndim == 2:
        votes = np.stack([n - votes, votes]).astype(np.uint16)
    variances = packed["variances"].astype(np.float32)
    if variances.ndim == 2:
        variances = np.stack([variances, variances])
    return Moments(
        n=n,
        mean_p=mean_p,
        mean_plogp=np.minimum(bald - entr(mean_p).sum(axis=0), 0),
        var_p=variances,
        votes=votes,
        extras={name: values.astype(np.float32) for name, values in extras.items()},
    )


def compress(values: NDArray[np.generic]) -> bytes:
    """Return an array's bytes, compressed without loss."""
    plain = np.ascontiguousarray(values)
    by_place = plain.view(np.uint8).reshape(-1, plain.dtype.itemsize).T
    return bytes(imagecodecs.zstd_encode(np.ascontiguousarray(by_place).tobytes(), level=_LEVEL))


def decompress(data: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Return the array that `compress` took; ValueError where the bytes are others."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    try:
        raw = imagecodecs.zstd_decode(data, out=size)
    except RuntimeError as error:
        raise ValueError(f"damaged: {error}") from error
    if len(raw) != size:
        raise ValueError("damaged: another length")
    by_place = np.frombuffer(raw, np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(by_place.T).view(kind).reshape(shape)


def _logits_to_steps(probabilities: NDArray[np.float32]) -> NDArray[np.uint16]:
    with np.errstate(divide="ignore"):
        logits = np.clip(logit(probabilities.astype(np.float32)), -_MOST, _MOST)
    return np.round((logits + _MOST) * (_STEPS - 1) / (2 * _MOST)).astype(np.uint16)


def _steps_to_probabilities(steps: NDArray[np.generic]) -> NDArray[np.float32]:
    logits = steps.astype(np.float32) * np.float32(2 * _MOST / (_STEPS - 1)) - np.float32(_MOST)
    found = np.asarray(expit(logits), np.float32)
    found[steps == 0], found[steps == _STEPS - 1] = 0, 1
    return found


def _logarithms_to_steps(probabilities: NDArray[np.float32]) -> NDArray[np.uint16]:
    with np.errstate(divide="ignore"):
        logarithms = np.clip(np.log(probabilities), -_MOST, 0)
    return np.round(logarithms * (-_STEPS / _MOST)).astype(np.uint16)
