"""Smoothing that stops at a picture's edges."""

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Rgb

FloatMap = NDArray[np.float32]

# How strong an edge must be to stop the smoothing (variance of grey values in 0..1).
EDGE_STRENGTH = 1e-4


def guided_filter(pixels: Rgb, values: FloatMap, radius: int) -> FloatMap:
    """Smooth `values` along the edges of a picture (He, Sun and Tang, 2010, with a grey guide).

    Args:
        pixels: (H, W, 3) uint8, the guide.
        values: (H, W) float32 in [0, 1].
        radius: of the box window in pixels, at least 1.

    Returns:
        (H, W) float32 in [0, 1].
    """
    import cv2

    guide = pixels.astype(np.float32).mean(axis=2) / 255
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(x: FloatMap) -> FloatMap:
        return np.asarray(cv2.blur(x, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * values) - mean_guide * mean_values) / (variance + EDGE_STRENGTH)
    offset = mean_values - slope * mean_guide
    filtered: FloatMap = np.clip(mean(slope) * guide + mean(offset), 0, 1)
    return filtered
