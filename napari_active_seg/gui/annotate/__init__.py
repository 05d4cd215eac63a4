"""Painting labels in a region: tools, shortcuts, questions."""
