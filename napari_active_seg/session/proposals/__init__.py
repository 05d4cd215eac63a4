"""Regions worth a person's time: candidates, selection, explanations."""
