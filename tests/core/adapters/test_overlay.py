from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.adapters.overlay import PALETTE, colours, draw_overlay, mark_absent, side_by_side
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments

MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]


def test_fill_and_outline(make_picture: MakePicture, make_disc: MakeDisc) -> None:
    picture, mask = make_picture(), make_disc()
    before = picture.pixels.copy()
    drawn = draw_overlay(picture, Segments(picture.size, (Segment(mask, 0.9, "a"),)), alpha=0.5, line=1)
    assert drawn.dtype == np.uint8
    assert np.array_equal(picture.pixels, before)
    middle = np.array(picture.size) // 2
    expected = (before[tuple(middle)] + np.array(PALETTE[0])) / 2
    assert np.abs(drawn[tuple(middle)] - expected).max() <= 1
    x0, y0, x1, y1 = mask.box
    assert tuple(drawn[y0, int(middle[1])]) == PALETTE[0]
    away = np.ones(picture.size, bool)
    away[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = False
    assert np.array_equal(drawn[away], before[away])


def test_the_best_is_drawn_on_top(make_picture: MakePicture) -> None:
    picture = make_picture((10, 10))
    whole = Mask.from_array(np.ones((10, 10)))
    drawn = draw_overlay(
        picture, Segments((10, 10), (Segment(whole, 0.9, "a"), Segment(whole, 0.5, "b"))), 1.0
    )
    assert (drawn == PALETTE[0]).all()


def test_objects_at_the_border_and_of_one_pixel(make_picture: MakePicture) -> None:
    picture = make_picture((9, 11))
    corner = np.zeros((9, 11), bool)
    corner[0, 0] = True
    drawn = draw_overlay(picture, Segments((9, 11), (Segment(Mask.from_array(corner), 1.0, "a"),)), line=3)
    assert tuple(drawn[0, 0]) == PALETTE[0]


def test_nothing_found_leaves_the_picture(make_picture: MakePicture) -> None:
    picture = make_picture()
    empty = Segments(picture.size, (Segment(Mask.empty(picture.size), 0.1, "a"),))
    assert np.array_equal(draw_overlay(picture, empty), picture.pixels)


@pytest.mark.parametrize(("size", "alpha"), [((4, 4), 0.5), ((48, 64), 1.5)])
def test_wrong_use_is_refused(make_picture: MakePicture, size: tuple[int, int], alpha: float) -> None:
    with pytest.raises(UsageError):
        draw_overlay(make_picture((48, 64)), Segments(size), alpha)


def test_colours_are_distinct_and_keep_their_order() -> None:
    assert len(set(colours(300))) == 300
    assert colours(300)[:20] == colours(20)
    assert colours(3) == list(PALETTE[:3])


def test_absent_is_grey_and_framed(make_picture: MakePicture) -> None:
    marked = mark_absent(make_picture((40, 50)))
    assert marked.shape == (40, 50, 3)
    assert (marked[0] == 90).all()
    assert (marked == marked[..., :1]).all()
    assert marked[1:-1, 1:-1].min() >= 102


def test_panels_stand_side_by_side(make_picture: MakePicture) -> None:
    left, right = make_picture((10, 20)).pixels, make_picture((16, 5), seed=1).pixels
    sheet = side_by_side([left, right], gap=4)
    assert sheet.shape == (16, 29, 3)
    assert np.array_equal(sheet[3:13, :20], left)
    assert np.array_equal(sheet[:, 24:], right)
    assert (sheet[:, 20:24] == 255).all()
    with pytest.raises(UsageError):
        side_by_side([])
