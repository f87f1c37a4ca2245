"""COCO run lengths, decoded with every count checked.

The codec of pycocotools trusts its input and writes past its buffer when the counts are wrong; run
lengths come from other people's files, so they are decoded here. Encoding stays with pycocotools.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError

MAX_PIXELS = 2**28


def decode_rle(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The (H, W) bool array of a COCO run-length dict.

    Args:
        rle: `size` (height, width) and `counts`: a list of run lengths in column order that starts
            with the background, or the same compressed to text.

    Raises:
        InputError: wrong structure, a damaged text, runs that do not add up to the size, or more
            than `MAX_PIXELS` pixels.
    """
    part, (x, y), size = decode_box(rle)
    full = np.zeros(size, dtype=bool)
    full[y : y + part.shape[0], x : x + part.shape[1]] = part
    return full


def decode_box(rle: Mapping[str, Any]) -> tuple[NDArray[np.bool_], tuple[int, int], tuple[int, int]]:
    """The part of the mask inside its box; time and memory are those of the runs and of the box.

    Args:
        rle: as for `decode_rle`.

    Returns:
        (h, w) bool, the (x, y) of its first pixel, and the (height, width) of the picture.

    Raises:
        InputError: see `decode_rle`.
    """
    height, width = _size(rle)
    counts = rle.get("counts")
    runs = parse_counts(counts) if isinstance(counts, str | bytes) else _plain_counts(counts)
    if (runs and min(runs) < 0) or sum(runs) != height * width:
        raise InputError(f"the run lengths of a mask do not add up to its {width} x {height} pixels")
    bounds = np.cumsum(np.array([0, *runs], dtype=np.int64))
    starts, ends = bounds[1:-1:2], bounds[2::2]
    starts, ends = starts[starts < ends], ends[starts < ends]
    if starts.size == 0:
        return np.zeros((0, 0), dtype=bool), (0, 0), (height, width)
    (column, row), (last_column, last_row) = np.divmod(starts, height), np.divmod(ends - 1, height)
    # A run that goes on in the next column fills the last row of one and the first of the other.
    whole = bool((column != last_column).any())
    top, bottom = (0, height) if whole else (int(row.min()), int(last_row.max()) + 1)
    left, right, tall = int(column[0]), int(last_column[-1]) + 1, bottom - top
    change = np.zeros((right - left) * tall + 1, dtype=np.int8)
    change[(column - left) * tall + row - top] = 1
    change[(last_column - left) * tall + last_row - top + 1] -= 1
    inside = np.cumsum(change[:-1], dtype=np.int8).astype(bool)
    return inside.reshape(right - left, tall).T, (left, top), (height, width)


def parse_counts(text: str | bytes) -> list[int]:
    """Run lengths of COCO's compressed text.

    Each number is little-endian base 32 with a continuation and a sign bit, one character a digit
    (offset 48); from the fourth number on it is the difference to the number two before.

    Raises:
        InputError: a character outside the alphabet, or the text ends inside a number.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    runs: list[int] = []
    value = shift = 0
    for byte in data:
        digit = byte - 48
        if not 0 <= digit < 64 or shift > 60:
            raise InputError("the compressed run lengths of a mask are damaged")
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise InputError("the compressed run lengths of a mask are cut short")
    return runs


def _size(rle: Mapping[str, Any]) -> tuple[int, int]:
    size = rle.get("size")
    if (
        not isinstance(size, list | tuple)
        or len(size) != 2
        or not all(type(n) is int and n > 0 for n in size)
        or size[0] * size[1] > MAX_PIXELS
    ):
        raise InputError(f"the size of a run-length mask is [height, width] in pixels, got {str(size)[:60]}")
    return size[0], size[1]


def _plain_counts(counts: Any) -> list[int]:
    if not isinstance(counts, list) or not all(type(n) is int for n in counts):
        raise InputError("the counts of a run-length mask are a list of whole numbers or a text")
    return counts
