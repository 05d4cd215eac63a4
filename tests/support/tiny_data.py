"""Small pictures with masks, made on the spot; nothing is read from outside."""

import numpy as np
from PIL import Image


def disk_picture(seed, shape=(96, 128)):
    """Return a pale picture with two dark disks, and their mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, np.uint8)
    for _ in range(2):
        cy, cx = rng.uniform(0.2, 0.8, 2) * shape
        mask[np.hypot(y - cy, x - cx) < rng.uniform(10, 18)] = 1
    image = np.where(mask[..., None] == 1, (110, 60, 140), (225, 180, 205)).astype(float)
    image += rng.normal(0, 9, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def write_pool(folder, count=4, shape=(96, 128), first=0):
    """Write ``count`` pictures to images/ and their 0 / 255 masks to masks/."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for seed in range(first, first + count):
        image, mask = disk_picture(seed, shape)
        Image.fromarray(image).save(folder / "images" / f"img{seed}.png")
        Image.fromarray(mask * 255).save(folder / "masks" / f"img{seed}.png")
    return folder
