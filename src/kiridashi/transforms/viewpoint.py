"""T6: the camera turns, tilts, zooms and shakes."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.transforms.frame import MOST, Frame, Labels, draws

Matrix = NDArray[np.float64]
# Farthest: radians, share of the picture, logarithm of the zoom, and slope of the depth across the picture.
TURN, SHIFT, ZOOM, TILT = 0.45, 0.12, 0.35, 0.25
# Frames of a swing, drawn for each movement by itself.
SWINGS = (30.0, 70.0)
HALVINGS = 30
CLOSEST = 16.0


class Viewpoint:
    """A smooth random homography that begins with none.

    The picture is brought as much closer as keeps its border out of sight: nothing has to be invented.

    Args:
        severity: 1..5.
        seed: of the movements.
    """

    def __init__(self, severity: int, seed: int) -> None:
        rng = draws(seed, "viewpoint")
        farthest = np.array([TURN, SHIFT, SHIFT, ZOOM, TILT, TILT]) * severity / MOST
        self._amplitudes = farthest * rng.uniform(0.6, 1, 6) * rng.choice([-1, 1], 6)
        self._swings = rng.uniform(*SWINGS, 6)

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame seen from elsewhere, its labels by the nearest pixel."""
        matrix = self.matrix(frame.size, index)
        if np.array_equal(matrix, np.eye(3)):
            return (frame,)
        height, width = frame.size
        pixels = cv2.warpPerspective(
            frame.pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        labels = _warped(frame.labels, matrix)
        amodal = None if frame.amodal is None else _warped(frame.amodal, matrix)
        return (replace(frame, pixels=pixels, labels=labels, amodal=amodal),)

    def matrix(self, size: tuple[int, int], index: int) -> Matrix:
        """(3, 3) from pixels of the frame to pixels of what is seen."""
        if not index:
            return np.eye(3)
        turn, x, y, zoom, tilt_x, tilt_y = self._amplitudes * np.sin(2 * np.pi * index / self._swings)
        height, width = size
        scale = max(height, width) / 2
        centred = np.array(
            [[1 / scale, 0, -(width - 1) / 2 / scale], [0, 1 / scale, -(height - 1) / 2 / scale]]
        )
        inwards = np.vstack([centred, [0, 0, 1]])
        cos, sin = np.cos(turn) * np.exp(zoom), np.sin(turn) * np.exp(zoom)
        moved = np.array(
            [[cos, -sin, x * width / scale], [sin, cos, y * height / scale], [tilt_x * 0.5, tilt_y * 0.5, 1]]
        )
        return _filling(np.linalg.inv(inwards), moved, inwards, size)


def _filling(outwards: Matrix, moved: Matrix, inwards: Matrix, size: tuple[int, int]) -> Matrix:
    """Bring it as much closer as is needed, to within a billionth, for the frame to fill what is seen."""
    low, high = 1.0, CLOSEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _fills(outwards @ np.diag([middle, middle, 1]) @ moved @ inwards, size):
            high = middle
        else:
            low = middle
    closest = outwards @ np.diag([high, high, 1]) @ moved @ inwards
    return np.asarray(closest / closest[2, 2])


def _fills(matrix: Matrix, size: tuple[int, int]) -> bool:
    """Whether all four corners of what is seen come from inside of the frame."""
    bottom, right = size[0] - 1.0, size[1] - 1.0
    corners = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]])
    x, y, depth = np.linalg.inv(matrix) @ corners
    if (depth <= 0).any():
        return False
    x, y = x / depth, y / depth
    return bool(((x >= 0) & (x <= right) & (y >= 0) & (y <= bottom)).all())


def _warped(labels: Labels, matrix: Matrix) -> Labels:
    height, width = labels.shape
    warped: Labels = cv2.warpPerspective(
        labels, matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return warped
