"""What a camera and a file format do to every scene: mild, and the masks stay as they are."""

import cv2
import numpy as np

from training.scenes.scene import Pixels, Rng


def photographed(pixels: Pixels, rng: Rng) -> Pixels:
    """Exposure, gamma and colour cast; at times grey, blurred, noisy and compressed.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        rng: draws everything.

    Returns:
        A new array of the same shape.
    """
    if rng.random() < 0.1:
        pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    pixels = cv2.LUT(pixels, _curve(rng))
    if rng.random() < 0.25:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.4:
        pixels = _noisy(pixels, rng)
    if rng.random() < 0.35:
        pixels = _compressed(pixels, int(rng.integers(40, 96)))
    return pixels


def _curve(rng: Rng) -> Pixels:
    """(1, 256, 3) table of exposure, gamma and colour cast."""
    tones = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.uniform(-0.25, 0.25))
    cast = rng.uniform(0.94, 1.06, 3) if rng.random() < 0.5 else np.ones(3)
    exposed = rng.uniform(0.8, 1.15) * cast * tones**gamma
    table: Pixels = np.clip(exposed * 255 + 0.5, 0, 255).astype(np.uint8)[None]
    return table


def _noisy(pixels: Pixels, rng: Rng) -> Pixels:
    """Sensor noise, the same in all channels."""
    grain = rng.standard_normal(pixels.shape[:2], np.float32) * np.float32(np.exp(rng.uniform(0, 2)))
    # Around 128 the noise fits 8 bits, and adding it saturates instead of wrapping round.
    steps = cv2.convertScaleAbs(grain + 128)
    noisy: Pixels = cv2.addWeighted(pixels, 1, cv2.merge([steps] * 3), 1, -128)
    return noisy


def _compressed(pixels: Pixels, quality: int) -> Pixels:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    # Read as it was written: OpenCV takes RGB for BGR both times. The colour planes swap roles, no more.
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
