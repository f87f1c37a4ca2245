"""From a coarse map to the regions that masks are matched with."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.localize.matching import reduce_masks
from kiridashi.localize.settings import LocaliseSettings, Scaling

FloatMap = NDArray[np.float32]

# A component with less of the map in it than this share of the largest one's is a speck of the map.
SPECK = 0.1
# More regions than this in one picture are a map that says nothing of where; the largest are taken.
MOST_REGIONS = 16
# A map that varies by less than this says nothing of where, and scaling would only enlarge its noise.
FLAT = 1e-3


@dataclass(frozen=True, eq=False)
class Region:
    """One place where the coarse map sees something.

    Attributes:
        mask: where the map is above the threshold, at the picture's size; never empty.
        target: (side, side) float32 in [0, 1], the map with all other regions silenced.
        weight: share of the map above the threshold that is in this region, 0..1.
    """

    mask: Mask
    target: FloatMap
    weight: float


def scale(values: FloatMap, scaling: Scaling) -> FloatMap:
    """A coarse map (h, w) in [0, 1] made comparable with masks.

    Args:
        values: the map.
        scaling: `none`, by the `max`, or from `min-max` to 0..1; a flat map is 0 after the last.
    """
    if scaling == "none":
        return values.astype(np.float32)
    low = float(values.min()) if scaling == "min-max" else 0.0
    reach = float(values.max()) - low
    if reach < FLAT:
        return np.zeros(values.shape, dtype=np.float32)
    scaled: FloatMap = np.clip((values - low) / reach, 0, 1).astype(np.float32)
    return scaled


def resize_map(values: FloatMap, size: tuple[int, int]) -> FloatMap:
    """A map at (height, width): bilinear where it grows, area averages where it shrinks; within its range."""
    if values.shape == size:
        return values
    shrinks = size[0] < values.shape[0] or size[1] < values.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: FloatMap = cv2.resize(values, (size[1], size[0]), interpolation=how)
    return resized


def points_near(values: FloatMap, settings: LocaliseSettings, side: int) -> Bitmap | None:
    """The points of the grid at which a mask of the map's regions may be found.

    Args:
        values: (h, w) float32 in [0, 1], scaled (see `scale`).
        settings: `near` and threshold.
        side: points along each side of the grid.

    Returns:
        (side, side): where the map is above `near` times the threshold, and the points next to these, since
        an object ends between two points. None: all points.
    """
    if settings.near is None:
        return None
    there = resize_map(values, (side, side)) > settings.near * settings.threshold
    wider: Bitmap = cv2.dilate(there.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return wider


def split_regions(values: FloatMap, size: tuple[int, int], settings: LocaliseSettings) -> list[Region]:
    """The regions of a coarse map, that with most of the map in it first.

    Args:
        values: (h, w) float32 in [0, 1], scaled (see `scale`).
        size: (height, width) of the picture.
        settings: threshold, side, and whether connected parts are matched one by one.

    Returns:
        None where the map stays at or below the threshold. All at once: a single region whose mask is the
        largest component, with everything above the threshold in its target.
    """
    fine = resize_map(values, size)
    above: Bitmap = fine > settings.threshold
    parts = split_components(above)
    if not parts:
        return []
    coarse = np.clip(resize_map(values, (settings.side, settings.side)), 0, 1)
    if not settings.by_component:
        return [Region(parts[0], coarse, 1.0)]
    masses = [float(fine[part.slices][part.bitmap].sum(dtype=np.float64)) for part in parts]
    largest, total = max(masses), sum(masses)
    kept = sorted(
        ((mass, part) for mass, part in zip(masses, parts, strict=True) if mass >= SPECK * largest),
        key=lambda each: -each[0],
    )[:MOST_REGIONS]
    all_above = reduce_masks([Mask.from_array(above)], settings.side)[0]
    own = reduce_masks([part for _, part in kept], settings.side)
    return [
        Region(part, (coarse * (1 - np.clip(all_above - share, 0, 1))).astype(np.float32), mass / total)
        for (mass, part), share in zip(kept, own, strict=True)
    ]
