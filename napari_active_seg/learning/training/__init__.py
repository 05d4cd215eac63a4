"""Training on labelled pixels: what is drawn, what it costs, and the loop over it."""
