"""The colours of classes as picture files hold them."""

from __future__ import annotations

import numpy as np

from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["get_palette", "parse_colour"]


def parse_colour(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#rrggbb``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def get_palette(schema: LabelSchema) -> list[int]:
    """Return 256 colours, red green blue in turn: the classes', white for not labelled."""
    colours = np.zeros((256, 3), np.uint8)
    for index, colour in enumerate(schema.colours):
        colours[index] = parse_colour(colour)
    colours[UNLABELLED] = 255
    flat: list[int] = colours.ravel().tolist()
    return flat
