"""Connected components of a binary mask."""

import numpy as np

from kiridashi.core.mask import Bitmap, Mask


def split_components(full: Bitmap, min_area: int = 1) -> list[Mask]:
    """The 8-connected components of an (H, W) bool array as masks, largest first.

    Components smaller than `min_area` pixels are dropped.
    """
    from scipy import ndimage

    labels, count = ndimage.label(full, structure=np.ones((3, 3), dtype=bool))
    size = (full.shape[0], full.shape[1])
    parts = []
    for number, where in enumerate(ndimage.find_objects(labels, max_label=count), start=1):
        rows, cols = where
        bitmap = labels[where] == number
        if np.count_nonzero(bitmap) >= min_area:
            parts.append(Mask(bitmap, (cols.start, rows.start), size))
    return sorted(parts, key=lambda part: -part.area)


def fill_holes(full: Bitmap, max_area: int) -> Bitmap:
    """Fill background components of at most `max_area` pixels that do not touch the border."""
    from scipy import ndimage

    holes, count = ndimage.label(~full)
    if count == 0:
        return full
    areas = np.bincount(holes.ravel(), minlength=count + 1)
    border = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    small = areas <= max_area
    small[border] = False
    small[0] = False
    filled: Bitmap = full | small[holes]
    return filled
