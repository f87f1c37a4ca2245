"""Against a slow form of the paper's definition: pixels within d of what is outside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kiridashi.core.errors import InputError, UsageError
from kiridashi.evaluate.metrics.boundary_iou import boundary_iou, boundary_region
from kiridashi.evaluate.metrics.overlap import iou

MASKS = arrays(np.bool_, (9, 11), elements=st.booleans())


def slow_region(mask: np.ndarray, distance: int) -> np.ndarray:
    height, width = mask.shape
    region = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(mask), strict=True):
        around = [
            (b, a)
            for b in range(y - distance, y + distance + 1)
            for a in range(x - distance, x + distance + 1)
        ]
        region[y, x] = any(not (0 <= b < height and 0 <= a < width) or not mask[b, a] for b, a in around)
    return region


@given(MASKS, st.integers(1, 3))
def test_the_region_lies_along_the_outline(mask: np.ndarray, distance: int) -> None:
    assert np.array_equal(boundary_region(mask, distance), slow_region(mask, distance))


@given(MASKS, MASKS)
def test_is_the_iou_of_the_regions(found: np.ndarray, true: np.ndarray) -> None:
    # 0.1 of a diagonal of 14.2 pixels: 1 pixel.
    expected = iou(slow_region(found, 1), slow_region(true, 1))
    assert boundary_iou(found, true, share=0.1) == pytest.approx(expected)


def test_costs_more_than_iou_where_a_big_object_has_a_coarse_outline() -> None:
    true = np.zeros((200, 200), dtype=bool)
    true[20:180, 20:180] = True
    found = np.zeros_like(true)
    found[26:180, 20:180] = True
    assert iou(found, true) > 0.95
    assert 0.5 < boundary_iou(found, true) < 0.8


def test_empty_masks_and_ignored_pixels() -> None:
    nothing, something = np.zeros((6, 6)), np.ones((6, 6))
    assert boundary_iou(nothing, nothing) == 1
    assert boundary_iou(nothing, something) == boundary_iou(something, nothing) == 0
    wrong = something.copy()
    wrong[0] = 0
    assert boundary_iou(wrong, something, share=0.1) < 1
    ignore = np.zeros((6, 6))
    ignore[:2] = 1
    assert boundary_iou(wrong, something, ignore, share=0.1) == 1


def test_wrong_use() -> None:
    with pytest.raises(InputError, match="one shape"):
        boundary_iou(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(UsageError, match="positive"):
        boundary_iou(np.zeros((2, 2)), np.zeros((2, 2)), share=0)
