"""A result drawn over its picture in the colours of its classes, each object with its name."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kiridashi.core.adapters.overlay import Colour, colour_of, draw_overlay, line_width, outline
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segments

DOUBTFUL: Colour = (236, 236, 236)
INK, PAPER = (16, 18, 22), (255, 255, 255)
# Above this luminance (0..255) dark letters read better.
BRIGHT = 120
# Letters are still legible when the picture is shown at a third of its size.
LEAST_LETTER, LETTERS_A_SIDE = 10, 26
MOST_CHARACTERS = 24
# A name is written on what is this much broader than it is high, and above the rest.
ROOMY = 1.2
# By file name, which the font library looks for in the system's folders: those that have Japanese too.
FONTS: tuple[str, ...] = (
    "NotoSansCJK-Regular.ttc",
    "YuGothM.ttc",
    "meiryo.ttc",
    "msgothic.ttc",
    "Hiragino Sans GB.ttc",
    "AppleGothic.ttf",
    "wqy-zenhei.ttc",
    "ipagp.ttf",
    "DejaVuSans.ttf",
)
NO_CHARACTER = "\uffff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[int, int, int, int]


def draw_named(picture: Picture, segments: Segments, numbers: Mapping[str, int]) -> Rgb:
    """The picture with every object in the colour of its class and named; doubtful ones only outlined.

    What is doubtful is pale, and named after what it resembles most with a question mark.

    Args:
        picture: the picture.
        segments: what was found in it, with what is doubtful.
        numbers: of each label, which give the colours. A name for which this machine has no letters is
            replaced by its number, as `#12`.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UsageError: the result belongs to a picture of another size.
    """
    shades = [colour_of(numbers[segment.label]) for segment in segments]
    canvas = draw_overlay(picture, segments, shades=shades)
    doubtful = [segment for segment in segments.doubtful if not segment.mask.is_empty]
    for segment in reversed(doubtful):
        outline(canvas, segment.mask, DOUBTFUL, line_width(picture.size))
    write = _writer(canvas)
    for segment, colour in zip(segments, shades, strict=True):
        write(segment.label, numbers[segment.label], "", segment.mask, colour)
    for segment in doubtful:
        write(segment.label, numbers[segment.label], "?", segment.mask, DOUBTFUL)
    return canvas


def _writer(canvas: Rgb) -> Callable[[str, int, str, Mask, Colour], None]:
    """A function that writes a name on or above a mask, where none has been written yet."""
    height, width = canvas.shape[:2]
    letter = max(LEAST_LETTER, round(max(height, width) / LETTERS_A_SIDE))
    margin = max(1, letter // 5)
    taken: list[Box] = []

    def write(label: str, number: int, mark: str, mask: Mask, colour: Colour) -> None:
        if mask.is_empty:
            return
        text, font = _legible(_short(label) + mark, f"#{number}{mark}", letter)
        left, top, right, bottom = (round(side) for side in font.getbbox(text))
        size = (right - left + 2 * margin, letter + 2 * margin)
        box = _free_place(_corner(mask, size), size, (width, height), taken)
        taken.append(box)
        tag = Image.new("RGB", size, colour)
        ink = INK if np.dot(colour, (0.299, 0.587, 0.114)) > BRIGHT else PAPER
        y = (size[1] - (bottom - top)) // 2 - top
        ImageDraw.Draw(tag).text((margin - left, y), text, fill=ink, font=font)
        x0, y0, x1, y1 = box
        canvas[y0:y1, x0:x1] = np.asarray(tag)[: y1 - y0, : x1 - x0]

    return write


def _corner(mask: Mask, size: tuple[int, int]) -> tuple[int, int]:
    """Where a tag of (width, height) `size` begins: amid the mask's broadest place, above it if narrow."""
    import cv2

    padded = np.pad(mask.bitmap, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_3)
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    radius = float(depth[row, column])
    x, y = mask.origin[0] + column - 1, mask.origin[1] + row - 1
    if radius > size[1] * ROOMY:
        return x - size[0] // 2, y - size[1] // 2
    above = round(y - radius) - size[1]
    return x - size[0] // 2, above if above >= 0 else round(y + radius)


def _free_place(
    corner: tuple[int, int], size: tuple[int, int], room: tuple[int, int], taken: list[Box]
) -> Box:
    """A box of (width, height) `size` at the corner, or below what is written there; inside of the room."""
    x = max(0, min(corner[0], room[0] - size[0]))
    lowest = max(0, room[1] - size[1])
    start = max(0, min(corner[1], lowest))
    for y in (start, *range(start, lowest + 1, max(1, size[1] // 4))):
        box = (x, y, min(x + size[0], room[0]), min(y + size[1], room[1]))
        if not any(_overlap(box, other) for other in taken):
            return box
    # So many that some lie on others.
    return x, start, min(x + size[0], room[0]), min(start + size[1], room[1])


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _short(label: str) -> str:
    return label if len(label) <= MOST_CHARACTERS else label[: MOST_CHARACTERS - 1] + "…"


def _legible(text: str, instead: str, letter: int) -> tuple[str, Font]:
    """The text and a font that has all its letters; the other text where there is none."""
    for font in _fonts(letter):
        if all(_has(font, character) for character in text if not character.isspace()):
            return text, font
    return instead, ImageFont.load_default(letter)


def _fonts(letter: int) -> Iterator[Font]:
    for name in (None, *FONTS):
        font = _font(name, letter)
        if font is not None:
            yield font


@cache
def _font(name: str | None, letter: int) -> Font | None:
    if name is None:
        return ImageFont.load_default(letter)
    try:
        return ImageFont.truetype(name, letter)
    except OSError:
        return None


@cache
def _has(font: Font, character: str) -> bool:
    """Whether a font draws something else than its sign for what it has not."""
    return bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))
