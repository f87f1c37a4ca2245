"""Boxes that a label file gives."""

import math

from kiridashi.core.errors import InputError
from kiridashi.localize.labels.items import Box

FARTHEST = 1_000_000.0


def checked_box(box: Box) -> Box:
    """The box itself, (x0, y0, x1, y1) in pixels.

    Raises:
        InputError: it has no area, or lies nowhere near a picture.
    """
    if not all(math.isfinite(side) and abs(side) <= FARTHEST for side in box):
        raise InputError("its box lies far outside of any picture")
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(f"its box {box} has no area; expected x0 < x1 and y0 < y1")
    return box
