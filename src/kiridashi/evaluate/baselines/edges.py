"""Bring a small mask to the picture's size along the picture's edges."""

import cv2
import numpy as np

from kiridashi.core.geometry.guided_filter import guided_filter
from kiridashi.core.mask import Bitmap
from kiridashi.core.picture import Rgb


def upscale_mask(small: Bitmap, pixels: Rgb) -> Bitmap:
    """An (h, w) mask at the size of (H, W, 3) pixels, its outline drawn to the nearest edges."""
    height, width = pixels.shape[:2]
    if small.shape == (height, width):
        return small
    smooth = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(1, round(height / small.shape[0]))
    inside: Bitmap = guided_filter(pixels, smooth, radius) > 0.5
    return inside
