"""Predictions of images, slides and folders, and their cache."""
