"""What each process of a shared training runs: prints its losses as JSON.

Started by torchrun, or alone: ``python shared_training.py FILE NETWORK LOSS [norms]``.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from tiny_data import disk_picture

from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED


def examples():
    """Pictures with squares of different sizes labelled, so that ranks see different counts."""
    made = []
    for seed, side in enumerate((8, 24, 56)):
        image, mask = disk_picture(seed)
        target = np.full(mask.shape, UNLABELLED, np.uint8)
        target[20 : 20 + side, 30 : 30 + side] = mask[20 : 20 + side, 30 : 30 + side]
        made.append(TrainExample(image, target))
    return made


def main(out, network, loss, norms="trained"):
    segmenter = TorchSegmenterFactory("cpu").build(
        network, classes=("background", "disk"), seed=0, weights="random"
    )
    made = examples()
    plan = TrainingOptions(
        epochs=6, loss=loss, learned_loss=True, batch_norm=norms, patience=3, schedule="cosine"
    )
    outcome = segmenter.train(
        TrainingData(made[1:], held_out=made[:1]),
        plan=plan,
        on_step=lambda _: None,
        check_cancelled=lambda: None,
    )
    facts = {"losses": outcome.losses, "held_out": outcome.held_out}
    Path(f"{out}.{os.environ.get('RANK', '0')}").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
