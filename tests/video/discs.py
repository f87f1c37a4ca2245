"""A clip of a bright disc that moves over noise."""

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

SIZE = (48, 64)


def disc_at(index: int) -> Mask:
    """The disc in a frame."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return Mask.from_array((columns - 20 - index) ** 2 + (rows - 24) ** 2 < 81)


def frame_at(index: int) -> Picture:
    """A frame: the disc moves to the right."""
    pixels = np.random.default_rng(0).integers(0, 80, (*SIZE, 3), dtype=np.uint8)
    pixels[disc_at(index).to_array()] = (230, 200, 60)
    return Picture(pixels, f"frame {index}")
