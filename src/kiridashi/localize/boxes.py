"""The box of a chosen mask."""

import cv2
import numpy as np

from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.localize.settings import BoxRule

PixelBox = tuple[int, int, int, int]

# Of the released code: smaller components have no say.
LEAST_AREA = 10
BORDER = 2


def box_of(mask: Mask, rule: BoxRule) -> PixelBox:
    """(x0, y0, x1, y1) with x1, y1 exclusive.

    Args:
        mask: of one object.
        rule: `mask`: the mask's own box; `closed`: as in Pro2SAM's released code, whose threshold by Otsu
            changes nothing of a binary mask: closed by 3 x 3, components of at least `LEAST_AREA` pixels, the
            box around them all, and the whole picture when there is none.
    """
    if rule == "mask":
        return mask.box
    height, width = mask.size
    # Room for the dilation, and beyond it for OpenCV's erosion, which takes what lies outside for inside.
    padded = np.pad(mask.bitmap.astype(np.uint8), BORDER)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    parts = split_components(closed.astype(bool), LEAST_AREA)
    if not parts:
        return 0, 0, width, height
    x, y = mask.origin[0] - BORDER, mask.origin[1] - BORDER
    corners = np.array([part.box for part in parts])
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return x + int(low[0]), y + int(low[1]), x + int(high[0]), y + int(high[1])
