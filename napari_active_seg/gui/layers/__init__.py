"""napari's layers of a project: what they show and how they look."""
