"""Outlines, boxes and bitmaps of objects, and the ways between them."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap, Mask
from kiridashi.data.annotations.outlines import fill
from kiridashi.data.formats.faults import Fault
from kiridashi.data.formats.model import Box, Points, Polygons, Shape

# Coordinates are kept to this many decimals: enough for any drawing, and shares of a side come back exactly.
DECIMALS = 6
# Corners and sides may be this far outside of a picture, in multiples of its longer side.
SLACK = 1.0


def mask_of(shape: Shape, size: tuple[int, int]) -> Mask:
    """The pixels of a (height, width) picture that a shape covers; outlines are filled by COCO's rule.

    Raises:
        InputError: the outlines are absurdly long, or the bitmap is of another size.
    """
    if isinstance(shape, Mask):
        if shape.size != size:
            raise Fault(
                "size-mismatch",
                f"a bitmap for {shape.size[1]} x {shape.size[0]} pixels in a picture of "
                f"{size[1]} x {size[0]}",
            )
        return shape
    parts = [corners(shape)] if isinstance(shape, Box) else shape.parts
    return fill(parts, size, Path("outline"))


def corners(box: Box) -> Points:
    """The four corners of a box, (4, 2)."""
    return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])


def box_of(shape: Shape) -> Box | None:
    """The box around a shape; None when it has no point or pixel."""
    if isinstance(shape, Box):
        return shape
    if isinstance(shape, Mask):
        return None if shape.is_empty else Box(*map(float, shape.box))
    points = [part for part in shape.parts if len(part)]
    if not points:
        return None
    every = np.concatenate(points)
    (x0, y0), (x1, y1) = every.min(axis=0), every.max(axis=0)
    return Box(float(x0), float(y0), float(x1), float(y1))


def read_points(values: Any, size: tuple[int, int]) -> Points:
    """(N, 2) of a flat list of numbers or a list of pairs, checked.

    Args:
        values: x and y in pixels.
        size: (height, width) of the picture.

    Raises:
        Fault: no such list, too few points, not finite, or far outside of the picture.
    """
    flat = _flat(values)
    if flat is None or len(flat) % 2:
        raise Fault("damaged", "an outline is a list of x, y numbers")
    if len(flat) < 6:
        raise Fault("empty-mask", f"an outline of {len(flat) // 2} points has no area")
    try:
        points = np.array(flat, dtype=np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise Fault("not-finite", "an outline has a number that is not finite") from error
    return check_points(points, size)


def check_points(points: Points, size: tuple[int, int]) -> Points:
    """Points that are finite and near the (height, width) picture, to `DECIMALS`.

    Raises:
        Fault: they are not.
    """
    # Lists are quicker than arrays for the few points that outlines mostly have.
    columns, rows = points[:, 0].tolist(), points[:, 1].tolist()
    if not all(map(isfinite, columns)) or not all(map(isfinite, rows)):
        raise Fault("not-finite", "an outline has a number that is not finite")
    slack = SLACK * max(size)
    if (
        min(columns) < -slack
        or min(rows) < -slack
        or max(columns) > size[1] + slack
        or max(rows) > size[0] + slack
    ):
        raise Fault("outside-picture", f"an outline lies far outside the {size[1]} x {size[0]} picture")
    rounded: Points = np.round(points, DECIMALS)
    return rounded


def read_box(values: Sequence[Any], size: tuple[int, int]) -> Box:
    """A box of x0, y0, x1, y1.

    Raises:
        Fault: not four finite numbers, without area, or far outside of the picture.
    """
    if len(values) != 4 or not all(type(one) in (int, float) for one in values):
        raise Fault("bad-box", "a box is four numbers")
    try:
        x0, y0, x1, y1 = (round(float(one), DECIMALS) for one in values)
    except (OverflowError, ValueError) as error:
        raise Fault("not-finite", "a box has a number that is not finite") from error
    if not all(map(isfinite, (x0, y0, x1, y1))):
        raise Fault("not-finite", "a box has a number that is not finite")
    if x1 <= x0 or y1 <= y0:
        raise Fault("bad-box", f"a box of {x1 - x0:g} x {y1 - y0:g} pixels has no area")
    slack = SLACK * max(size)
    if min(x0, y0) < -slack or x1 > size[1] + slack or y1 > size[0] + slack:
        raise Fault("outside-picture", f"a box lies far outside the {size[1]} x {size[0]} picture")
    return Box(x0, y0, x1, y1)


def placed(bitmap: Bitmap, x: int, y: int, size: tuple[int, int]) -> Mask:
    """The mask of a bitmap whose first pixel lies on (x, y) of a (height, width) picture.

    Raises:
        Fault: it reaches out of the picture.
    """
    height, width = bitmap.shape
    if x < 0 or y < 0 or x + width > size[1] or y + height > size[0]:
        raise Fault("outside-picture", f"a bitmap reaches out of the {size[1]} x {size[0]} picture")
    part = Mask.from_array(bitmap)
    if part.is_empty:
        return Mask.empty(size)
    return Mask(part.bitmap, (part.origin[0] + x, part.origin[1] + y), size)


def as_polygons(shape: Shape, size: tuple[int, int]) -> Polygons:
    """The outlines of a shape; of a bitmap those along its pixels' edges, which fill to the same pixels.

    Each part that hangs together is one outline. Its holes are cut in: the way leads from the outer edge to
    the hole, around it and the same way back, which encloses nothing.
    """
    if isinstance(shape, Polygons):
        return shape
    if isinstance(shape, Box):
        return Polygons((corners(shape),))
    if shape.is_empty:
        return Polygons(())
    from scipy.ndimage import find_objects, label

    numbered, _ = label(mask_of(shape, size).bitmap)
    parts = []
    for number, place in enumerate(find_objects(numbered), start=1):
        loops = _edges(numbered[place] == number)
        origin = (place[1].start + shape.origin[0], place[0].start + shape.origin[1])
        parts.append(_join(loops) + origin)
    return Polygons(tuple(parts))


def as_single_outline(shape: Shape, size: tuple[int, int]) -> Points:
    """One outline that fills to the same pixels: the parts are joined by ways there and back."""
    polygons = as_polygons(shape, size)
    if len(polygons.parts) == 1:
        return polygons.parts[0]
    if isinstance(shape, Mask):  # whose parts do not overlap
        return _join(list(polygons.parts))
    joined = _join([part for part in polygons.parts if len(part)])
    whole = mask_of(shape, size)
    if len(joined) and mask_of(Polygons((joined,)), size) == whole:
        return joined
    # Parts that overlap would cut holes into each other.
    return _join(list(as_polygons(whole, size).parts))


def clipped(shape: Shape, size: tuple[int, int]) -> Shape:
    """The shape without what lies outside of a (height, width) picture; what lies inside stays as it is."""
    box = box_of(shape)
    if box is None or isinstance(shape, Mask):
        return shape
    if box.x0 >= 0 and box.y0 >= 0 and box.x1 <= size[1] and box.y1 <= size[0]:
        return shape
    if isinstance(shape, Box):
        return Box(
            *(max(0.0, min(v, side)) for v, side in zip((box.x0, box.y0), size[::-1], strict=True)),
            *(max(0.0, min(v, side)) for v, side in zip((box.x1, box.y1), size[::-1], strict=True)),
        )
    return as_polygons(mask_of(shape, size), size)


def short(value: float) -> float | int:
    """A coordinate as it is written: to `DECIMALS`, and whole numbers without a point."""
    rounded = round(float(value), DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded


def _flat(values: Any) -> list[float] | None:
    if not isinstance(values, list):
        return None
    if values and all(isinstance(pair, list) and len(pair) == 2 for pair in values):
        values = [number for pair in values for number in pair]
    return values if all(type(number) in (int, float) for number in values) else None


def _edges(bitmap: Bitmap) -> list[Points]:
    """The closed ways along the edges of a bitmap's pixels, corner by corner; the longest first.

    Corners follow each other in pairs along every row and along every column, so that joining the pairs
    walks around each part and each hole.
    """
    padded = np.pad(bitmap, 1).astype(np.int8)
    corner = padded[:-1, :-1] - padded[:-1, 1:] - padded[1:, :-1] + padded[1:, 1:]
    y, x = np.nonzero(corner)
    # Where two pixels touch by a corner alone, two ways meet.
    twice = np.abs(corner[y, x])
    y, x = np.repeat(y, twice), np.repeat(x, twice)
    along_row, along_column = _partners(y, x), _partners(x, y)
    free = np.ones(len(x), dtype=bool)
    loops = []
    for start in range(len(x)):
        if not free[start]:
            continue
        way, here = [], start
        while free[here]:
            there = along_row[here]
            way += [here, there]
            free[here] = free[there] = False
            here = along_column[there]
        loops.append(np.stack([x[way], y[way]], axis=1).astype(np.float64))
    return sorted(loops, key=lambda loop: -np.ptp(loop, axis=0).sum())


def _partners(major: NDArray[np.intp], minor: NDArray[np.intp]) -> list[int]:
    """For every corner the other end of its edge: the neighbour in the pair along the line."""
    order = np.lexsort((minor, major))
    partners = np.empty(len(order), dtype=np.intp)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    found: list[int] = partners.tolist()
    return found


def _join(loops: Sequence[Points]) -> Points:
    """All loops as one way: from the first to each other one and back over the same points."""
    if not loops:
        return np.zeros((0, 2))
    first, *others = loops
    after: dict[int, list[Points]] = {}
    for loop in others:
        # The leftmost point of the loop, and the point of the first way that is nearest to it.
        begin = int(np.lexsort((loop[:, 1], loop[:, 0]))[0])
        turned = np.concatenate([np.roll(loop, -begin, axis=0), loop[begin : begin + 1]])
        near = int(((first - loop[begin]) ** 2).sum(axis=1).argmin())
        after.setdefault(near, []).append(turned)
    pieces = []
    for place, point in enumerate(first):
        pieces.append(point[None])
        for loop in after.get(place, ()):
            pieces += [loop, point[None]]
    joined: Points = np.concatenate(pieces)
    return joined
