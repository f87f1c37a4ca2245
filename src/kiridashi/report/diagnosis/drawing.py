"""Stages of a model as pictures: directions as colour, likelihood as heat."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.adapters.overlay import draw_overlay, side_by_side
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segment, Segments
from kiridashi.report.localisation.drawing import draw_heat, fit

FloatMap = NDArray[np.float32]

# Of a tile, in pixels.
HEIGHT = 96
WIDEST = 240
GAP = 4
# So many deviations fill the range of a colour.
DEVIATIONS = 2.5
MISSING = 236


def small(picture: Picture) -> Picture:
    """A frame at a tile's size."""
    height, width = picture.size
    size = (min(max(round(width * HEIGHT / height), 1), WIDEST), HEIGHT)
    return Picture(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), picture.name)


def draw_found(picture: Picture, found: Mask) -> Rgb:
    """A tile with what was found on it."""
    mask = fit(found, picture.size)
    items = () if mask.is_empty else (Segment(mask, 1.0, ""),)
    return draw_overlay(picture, Segments(picture.size, items), line=1)


def draw_directions(values: FloatMap, size: tuple[int, int]) -> Rgb:
    """The first three principal components as red, green and blue.

    Args:
        values: (K, h, w) in deviations; fewer than three leave colours at their middle.
        size: (height, width) of the tile.
    """
    three = np.zeros((3, *values.shape[1:]), dtype=np.float32)
    three[: min(len(values), 3)] = values[:3]
    levels = np.clip(three / (2 * DEVIATIONS) + 0.5, 0, 1) * 255
    tile: Rgb = cv2.resize(
        np.rint(levels).astype(np.uint8).transpose(1, 2, 0), size[::-1], interpolation=cv2.INTER_NEAREST
    )
    return tile


def draw_likelihood(picture: Picture, values: FloatMap) -> Rgb:
    """A tile with an (h, w) map of values in 0..1 laid over it."""
    return draw_heat(picture, values)


def draw_missing(size: tuple[int, int]) -> Rgb:
    """A tile of nothing: the frame did not pass the stage."""
    return np.full((*size, 3), MISSING, dtype=np.uint8)


def strip(tiles: Sequence[Rgb]) -> Rgb:
    """Tiles in a row."""
    return side_by_side(tiles, GAP)
