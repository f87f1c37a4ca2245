from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import polygon2mask

from kiridashi.core.errors import InputError
from kiridashi.data.annotations.outlines import fill, outline

FILE = Path("part.json")
SIZE = (40, 60)


def test_a_box_outline_fills_its_whole_pixels() -> None:
    expected = np.zeros(SIZE, bool)
    expected[5:12, 10:30] = True
    box = outline([10, 5, 30, 5, 30, 12, 10, 12], SIZE, FILE)
    assert np.array_equal(fill([box], SIZE, FILE).to_array(), expected)


@given(st.integers(0, 2**16))
def test_areas_agree_with_another_rasteriser(seed: int) -> None:
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, 12))
    points = np.stack([30 + 18 * np.cos(angles), 20 + 15 * np.sin(angles)], axis=1)
    ours = fill([points], SIZE, FILE).to_array()
    theirs = polygon2mask(SIZE, points[:, ::-1] - 0.5)
    perimeter = np.hypot(*np.diff(points, axis=0, append=points[:1]).T).sum()
    assert (ours != theirs).sum() <= perimeter / 2


@given(st.floats(-20, 80), st.floats(-20, 60), st.floats(12, 25))
def test_what_lies_outside_is_cut_off(x: float, y: float, radius: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    inside = fill([outline(points.tolist(), SIZE, FILE)], SIZE, FILE).to_array()
    wide = fill([points + 60], (200, 200), FILE).to_array()
    # The codec rounds corners to a fifth of a pixel, differently left of zero: edges may move a little.
    grown, shrunk = ndimage.binary_dilation(wide), ndimage.binary_erosion(wide)
    assert not (inside & ~grown[60:100, 60:120]).any()
    assert not (shrunk[60:100, 60:120] & ~inside).any()


def test_several_outlines_are_united() -> None:
    left, right = [[0, 0], [5, 0], [5, 5], [0, 5]], [[3, 3], [9, 3], [9, 9], [3, 9]]
    parts = [outline(points, SIZE, FILE) for points in (left, right)]
    assert fill(parts, SIZE, FILE).area == 25 + 36 - 4


def test_outlines_without_area() -> None:
    assert fill([outline([[1, 1], [9, 9]], SIZE, FILE)], SIZE, FILE).is_empty
    assert fill([outline([], SIZE, FILE)], SIZE, FILE).is_empty


@pytest.mark.parametrize(
    "values",
    [
        None,
        "0 0 1 1",
        {"x": 1},
        [1, 2, 3],
        [[1, 2, 3], [4, 5, 6]],
        [[1, 2], 3, 4],
        ["1", "2", "3", "4", "5", "6"],
        [True, False, True, False, True, False],
        [0, 0, 1e9, 0, 0, 5],
        [0, 0, float("inf"), 0, 0, 5],
        [0, 0, float("nan"), 0, 0, 5],
        [0, 0, 10**400, 0, 0, 5],
        [[0, 0], [-101, 0], [0, 5]],
    ],
)
def test_what_is_no_outline_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match=r"part\.json"):
        outline(values, SIZE, FILE)


def test_an_absurdly_long_outline_is_refused() -> None:
    zigzag = [[0.0, 0.0], [30_000.0, 1.0]] * 100
    size = (10, 30_000)
    with pytest.raises(InputError, match="longer"):
        fill([outline(zigzag, size, FILE)], size, FILE)
