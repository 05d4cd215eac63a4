"""Drawn spots, benign and malignant, for tests of classes of images."""

import numpy as np
from PIL import Image

N_LESIONS = 40


def write_lesions(folder):
    """Write spots into ``folder``, malignant ones darker and rough; return which are which."""
    folder.mkdir()
    truth = {}
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :64]
    for number in range(N_LESIONS):
        bad = number % 4 == 0
        pixels = np.full((48, 64, 3), 200.0) + rng.normal(0, 6, (48, 64, 3))
        spot = (y - 24) ** 2 + (x - 32) ** 2 < rng.integers(100, 200)
        colour = (90, 60, 50) if bad else (150, 110, 90)
        pixels[spot] = colour + rng.normal(0, 30 if bad else 8, (int(spot.sum()), 3))
        name = f"i{number:02}.png"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
        truth[name] = "malignant" if bad else "benign"
    return truth
