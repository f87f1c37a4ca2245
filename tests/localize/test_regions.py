from dataclasses import replace

import numpy as np
import pytest

from kiridashi.localize.regions import MOST_REGIONS, resize_map, scale, split_regions
from kiridashi.localize.settings import LocaliseSettings

SIZE = (60, 80)
SETTINGS = LocaliseSettings(side=12, threshold=0.5)


def two_spots() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    values = np.full((12, 12), 0.1, np.float32)
    values[1:4, 1:4], values[7:11, 6:11] = 0.8, 0.9
    return values


def test_scaling_spans_the_whole_range_or_leaves_it() -> None:
    values = np.array([[0.2, 0.3], [0.4, 0.6]], np.float32)
    np.testing.assert_array_equal(scale(values, "none"), values)
    np.testing.assert_allclose(scale(values, "max"), values / 0.6, rtol=1e-6)
    np.testing.assert_allclose(scale(values, "min-max"), [[0, 0.25], [0.5, 1]], rtol=1e-6)


def test_a_flat_map_is_not_blown_up() -> None:
    flat = np.full((4, 4), 0.7, np.float32)
    flat[0, 0] += 1e-5
    assert not scale(flat, "min-max").any()
    assert scale(flat, "max").min() > 0.99
    assert not scale(np.zeros((4, 4), np.float32), "max").any()


def test_regions_are_matched_one_by_one_heaviest_first() -> None:
    first, second = split_regions(two_spots(), SIZE, SETTINGS)
    assert first.mask.size == SIZE
    assert first.weight > second.weight
    assert first.weight + second.weight == pytest.approx(1)
    # The lower right spot lies on rows 35 to 55 and columns 40 to 73 of the picture.
    assert np.abs(np.subtract(first.mask.box, (40, 35, 73, 55))).max() <= 3
    assert first.mask.intersection(second.mask) == 0
    # Each sees the other's place as empty, and its own as it was.
    assert first.target[2, 2] < 0.05
    assert first.target[8, 8] == pytest.approx(0.9)
    assert second.target[8, 8] < 0.05
    assert second.target[2, 2] == pytest.approx(0.8)


def test_all_at_once_keeps_everything_in_the_target_and_the_largest_part_as_mask() -> None:
    (region,) = split_regions(two_spots(), SIZE, replace(SETTINGS, by_component=False))
    np.testing.assert_allclose(region.target, two_spots())
    assert region.mask == split_regions(two_spots(), SIZE, SETTINGS)[0].mask
    assert region.weight == 1


def test_specks_are_no_regions() -> None:
    values = two_spots()
    values[0, 11] = 0.95
    assert len(split_regions(values, SIZE, SETTINGS)) == 2


def test_a_map_below_the_threshold_has_no_region() -> None:
    assert split_regions(np.full((12, 12), 0.5, np.float32), SIZE, SETTINGS) == []


def test_the_number_of_regions_is_bounded() -> None:
    board = np.zeros((24, 24), np.float32)
    board[::3, ::3] = 1
    assert len(split_regions(board, (240, 240), SETTINGS)) == MOST_REGIONS


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (5, 4), (12, 12)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    for region in split_regions(two_spots(), size, SETTINGS):
        assert region.mask.size == size
        assert not region.mask.is_empty
        assert region.target.shape == (12, 12)
        assert 0 <= region.target.min() <= region.target.max() <= 1


def test_resizing_stays_in_range() -> None:
    values = np.random.default_rng(0).random((12, 12)).astype(np.float32)
    for size in ((60, 80), (5, 7), (5, 80)):
        resized = resize_map(values, size)
        assert resized.shape == size
        assert values.min() <= resized.min() <= resized.max() <= values.max()
