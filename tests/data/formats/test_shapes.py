import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.formats import Box, Polygons
from kiridashi.data.formats.faults import Fault
from kiridashi.data.formats.shapes import (
    as_polygons,
    as_single_outline,
    box_of,
    clipped,
    mask_of,
    read_box,
    read_points,
)

bitmaps = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(bitmaps)
def test_outlines_of_a_bitmap_fill_to_the_same_pixels(bitmap: NDArray[np.bool_]) -> None:
    mask = Mask.from_array(bitmap)
    assert mask_of(as_polygons(mask, mask.size), mask.size) == mask


@given(bitmaps)
def test_one_outline_holds_all_parts_and_holes(bitmap: NDArray[np.bool_]) -> None:
    mask = Mask.from_array(bitmap)
    single = as_single_outline(mask, mask.size)
    assert mask_of(Polygons((single,)), mask.size) == mask


def test_each_part_that_hangs_together_is_one_outline() -> None:
    bitmap = np.zeros((10, 12), bool)
    bitmap[1:4, 1:4] = bitmap[6:9, 5:11] = True
    bitmap[7, 7] = False
    assert len(as_polygons(Mask.from_array(bitmap), (10, 12)).parts) == 2


def test_parts_that_overlap_are_joined_without_cutting_each_other() -> None:
    square = np.array([[0.0, 0], [6, 0], [6, 6], [0, 6]])
    both = Polygons((square, square + 3))
    single = Polygons((as_single_outline(both, (10, 10)),))
    assert mask_of(single, (10, 10)) == mask_of(both, (10, 10))


def test_what_reaches_out_is_cut_off() -> None:
    outline = Polygons((np.array([[-4.0, 2], [5, 2], [5, 20], [-4, 20]]),))
    inside = clipped(outline, (8, 8))
    assert mask_of(inside, (8, 8)) == mask_of(outline, (8, 8))
    assert box_of(inside) == Box(0, 2, 5, 8)
    assert clipped(Box(-3, -1, 5, 4), (8, 3)) == Box(0, 0, 3, 4)


def test_a_bitmap_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="a bitmap for 3 x 2 pixels in a picture of 5 x 4"):
        mask_of(Mask.empty((2, 3)), (4, 5))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3, 4], "empty-mask"),
        ([1, 2, 3, 4, 5], "damaged"),
        ("1,2", "damaged"),
        ([1, 2, float("nan"), 4, 5, 6], "not-finite"),
        ([1, 2, 1e400, 4, 5, 6], "not-finite"),
        ([1, 2, 10**400, 4, 5, 6], "not-finite"),
        ([1, 2, 300, 4, 5, 6], "outside-picture"),
    ],
)
def test_unusable_outlines(values: object, kind: str) -> None:
    with pytest.raises(Fault) as caught:
        read_points(values, (10, 10))
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 0, 0, 5], "bad-box"),
        ([0, 0, 5], "bad-box"),
        ([0, 0, float("nan"), 5], "not-finite"),
        ([0, 0, float("inf"), 5], "not-finite"),
        ([0, 0, 10**400, 5], "not-finite"),
        ([0, 0, 500, 5], "outside-picture"),
    ],
)
def test_unusable_boxes(values: list[float], kind: str) -> None:
    with pytest.raises(Fault) as caught:
        read_box(values, (10, 10))
    assert caught.value.kind == kind
