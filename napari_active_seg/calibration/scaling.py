"""Fit and apply temperature, vector and class-wise Platt scaling.

All three change the class probabilities p of a single pass; passes are averaged afterwards, so that
every uncertainty measure is computed from calibrated samples.

    temperature   softmax(w log p), one w = 1 / T for all classes
    vector        softmax(w_c log p_c + b_c)
    platt         s_c / sum s with s_c = sigmoid(w_c logit p_c + b_c)

They are fitted by the negative log-likelihood of the averaged passes, which is what is shown. Log
probabilities stand for logits: a softmax is the same for logits that differ by a constant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from napari_active_seg.errors import BadInputError, ConfigError, did_you_mean

__all__ = ["METHODS", "Calibration", "PassSample", "apply_calibration", "fit_calibration"]

#: Ways to calibrate, and what they fit.
METHODS: Mapping[str, str] = {
    "temperature": "one temperature for all classes; the winning class of a pass stays",
    "vector": "a weight and an offset for each class",
    "platt": "a logistic curve for each class, which then share the whole",
}
#: Log probabilities are not taken below this: float32 ends there.
_SMALLEST_LOG = -87.0
#: Nor nearer to 0 than this, where a logit would be infinite.
_NEAREST_LOG = -1e-7
_BOUNDS_OF_WEIGHTS = (0.02, 50.0)
_BOUNDS_OF_OFFSETS = (-20.0, 20.0)
#: A label that no pass gives any chance counts as this likely.
_LEAST_LIKELIHOOD = 1e-300
#: Keeps parameters that the labels do not determine at their start.
_RIDGE = 1e-6
#: The search takes a few dozen; more bring nothing that lasts.
_MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted calibration of the probabilities of one model.

    Parameters
    ----------
    method
        A key of ``METHODS``: ``temperature``, ``vector`` or ``platt``.
    weights, offsets
        A weight and an offset for each class; a temperature T is the weight 1 / T for all.

    Raises
    ------
    ConfigError
        If the method is unknown.
    BadInputError
        If weights and offsets do not have the same length of 2 or more.

    Examples
    --------
    >>> Calibration("temperature", (0.5, 0.5), (0.0, 0.0)).summary
    'temperature 2.00'
    """

    method: str
    weights: tuple[float, ...]  # (C,)
    offsets: tuple[float, ...]  # (C,)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"no calibration {self.method!r}: {did_you_mean(self.method, METHODS)}"
            )
        if len(self.weights) != len(self.offsets) or len(self.weights) < 2:
            raise BadInputError("a calibration has a weight and an offset for each class")

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.weights)

    @property
    def tag(self) -> str:
        """A short hash that identifies the calibration."""
        facts = f"{self.method} {self.weights} {self.offsets}"
        return f"{self.method}-{hashlib.sha256(facts.encode()).hexdigest()[:8]}"

    @property
    def summary(self) -> str:
        """The method with its parameters, in one line."""
        if self.method == "temperature":
            return f"temperature {1 / self.weights[0]:.2f}"
        pairs = zip(self.weights, self.offsets, strict=True)
        return f"{self.method} scaling ({', '.join(f'{w:.2f} {b:+.2f}' for w, b in pairs)})"

    def as_facts(self) -> dict[str, object]:
        """Return the calibration as plain values."""
        return {
            "method": self.method,
            "weights": list(self.weights),
            "offsets": list(self.offsets),
        }

    @staticmethod
    def from_facts(facts: Mapping[str, object]) -> Calibration:
        """Return the calibration from plain values; BadInputError if they are invalid."""
        try:
            weights, offsets = facts["weights"], facts["offsets"]
            return Calibration(
                str(facts["method"]),
                tuple(float(w) for w in weights),  # type: ignore[attr-defined]
                tuple(float(b) for b in offsets),  # type: ignore[attr-defined]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"these facts do not describe a calibration: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class PassSample:
    """Labelled pixels of one image with the log probabilities of every pass."""

    image_id: str
    log_probs: NDArray[np.float32]  # (T, C, n)
    labels: NDArray[np.intp]  # (n,)

    @staticmethod
    def of(image_id: str, probs: NDArray[np.floating], labels: NDArray[np.integer]) -> PassSample:
        """Return the sample of probabilities (T, C, n)."""
        with np.errstate(divide="ignore"):
            log = np.maximum(np.log(probs.astype(np.float32)), np.float32(_SMALLEST_LOG))
        return PassSample(image_id, log, labels.astype(np.intp))

    def mean_probs(self, calibration: Calibration | None = None) -> NDArray[np.float64]:
        """Return the probabilities (C, n) averaged over the passes, calibrated or as they are."""
        log = self.log_probs.astype(np.float64)
        if calibration is not None:
            log = apply_calibration(log, calibration)
        return np.exp(log - logsumexp(log, axis=1, keepdims=True)).mean(axis=0)


def apply_calibration(
    log_probs: NDArray[np.floating], calibration: Calibration
) -> NDArray[np.float64]:
    """Calibrate log probabilities.

    Parameters
    ----------
    log_probs
        Log probabilities (..., C, n) of single samples.
    calibration
        The calibration to apply.

    Returns
    -------
    NDArray[np.float64]
        Calibrated log probabilities (..., C, n), up to a constant of each pixel.
    """
    log = np.asarray(log_probs, np.float64)
    weights = np.array(calibration.weights)[:, None]
    offsets = np.array(calibration.offsets)[:, None]
    if calibration.method != "platt":
        return np.asarray(weights * log + offsets)
    return np.asarray(log_expit(weights * _logit(log) + offsets))


def fit_calibration(
    samples: Sequence[PassSample],
    method: str,
    *,
    start: Calibration | None = None,
    check_cancelled: Callable[[], None] = lambda: None,
) -> Calibration:
    """Fit a calibration by maximum likelihood of the labels.

    Parameters
    ----------
    samples
        Labelled pixels with the log probabilities of every MC sample; an image has the weight of
        its number of pixels.
    method
        A key of ``METHODS``: ``temperature``, ``vector`` or ``platt``.
    start
        A calibration to start the search from, which is faster where most samples are the same.
    check_cancelled
        Called at each step; may raise to stop.

    Returns
    -------
    Calibration
        The calibration with the lowest negative log-likelihood of the averaged samples.

    Raises
    ------
    ConfigError
        If the method is unknown.
    BadInputError
        If no pixel is labelled.
    """
    if method not in METHODS:
        raise ConfigError(f"no calibration {method!r}: {did_you_mean(method, METHODS)}")
    kept = [sample for sample in samples if len(sample.labels)]
    if not kept:
        raise BadInputError("no labelled pixel to calibrate on")
    log = np.concatenate([s.log_probs for s in kept], axis=2).astype(np.float64)
    labels = np.concatenate([s.labels for s in kept])
    n_classes = log.shape[1]
    inputs = _logit(log) if method == "platt" else log
    shared = method == "temperature"

    def unpacked(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if shared:
            return np.repeat(values, n_classes), np.zeros(n_classes)
        return values[:n_classes], values[n_classes:]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        check_cancelled()
        weights, offsets = unpacked(values)
        nll, by_weight, by_offset = _nll(inputs, labels, weights, offsets, platt=method == "platt")
        if shared:
            return nll, np.array([by_weight.sum()])
        away = np.concatenate([weights - 1, offsets])
        gradient = np.concatenate([by_weight, by_offset]) + 2 * _RIDGE * away
        return nll + _RIDGE * float((away**2).sum()), gradient

    first = np.array([1.0]) if shared else np.repeat([1.0, 0.0], n_classes)
    if start is not None:
        first = np.array(start.weights[:1] if shared else (*start.weights, *start.offsets))
    bounds = [_BOUNDS_OF_WEIGHTS] * (1 if shared else n_classes)
    bounds += [] if shared else [_BOUNDS_OF_OFFSETS] * n_classes
    best = minimize(
        loss,
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-8, "maxiter": _MOST_STEPS},
    ).x
    weights, offsets = unpacked(best)
    return Calibration(method, tuple(float(w) for w in weights), tuple(float(b) for b in offsets))


def _nll(
    inputs: NDArray[np.float64],
    labels: NDArray[np.intp],
    weights: NDArray[np.float64],
    offsets: NDArray[np.float64],
    *,
    platt: bool,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean -log p of the labels, and its slopes (C,) by weights and by offsets.

    With q_t the calibrated probabilities of pass t, the slope by the logits of a pass is that of a
    single one, weighed by the pass's part r_t in the averaged probability of the label.
    """
    scaled = weights[:, None] * inputs + offsets[:, None]  # (T, C, n)
    logits = log_expit(scaled) if platt else scaled
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    n_passes, n = len(inputs), labels.size
    of_label = np.take_along_axis(probs, labels[None, None], axis=1)[:, 0]  # (T, n)
    likelihood = np.maximum(of_label.mean(axis=0), _LEAST_LIKELIHOOD)
    parts = (of_label / (n_passes * likelihood))[:, None]  # r_t
    slope = parts * probs
    for k in range(slope.shape[1]):
        slope[:, k][:, labels == k] -= parts[:, 0][:, labels == k]
    if platt:
        slope *= expit(-scaled)
    nll = -float(np.log(likelihood).mean())
    return nll, (slope * inputs).sum(axis=(0, 2)) / n, slope.sum(axis=(0, 2)) / n


def _logit(log: NDArray[np.float64]) -> NDArray[np.float64]:
    capped = np.minimum(log, _NEAREST_LOG)
    return np.asarray(capped - np.log(-np.expm1(capped)))
