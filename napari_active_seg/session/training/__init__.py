"""Training a model on the labels so far."""
