"""A training picture with the exact mask of every object in it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Pixels = NDArray[np.uint8]

IGNORE = 255
MOST_OBJECTS = 200


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture and its objects.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        objects: (H, W) uint8: 0 background, 1..N the objects (N <= 200, no number left out),
            255 where nobody can say.
    """

    pixels: Pixels
    objects: Pixels

    @property
    def count(self) -> int:
        """N, the number of objects; 0 in a picture of background only."""
        return int(np.where(self.objects == IGNORE, 0, self.objects).max(initial=0))


def renumbered(labels: Pixels, least: int) -> Pixels:
    """Number the objects 1..N in their order; those smaller than `least` pixels become 255.

    Args:
        labels: (H, W) uint8: 0 background, 1..254 objects, 255 ignore.
        least: the fewest pixels of an object.

    Returns:
        (H, W) uint8 with at most `MOST_OBJECTS` objects; the smallest ones above that number become 255.
    """
    sizes = np.bincount(labels.ravel(), minlength=256)
    sizes[[0, IGNORE]] = 0
    kept = np.flatnonzero(sizes >= max(least, 1))
    if len(kept) > MOST_OBJECTS:
        kept = np.sort(kept[np.argsort(-sizes[kept], kind="stable")[:MOST_OBJECTS]])
    table = np.full(256, IGNORE, np.uint8)
    table[0] = 0
    table[kept] = np.arange(1, len(kept) + 1)
    return table[labels]


def components(mask: NDArray[np.bool_] | Pixels, least: int, bridge: int = 0) -> Pixels:
    """The connected parts of a mask as objects.

    Args:
        mask: (H, W), nonzero inside.
        least: smaller parts become 255.
        bridge: parts at most about this many pixels from each other are one object.

    Returns:
        (H, W) uint8 as in `Scene.objects`.
    """
    inside: Pixels = np.asarray(mask != 0).astype(np.uint8)
    grown = inside
    if bridge:
        grown = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (bridge + 1, bridge + 1)))
    count, parts = cv2.connectedComponents(grown, connectivity=8)
    sizes = np.bincount(parts.ravel(), weights=inside.ravel(), minlength=count)
    sizes[0] = 0
    table = np.full(count, IGNORE, np.uint8)
    largest = np.argsort(-sizes, kind="stable")[:MOST_OBJECTS]
    kept = np.sort(largest[sizes[largest] >= max(least, 1)])
    table[kept] = np.arange(1, len(kept) + 1)
    objects: Pixels = table[parts] * inside
    return objects
