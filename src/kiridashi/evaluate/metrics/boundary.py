"""How well the outline of a mask is met: the boundary measure F of DAVIS.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
section 4.1, with the definitions of the public evaluator: outlines are one pixel wide, and instead of a
bipartite matching a pixel counts as met when the other outline passes within a radius of it.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Bitmap

# Of the picture's diagonal.
BOUND = 0.008


def outline(mask: Bitmap) -> Bitmap:
    """(H, W) pixels that differ from their right, lower or lower right neighbour.

    So an outline lies half a pixel up and left of where the mask changes; the picture's own border is
    no outline.
    """
    beyond = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = beyond[:-1, 1:], beyond[1:, :-1], beyond[1:, 1:]
    differs: Bitmap = (mask != right) | (mask != below) | (mask != diagonal)
    return differs


def boundary_f(predicted: ArrayLike, truth: ArrayLike, bound: float = BOUND) -> float:
    """F measure of two outlines: harmonic mean of precision and recall, 0..1.

    Precision is the share of predicted outline pixels that lie near the true outline, recall the
    converse. Two masks without an outline agree (1); where only one has an outline, F is 0.

    Args:
        predicted: (H, W); any non-zero value is inside.
        truth: (H, W); any non-zero value is inside.
        bound: how near is near, as a share of the picture's diagonal, rounded up to whole pixels.

    Raises:
        InputError: the shapes differ or are not two-dimensional.
        UsageError: the bound is not positive.
    """
    found, true = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    if found.shape != true.shape or found.ndim != 2:
        raise InputError(f"two masks (H, W) of one shape are compared, got {found.shape} and {true.shape}")
    if not bound > 0:
        raise UsageError(f"the bound is a positive share of the diagonal, got {bound}")
    return boundary_f_within(found, true, radius_of((true.shape[0], true.shape[1]), bound))


def radius_of(size: tuple[int, int], bound: float = BOUND) -> int:
    """How near is near, in whole pixels, for a (height, width) picture."""
    return math.ceil(bound * math.hypot(*size))


def boundary_f_within(found: Bitmap, true: Bitmap, radius: int) -> float:
    """`boundary_f` with its radius in pixels.

    Parts of two masks give what the whole masks give, if no part's edge that is not the picture's own
    touches what is inside.

    Args:
        found: (H, W) bool, predicted.
        true: (H, W) bool, of the same shape.
        radius: of the disc, in pixels.
    """
    # Far from both masks there is nothing to dilate.
    part = _around(found | true)
    ours, theirs = outline(found[part]), outline(true[part])
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    disc = _disc(radius)
    precision, recall = _share_near(ours, theirs, disc), _share_near(theirs, ours, disc)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _around(inside: Bitmap) -> tuple[slice, slice]:
    """The box of what is inside with a margin of one pixel, in which its outline lies."""
    x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)


def _share_near(pixels: Bitmap, others: Bitmap, disc: NDArray[np.uint8]) -> float:
    near = cv2.dilate(others.astype(np.uint8), disc).astype(bool)
    return int(np.count_nonzero(pixels & near)) / int(np.count_nonzero(pixels))


@lru_cache(maxsize=16)
def _disc(radius: int) -> NDArray[np.uint8]:
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inside: NDArray[np.uint8] = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
    return inside
