"""From a map of where something is to boxes, by the conventions of weakly supervised localisation.

Boxes here are (x0, y0, x1, y1) in pixels with both corners inside, as in the field's code: a box of one pixel
has x0 = x1, and its width is x1 - x0 + 1. (Boxes of masks elsewhere in this package exclude x1 and y1.)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.geometry.boxes import box_iou
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Bitmap
from kiridashi.evaluate.metrics.levels import THRESHOLDS, FloatMap, Levels, levels

Boxes = NDArray[np.float64]

# Adds the pixel that an inclusive corner leaves out.
_CLOSED = np.array([0, 0, 1, 1], dtype=np.float64)


class Contours(NamedTuple):
    """Boxes of the contours at one threshold.

    Attributes:
        boxes: (K, 4), K at least 1.
        largest: index of the contour with the largest area.
    """

    boxes: Boxes
    largest: int


def as_boxes(values: ArrayLike) -> Boxes:
    """(N, 4) float64 boxes; N may be 0.

    Raises:
        InputError: another shape, a number that is not finite, or x1 < x0 or y1 < y0.
    """
    try:
        boxes = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("boxes are rows of four numbers x0, y0, x1, y1") from error
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise InputError(f"boxes are rows of four numbers x0, y0, x1, y1; got shape {boxes.shape}")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise InputError("a box has x0 <= x1 and y0 <= y1; its numbers are corners, not a width and a height")
    return boxes


def inclusive(boxes: ArrayLike) -> Boxes:
    """Boxes whose x1 and y1 were outside (as `Mask.box` has them), with both corners inside."""
    return as_boxes(boxes) - _CLOSED


def inclusive_iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """(N, M) intersection over union of (N, 4) and (M, 4) boxes whose corners are inside, 0..1."""
    return box_iou(a + _CLOSED, b + _CLOSED)


def best_iou(boxes: Boxes, truth: Boxes) -> NDArray[np.float64]:
    """(N,) IoU of each box with the true box that fits it best; zeros when there is no true box."""
    if not len(truth):
        return np.zeros(len(boxes))
    best: NDArray[np.float64] = inclusive_iou(boxes, truth).max(axis=1)
    return best


def min_max(values: FloatMap) -> FloatMap:
    """The map stretched to 0..1; zeros when it is the same everywhere."""
    low, high = float(values.min()), float(values.max())
    # A subnormal range would divide to infinity.
    if not high - low > np.finfo(np.float32).tiny:
        return np.zeros(values.shape, dtype=np.float32)
    stretched: FloatMap = ((values - low) / (high - low)).astype(np.float32)
    return np.clip(stretched, 0, 1)


def resized(values: FloatMap, size: tuple[int, int]) -> FloatMap:
    """The (h, w) map bilinearly at (height, width), as it lies on the whole picture."""
    if values.shape == size:
        return values
    import cv2

    height, width = size
    larger: FloatMap = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return larger


def whole_picture(size: tuple[int, int]) -> Boxes:
    """(1, 4) box of everything in a (height, width) picture."""
    return np.array([[0, 0, size[1] - 1, size[0] - 1]], dtype=np.float64)


def largest_component_box(inside: Bitmap) -> Boxes:
    """(1, 4) box of the largest 8-connected component of an (h, w) bitmap.

    The whole picture when there is none.
    """
    import cv2

    numbers = inside.astype(np.uint8)
    left, top, width, height = cv2.boundingRect(numbers)
    if not width:
        return whole_picture((inside.shape[0], inside.shape[1]))
    crop = numbers[top : top + height, left : left + width]
    # Of 8-connected components there is at most one in four pixels.
    kind = cv2.CV_16U if crop.size < 4 * np.iinfo(np.uint16).max else cv2.CV_32S
    _, parts = cv2.connectedComponents(crop, connectivity=8, ltype=kind)
    # The first is the background. (OpenCV's own statistics take twice the time of all this.)
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
    x, y, width, height = cv2.boundingRect((parts == largest).astype(np.uint8))
    return np.array([[left + x, top + y, left + x + width - 1, top + y + height - 1]], dtype=np.float64)


def component_boxes(inside: Bitmap, min_area: int = 1) -> Boxes:
    """(N, 4) boxes of the 8-connected components of an (h, w) bitmap, largest first.

    Args:
        inside: the bitmap.
        min_area: smaller components are left out, but never the largest.
    """
    parts = split_components(inside)
    kept = [part.box for rank, part in enumerate(parts) if rank == 0 or part.area >= min_area]
    return inclusive(kept) if kept else np.zeros((0, 4))


def threshold_boxes(values: FloatMap) -> Boxes:
    """(T, 4) box of the largest component of `values >= t` for each t of `THRESHOLDS`.

    The box of Pro2SAM's and SAT's evaluation: the map stretched to 0..1 first, the largest connected
    component, the whole picture when there is none.

    Args:
        values: (h, w), stretched by `min_max`.
    """
    numbers = levels(values)
    boxes = np.empty((len(THRESHOLDS), 4))
    for index, level in _steps(numbers, len(THRESHOLDS)):
        boxes[index] = largest_component_box(numbers >= level)
    return boxes


def contour_boxes(values: FloatMap) -> list[Contours]:
    """Boxes of all contours at each threshold t of `THRESHOLDS`, as MaxBoxAcc takes them.

    Choe et al. (2020) and their code: the map in 8 bits, pixels above the whole number of t times its
    maximum, contours of the regions and of their holes, each with its upright rectangle, whose right and
    lower edges are one pixel further out where the picture has that pixel. Where nothing is above, the box of
    pixel (0, 0).

    Args:
        values: (h, w) in 0..1.
    """
    import cv2

    bytes_ = (values * 255).astype(np.uint8)
    cuts = (THRESHOLDS * int(bytes_.max())).astype(np.int64)
    found: dict[int, Contours] = {}
    for cut in dict.fromkeys(cuts.tolist()):
        contours, _ = cv2.findContours(
            (bytes_ > cut).astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
        )
        found[cut] = _rectangles(contours, (values.shape[0], values.shape[1]))
    return [found[cut] for cut in cuts.tolist()]


def scaled(boxes: Boxes, size: tuple[int, int], to: tuple[int, int]) -> Boxes:
    """Boxes of a (height, width) picture in one of another size, cut to whole pixels as wsolevaluation does.

    Boxes that reach out of the picture are cut off at its border.
    """
    limits = np.array([size[1], size[0], size[1], size[0]], dtype=np.float64)
    inner = np.clip(boxes, 0, limits - 1)
    if size == to:
        return inner
    moved: Boxes = np.trunc(inner * np.array([to[1], to[0], to[1], to[0]]) / limits)
    return moved


def _steps(numbers: Levels, count: int) -> list[tuple[slice, int]]:
    """(thresholds, level): those between two values that occur have one and the same bitmap."""
    present = np.unique(numbers).tolist()
    starts = [0, *(level + 1 for level in present)]
    ends = [*(level + 1 for level in present), count]
    return [(slice(start, end), start) for start, end in zip(starts, ends, strict=True) if start < end]


def _rectangles(contours: tuple[NDArray[np.int32], ...], size: tuple[int, int]) -> Contours:
    import cv2

    if not contours:
        return Contours(np.zeros((1, 4)), 0)
    corners = np.array([cv2.boundingRect(one) for one in contours], dtype=np.float64)
    corners[:, 2:] = np.minimum(corners[:, :2] + corners[:, 2:], [size[1] - 1, size[0] - 1])
    return Contours(corners, int(np.argmax([cv2.contourArea(one) for one in contours])))
