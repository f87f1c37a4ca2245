"""Geometry of boxes and masks, free of models."""
