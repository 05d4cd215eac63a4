"""The command line: ``napari-active-seg VERB``."""

from napari_active_seg.cli.main import main

__all__ = ["main"]
