"""Boundary IoU: the overlap of what lies just inside two outlines.

Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021, equation 3:
of each mask only the pixels within a distance of its outline count, so that a coarse outline costs as much
on a big object as on a small one.
"""

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Bitmap

# Of the picture's diagonal, as for COCO in the paper (section 5).
SHARE = 0.02
_SQUARE: NDArray[np.uint8] = np.ones((3, 3), dtype=np.uint8)


def boundary_region(mask: Bitmap, distance: int) -> Bitmap:
    """(H, W) pixels of a mask within `distance` (in 8-connected steps) of its outside.

    Beyond the picture everything counts as outside, as in the paper's code.
    """
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, _SQUARE, iterations=distance, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    region: Bitmap = mask & ~eroded[1:-1, 1:-1].astype(bool)
    return region


def boundary_iou(
    predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None, share: float = SHARE
) -> float:
    """IoU of the two boundary regions, 0..1; 1 where both masks are empty, 0 where one is.

    Args:
        predicted: (H, W); any non-zero value is inside.
        truth: (H, W); any non-zero value is inside.
        ignore: (H, W) pixels that do not count.
        share: how far from the outline still counts, as a share of the picture's diagonal; at least a pixel.

    Raises:
        InputError: the shapes differ or are not two-dimensional.
        UsageError: the share is not positive.
    """
    found, true = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    if found.shape != true.shape or found.ndim != 2:
        raise InputError(f"two masks (H, W) of one shape are compared, got {found.shape} and {true.shape}")
    if not share > 0:
        raise UsageError(f"the distance is a positive share of the diagonal, got {share}")
    distance = max(1, round(share * math.hypot(*true.shape)))
    ours, theirs = boundary_region(found, distance), boundary_region(true, distance)
    if ignore is not None:
        counted = ~np.asarray(ignore).astype(bool)
        ours, theirs = ours & counted, theirs & counted
    either = np.count_nonzero(ours | theirs)
    return float(np.count_nonzero(ours & theirs) / either) if either else 1.0
