"""The desktop: the only room that imports Qt and napari."""
