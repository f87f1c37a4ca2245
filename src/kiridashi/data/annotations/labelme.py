"""LabelMe files: polygons, rectangles, circles and bitmaps of one picture."""

import base64
import binascii
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.core.errors import SizeMismatchError
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations.document import records
from kiridashi.data.annotations.outlines import LabelledMask, Outline, fill, outline
from kiridashi.data.files import unusable

WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})


def masks(
    document: dict[str, Any], path: Path, picture: Picture, label: str | None = None
) -> list[LabelledMask]:
    """The masks of the shapes in the order of the file; points and lines, which have no area, are left out.

    Args:
        document: the file's content.
        path: the file, for messages; the picture it names is not opened.
        picture: the picture that it belongs to.
        label: only shapes of this label.

    Raises:
        SizeMismatchError: the file is for a picture of another size.
        InputError: wrong structure, a kind of shape that is not known, or no shape of the label.
    """
    height, width = document.get("imageHeight"), document.get("imageWidth")
    if type(height) is int and type(width) is int and (height, width) != picture.size:
        raise SizeMismatchError(picture.size, (height, width), path.name)
    shapes = records(document, "shapes", path)
    if label is not None and not any(str(shape.get("label")) == label for shape in shapes):
        known = ", ".join(sorted({str(shape.get("label")) for shape in shapes})[:20]) or "none"
        raise unusable(path, f"no shape is labelled {label!r}; it has: {known}")
    found = []
    for shape in shapes:
        name = str(shape.get("label"))
        if label is not None and name != label:
            continue
        mask = shape_mask(shape, picture.size, path)
        if not mask.is_empty:
            found.append(LabelledMask(name, mask))
    return found


def shape_mask(shape: dict[str, Any], size: tuple[int, int], path: Path) -> Mask:
    """The pixels of one shape; none for points and lines.

    Raises:
        InputError: wrong structure, or a kind of shape that is not known.
    """
    kind = shape.get("shape_type") or "polygon"
    if kind in WITHOUT_AREA:
        return Mask.empty(size)
    points = outline(shape.get("points"), size, path)
    if kind == "polygon":
        return fill([points], size, path)
    if kind == "rectangle":
        return fill([_rectangle(points)], size, path)
    if kind == "circle":
        return _circle(points, size, path)
    if kind == "mask":
        return _bitmap(points, shape.get("mask"), size, path)
    raise unusable(path, f"shapes of type {str(kind)[:40]!r} are not known; use polygon, rectangle or circle")


def _rectangle(points: Outline) -> Outline:
    """Two opposite corners become four; a turned rectangle has its four already."""
    if len(points) != 2:
        return points
    (x0, y0), (x1, y1) = points
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _circle(points: Outline, size: tuple[int, int], path: Path) -> Mask:
    if len(points) != 2:
        raise unusable(path, "a circle is its centre and a point on its edge")
    (x, y), edge = points
    radius = np.hypot(*(edge - points[0]))
    rows, cols = np.ogrid[: size[0], : size[1]]
    return Mask.from_array((cols + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2)


def _bitmap(points: Outline, encoded: Any, size: tuple[int, int], path: Path) -> Mask:
    """A base64 PNG whose first pixel lies on the first of two corners."""
    if len(points) != 2 or not isinstance(encoded, str):
        raise unusable(path, "a mask shape is two corners and a PNG in base64")
    bitmap = _decode_png(encoded, size, path)
    x, y = (int(value) for value in np.rint(points[0]))
    if x < 0 or y < 0 or x + bitmap.shape[1] > size[1] or y + bitmap.shape[0] > size[0]:
        raise unusable(path, "a mask shape does not lie inside the picture")
    full = np.zeros(size, dtype=bool)
    full[y : y + bitmap.shape[0], x : x + bitmap.shape[1]] = bitmap
    return Mask.from_array(full)


def _decode_png(encoded: str, size: tuple[int, int], path: Path) -> Bitmap:
    from PIL import Image

    try:
        with Image.open(BytesIO(base64.b64decode(encoded, validate=True)), formats=["PNG"]) as image:
            if image.width > size[1] or image.height > size[0]:
                raise unusable(path, "a mask shape is larger than the picture")
            bitmap: Bitmap = np.asarray(image.convert("L")) != 0
            return bitmap
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise unusable(path, "the PNG of a mask shape is damaged") from error
