"""One binary mask, stored as the bitmap inside its box, so that many masks cost little memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError

Bitmap = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary mask of a picture.

    Attributes:
        bitmap: (h, w) bool, the part inside the box; (0, 0) when the mask is empty.
        origin: (x, y) of the bitmap's first pixel in the picture.
        size: (height, width) of the picture.
    """

    bitmap: Bitmap
    origin: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def from_array(cls, array: ArrayLike) -> "Mask":
        """Crop a full-size (H, W) array (any non-zero value is inside) to its box."""
        full = np.asarray(array)
        if full.ndim != 2:
            raise InputError(f"a mask must be two-dimensional (H, W), got shape {full.shape}")
        inside = full.astype(bool)
        rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        size = (full.shape[0], full.shape[1])
        if rows.size == 0:
            return cls.empty(size)
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
        return cls(inside[y0:y1, x0:x1].copy(), (int(x0), int(y0)), size)

    @classmethod
    def empty(cls, size: tuple[int, int]) -> "Mask":
        """A mask of a (height, width) picture with nothing inside."""
        return cls(np.zeros((0, 0), dtype=bool), (0, 0), size)

    @classmethod
    def from_rle(cls, rle: Mapping[str, Any]) -> "Mask":
        """Decode a COCO run-length dict (`size`, `counts`; compressed or not).

        Raises:
            InputError: the runs are damaged or do not fill the size.
        """
        from kiridashi.core.rle import decode_box

        bitmap, origin, size = decode_box(rle)
        return cls(np.ascontiguousarray(bitmap), origin, size) if bitmap.size else cls.empty(size)

    def to_array(self) -> Bitmap:
        """The full-size (H, W) bool array."""
        full = np.zeros(self.size, dtype=bool)
        if self.bitmap.size:
            full[self.slices] = self.bitmap
        return full

    def to_rle(self) -> dict[str, Any]:
        """The COCO run-length dict with `counts` as ASCII text, ready for JSON."""
        from pycocotools import mask as codec

        height, width = self.size
        x, y = self.origin
        # Only the columns of the box are looked at: runs go down the columns, and background is cheap.
        columns = np.zeros((self.bitmap.shape[1], height), dtype=np.int8)
        columns[:, y : y + self.bitmap.shape[0]] = self.bitmap.T
        edges = np.flatnonzero(np.diff(columns.ravel(), prepend=0, append=0)) + x * height
        runs = np.diff(edges, prepend=0, append=height * width).tolist()
        if len(runs) > 1 and runs[-1] == 0:
            runs.pop()
        rle = codec.frPyObjects({"size": [height, width], "counts": runs}, height, width)
        return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) of the bitmap in the full-size array."""
        x, y = self.origin
        return slice(y, y + self.bitmap.shape[0]), slice(x, x + self.bitmap.shape[1])

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) with x1, y1 exclusive; all zero when empty."""
        x, y = self.origin
        return x, y, x + self.bitmap.shape[1], y + self.bitmap.shape[0]

    @property
    def area(self) -> int:
        """Number of pixels inside."""
        return int(np.count_nonzero(self.bitmap))

    @property
    def is_empty(self) -> bool:
        """Whether no pixel is inside."""
        return self.area == 0

    @property
    def coverage(self) -> float:
        """Share of the picture that is inside, 0..1."""
        return self.area / (self.size[0] * self.size[1])

    def intersection(self, other: "Mask") -> int:
        """Number of pixels inside both; only the overlap of the two boxes is touched."""
        self._check_same_picture(other)
        ax0, ay0, ax1, ay1 = self.box
        bx0, by0, bx1, by1 = other.box
        x0, y0, x1, y1 = max(ax0, bx0), max(ay0, by0), min(ax1, bx1), min(ay1, by1)
        if x0 >= x1 or y0 >= y1:
            return 0
        ours = self.bitmap[y0 - ay0 : y1 - ay0, x0 - ax0 : x1 - ax0]
        theirs = other.bitmap[y0 - by0 : y1 - by0, x0 - bx0 : x1 - bx0]
        return int(np.count_nonzero(ours & theirs))

    def iou(self, other: "Mask") -> float:
        """Intersection over union, 0..1; 1 when both are empty."""
        both = self.intersection(other)
        either = self.area + other.area - both
        return both / either if either else 1.0

    def _check_same_picture(self, other: "Mask") -> None:
        if self.size != other.size:
            raise InputError(f"masks of different pictures: {self.size} and {other.size} (height, width)")

    def __or__(self, other: "Mask") -> "Mask":
        self._check_same_picture(other)
        full = self.to_array()
        full[other.slices] |= other.bitmap
        return Mask.from_array(full)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.size == other.size and self.box == other.box and np.array_equal(self.bitmap, other.bitmap)

    __hash__ = None  # type: ignore[assignment]
