"""Which images are set aside for validation: drawn once, by a seed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_active_seg.errors import ConfigError
from napari_active_seg.project.records import Split

__all__ = ["assign_splits"]


def assign_splits(image_ids: Iterable[str], *, val_fraction: float, seed: int) -> dict[str, Split]:
    """Return a split for each image; the order in which the ids come does not matter.

    A fraction above 0 sets aside one image at least, and leaves one at least.
    """
    if not 0.0 <= val_fraction < 1.0:
        raise ConfigError(f"the validation fraction must be 0 to below 1, got {val_fraction}")
    ordered = sorted(image_ids)
    count = round(val_fraction * len(ordered))
    if val_fraction > 0:
        count = min(max(count, 1), len(ordered) - 1)
    drawn = np.random.default_rng((seed, 0x5350)).permutation(len(ordered))[:count]
    chosen = {ordered[i] for i in drawn}
    return {i: Split.VALIDATION if i in chosen else Split.POOL for i in ordered}
