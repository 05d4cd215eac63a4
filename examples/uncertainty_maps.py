"""Every uncertainty measure of one picture side by side, from the same Monte-Carlo passes.

    python examples/uncertainty_maps.py [OUT.png]

Trains on a few squares of drawn glands, predicts another picture, and writes one figure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_active_seg.images.samples import draw_histology
from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.uncertainty import MEASURES


def labelled_squares(seed: int) -> TrainExample:
    """Return a picture of which three squares are labelled."""
    picture, rng = draw_histology(seed), np.random.default_rng(seed)
    target = np.full(picture.mask.shape, UNLABELLED, np.uint8)
    for y, x in zip(rng.integers(0, 400, 3), rng.integers(0, 650, 3), strict=True):
        square = (slice(y, y + 128), slice(x, x + 128))
        target[square] = picture.mask[square]
    return TrainExample(picture.image, target)


def main(out: Path) -> None:
    """Train, predict and draw."""
    segmenter = TorchSegmenterFactory().build("fast", classes=("background", "gland"), seed=0)
    segmenter.train(
        TrainingData([labelled_squares(seed) for seed in (0, 3)]),
        plan=TrainingOptions(learned_loss=True),
        on_step=lambda _: None,
        check_cancelled=lambda: None,
    )
    image = draw_histology(5).image
    plan = InferenceOptions(samples=20, extras=("mirrored", "learned-loss", "random"))
    moments = segmenter.predict(image, plan=plan, check_cancelled=lambda: None).moments
    shown_measures = [m for m in MEASURES.values() if m.can_be_computed(moments)]
    figure = Figure(figsize=(16, 7), layout="constrained")
    axes = figure.subplots(3, 5).ravel()
    axes[0].imshow(image)
    axes[0].set_title("picture")
    for axis, measure in zip(axes[1:], shown_measures, strict=False):
        shown = axis.imshow(measure.compute(moments), cmap="magma")
        axis.set_title(measure.title, fontsize="small")
        figure.colorbar(shown, ax=axis, label=measure.unit)
    for axis in axes:
        axis.set_axis_off()
    figure.savefig(out, dpi=110)
    print(f"wrote {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "uncertainty-maps.png"))
