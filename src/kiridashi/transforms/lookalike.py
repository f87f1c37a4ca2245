"""T7: more of the same appears."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from kiridashi.transforms.frame import MOST, Frame, draws


class LookAlike:
    """Copies of the objects move about behind them, as many as the severity says.

    Every copy is cut out of the present frame, some mirrored, each at a size of its own. What the objects
    cover stays theirs, so the labels do not change.

    Args:
        severity: 1..5.
        seed: of places and sizes; those of a lower severity are among those of a higher one.
    """

    def __init__(self, severity: int, seed: int) -> None:
        rng = draws(seed, "look-alike")
        self._places = rng.random((MOST, 2))[:severity]
        self._phases = rng.random((MOST, 2))[:severity] * 2 * np.pi
        self._scales = rng.uniform(0.7, 1.0, MOST)[:severity]
        self._mirrored = rng.integers(2, size=MOST)[:severity]

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame with the copies in it."""
        objects = frame.objects
        if not objects.any():
            return (frame,)
        x, y, width, height = cv2.boundingRect(objects.view(np.uint8))
        patch = frame.pixels[y : y + height, x : x + width]
        inside = objects[y : y + height, x : x + width].astype(np.uint8)
        pixels = frame.pixels.copy()
        for place, phase, scale, mirrored in zip(
            self._places, self._phases, self._scales, self._mirrored, strict=True
        ):
            size = max(1, round(width * scale)), max(1, round(height * scale))
            copy, where = (
                cv2.resize(patch, size, interpolation=cv2.INTER_AREA),
                cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) > 0,
            )
            copy, where = (copy[:, ::-1], where[:, ::-1]) if mirrored else (copy, where)
            free = np.array(frame.size) - where.shape
            at = np.clip(place + 0.15 * np.sin(phase + 0.15 * index), 0, 1)
            top, left = np.rint(at * free).astype(int)
            target = pixels[top : top + where.shape[0], left : left + where.shape[1]]
            target[where] = copy[where]
        pixels[objects] = frame.pixels[objects]
        return (replace(frame, pixels=pixels),)
