import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage import measure
from skimage.morphology import disk

from kiridashi.core.geometry.components import fill_holes, split_components, without_specks
from kiridashi.core.mask import Mask

bitmaps = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=10))


@given(bitmaps)
def test_components_partition_the_mask(full: NDArray[np.bool_]) -> None:
    parts = split_components(full)
    assert len(parts) == measure.label(full, connectivity=2).max()
    counted = np.zeros(full.shape, dtype=int)
    for part in parts:
        counted += part.to_array()
    assert np.array_equal(counted, full.astype(int))
    areas = [part.area for part in parts]
    assert areas == sorted(areas, reverse=True)


@given(bitmaps)
def test_small_components_are_dropped(full: NDArray[np.bool_]) -> None:
    everything = split_components(full)
    assert [part.area for part in split_components(full, min_area=3)] == [
        part.area for part in everything if part.area >= 3
    ]


def test_bitmaps_hold_their_own_component_only() -> None:
    full = np.ones((5, 5), dtype=bool)
    full[1:4, 1:4] = False
    full[2, 2] = True
    ring, dot = split_components(full)
    assert (ring.area, dot.area) == (16, 1)
    assert ring.box == (0, 0, 5, 5)
    assert dot.box == (2, 2, 3, 3)


@given(bitmaps)
def test_filling_only_adds_and_leaves_the_border_open(full: NDArray[np.bool_]) -> None:
    filled = fill_holes(full, max_area=full.size)
    assert (filled >= full).all()
    background = measure.label(~full, connectivity=1)
    for number in range(1, background.max() + 1):
        hole = background == number
        touches = hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any()
        assert filled[hole].all() == (not touches)


def test_large_holes_stay() -> None:
    full = disk(9).astype(bool)
    full[4:8, 4:8] = False
    full[12, 12] = False
    filled = fill_holes(full, max_area=4)
    assert filled[12, 12]
    assert not filled[4:8, 4:8].any()


def test_specks_and_pinholes_go_and_the_rest_stays() -> None:
    full = np.zeros((40, 60), dtype=bool)
    full[10:30, 20:40] = True
    full[15, 25] = False
    full[20:26, 28:34] = False
    full[35, 5] = True
    full[2:8, 50:56] = True
    cleaned = without_specks(Mask.from_array(full), 0.05).to_array()
    expected = full.copy()
    expected[15, 25] = True
    expected[35, 5] = False
    assert np.array_equal(cleaned, expected)


@given(bitmaps)
def test_cleaning_by_nothing_changes_nothing(full: NDArray[np.bool_]) -> None:
    assert np.array_equal(without_specks(Mask.from_array(full), 0.0).to_array(), full)


@given(bitmaps)
def test_what_is_left_is_not_small(full: NDArray[np.bool_]) -> None:
    once = without_specks(Mask.from_array(full), 0.3)
    largest = max((part.area for part in split_components(full)), default=0)
    assert all(part.area >= 0.3 * largest for part in split_components(once.to_array()))
