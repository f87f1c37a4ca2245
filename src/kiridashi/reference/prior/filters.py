"""Local appearance of a picture: brightness, colour, edges and texture at several scales.

The feature families are those of interactive pixel classifiers (intensity, edge, Hessian
eigenvalues, local deviation), given twice: as they are, and relative to the picture's own median
and spread, so that a darker exposure of the same surface looks the same.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SCALES = (0.7, 1.5, 3.0, 6.0, 12.0)
BACKGROUND_SCALE = 20.0
# Least spread of grey values (of 1) that counts as texture rather than sensor noise.
NOISE_FLOOR = 0.03


def filter_bank(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (H, W, 48) float32."""
    rgb: NDArray[np.float32] = pixels.astype(np.float32) / np.float32(255)
    grey: NDArray[np.float32] = rgb.mean(axis=2, dtype=np.float32)
    red_green = rgb[..., 0] - rgb[..., 1]
    blue_yellow = rgb[..., 2] - (rgb[..., 0] + rgb[..., 1]) / np.float32(2)
    median = float(np.median(grey))
    spread = 1.4826 * float(np.median(np.abs(grey - median))) + NOISE_FLOOR
    maps: list[NDArray[np.float32]] = []
    blurred = [_blur(grey, scale) for scale in SCALES]
    for scale, level in zip(SCALES, blurred, strict=True):
        maps += [level, (level - median) / spread]
        maps += [m / spread for m in _edges(level, scale)]
        variance = _blur(np.square(grey), 1.5 * scale) - np.square(_blur(grey, 1.5 * scale))
        maps.append(np.sqrt(variance.clip(0)).astype(np.float32) / spread)
        maps += [_blur(red_green, scale), _blur(blue_yellow, scale)]
    maps += [(blurred[i] - blurred[i + 2]) / spread for i in range(3)]
    surround = _blur(grey, BACKGROUND_SCALE)
    maps += [(blurred[0] - surround) / spread, (blurred[2] - surround) / spread]
    return np.stack(maps, axis=-1)


def _blur(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    blurred: NDArray[np.float32] = ndimage.gaussian_filter(values, scale, truncate=3.0)
    return blurred


def _edges(level: NDArray[np.float32], scale: float) -> list[NDArray[np.float32]]:
    """Gradient magnitude and both Hessian eigenvalues, normalised for scale."""
    dy, dx = np.gradient(level)
    dyy, dyx = np.gradient(dy)
    _, dxx = np.gradient(dx)
    half_trace, half_difference = (dxx + dyy) / 2, (dxx - dyy) / 2
    root = np.hypot(half_difference, dyx)
    return [np.hypot(dx, dy) * scale, (half_trace + root) * scale**2, (half_trace - root) * scale**2]
