"""Bring a small mask to the picture's size along the picture's edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap
from kiridashi.core.picture import Rgb

# How strong an edge of the picture must be to stop the smoothing (variance of grey values in 0..1).
EDGE_STRENGTH = 1e-4


def upscale_mask(small: Bitmap, pixels: Rgb) -> Bitmap:
    """An (h, w) mask at the size of (H, W, 3) pixels, its outline drawn to the nearest edges.

    Guided upsampling (He, Sun and Tang, 2010) with a grey guide and a window of one small pixel.
    """
    height, width = pixels.shape[:2]
    if small.shape == (height, width):
        return small
    smooth = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    guide = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    radius = max(1, round(height / small.shape[0]))
    inside: Bitmap = _guided(guide, smooth, radius) > 0.5
    return inside


def _guided(guide: NDArray[np.float32], values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(x, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * values) - mean_guide * mean_values) / (variance + EDGE_STRENGTH)
    offset = mean_values - slope * mean_guide
    return mean(slope) * guide + mean(offset)
