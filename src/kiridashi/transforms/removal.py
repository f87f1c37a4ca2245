"""T8: the objects are gone for a while."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Rgb
from kiridashi.transforms.frame import Frame
from kiridashi.transforms.schedule import Episodes

LENGTHS = (2, 4, 8, 12, 16)
# Long side at which the hole is filled: what is not known needs no detail, and the work grows with the area.
SIDE = 240
# Shares of the picture's diagonal: shadow and blur around an object would tell where it was.
RIM = 0.012


class Removal:
    """For some frames the objects are painted over with what is around them.

    Telea, "An image inpainting technique based on the fast marching method", 2004, at a small size.

    Args:
        severity: 1..5: 2, 4, 8, 12 or 16 frames.
        seed: of the moment.
    """

    def __init__(self, severity: int, seed: int) -> None:
        self._episodes = Episodes.draw(seed, "removal", LENGTHS[severity - 1])

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame, or what it would be without the objects."""
        if self._episodes.place(index) is None or not frame.objects.any():
            return (frame,)
        pixels = fill(frame.pixels, frame.objects)
        return (replace(frame, pixels=pixels, labels=np.zeros_like(frame.labels)),)


def fill(pixels: Rgb, hole: NDArray[np.bool_]) -> Rgb:
    """Paint over a hole and a rim around it; everything else stays."""
    height, width = hole.shape
    rim = max(1, round(RIM * np.hypot(height, width)))
    wide = cv2.dilate(hole.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
    scale = min(1.0, SIDE / max(height, width))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    # Any pixel of the hole spoils the small pixel that it goes into.
    mask = (cv2.resize(wide.astype(np.float32), small, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    painted = cv2.inpaint(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), mask, 3, cv2.INPAINT_TELEA)
    back = cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(wide[..., None] > 0, back, pixels)
