"""Bilinear upscaling of a part of the decoder's logits, and what is certain before it is done."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Counts = NDArray[np.int64]
# Rows upscaled together, in pixels: so much stays in the cache.
BAND_PIXELS = 1 << 16


@dataclass(frozen=True, eq=False)
class Axis:
    """One side, as `interpolate(mode="bilinear", align_corners=False)` of torch samples it.

    Attributes:
        lower: (n,) index of the sample before each pixel; its cell.
        share: (n,) weight of the sample after that.
        first: (samples + 1,) first pixel of each cell.
    """

    lower: NDArray[np.intp]
    share: Logits
    first: NDArray[np.intp]

    @classmethod
    def of(cls, samples: int, pixels: int) -> "Axis":
        """An axis of `samples` logits that is to have `pixels` pixels."""
        scale = np.float32(samples) / np.float32(pixels)
        place = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
        place = np.maximum(place, np.float32(0))
        lower = np.minimum(place.astype(np.intp), samples - 1)
        first = np.searchsorted(lower, np.arange(samples + 1))
        return cls(lower, place - lower.astype(np.float32), first.astype(np.intp))

    def counts(self, start: int, stop: int) -> Counts:
        """(stop - start,) pixels in each cell of a range."""
        return np.diff(self.first[start : stop + 1]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Zoom:
    """From logits of one size to pixels of another."""

    rows: Axis
    columns: Axis

    @classmethod
    def between(cls, low: tuple[int, int], size: tuple[int, int]) -> "Zoom":
        """From (h, w) logits to a (height, width) picture."""
        return cls(Axis.of(low[0], size[0]), Axis.of(low[1], size[1]))


@dataclass(frozen=True, eq=False)
class Patch:
    """The part of a mask's logits where it can be above a level, one sample of margin included.

    Attributes:
        logits: (h, w), the last row and column repeated where the picture ends.
        top: row of the first sample, which is also the first cell.
        left: column of the first sample.
        zoom: to the picture.
    """

    logits: Logits
    top: int
    left: int
    zoom: Zoom

    @classmethod
    def above(cls, logits: Logits, level: float, zoom: Zoom) -> "Patch | None":
        """Cut out where logits are above `level`; None when nowhere."""
        inside = logits > level
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if rows.size == 0:
            return None
        top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
        # A cell ends at the next sample; the last cell of an axis at its own.
        bottom, right = int(rows[-1]) + 2, int(columns[-1]) + 2
        part = logits[top:bottom, left:right]
        short = (0, bottom - top - part.shape[0]), (0, right - left - part.shape[1])
        return cls(np.pad(part, short, mode="edge"), top, left, zoom)

    @property
    def pixels(self) -> tuple[slice, slice]:
        """(rows, columns) of the picture that the patch's cells hold."""
        rows, columns = self.zoom.rows.first, self.zoom.columns.first
        height, width = self.logits.shape
        return (
            slice(int(rows[self.top]), int(rows[self.top + height - 1])),
            slice(int(columns[self.left]), int(columns[self.left + width - 1])),
        )

    def upscale(self, level: float) -> tuple[NDArray[np.bool_], int, int]:
        """Threshold the patch at the picture's size.

        Returns:
            bool (H', W') where logits are above 0, over `pixels`; the number of pixels above
            `level`; the number above `-level`.
        """
        rows, columns = self.pixels
        wide = _between(self.logits, self.zoom.columns, columns, self.left, axis=1)
        bitmap = np.empty((rows.stop - rows.start, wide.shape[1]), dtype=bool)
        above = below = 0
        band = max(1, BAND_PIXELS // max(wide.shape[1], 1))
        for start in range(rows.start, rows.stop, band):
            part = slice(start, min(start + band, rows.stop))
            values = _between(wide, self.zoom.rows, part, self.top, axis=0)
            np.greater(values, 0, out=bitmap[part.start - rows.start : part.stop - rows.start])
            above += int(np.count_nonzero(values > level))
            below += int(np.count_nonzero(values > -level))
        return bitmap, above, below

    def corners(self) -> tuple[Logits, Logits]:
        """(h - 1, w - 1) least and greatest of each cell's corners: they bound its pixels."""
        tall_low = np.minimum(self.logits[:-1], self.logits[1:])
        tall_high = np.maximum(self.logits[:-1], self.logits[1:])
        least: Logits = np.minimum(tall_low[:, :-1], tall_low[:, 1:])
        greatest: Logits = np.maximum(tall_high[:, :-1], tall_high[:, 1:])
        return least, greatest

    def count(self, cells: NDArray[np.bool_]) -> int:
        """Number of pixels in some cells."""
        rows = self.zoom.rows.counts(self.top, self.top + cells.shape[0])
        columns = self.zoom.columns.counts(self.left, self.left + cells.shape[1])
        return int(rows @ (cells @ columns))

    def box(self, cells: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """(x0, y0, x1, y1) of the pixels in some cells, x1 and y1 the last ones; None without any."""
        rows = self.zoom.rows.counts(self.top, self.top + cells.shape[0])
        columns = self.zoom.columns.counts(self.left, self.left + cells.shape[1])
        cells = cells & (rows > 0)[:, None] & (columns > 0)
        down, along = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        if down.size == 0:
            return None
        y, x = self.zoom.rows.first[self.top :], self.zoom.columns.first[self.left :]
        edges = x[along[0]], y[down[0]], x[along[-1] + 1] - 1, y[down[-1] + 1] - 1
        return np.array(edges, dtype=np.float64)


def _between(values: Logits, axis_of: Axis, pixels: slice, start: int, axis: int) -> Logits:
    """Interpolate along one axis, for a range of pixels; the values begin at sample `start`."""
    lower = axis_of.lower[pixels] - start
    share = axis_of.share[pixels]
    share = share[:, None] if axis == 0 else share
    # Past the last sample the patch repeats it, so the next one is always there.
    before = np.take(values, lower, axis=axis)
    after = np.take(values, lower + 1, axis=axis)
    after -= before
    after *= share
    after += before
    return after
