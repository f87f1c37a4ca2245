"""A clip in which every frame is a drawing of its labels."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Rgb
from kiridashi.transforms import Choice, Frame, build
from kiridashi.transforms.donor import DrawnDonor

SIZE = (60, 80)
LENGTH = 45
# What label 1 and label 2 look like; everything else is darker.
BRIGHT = {1: 255, 2: 180}


def drawn(index: int, size: tuple[int, int] = SIZE) -> Frame:
    """Two discs that move, on black."""
    labels = np.zeros(size, dtype=np.uint8)
    cv2.circle(labels, (30 + index // 4, 25), 10, 1, -1)
    cv2.circle(labels, (50, 40 - index // 6), 7, 2, -1)
    grey = np.select([labels == label for label in BRIGHT], list(BRIGHT.values()), 0).astype(np.uint8)
    return Frame(np.repeat(grey[..., None], 3, axis=2), labels, index)


def photographed(index: int, size: tuple[int, int] = SIZE) -> Frame:
    """The same discs, textured, before a soft scene."""
    frame = drawn(index, size)
    pixels: Rgb = DrawnDonor(7)(index, size).copy()
    texture = np.random.default_rng(1).integers(120, 255, (*size, 3)).astype(np.uint8)
    pixels[frame.objects] = texture[frame.objects]
    return Frame(pixels, frame.labels, index)


def run(choice: Choice, frames: Sequence[Frame], seed: int = 0) -> list[Frame]:
    """All that comes out of a fresh transformation."""
    transform = build(choice, seed, DrawnDonor(99))
    return [each for index, frame in enumerate(frames) for each in transform(frame, index)]


def edges(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels near another label, or near the border beyond which there may be one.

    Linear and nearest sampling differ there, up to a few pixels away when zoomed in.
    """
    square = np.ones((7, 7), np.uint8)
    changes: NDArray[np.bool_] = cv2.dilate(labels, square) != cv2.erode(labels, square)
    changes[:3] = changes[-3:] = changes[:, :3] = changes[:, -3:] = True
    return changes
