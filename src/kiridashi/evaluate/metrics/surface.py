"""How far two outlines lie apart, in pixels: the 95th percentile of the symmetric surface distance (HD95)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Bitmap

PERCENTILE = 95


def surface_distances(found: Bitmap, true: Bitmap) -> NDArray[np.float64]:
    """Distance from every surface pixel of either mask to the nearest of the other, both ways together.

    The surface is a mask's pixels that touch its outside, or the picture's edge, with a side.

    Args:
        found: (H, W) bool, not empty.
        true: (H, W) bool, not empty, of the same shape.

    Returns:
        (N,) Euclidean distances in pixels.
    """
    from scipy.ndimage import distance_transform_edt

    either = found | true
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    # Both surfaces lie in the box of both masks, and so does every way between them.
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    ours, theirs = _surface(found[part]), _surface(true[part])
    to_theirs, to_ours = distance_transform_edt(~theirs), distance_transform_edt(~ours)
    distances: NDArray[np.float64] = np.concatenate([to_theirs[ours], to_ours[theirs]])
    return distances


def hd95(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> float:
    """The distance in pixels within which 95 % of both outlines lie of the other one.

    0 where both masks are empty; the picture's diagonal, the most that is possible, where one is.

    Args:
        predicted: (H, W); any non-zero value is inside.
        truth: (H, W); any non-zero value is inside.
        ignore: (H, W) pixels that count as outside of both.

    Raises:
        InputError: the shapes differ or are not two-dimensional.
    """
    found, true = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    if found.shape != true.shape or found.ndim != 2:
        raise InputError(f"two masks (H, W) of one shape are compared, got {found.shape} and {true.shape}")
    if ignore is not None:
        counted = ~np.asarray(ignore).astype(bool)
        found, true = found & counted, true & counted
    if not found.any() or not true.any():
        return 0.0 if found.any() == true.any() else math.hypot(*true.shape)
    return float(np.percentile(surface_distances(found, true), PERCENTILE))


def _surface(mask: Bitmap) -> Bitmap:
    from scipy.ndimage import binary_erosion

    surface: Bitmap = mask & ~binary_erosion(mask)
    return surface
