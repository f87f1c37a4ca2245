"""Where the decoder is asked: points well inside objects, close beside them, and anywhere else.

SAM-IF draws random points as the only prompt, erodes the masks so that points lie well inside, and lets
points on the background train the classifier alone. How many and how deep is not told; the shares and the
radius are this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap, Mask

Rng = np.random.Generator
BACKGROUND = -1
# Radius of the erosion in parts of the square root of the object's area.
EROSION = 0.05
# An erosion that leaves less than this of the object has gone too far.
LEAST_LEFT = 0.25
# Width of the ring about objects in parts of the square root of their mean area, and in pixels.
RING, LEAST_RING = 0.15, 3
OBJECT_SHARE, RING_SHARE = 0.5, 0.25


@dataclass(frozen=True, eq=False)
class Points:
    """Where to ask.

    Attributes:
        places: (N, 2) x, y in pixels, centres of pixels.
        owners: (N,) number of the object that each lies in, or `BACKGROUND`.
    """

    places: NDArray[np.float64]
    owners: NDArray[np.int64]


def eroded(mask: Mask) -> Bitmap:
    """(h, w) bool over the mask's box: the object without its rim.

    An elliptical erosion of a twentieth of the square root of the area; of an object so thin that less than
    a quarter would be left, the innermost pixel. Never empty; the mask must not be either.
    """
    radius = max(1, round(EROSION * mask.area**0.5))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(mask.bitmap.astype(np.uint8), 1)
    # What lies beyond the box is outside of the object.
    left = cv2.erode(padded, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)[1:-1, 1:-1] > 0
    if left.sum() >= LEAST_LEFT * mask.area:
        inside: Bitmap = left
        return inside
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    innermost = np.zeros(mask.bitmap.shape, dtype=bool)
    innermost[np.unravel_index(int(depth.argmax()), depth.shape)] = True
    return innermost


def draw_points(objects: Sequence[Mask], unknown: Mask, count: int, rng: Rng) -> Points:
    """About `count` points of one picture.

    Args:
        objects: its masks, at least one, none empty.
        unknown: where no point may lie.
        count: half of it in objects (but one in each at least), a quarter in the ring about them, a quarter
            on the rest; where there is no such place, those points are left out.
        rng: draws them.
    """
    each = max(1, round(OBJECT_SHARE * count / len(objects)))
    places, owners = [], []
    for number, mask in enumerate(objects):
        inside = np.argwhere(eroded(mask)) + np.array(mask.origin[::-1])
        places.append(_chosen(inside, each, rng))
        owners.append(np.full(len(places[-1]), number))
    ring, rest = _around(objects, unknown)
    for where in (ring, rest):
        places.append(_chosen(np.argwhere(where), round(RING_SHARE * count), rng))
        owners.append(np.full(len(places[-1]), BACKGROUND))
    centres = np.concatenate(places)[:, ::-1].astype(np.float64) + 0.5
    return Points(centres, np.concatenate(owners).astype(np.int64))


def _around(objects: Sequence[Mask], unknown: Mask) -> tuple[Bitmap, Bitmap]:
    """(H, W) bool each: close beside an object, and everything else that is known to be background."""
    covered = unknown.to_array()
    for mask in objects:
        covered[mask.slices] |= mask.bitmap
    side = float(np.mean([mask.area for mask in objects])) ** 0.5
    width = max(LEAST_RING, round(RING * side))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    near = cv2.dilate(covered.astype(np.uint8), kernel) > 0
    return near & ~covered, ~near


def _chosen(pixels: NDArray[np.int64], count: int, rng: Rng) -> NDArray[np.int64]:
    """At most `count` different rows."""
    if len(pixels) <= count:
        return pixels
    picked: NDArray[np.int64] = pixels[rng.choice(len(pixels), count, replace=False)]
    return picked
