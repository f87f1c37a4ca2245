import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Bitmap
from kiridashi.evaluate.metrics.boundary import boundary_f, outline

SHAPE = (60, 80)  # diagonal 100: a bound of 0.02 is two pixels


def square(x0: int, y0: int, side: int = 20) -> Bitmap:
    full = np.zeros(SHAPE, dtype=bool)
    full[y0 : y0 + side, x0 : x0 + side] = True
    return full


def by_definition(found: Bitmap, true: Bitmap, bound: float) -> float:
    """F from the distances of all pairs of outline pixels."""
    ours, theirs = np.argwhere(outline(found)), np.argwhere(outline(true))
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    apart = np.sqrt(((ours[:, None] - theirs[None]) ** 2).sum(axis=-1))
    radius = math.ceil(bound * math.hypot(*found.shape))
    precision, recall = (apart.min(axis=1) <= radius).mean(), (apart.min(axis=0) <= radius).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def test_outline_by_hand() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[2:4, 2:4] = True
    expected = [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 0, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(outline(mask), np.array(expected, dtype=bool))


def test_border_of_the_picture_is_no_outline() -> None:
    mask = np.zeros((4, 6), dtype=bool)
    mask[:, 3:] = True
    assert outline(mask).sum(axis=0).tolist() == [0, 0, 4, 0, 0, 0]
    assert not outline(np.ones((4, 6), dtype=bool)).any()


def test_equal_masks_agree() -> None:
    assert boundary_f(square(10, 10), square(10, 10)) == 1.0


@pytest.mark.parametrize(("shift", "expected"), [(1, 1.0), (2, 1.0)])
def test_a_shift_within_the_bound_is_forgiven(shift: int, expected: float) -> None:
    assert boundary_f(square(10 + shift, 10), square(10, 10), bound=0.02) == expected


def test_a_shift_beyond_the_bound_is_not() -> None:
    assert boundary_f(square(14, 14), square(10, 10), bound=0.02) < 0.5
    assert boundary_f(square(50, 30), square(10, 10), bound=0.02) == 0.0


def test_bound_is_a_share_of_the_diagonal_rounded_up() -> None:
    still, moved = square(10, 10), square(13, 10)
    assert boundary_f(moved, still, bound=0.0201) == 1.0
    assert boundary_f(moved, still, bound=0.02) < 1.0


def test_surplus_lowers_precision_only() -> None:
    """Two equal squares where one is true: precision a half, recall one."""
    assert boundary_f(square(5, 5) | square(50, 5), square(5, 5)) == pytest.approx(2 / 3)
    assert boundary_f(square(5, 5), square(5, 5) | square(50, 5)) == pytest.approx(2 / 3)


def test_masks_without_an_outline() -> None:
    nothing, everything = np.zeros(SHAPE, dtype=bool), np.ones(SHAPE, dtype=bool)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, square(5, 5)) == 0.0
    assert boundary_f(square(5, 5), nothing) == 0.0
    # Neither has an outline: the public evaluator calls that agreement, and leaves the rest to J.
    assert boundary_f(nothing, everything) == 1.0


@given(arrays(np.bool_, (9, 12)), arrays(np.bool_, (9, 12)))
def test_agrees_with_the_definition(found: Bitmap, true: Bitmap) -> None:
    for bound in (0.008, 0.1):
        assert boundary_f(found, true, bound) == pytest.approx(by_definition(found, true, bound))


def test_any_non_zero_value_is_inside() -> None:
    assert boundary_f(square(5, 5).astype(np.uint8) * 255, square(5, 5)) == 1.0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        boundary_f(np.ones((4, 5)), np.ones((5, 4)))
    with pytest.raises(UsageError, match="bound"):
        boundary_f(np.ones((4, 5)), np.ones((4, 5)), bound=0.0)
