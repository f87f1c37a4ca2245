"""The stages of a localisation as pictures: coarse map, candidates, choice."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.adapters.named_overlay import draw_named
from kiridashi.core.adapters.overlay import Colour, colours, mark_absent, side_by_side
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segment, Segments
from kiridashi.report.localisation.stages import FloatMap, Stages

# Longer side of a panel.
SIDE = 420
GAP = 10
# More outlines than this are a tangle; the gallery has its best masks first.
MOST_OUTLINES = 80
PALE: Colour = (235, 235, 235)
# Where the map is 1, this much of the picture is covered.
STRONGEST = 0.72


def map_pixels(values: FloatMap, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A map as grey values at the picture's size.

    Args:
        values: (h, w) in 0..1.
        size: (height, width).

    Returns:
        (height, width) uint8; 0..255 stands for 0..1.
    """
    grey: NDArray[np.uint8] = np.rint(np.clip(_resized(values, size), 0, 1) * 255).astype(np.uint8)
    return grey


def draw_heat(picture: Picture, values: FloatMap) -> Rgb:
    """The picture with a map laid over it: clear where it is 0, bright yellow where it is 1.

    Args:
        picture: the picture.
        values: (h, w) in 0..1, on the whole picture.

    Returns:
        (H, W, 3) uint8.
    """
    fine = np.clip(_resized(values, picture.size), 0, 1)
    heat = cv2.applyColorMap(np.rint(fine * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    weight = (STRONGEST * np.sqrt(fine))[..., None]
    mixed: Rgb = np.rint(picture.pixels * (1 - weight) + heat * weight).astype(np.uint8)
    return mixed


def draw_candidates(picture: Picture, gallery: Sequence[Mask], best: Sequence[Mask]) -> Rgb:
    """The picture with the outlines of the masks to choose from: pale, those that match best in colour.

    Args:
        picture: the picture.
        gallery: masks of its size.
        best: likewise.

    Returns:
        (H, W, 3) uint8.
    """
    canvas: Rgb = np.rint(picture.pixels * 0.6).astype(np.uint8)
    for mask in gallery[:MOST_OUTLINES]:
        _outline(canvas, mask, PALE, 1)
    for mask, colour in reversed(list(zip(best, colours(len(best)), strict=True))):
        _outline(canvas, mask, colour, 2)
    return canvas


def draw_stages(
    picture: Picture, stages: Stages, segments: Segments, numbers: Mapping[str, int], side: int = SIDE
) -> Picture:
    """Three panels side by side: the coarse map, the candidates, and the choice.

    Where nothing was found, the second has no outlines, and the third is pale.

    Args:
        picture: the picture.
        stages: of it.
        segments: the choice.
        numbers: of each label, which give the colours.
        side: longer side of a panel in pixels; a smaller picture is not enlarged.
    """
    small = _shrunk(picture, side)
    choice = Segments(
        small.size,
        tuple(Segment(fit(one.mask, small.size), one.score, one.label) for one in segments),
    )
    gallery, best = ([fit(mask, small.size) for mask in masks] for masks in (stages.gallery, stages.best))
    last = draw_named(small, choice, numbers) if choice.items else mark_absent(small)
    panels = [draw_heat(small, stages.guide), draw_candidates(small, gallery, best), last]
    return Picture(side_by_side(panels, GAP), picture.name)


def fit(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask at another (height, width) size, at least one pixel of it unless it is empty."""
    if mask.size == size or mask.is_empty:
        return mask if mask.size == size else Mask.empty(size)
    down, across = size[0] / mask.size[0], size[1] / mask.size[1]
    x0, y0, x1, y1 = mask.box
    left, top = int(x0 * across), int(y0 * down)
    width = max(1, min(round(x1 * across), size[1]) - left)
    height = max(1, min(round(y1 * down), size[0]) - top)
    share = cv2.resize(mask.bitmap.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    # A thin crack fills no small pixel by half.
    inside = share >= min(0.5, float(share.max()))
    return Mask(inside, (left, top), size)


def _shrunk(picture: Picture, side: int) -> Picture:
    longer = max(picture.size)
    if longer <= side:
        return picture
    height, width = (max(1, round(length * side / longer)) for length in picture.size)
    pixels = cv2.resize(picture.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return Picture(pixels, picture.name)


def _outline(canvas: Rgb, mask: Mask, colour: Colour, width: int) -> None:
    if mask.is_empty:
        return
    lines, _ = cv2.findContours(
        mask.bitmap.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=mask.origin
    )
    cv2.polylines(canvas, lines, isClosed=True, color=colour, thickness=width, lineType=cv2.LINE_AA)


def _resized(values: FloatMap, size: tuple[int, int]) -> FloatMap:
    if values.shape == size:
        return values
    fine: FloatMap = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return fine
