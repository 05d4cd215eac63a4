"""MNIST's four files, small and made on the spot: a bright square whose place is the class."""

import gzip

import numpy as np

N_TRAIN, N_TEST, SIDE = 120, 40, 14


def write_idx(path, array, magic):
    head = np.array([magic, *array.shape], ">u4").tobytes()
    with gzip.open(path, "wb") as file:
        file.write(head + array.astype(np.uint8).tobytes())


def write_mnist(folder):
    """Write the four files into ``folder`` and return it."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name, count in (("train", N_TRAIN), ("t10k", N_TEST)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, SIDE, SIDE))
        for image, label in zip(images, labels, strict=True):
            y, x = divmod(int(label), 5)
            image[1 + 6 * y : 6 + 6 * y, 2 * x : 2 * x + 4] += 150
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", images, 2051)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels, 2049)
    return folder


def silent(*_now):
    """Hear of no progress."""
