import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Bitmap
from kiridashi.evaluate.clicks import first_click, next_click

SHAPE = (20, 30)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Bitmap:
    full = np.zeros(SHAPE, dtype=bool)
    full[y0:y1, x0:x1] = True
    return full


def depth(inside: Bitmap, x: int, y: int) -> float:
    """Distance of a pixel to the nearest one outside, by looking at all of them."""
    padded = np.pad(inside, 1)
    rows, columns = np.nonzero(~padded)
    return float(np.hypot(rows - y - 1, columns - x - 1).min())


def test_first_click_is_the_middle_of_a_square() -> None:
    assert first_click(rectangle(4, 6, 9, 11)) == (6.0, 8.0, 1)


def test_border_of_the_picture_is_a_border_of_the_object() -> None:
    """Were it not, the deepest pixel of the whole picture would be anywhere."""
    assert first_click(np.ones((7, 7), dtype=bool)) == (3.0, 3.0, 1)
    assert first_click(rectangle(0, 0, 5, 5)) == (2.0, 2.0, 1)


def test_equally_deep_pixels_give_the_topmost_then_leftmost() -> None:
    assert first_click(rectangle(3, 5, 9, 6)) == (3.0, 5.0, 1)
    assert first_click(rectangle(3, 5, 4, 11)) == (3.0, 5.0, 1)


def test_a_ring_is_clicked_on_the_ring() -> None:
    ring = rectangle(5, 3, 18, 16) & ~rectangle(9, 7, 14, 12)
    x, y, _ = first_click(ring)
    assert ring[int(y), int(x)]


@given(arrays(np.bool_, (9, 11)).filter(lambda inside: inside.any()))
def test_first_click_is_as_deep_as_any_pixel(inside: Bitmap) -> None:
    x, y, label = first_click(inside)
    deepest = max(depth(inside, column, row) for row, column in np.argwhere(inside))
    assert label == 1
    assert depth(inside, int(x), int(y)) == pytest.approx(deepest, abs=1e-4)


def test_an_empty_object_cannot_be_clicked() -> None:
    with pytest.raises(UsageError, match="empty"):
        first_click(np.zeros(SHAPE, dtype=bool))


def test_a_missing_part_gets_a_positive_click() -> None:
    truth = rectangle(2, 2, 20, 9)
    assert next_click(truth, rectangle(2, 2, 13, 9)) == (16.0, 5.0, 1)


def test_a_surplus_part_gets_a_negative_click() -> None:
    truth = rectangle(2, 2, 13, 9)
    assert next_click(truth, rectangle(2, 2, 20, 9)) == (16.0, 5.0, 0)


def test_the_more_numerous_kind_is_corrected() -> None:
    """Three surplus pieces of 9 outnumber one missing piece of 25, which is larger than each."""
    truth = rectangle(1, 1, 6, 6)
    pieces = rectangle(10, 1, 13, 4) | rectangle(16, 1, 19, 4) | rectangle(22, 1, 25, 4)
    assert next_click(truth, pieces) == (11.0, 2.0, 0)


def test_on_a_draw_the_missing_part_comes_first() -> None:
    assert next_click(rectangle(1, 1, 4, 4), rectangle(10, 1, 13, 4)) == (2.0, 2.0, 1)


def test_the_largest_component_is_clicked_even_if_another_is_deeper() -> None:
    long_, square = rectangle(0, 0, 30, 2), rectangle(4, 8, 9, 13)
    assert np.count_nonzero(long_) > np.count_nonzero(square)
    click = next_click(long_ | square, np.zeros(SHAPE, dtype=bool))
    assert click is not None
    assert long_[int(click[1]), int(click[0])]


def test_of_equal_components_the_topmost_then_leftmost() -> None:
    nothing = np.zeros(SHAPE, dtype=bool)
    assert next_click(rectangle(12, 1, 15, 4) | rectangle(1, 8, 4, 11), nothing) == (13.0, 2.0, 1)
    assert next_click(rectangle(12, 1, 15, 4) | rectangle(1, 1, 4, 4), nothing) == (2.0, 2.0, 1)


def test_components_hang_together_over_corners() -> None:
    diagonal = np.eye(*SHAPE, dtype=bool)
    click = next_click(diagonal | rectangle(25, 0, 28, 3), np.zeros(SHAPE, dtype=bool))
    assert click == (0.0, 0.0, 1)


def test_ignored_pixels_are_no_errors() -> None:
    truth, ignore = rectangle(2, 2, 10, 9), rectangle(10, 0, 30, 20)
    assert next_click(truth, rectangle(2, 2, 20, 9), ignore) is None
    both = rectangle(2, 2, 9, 9) | rectangle(12, 2, 28, 18)
    assert next_click(truth, both, ignore) == (9.0, 2.0, 1)


def test_nothing_to_correct() -> None:
    assert next_click(rectangle(2, 2, 9, 9), rectangle(2, 2, 9, 9)) is None


def test_no_pixel_is_clicked_twice() -> None:
    truth, nothing = rectangle(2, 2, 4, 4), np.zeros(SHAPE, dtype=bool)
    clicks = [first_click(truth)]
    while (click := next_click(truth, nothing, clicked=clicks)) is not None:
        clicks.append(click)
    assert sorted(clicks) == [(2.0, 2.0, 1), (2.0, 3.0, 1), (3.0, 2.0, 1), (3.0, 3.0, 1)]


@given(arrays(np.bool_, (9, 11)), arrays(np.bool_, (9, 11)), arrays(np.bool_, (9, 11)), st.booleans())
def test_a_click_is_on_an_error_of_its_kind(truth: Bitmap, mask: Bitmap, ignore: Bitmap, use: bool) -> None:
    before = truth.copy(), mask.copy(), ignore.copy()
    click = next_click(truth, mask, ignore if use else None)
    wrong = (truth != mask) & (~ignore if use else True)
    assert (click is None) == (not wrong.any())
    if click is not None:
        x, y, label = click
        assert wrong[int(y), int(x)]
        assert truth[int(y), int(x)] == bool(label)
    for array, copy in zip((truth, mask, ignore), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="one shape"):
        next_click(np.ones((4, 5), dtype=bool), np.ones((5, 4), dtype=bool))
    with pytest.raises(InputError, match="one shape"):
        next_click(np.ones((4, 5), dtype=bool), np.ones((4, 5), dtype=bool), np.ones((5, 4), dtype=bool))
    with pytest.raises(InputError, match=r"\(H, W\)"):
        first_click(np.ones((4, 5, 1), dtype=bool))
