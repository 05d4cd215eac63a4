"""``python -m napari_active_seg`` is the command line."""

from napari_active_seg.cli import main

if __name__ == "__main__":
    main()
