"""A cost model that is fitted to the seconds that a person took for those before.

Below ten regions it is the stated prior, labelled a guess; below thirty a ridge regression on
features made by hand; from thirty on a small network on crop and predicted mask, which ``learning``
brings. All learn log seconds. Predictions are corrected by the ratio of recent regions' time to
their expected time, since a person gets faster, and averages of logarithms fall short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.acquisition.cost import ClassMaps
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import MaskedRegion, Region

__all__ = [
    "FEATURES",
    "FROM_NETWORK",
    "FROM_REGRESSION",
    "CostExample",
    "CostView",
    "FitCost",
    "FittedCost",
    "LearnedCost",
    "Ridge",
    "cost_features",
    "fit_learned_cost",
]

FROM_REGRESSION, FROM_NETWORK = 10, 30
FEATURES = (
    "log pixels",
    "log boundary",
    "log clicks",
    "areas",
    "classes",
    "share of the first class",
    "contrast",
)
#: Number of latest regions that correct the bias, and the largest factor of that.
_RECENT, _MOST_BIAS = 10, 3.0
#: A region takes no less and no more than e to these.
_LOGS = (-3.0, 9.0)
_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, slots=True, eq=False)
class CostView:
    """Inputs of a cost model: a region's pixels, predicted classes and shape."""

    image: NDArray[np.uint8]  # (h, w, 3)
    classes: NDArray[np.uint8]  # (h, w)
    inside: NDArray[np.bool_]  # (h, w)


@dataclass(frozen=True, slots=True, eq=False)
class CostExample:
    """A region that was painted, and the seconds (or clicks) that it took."""

    view: CostView
    spent: float


#: A fitted cost model, and its cross-validated prediction for each example.
FittedCost = tuple[Callable[[Sequence[CostView]], NDArray[np.float64]], NDArray[np.float64]]
FitCost = Callable[[Sequence[CostExample]], FittedCost]


@dataclass(frozen=True, slots=True, eq=False)
class LearnedCost:
    """Expected seconds (or clicks), how they were learned, and how far off they are.

    ``error`` is the mean absolute error on regions left out of the fit; None where
    there are none. ``bias`` is the factor that corrects for the latest regions.
    """

    how: str
    n_examples: int
    predict: Callable[[Sequence[CostView]], NDArray[np.float64]]
    error: float | None = None
    bias: float = 1.0
    typical: float = 0.0
    unit: str = "s"

    def of(self, views: Sequence[CostView]) -> NDArray[np.float64]:
        """Return the expected cost of each region."""
        if not views:
            return np.empty(0)
        return np.maximum(self.predict(views) * self.bias, 0.1)

    @property
    def summary(self) -> str:
        """How the cost was fitted, and its error, in one line."""
        what = "seconds" if self.unit == "s" else self.unit
        if self.how == "guess":
            return (
                f"{what} are a guess: {self.n_examples} of {FROM_REGRESSION} regions "
                "that it takes to learn yours are done"
            )
        text = f"{what} learned from {self.n_examples} of your regions by a {self.how}"
        if self.error is not None:
            text += (
                f", off by {self.error:.0f} {self.unit} on average "
                f"of {self.typical:.0f} {self.unit}"
            )
        return text + (f", corrected by {self.bias:.2f}" if abs(self.bias - 1) > 0.02 else "")


def cost_features(view: CostView) -> NDArray[np.float64]:
    """Return the features of a region, in the order of ``FEATURES``."""
    maps = ClassMaps(lambda: np.where(view.inside, view.classes, np.uint8(0)))
    whole = MaskedRegion(Region.whole("", view.classes.shape))
    seen = view.classes[view.inside]
    areas = sum(
        int(ndimage.label((view.classes == k) & view.inside)[1]) for k in np.unique(seen) if k > 0
    )
    grey = view.image.mean(axis=2)[view.inside]
    return np.array(
        [
            np.log(seen.size),
            np.log1p(float(maps.boundary.sum())),
            np.log1p(maps.clicks(whole)),
            np.log1p(areas),
            float(len(np.unique(seen))),
            float((seen == 0).mean()),
            float(grey.std()) / 64,
        ]
    )


class Ridge:
    """Ridge regression on standardised features, its penalty chosen by leaving one out."""

    def __init__(self, features: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        if features.ndim != 2 or len(features) != len(targets) or len(targets) < 3:
            raise BadInputError(f"a regression needs 3 examples or more, got {features.shape}")
        self._mean, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-9
        x, self._offset = self._standard(features), float(targets.mean())
        y = targets - self._offset
        tried = []
        for penalty in _PENALTIES:
            inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))
            weights = inverse @ x.T @ y
            # Taking one out: the residual over 1 - leverage, the mean counting as a parameter.
            leverage = np.einsum("nd,de,ne->n", x, inverse, x) + 1 / len(y)
            left_out = targets - (y - x @ weights) / np.maximum(1 - leverage, 1e-6)
            tried.append((float(np.abs(targets - left_out).mean()), weights, left_out))
        self.error, self._weights, self.left_out = min(tried, key=lambda entry: entry[0])

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict the targets of further features (N, D)."""
        found: NDArray[np.float64] = self._standard(features) @ self._weights + self._offset
        return found

    def _standard(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return (features - self._mean) / self._scale


def fit_learned_cost(
    examples: Sequence[CostExample],
    prior: Callable[[Sequence[CostView]], NDArray[np.float64]],
    *,
    network: FitCost | None = None,
    network_from: int = FROM_NETWORK,
    unit: str = "s",
) -> LearnedCost:
    """Fit a cost model to ``examples``, the oldest first; ``prior`` where they are few.

    ``network_from`` 3 lets the network learn from the first examples on, as the paper does.
    """
    n = len(examples)
    if any(not example.spent > 0 for example in examples):
        raise BadInputError("examples of cost need more than 0 spent")
    if network is not None and n >= max(network_from, 3):
        predict, left_out = network(examples)
        return _correct_bias("network", examples, predict, left_out, unit)
    if n < FROM_REGRESSION:
        return LearnedCost("guess", n, prior, unit=unit)
    features = np.stack([cost_features(example.view) for example in examples])
    ridge = Ridge(features, np.log([example.spent for example in examples]))
    left_out = np.exp(np.clip(ridge.left_out, *_LOGS))
    return _correct_bias("regression", examples, _RidgeCost(ridge), left_out, unit)


@dataclass(frozen=True, slots=True, eq=False)
class _RidgeCost:
    """Predicts costs by a regression."""

    ridge: Ridge

    def __call__(self, views: Sequence[CostView]) -> NDArray[np.float64]:
        logs = self.ridge.predict(np.stack([cost_features(view) for view in views]))
        return np.exp(np.clip(logs, *_LOGS))


def _correct_bias(
    how: str,
    examples: Sequence[CostExample],
    predict: Callable[[Sequence[CostView]], NDArray[np.float64]],
    left_out: NDArray[np.float64],
    unit: str,
) -> LearnedCost:
    """Return the cost with the bias of the most recent regions taken out."""
    took = np.array([example.spent for example in examples])
    bias = float(took[-_RECENT:].sum() / left_out[-_RECENT:].sum())
    bias = min(max(bias, 1 / _MOST_BIAS), _MOST_BIAS)
    error = float(np.abs(left_out * bias - took).mean())
    return LearnedCost(how, len(examples), predict, error, bias, float(took.mean()), unit)
