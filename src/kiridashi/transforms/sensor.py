"""T10: a worse camera."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from kiridashi.core.picture import Rgb
from kiridashi.transforms.frame import MOST, Frame, draws

# (pixels, index, strength in 0..1, seed) to pixels.
Effect = Callable[[Rgb, int, float, int], Rgb]
# What lengths are given for; they grow with the picture, but a blur of less than a pixel would be none.
HEIGHT = 480


def blur(pixels: Rgb, _index: int, strength: float, _seed: int) -> Rgb:
    """Out of focus: a Gaussian of up to 5 pixels at 480 lines, and of 2.5 at 240 and below."""
    sigma = 5 * strength * max(pixels.shape[0] / HEIGHT, 0.5)
    blurred: Rgb = cv2.GaussianBlur(pixels, (0, 0), sigma)
    return blurred


def noise(pixels: Rgb, index: int, strength: float, seed: int) -> Rgb:
    """Grain of its own for every frame, with a deviation of up to 50 of 255."""
    grain = draws(seed, "noise", index).standard_normal(pixels.shape, dtype=np.float32)
    return np.clip(np.rint(pixels + grain * np.float32(50 * strength)), 0, 255).astype(np.uint8)


def jpeg(pixels: Rgb, _index: int, strength: float, _seed: int) -> Rgb:
    """Compressed as JPEG with a quality of 60 down to 4."""
    quality = round(60 - 56 * strength)
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def resolution(pixels: Rgb, _index: int, strength: float, _seed: int) -> Rgb:
    """Taken with down to an eighth of the lines and scaled up again."""
    height, width = pixels.shape[:2]
    factor = 8**strength
    small = max(1, round(width / factor)), max(1, round(height / factor))
    coarse = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    scaled: Rgb = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return scaled


# In the order in which they happen in a camera.
EFFECTS: dict[str, Effect] = {"blur": blur, "resolution": resolution, "noise": noise, "jpeg": jpeg}
# Each by itself goes further than all of them together.
TOGETHER = 0.5


class Sensor:
    """One fault of a camera, or all of them at half their strength.

    Args:
        severity: 1..5.
        seed: of the noise.
        effect: a name of `EFFECTS`; None: all.
    """

    def __init__(self, severity: int, seed: int, effect: str | None = None) -> None:
        self._strength = severity / MOST * (1 if effect else TOGETHER)
        self._effects = [EFFECTS[effect]] if effect else list(EFFECTS.values())
        self._seed = seed

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame as the worse camera gives it; its labels stay."""
        pixels = frame.pixels
        for effect in self._effects:
            pixels = effect(pixels, index, self._strength, self._seed)
        return (replace(frame, pixels=pixels),)
