"""A result drawn over its picture."""

import colorsys
import itertools
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segments

Colour = tuple[int, int, int]

# Okabe and Ito's palette (2008), told apart with any common colour blindness; black is left out.
PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_GOLDEN_TURN = 0.618034


def colours(count: int) -> list[Colour]:
    """`count` colours, distinct for hundreds: the palette, then hues a golden turn apart."""
    return list(itertools.islice(_endless_colours(), count))


@cache
def colour_of(number: int) -> Colour:
    """The colour of a thing that has a number, 1 the first of the palette; always the same."""
    return next(itertools.islice(_endless_colours(), max(number, 1) - 1, None))


def _endless_colours() -> Iterator[Colour]:
    yield from PALETTE
    for step in itertools.count():
        lightness = (0.45, 0.65, 0.35)[step % 3]
        red, green, blue = colorsys.hls_to_rgb(step * _GOLDEN_TURN % 1, lightness, 0.85)
        yield round(255 * red), round(255 * green), round(255 * blue)


def draw_overlay(
    picture: Picture,
    segments: Segments,
    alpha: float = 0.45,
    line: int | None = None,
    shades: Sequence[Colour] | None = None,
) -> Rgb:
    """The picture with every object filled in its own colour and outlined, the best on top.

    The outline lies inside the object, with a thin shadow around it, so that it shows on any
    background.

    Args:
        picture: the picture.
        segments: what was found in it.
        alpha: strength of the fill, 0..1.
        line: width of the outline in pixels; by the picture's size when None.
        shades: a colour for each object; None: each another one.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UsageError: the result belongs to a picture of another size, or `alpha` is outside 0..1.
    """
    if segments.size != picture.size:
        raise UsageError(f"a result of size {segments.size} for a picture of size {picture.size}")
    if not 0 <= alpha <= 1:
        raise UsageError(f"the strength of the fill lies in 0..1, got {alpha}")
    canvas = picture.pixels.copy()
    width = line if line is not None else line_width(picture.size)
    pairs = list(zip(segments, colours(len(segments)) if shades is None else shades, strict=True))
    for segment, colour in reversed(pairs):
        if not segment.mask.is_empty:
            _fill(canvas, segment.mask, colour, alpha)
            outline(canvas, segment.mask, colour, width)
    return canvas


def mark_absent(picture: Picture) -> Rgb:
    """The picture in pale grey inside a dark frame: the object is not in it."""
    grey = picture.pixels @ np.array([0.299, 0.587, 0.114])
    canvas = np.repeat((0.6 * grey + 0.4 * 255)[..., None], 3, axis=2).round().astype(np.uint8)
    frame = max(1, round(max(picture.size) / 100))
    for edge in (np.s_[:frame], np.s_[-frame:], np.s_[:, :frame], np.s_[:, -frame:]):
        canvas[edge] = 90
    return canvas


def side_by_side(panels: Sequence[Rgb], gap: int = 8) -> Rgb:
    """(H, W, 3) uint8 panels in a row on white, `gap` pixels apart, centred vertically.

    Raises:
        UsageError: there are no panels.
    """
    if not panels:
        raise UsageError("nothing to put side by side")
    height = max(panel.shape[0] for panel in panels)
    width = sum(panel.shape[1] for panel in panels) + gap * (len(panels) - 1)
    sheet = np.full((height, width, 3), 255, dtype=np.uint8)
    x = 0
    for panel in panels:
        y = (height - panel.shape[0]) // 2
        sheet[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
        x += panel.shape[1] + gap
    return sheet


def _fill(canvas: Rgb, mask: Mask, colour: Colour, alpha: float) -> None:
    part = canvas[mask.slices]
    mixed = part[mask.bitmap] * (1 - alpha) + np.array(colour) * alpha
    part[mask.bitmap] = mixed.round().astype(np.uint8)


def line_width(size: tuple[int, int]) -> int:
    """Width of an outline in a picture of (height, width) `size`, in pixels."""
    return max(1, round(max(size) / 400))


def outline(canvas: Rgb, mask: Mask, colour: Colour, width: int) -> None:
    """Draw a line just inside the edge of a mask, and a dark one of half its width just outside.

    Args:
        canvas: (H, W, 3) uint8, drawn into.
        mask: not empty, of the canvas's size.
        colour: of the line.
        width: of the line in pixels.
    """
    import cv2

    reach = width + 1
    padded = np.pad(mask.bitmap, reach).astype(np.uint8)
    inner = padded.astype(bool) & ~_thinner(padded, width)
    shade = cv2.dilate(padded, _disc((width + 1) // 2)).astype(bool) & ~padded.astype(bool)
    x, y = mask.origin
    window, crop = _clip(canvas.shape[:2], (y - reach, x - reach), padded.shape)
    part = canvas[window]
    part[shade[crop]] = part[shade[crop]] // 4
    part[inner[crop]] = colour


def _thinner(padded: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    import cv2

    eroded: NDArray[np.bool_] = cv2.erode(padded, _disc(width)).astype(bool)
    return eroded


def _disc(radius: int) -> NDArray[np.uint8]:
    rows, cols = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc: NDArray[np.uint8] = (rows**2 + cols**2 <= (radius + 0.5) ** 2).astype(np.uint8)
    return disc


def _clip(
    size: tuple[int, ...], corner: tuple[int, int], shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a block at `corner` lies in an array of `size`, and which part of the block that is."""
    window, crop = [], []
    for length, start, extent in zip(size, corner, shape, strict=True):
        low, high = max(0, start), min(length, start + extent)
        window.append(slice(low, high))
        crop.append(slice(low - start, high - start))
    return (window[0], window[1]), (crop[0], crop[1])
