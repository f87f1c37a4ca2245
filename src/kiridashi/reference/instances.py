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
# A bridge between parted objects falls when it is thinner than this share of an object's thickness.
BRIDGE = 0.5


@dataclass(frozen=True)
class ObjectSize:
    """How large the objects of the references are, as shares of the picture.

    Attributes:
        typical: median area of one object.
        uniform: whether all are of about one size.
        thickness: median radius of the largest disc inside an object, over the root of its area:
            0.56 for a disc, less for what is long or thin.
    """

    typical: float
    uniform: bool
    thickness: float

    @classmethod
    def of(cls, masks: Sequence[Mask]) -> "ObjectSize":
        """Measured on the connected parts of the reference masks."""
        parts = [part for mask in masks for part in _main_parts(mask)]
        areas = [part.coverage for part in parts]
        spread = float(np.std(areas) / np.mean(areas))
        thickness = median(_inner_radius(part) / part.area**0.5 for part in parts)
        return cls(median(areas), len(areas) > 1 and spread < ONE_SIZE, thickness)


def split_instances(probability: FloatMap, size: ObjectSize, label: str) -> list[Segment]:
    """Connected regions of the object, best first; touching objects of one size are parted.

    Where the map is above 0, there is at least one.

    Args:
        probability: (H, W) in 0..1.
        size: of the references' objects.
        label: given to every segment.

    Returns:
        Segments scored by the mean probability inside.
    """
    pixels = probability.size
    least = max(LEAST_PIXELS, round(SPECK * size.typical * pixels))
    filled = fill_holes(_inside(probability), round(0.05 * size.typical * pixels))
    regions = split_components(filled)
    parts = [region for region in regions if region.area >= least] or regions[:1]
    if size.uniform:
        parts = [piece for part in parts for piece in _part(part, size)]
    scored = [Segment(part, mean_inside(probability, part), label) for part in parts]
    return sorted(scored, key=lambda segment: -segment.score)


def whole_object(probability: FloatMap, label: str) -> list[Segment]:
    """All of the object as a single segment; none where the map is 0 throughout."""
    mask = Mask.from_array(_inside(probability))
    return [] if mask.is_empty else [Segment(mask, mean_inside(probability, mask), label)]


def mean_inside(probability: FloatMap, mask: Mask) -> float:
    """Mean probability inside a mask; 0 for an empty one."""
    if mask.is_empty:
        return 0.0
    return float(probability[mask.slices][mask.bitmap].mean())


def _inside(probability: FloatMap) -> Bitmap:
    """What is above one half; of a map that stays below, what is above half of its peak."""
    level = INSIDE if probability.max() > INSIDE else probability.max() / 2
    inside: Bitmap = probability > level
    return inside


def _main_parts(mask: Mask) -> list[Mask]:
    """The connected parts of a mask without its crumbs."""
    parts = split_components(mask.to_array())
    return [part for part in parts if part.area >= 0.2 * parts[0].area]


def _inner_radius(mask: Mask) -> float:
    from scipy import ndimage

    return float(ndimage.distance_transform_edt(np.pad(mask.bitmap, 1)).max())


def _part(region: Mask, size: ObjectSize) -> list[Mask]:
    """A region of several objects cut along its necks (watershed on the distance to the edge)."""
    typical = size.typical * region.size[0] * region.size[1]
    if region.area < TOUCHING * typical:
        return [region]
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    padded: Bitmap = np.pad(region.bitmap, 1)
    distance = ndimage.distance_transform_edt(padded)
    radius = size.thickness * typical**0.5
    apart = max(1, round(0.7 * radius))
    peaks = peak_local_max(ndimage.gaussian_filter(distance, radius / 6), min_distance=apart, labels=padded)
    if len(peaks) < 2:
        return [region]
    seeds = np.zeros(padded.shape, dtype=np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, seeds, mask=_without_bridges(distance, BRIDGE * radius))[1:-1, 1:-1]
    full = np.zeros(region.size, dtype=np.int32)
    full[region.slices] = labels
    pieces = [Mask.from_array(full == number) for number in range(1, len(peaks) + 1)]
    return [piece for piece in pieces if not piece.is_empty] or [region]


def _without_bridges(distance: NDArray[np.float64], radius: float) -> Bitmap:
    """The region opened by a disc: all that a disc of this radius inside the region can reach.

    Args:
        distance: (H, W) distance of each pixel inside to the edge.
        radius: in pixels.
    """
    from scipy import ndimage

    core = distance >= radius
    if not core.any():
        return distance > 0
    reached: Bitmap = ndimage.distance_transform_edt(~core) < radius
    return reached & (distance > 0)
