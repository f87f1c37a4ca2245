"""The transition as one picture, for people to look at."""

from collections.abc import Sequence

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture, Rgb
from kiridashi.reference.transition.controls import resized

GAP = 2
# The gap beside the real pictures is wider, so that nobody takes a made one for real.
WIDE_GAP = 8
LEAST_HEIGHT, MOST_HEIGHT = 16, 2048


def transition_strip(
    reference: Picture, frames: Sequence[Picture], target: Picture, height: int = 128
) -> Picture:
    """Reference, frames and target side by side on white, all at one height.

    The frames are at the target's aspect; the two real pictures stand apart from them.

    Args:
        reference: the first picture.
        frames: those between, maybe none.
        target: the last picture.
        height: of the strip in pixels, 16..2048.

    Raises:
        UsageError: a height out of its range.
    """
    if not LEAST_HEIGHT <= height <= MOST_HEIGHT:
        raise UsageError(f"the strip's height must be {LEAST_HEIGHT}..{MOST_HEIGHT} pixels, got {height}")
    parts = [_at_height(reference, height), _white(height, WIDE_GAP)]
    for number, frame in enumerate(frames):
        parts += [_white(height, GAP)] if number else []
        parts.append(_at_height(frame, height))
    parts += [_white(height, WIDE_GAP)] if frames else []
    parts.append(_at_height(target, height))
    return Picture(np.concatenate(parts, axis=1), f"{reference.name} to {target.name}")


def _at_height(picture: Picture, height: int) -> Rgb:
    rows, columns = picture.size
    return resized(picture.pixels, (height, max(round(columns * height / rows), 1)))


def _white(height: int, width: int) -> Rgb:
    return np.full((height, width, 3), 255, np.uint8)
