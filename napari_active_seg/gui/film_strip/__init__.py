"""The film strip: every region of the queue as a small picture, in the order that is wanted."""

from napari_active_seg.gui.film_strip.filters import FILTERS, ORDERS, in_order
from napari_active_seg.gui.film_strip.view import FilmStrip

__all__ = ["FILTERS", "ORDERS", "FilmStrip", "in_order"]
