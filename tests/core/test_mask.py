import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask

Bitmap = NDArray[np.bool_]
shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
bitmaps = hnp.arrays(np.bool_, shapes)
pairs = shapes.flatmap(lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape)))


@given(bitmaps)
def test_array_round_trip(full: Bitmap) -> None:
    mask = Mask.from_array(full)
    assert mask.size == full.shape
    assert np.array_equal(mask.to_array(), full)
    assert mask.area == full.sum()
    assert mask.is_empty == (not full.any())
    assert mask.coverage == pytest.approx(full.mean())


@given(bitmaps)
def test_box_is_tight(full: Bitmap) -> None:
    x0, y0, x1, y1 = Mask.from_array(full).box
    if not full.any():
        assert (x0, y0, x1, y1) == (0, 0, 0, 0)
        return
    rows, cols = np.nonzero(full)
    assert (x0, y0, x1, y1) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)


@given(pairs)
def test_iou_and_union_equal_the_dense_ones(pair: tuple[Bitmap, Bitmap]) -> None:
    a, b = pair
    first, second = Mask.from_array(a), Mask.from_array(b)
    assert first.intersection(second) == (a & b).sum() == second.intersection(first)
    expected = (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0
    assert first.iou(second) == pytest.approx(expected)
    assert np.array_equal((first | second).to_array(), a | b)
    assert (first == second) == np.array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.bool_])
def test_any_non_zero_value_is_inside(dtype: type[np.generic]) -> None:
    full = np.array([[0, 0], [0, 7]], dtype=dtype)
    assert Mask.from_array(full).box == (1, 1, 2, 2)


def test_bitmap_does_not_share_memory_with_its_source() -> None:
    full = np.ones((3, 3), dtype=bool)
    mask = Mask.from_array(full)
    full[:] = False
    assert mask.area == 9


def test_wrong_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(H, W\)"):
        Mask.from_array(np.zeros((2, 2, 3)))


def test_masks_of_different_pictures_do_not_mix() -> None:
    a, b = Mask.from_array(np.ones((2, 3))), Mask.from_array(np.ones((3, 2)))
    with pytest.raises(InputError, match="different pictures"):
        a.iou(b)
    with pytest.raises(InputError, match="different pictures"):
        a | b


def test_a_mask_is_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(Mask.empty((2, 2)))


def test_equality_with_something_else() -> None:
    assert Mask.empty((2, 2)) != "mask"
