"""Everything in a picture without a decoder: regions of even colour, merged step by step."""

from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments
from kiridashi.evaluate.baselines.edges import upscale_mask

WORKING_SIDE = 384
# Felzenszwalb's scales: from parts to wholes.
SCALES = (60.0, 200.0, 600.0)
SIGMA = 0.8
# Shares of the picture: a region is at least, and at most.
LEAST_AREA, MOST_AREA = 5e-4, 0.6
# A region that is this much like one that is kept adds nothing.
SAME = 0.8
MOST_REGIONS = 400
LABEL = "region"


def segment_regions(picture: Picture, per_side: int = 16) -> Segments:
    """Regions of a picture at several scales, best separated first.

    Graph-based segmentation (Felzenszwalb and Huttenlocher, 2004) at three scales; a region scores by
    how much its colour differs from that of its surround.

    Args:
        picture: worked on at `WORKING_SIDE` pixels at most.
        per_side: finer for larger numbers, like the grid that it is measured beside: regions smaller than
            a quarter of a cell of a `per_side` x `per_side` grid are merged into others.
    """
    height, width = picture.size
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    candidates = _candidates(small, per_side)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    scored = sorted(((_contrast(lab, mask), mask) for mask in candidates), key=lambda pair: -pair[0])
    kept: list[tuple[float, Mask]] = []
    for score, mask in scored:
        if len(kept) < MOST_REGIONS and all(mask.iou(other) < SAME for _, other in kept):
            kept.append((score, mask))
    items = []
    for score, mask in kept:
        full = Mask.from_array(upscale_mask(mask.to_array(), picture.pixels))
        if not full.is_empty:
            items.append(Segment(full, score, LABEL))
    return Segments(picture.size, tuple(items), provenance=MappingProxyType({"method": "regions"}))


def _candidates(small: NDArray[np.uint8], per_side: int) -> list[Mask]:
    from skimage.segmentation import felzenszwalb

    pixels = small.shape[0] * small.shape[1]
    least = max(4, round(pixels * max(LEAST_AREA, 1 / (4 * per_side**2))))
    found = []
    for scale in SCALES:
        labels = felzenszwalb(small, scale=scale, sigma=SIGMA, min_size=least)
        for number in range(int(labels.max()) + 1):
            parts = split_components(labels == number, least)
            found += [part for part in parts if part.area <= MOST_AREA * pixels]
    return found


def _contrast(lab: NDArray[np.float32], mask: Mask) -> float:
    """0..1: distance of the mean colour inside to that of a ring around, against the spread inside."""
    inside: Bitmap = mask.to_array()
    reach = max(2, round(0.15 * np.sqrt(mask.area)))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    ring = cv2.dilate(inside.astype(np.uint8), kernel).astype(bool) & ~inside
    if not ring.any():
        return 0.0
    difference = float(np.linalg.norm(lab[inside].mean(axis=0) - lab[ring].mean(axis=0)))
    spread = float(lab[inside].std(axis=0).mean())
    return difference / (difference + spread + 10.0)
