"""J and F of every object in one frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kiridashi.core.errors import SizeMismatchError
from kiridashi.evaluate.metrics.boundary import boundary_f_within, radius_of

Labels = NDArray[np.uint8]
Values = NDArray[np.float64]
Part = tuple[slice, slice]


def score_frame(found: Labels, truth: Labels, objects: Sequence[int]) -> tuple[Values, Values]:
    """Region similarity J and boundary measure F of each object.

    J is intersection over union, 1 where the object is neither there nor found; F is that of
    `kiridashi.evaluate.metrics.boundary`. Pixels with other labels count as background, those of void too.

    Args:
        found: (H, W) labels of a tracker.
        truth: (H, W) true labels.
        objects: labels to measure, none of them 0.

    Returns:
        J and F, (N,) each, 0..1.

    Raises:
        SizeMismatchError: the two differ in size.
    """
    if found.shape != truth.shape:
        raise SizeMismatchError(
            (truth.shape[0], truth.shape[1]), (found.shape[0], found.shape[1]), "the answer"
        )
    places = np.zeros(256, dtype=np.uint8)
    places[list(objects)] = np.arange(1, len(objects) + 1)
    ours, theirs = places[found], places[truth]
    return _regions(ours, theirs, len(objects)), _boundaries(ours, theirs, len(objects))


def _regions(ours: Labels, theirs: Labels, count: int) -> Values:
    """One pass over the picture, however many objects there are."""
    side = count + 1
    pairs = np.bincount((theirs.astype(np.intp) * side + ours).ravel(), minlength=side * side)
    table = pairs.reshape(side, side)
    both = np.diagonal(table)[1:]
    either = table.sum(axis=0)[1:] + table.sum(axis=1)[1:] - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def _boundaries(ours: Labels, theirs: Labels, count: int) -> Values:
    radius = radius_of((theirs.shape[0], theirs.shape[1]))
    values = np.ones(count)
    boxes = zip(ndimage.find_objects(ours, count), ndimage.find_objects(theirs, count), strict=True)
    for place, (a, b) in enumerate(boxes):
        part = _around(a, b)
        if part is not None:
            values[place] = boundary_f_within(ours[part] == place + 1, theirs[part] == place + 1, radius)
    return values


def _around(a: Part | None, b: Part | None) -> Part | None:
    """The box of both with a margin of one pixel, in which the outlines lie; None: neither is there."""
    known = [part for part in (a, b) if part is not None]
    if not known:
        return None
    rows, columns = (
        slice(max(min(part[axis].start for part in known) - 1, 0), max(part[axis].stop for part in known) + 1)
        for axis in (0, 1)
    )
    return rows, columns
