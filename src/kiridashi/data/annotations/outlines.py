"""Outlines in pixels, checked and filled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.data.files import unusable

Outline = NDArray[np.float64]

# The codec walks along every outline in steps of a fifth of a pixel and keeps all steps.
MAX_PERIMETER = 5_000_000


class LabelledMask(NamedTuple):
    """One annotated object."""

    label: str
    mask: Mask


def outline(values: Any, size: tuple[int, int], path: Path) -> Outline:
    """(N, 2) float64 x, y of a flat list of numbers or of a list of pairs.

    Raises:
        InputError: not such a list, or coordinates that are not finite or lie further outside the
            (height, width) picture than its longer side.
    """
    pairs = _flatten(values)
    if pairs is None or len(pairs) % 2:
        raise unusable(path, "an outline is a list of x, y numbers")
    try:
        points = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise unusable(path, "an outline has a number that is not finite") from error
    slack = max(size)
    limit = np.array([size[1], size[0]]) + slack
    if not np.isfinite(points).all() or (points < -slack).any() or (points > limit).any():
        raise unusable(path, f"an outline lies far outside the {size[1]} x {size[0]} picture")
    return points


def fill(outlines: Sequence[Outline], size: tuple[int, int], path: Path) -> Mask:
    """The union of closed outlines as a mask of a (height, width) picture, by COCO's rule.

    Parts outside the picture are cut off; outlines of fewer than three points have no area.

    Raises:
        InputError: an outline is absurdly long.
    """
    from pycocotools import mask as codec

    closed = [points for points in outlines if len(points) >= 3]
    if not closed:
        return Mask.empty(size)
    if sum(_perimeter(points) for points in closed) > MAX_PERIMETER:
        raise unusable(path, f"an outline is longer than {MAX_PERIMETER} pixels")
    # Run lengths are decoded where the object is; the codec would fill the whole picture.
    parts = codec.frPyObjects([points.ravel().tolist() for points in closed], *size)
    return Mask.from_rle({"size": list(size), "counts": codec.merge(parts)["counts"]})


def _perimeter(points: Outline) -> float:
    return float(np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum())


def _flatten(values: Any) -> list[float] | None:
    """Numbers as they are, pairs unrolled; None for anything else."""
    if not isinstance(values, list):
        return None
    if values and all(isinstance(pair, list) and len(pair) == 2 for pair in values):
        values = [number for pair in values for number in pair]
    return values if all(type(number) in (int, float) for number in values) else None
