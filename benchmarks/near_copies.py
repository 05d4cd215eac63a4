"""What the perceptual hash finds, and what it takes for a copy that is none.

python benchmarks/near_copies.py --images DIR [--images DIR ...]
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.images import perceptual_hash
from napari_active_seg.images.near_duplicates import MOST_BITS

Picture = NDArray[np.uint8]


def compressed(image: Picture) -> Picture:
    """Return the image as a JPEG of quality 40 gives it."""
    kept = io.BytesIO()
    Image.fromarray(image).save(kept, "jpeg", quality=40)
    return np.asarray(Image.open(kept))


def cut(image: Picture, share: float) -> Picture:
    """Return the middle of the image, ``share`` of each side."""
    y, x = (round(length * (1 - share) / 2) for length in image.shape[:2])
    return image[y : image.shape[0] - y, x : image.shape[1] - x]


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG of quality 40": compressed,
    "half size": lambda image: image[::2, ::2],
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image),
    "darker": lambda image: (image * 0.8 + 20).astype(np.uint8),
    "95 % of each side": lambda image: cut(image, 0.95),
    "80 % of each side": lambda image: cut(image, 0.80),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, action="append", required=True)
    parser.add_argument("--most", type=int, default=165)
    asked = parser.parse_args()
    for folder in asked.images:
        rng = np.random.default_rng(0)
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg"))
        chosen = [paths[k] for k in rng.permutation(len(paths))[: asked.most]]
        pictures = [np.asarray(Image.open(path).convert("RGB")) for path in chosen]
        hashes = [perceptual_hash(picture) for picture in pictures]
        apart = np.array([a.distance(b) for a, b in combinations(hashes, 2)])
        print(
            f"{folder.name}: {len(chosen)} images, {len(apart)} pairs of others; nearest "
            f"{apart.min()} bits, {(apart <= MOST_BITS).sum()} within {MOST_BITS}"
        )
        for name, change in CHANGES.items():
            pairs = zip(hashes[:80], pictures[:80], strict=True)
            bits = np.array([own.distance(perceptual_hash(change(p))) for own, p in pairs])
            found = (bits <= MOST_BITS).mean()
            print(f"  {name:20} found {found:4.0%}, at most {bits.max()} bits")


if __name__ == "__main__":
    main()
