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


def without_specks(mask: Mask, share: float) -> Mask:
    """Drop the components and fill the holes that are small beside the largest component.

    What SAM's automatic generator does with small regions (Kirillov et al., 2023, appendix B), with a
    limit that goes by the object and not by the picture.

    Args:
        mask: of one object.
        share: of the largest component's area below which a component or a hole is a speck, 0..1.
    """
    if mask.is_empty:
        return mask
    parts = split_components(mask.bitmap)
    limit = share * parts[0].area
    kept = np.zeros_like(mask.bitmap)
    for part in parts:
        if part.area >= limit:
            kept[part.slices] |= part.bitmap
    whole = Mask.from_array(fill_holes(kept, int(limit)))
    x, y = mask.origin
    return Mask(whole.bitmap, (x + whole.origin[0], y + whole.origin[1]), mask.size)
