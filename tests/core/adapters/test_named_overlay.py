from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kiridashi.core.adapters import named_overlay
from kiridashi.core.adapters.named_overlay import DOUBTFUL, draw_named
from kiridashi.core.adapters.overlay import colour_of
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments

MakePicture = Callable[..., Picture]
SIZE = (120, 160)
NUMBERS = {"bolt": 2, "ナット": 3}


def square(x: int, y: int, side: int) -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[y : y + side, x : x + side] = True
    return Mask.from_array(full)


def result(*labels: str, side: int = 40) -> Segments:
    items = tuple(Segment(square(4 + 52 * i, 60, side), 0.9 - i / 10, name) for i, name in enumerate(labels))
    return Segments(SIZE, items)


def test_objects_have_the_colour_of_their_class(make_picture: MakePicture) -> None:
    drawn = draw_named(make_picture(SIZE), result("bolt", "ナット", "bolt"), NUMBERS)
    assert drawn.dtype == np.uint8
    corners = [tuple(drawn[60, 4 + 52 * i]) for i in range(3)]
    assert corners == [colour_of(2), colour_of(3), colour_of(2)]


def test_colours_stay_with_their_numbers() -> None:
    shades = [colour_of(number) for number in range(1, 60)]
    assert len(set(shades)) == len(shades)
    assert colour_of(5) == shades[4]


def test_doubtful_ones_are_only_outlined(make_picture: MakePicture) -> None:
    picture = make_picture(SIZE)
    mask = square(100, 8, 50)
    drawn = draw_named(picture, replace(Segments(SIZE), doubtful=(Segment(mask, 0.4, "bolt"),)), NUMBERS)
    assert tuple(drawn[8, 100]) == DOUBTFUL
    assert np.array_equal(drawn[12, 104:146], picture.pixels[12, 104:146])


def test_a_small_object_is_named_beside_it(make_picture: MakePicture) -> None:
    picture = make_picture(SIZE)
    mask = square(80, 60, 8)
    drawn = draw_named(picture, Segments(SIZE, (Segment(mask, 0.9, "bolt"),)), NUMBERS)
    changed = (drawn != picture.pixels).any(axis=2)
    # Its outline and fill are in view, and the name is above.
    assert tuple(drawn[60, 80]) == colour_of(2)
    assert changed[46:58, 78:90].mean() > 0.9
    assert not changed[70:].any()


def test_names_do_not_lie_on_one_another(make_picture: MakePicture) -> None:
    mask = square(60, 10, 60)
    items = (Segment(mask, 0.9, "bolt"), Segment(mask, 0.8, "ナット"))
    drawn = draw_named(make_picture(SIZE), Segments(SIZE, items), NUMBERS)
    inside = drawn[14:66, 64:116]
    # Only a name has the pure colour there: the fill is mixed with the picture.
    first, second = (np.flatnonzero((inside == colour_of(n)).all(axis=2).any(axis=1)) for n in (2, 3))
    assert first.max() < second.min()


@pytest.mark.parametrize("label", ["ナット", "x" * 300])
def test_a_name_for_which_there_are_no_letters_is_a_number(
    make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    monkeypatch.setattr(named_overlay, "FONTS", ())
    text, _ = named_overlay._legible(named_overlay._short(label), "#3", 12)
    assert text == "#3" if label == "ナット" else len(text) == named_overlay.MOST_CHARACTERS
    drawn = draw_named(make_picture(SIZE), result(label), {label: 3})
    assert drawn.shape == (*SIZE, 3)


def test_a_picture_smaller_than_a_name_and_an_empty_mask(make_picture: MakePicture) -> None:
    picture = make_picture((7, 9))
    whole = Mask.from_array(np.ones((7, 9)))
    items = (Segment(whole, 0.9, "bolt"), Segment(Mask.empty((7, 9)), 0.1, "bolt"))
    drawn = draw_named(picture, Segments((7, 9), items, doubtful=items), NUMBERS)
    assert drawn.shape == (7, 9, 3)


def test_a_result_of_another_picture_is_refused(make_picture: MakePicture) -> None:
    with pytest.raises(UsageError):
        draw_named(make_picture((10, 10)), result("bolt"), NUMBERS)
