"""What is drawn over the image: scale bar, colour bar, region frames, readout."""
