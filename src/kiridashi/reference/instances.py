"""From a probability map to separate objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.components import fill_holes, split_components
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.segments import Segment

FloatMap = NDArray[np.float32]

INSIDE = 0.5
# What is looked for has no name of its own.
LABEL = "object"
LEAST_PIXELS = 6
# An object smaller than this share of the references' typical one is taken for a speck.
SPECK = 0.04
# Objects whose areas vary less than this (deviation over mean) are of one size; touching ones are parted.
ONE_SIZE = 0.35
TOUCHING = 1.7


@dataclass(frozen=True)
class ObjectSize:
    """How large the objects of the references are, as shares of the picture.

    Attributes:
        typical: median area of one object.
        uniform: whether all are of about one size.
    """

    typical: float
    uniform: bool

    @classmethod
    def of(cls, masks: Sequence[Mask]) -> "ObjectSize":
        """Measured on the connected parts of the reference masks."""
        areas: list[float] = []
        for mask in masks:
            parts = split_components(mask.to_array())
            largest = parts[0].area
            areas += [part.coverage for part in parts if part.area >= 0.2 * largest]
        spread = float(np.std(areas) / np.mean(areas))
        return cls(median(areas), len(areas) > 1 and spread < ONE_SIZE)


def split_instances(probability: FloatMap, size: ObjectSize, label: str) -> list[Segment]:
    """Connected regions above one half, best first; touching objects of one size are parted.

    Args:
        probability: (H, W) in 0..1.
        size: of the references' objects.
        label: given to every segment.

    Returns:
        Segments scored by the mean probability inside.
    """
    pixels = probability.size
    least = max(LEAST_PIXELS, round(SPECK * size.typical * pixels))
    filled = fill_holes(probability > INSIDE, round(0.05 * size.typical * pixels))
    parts = split_components(filled, least)
    if size.uniform:
        parts = [piece for part in parts for piece in _part(part, size.typical * pixels)]
    scored = [Segment(part, mean_inside(probability, part), label) for part in parts]
    return sorted(scored, key=lambda segment: -segment.score)


def whole_object(probability: FloatMap, label: str) -> list[Segment]:
    """All that lies above one half as a single segment; none when nothing does."""
    mask = Mask.from_array(probability > INSIDE)
    return [] if mask.is_empty else [Segment(mask, mean_inside(probability, mask), label)]


def mean_inside(probability: FloatMap, mask: Mask) -> float:
    """Mean probability inside a mask; 0 for an empty one."""
    if mask.is_empty:
        return 0.0
    return float(probability[mask.slices][mask.bitmap].mean())


def _part(region: Mask, typical: float) -> list[Mask]:
    """A region of several objects cut along its necks (watershed on the distance to the edge)."""
    if region.area < TOUCHING * typical:
        return [region]
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    padded: Bitmap = np.pad(region.bitmap, 1)
    distance = ndimage.distance_transform_edt(padded)
    radius = np.sqrt(typical / np.pi)
    peaks = peak_local_max(
        ndimage.gaussian_filter(distance, radius / 6), min_distance=max(1, round(0.7 * radius)), labels=padded
    )
    if len(peaks) < 2:
        return [region]
    seeds = np.zeros(padded.shape, dtype=np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, seeds, mask=padded)[1:-1, 1:-1]
    full = np.zeros(region.size, dtype=np.int32)
    full[region.slices] = labels
    pieces = [Mask.from_array(full == number) for number in range(1, len(peaks) + 1)]
    return [piece for piece in pieces if not piece.is_empty]
