"""What napari's manifest points at: the dock, the reader of projects, sample data."""
