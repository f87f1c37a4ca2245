"""The simulated user of interactive segmentation: where the next click goes.

The protocol of interactive segmentation (Xu et al., "Deep Interactive Object Selection", CVPR 2016): the
user clicks first in the depth of the object, and then in the depth of what the mask gets most wrong. It
draws no random numbers: equal masks give equal clicks.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Bitmap
from kiridashi.core.prompt import Point

POSITIVE, NEGATIVE = 1, 0


def first_click(truth: Bitmap) -> Point:
    """The pixel of the object that is furthest from its border.

    The picture's own border counts as border of the object. Of equally deep pixels the topmost is taken,
    of these the leftmost.

    Args:
        truth: (H, W) bool, the object.

    Returns:
        (x, y, 1), whole numbers.

    Raises:
        UsageError: the object is empty.
        InputError: the array is not two-dimensional.
    """
    if truth.ndim != 2:
        raise InputError(f"an object is a map (H, W), got shape {truth.shape}")
    if not truth.any():
        raise UsageError("an empty object cannot be clicked; leave out objects without pixels")
    x, y = _deepest(truth)
    return float(x), float(y), POSITIVE


def next_click(
    truth: Bitmap, predicted: Bitmap, ignore: Bitmap | None = None, clicked: Sequence[Point] = ()
) -> Point | None:
    """The click that a user would add to correct a mask.

    Of missing and surplus pixels the more numerous kind is corrected (the missing ones on a draw): a
    positive or a negative click at the pixel furthest from the border of its largest 8-connected
    component, where the picture's border and pixels clicked before count as border. Ties go to the
    topmost, then the leftmost.

    Args:
        truth: (H, W) bool, the object.
        predicted: (H, W) bool, the mask so far.
        ignore: (H, W) bool, pixels that do not count as errors.
        clicked: clicks so far; the same pixel is not clicked twice.

    Returns:
        (x, y, label) in whole pixels, label 1 on a missing part and 0 on a surplus one; None when no
        pixel is left to correct.

    Raises:
        InputError: the shapes differ.
    """
    counted = np.ones(truth.shape, dtype=bool) if ignore is None else ~ignore
    if not truth.shape == predicted.shape == counted.shape:
        raise InputError(
            f"truth, prediction and ignored region must have one shape, got {truth.shape}, "
            f"{predicted.shape} and {counted.shape}"
        )
    wrong = (truth != predicted) & counted
    for x, y, _ in clicked:
        wrong[int(y), int(x)] = False
    missing, surplus = wrong & truth, wrong & predicted
    label = POSITIVE if np.count_nonzero(missing) >= np.count_nonzero(surplus) else NEGATIVE
    errors = missing if label == POSITIVE else surplus
    if not errors.any():
        return None
    x, y = _deepest(_largest_component(errors))
    return float(x), float(y), label


def _largest_component(full: Bitmap) -> Bitmap:
    """Of equally large ones the one whose box begins topmost, then leftmost."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(full.astype(np.uint8), connectivity=8)
    left, top, area = (stats[1:, column] for column in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_AREA))
    largest: Bitmap = labels == 1 + int(np.lexsort((left, top, -area))[0])
    return largest


def _deepest(inside: Bitmap) -> tuple[int, int]:
    """(x, y) of the pixel furthest from any pixel outside; beyond the picture all is outside."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    cropped = inside[top : rows[-1] + 1, left : columns[-1] + 1]
    padded: NDArray[np.uint8] = np.pad(cropped.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return left + int(x) - 1, top + int(y) - 1
