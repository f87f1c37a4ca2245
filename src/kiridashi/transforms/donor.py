"""Where frames of something else come from: another clip, or a scene that is drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Rgb
from kiridashi.data.pictures import read_picture
from kiridashi.transforms.frame import draws

BLOBS = 12


class Donor(Protocol):
    """Frames of another scene."""

    def __call__(self, index: int, size: tuple[int, int], /) -> Rgb:
        """(H, W, 3) uint8 of the wanted (height, width); neighbouring indices look alike."""
        ...


class ClipDonor:
    """The frames of another clip, forwards and backwards in turn.

    Args:
        frames: picture files in order, at least one.
    """

    def __init__(self, frames: Sequence[Path]) -> None:
        self._frames = tuple(frames)

    def __call__(self, index: int, size: tuple[int, int], /) -> Rgb:
        """A frame, scaled until it covers the size and cut in its middle.

        Raises:
            InputError: its file cannot be used.
        """
        last = len(self._frames) - 1
        turn = index % (2 * last) if last else 0
        return cover(read_picture(self._frames[min(turn, 2 * last - turn)]).pixels, size)


class DrawnDonor:
    """Soft blobs of colour that wander over a ground with grain.

    Args:
        seed: equal seeds draw equal scenes.
    """

    def __init__(self, seed: int) -> None:
        rng = draws(seed, "scene")
        # A brightness of its own for every place, and a little colour, as most scenes have.
        self._ground = _muted(rng.uniform(0, 255, (6, 8, 1)), rng.uniform(-40, 40, (6, 8, 3)))
        self._colours = _muted(rng.uniform(0, 255, (BLOBS, 1)), rng.uniform(-60, 60, (BLOBS, 3)))
        self._centres, self._phases = rng.random((BLOBS, 2)), rng.random((BLOBS, 2)) * 2 * np.pi
        self._radii = rng.uniform(0.05, 0.2, BLOBS)

    def __call__(self, index: int, size: tuple[int, int], /) -> Rgb:
        """The scene at a time."""
        height, width = size
        pixels = cv2.resize(self._ground, (width, height), interpolation=cv2.INTER_CUBIC)
        moved = self._centres + 0.15 * np.sin(self._phases + 0.1 * index)
        for (y, x), radius, colour in zip(moved, self._radii, self._colours, strict=True):
            centre = (int(x * width), int(y * height))
            cv2.circle(pixels, centre, max(1, int(radius * min(size))), colour.tolist(), -1, cv2.LINE_AA)
        filled: Rgb = pixels
        return filled


def _muted(grey: NDArray[np.float64], colour: NDArray[np.float64]) -> Rgb:
    return np.clip(grey + colour, 0, 255).astype(np.uint8)


def cover(pixels: Rgb, size: tuple[int, int]) -> Rgb:
    """Scale a picture until it covers a (height, width), and cut out its middle."""
    height, width = size
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    wanted = max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: NDArray[np.uint8] = cv2.resize(pixels, wanted, interpolation=method)
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
