"""J and F against hand-computed cases, and against a slow implementation that shares no code with ours."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.evaluate.vos.maps import label_map

from kiridashi.core.errors import SizeMismatchError
from kiridashi.evaluate.metrics.j_and_f import score_frame

Labels = NDArray[np.uint8]
Pixel = tuple[int, int]


def slow_j(found: set[Pixel], true: set[Pixel]) -> float:
    return len(found & true) / len(found | true) if found | true else 1.0


def slow_outline(inside: set[Pixel], height: int, width: int) -> set[Pixel]:
    """Pixel by pixel: differs from the one to the right, below, or both; the last row and column likewise."""
    outline = set()
    for y in range(height):
        for x in range(width):
            others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            seen = [(b, a) for b, a in others if b < height and a < width]
            if any(((y, x) in inside) != (other in inside) for other in seen):
                outline.add((y, x))
    return outline


def slow_f(found: set[Pixel], true: set[Pixel], height: int, width: int) -> float:
    radius = math.ceil(0.008 * math.sqrt(height**2 + width**2))
    ours, theirs = slow_outline(found, height, width), slow_outline(true, height, width)
    if not ours and not theirs:
        return 1.0
    if not ours or not theirs:
        return 0.0

    def near(pixel: Pixel, others: set[Pixel]) -> bool:
        return any((pixel[0] - y) ** 2 + (pixel[1] - x) ** 2 <= radius**2 for y, x in others)

    precision = sum(near(pixel, theirs) for pixel in ours) / len(ours)
    recall = sum(near(pixel, ours) for pixel in theirs) / len(theirs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow(found: Labels, truth: Labels, label: int) -> tuple[float, float]:
    a, b = ({(int(y), int(x)) for y, x in np.argwhere(part == label)} for part in (found, truth))
    return slow_j(a, b), slow_f(a, b, *truth.shape)


@given(st.data())
def test_agrees_with_the_slow_implementation(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(7, 9), (1, 12), (13, 4)]))
    maps = arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 7, 255]))
    found, truth = data.draw(maps), data.draw(maps)
    j, f = score_frame(found, truth, (1, 2, 7))
    for place, label in enumerate((1, 2, 7)):
        assert (j[place], f[place]) == pytest.approx(slow(found, truth, label))


def test_agrees_where_the_bound_is_several_pixels() -> None:
    """200 x 150 pixels: a radius of two; blobs that touch each other and the border."""
    rng = np.random.default_rng(3)
    rows, columns = np.ogrid[:150, :200]
    found, truth = (np.zeros((150, 200), dtype=np.uint8) for _ in range(2))
    for labels in (found, truth):
        for label, y, x in ((1, 40, 60), (2, 75, 90), (3, 140, 195)):
            dy, dx, radius = y + rng.integers(-4, 5), x + rng.integers(-4, 5), rng.integers(18, 24)
            labels[(rows - dy) ** 2 + (columns - dx) ** 2 <= radius**2] = label
    j, f = score_frame(found, truth, (1, 2, 3))
    for place in range(3):
        assert (j[place], f[place]) == pytest.approx(slow(found, truth, place + 1))


def test_by_hand() -> None:
    """Squares of 12 moved by 3 and by 20; 48 x 64 pixels: a diagonal of 80, a radius of one."""
    truth, found = label_map((1, 10, 10), (2, 40, 10)), label_map((1, 13, 10), (2, 40, 30))
    j, f = score_frame(found, truth, (1, 2))
    assert j.tolist() == pytest.approx([9 / 15, 0.0])
    # An outline is a ring of 13 x 13 pixels: 48. Of the upper and the lower edge all but the last two of 13
    # pixels are within one pixel of the other ring's; of the edge that lies inside of the other ring only
    # the two pixels next to its corners are.
    expected = 2 * 11 + 2
    assert f.tolist() == pytest.approx([expected / 48, 0.0])


def test_what_is_neither_there_nor_found_is_right() -> None:
    nothing = label_map()
    j, f = score_frame(nothing, nothing, (1,))
    assert (j.tolist(), f.tolist()) == ([1.0], [1.0])
    for found, truth in ((nothing, label_map((1, 5, 5))), (label_map((1, 5, 5)), nothing)):
        j, f = score_frame(found, truth, (1,))
        assert (j.tolist(), f.tolist()) == ([0.0], [0.0])


def test_a_swap_of_two_objects_is_wrong_for_both() -> None:
    truth, found = label_map((1, 5, 10), (2, 40, 10)), label_map((2, 5, 10), (1, 40, 10))
    j, f = score_frame(found, truth, (1, 2))
    assert (j.tolist(), f.tolist()) == ([0.0, 0.0], [0.0, 0.0])


def test_void_counts_as_background() -> None:
    truth = label_map((1, 10, 10), (255, 30, 10))
    found = label_map((1, 10, 10))
    found[10:22, 30:42] = 1
    j, _ = score_frame(found, truth, (1,))
    assert j[0] == pytest.approx(0.5)


def test_sizes_must_agree() -> None:
    with pytest.raises(SizeMismatchError, match="the answer"):
        score_frame(label_map(), np.zeros((5, 5), dtype=np.uint8), (1,))
