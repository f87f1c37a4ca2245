from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition.strip import transition_strip

Colour = Callable[..., Picture]


def test_the_strip_shows_the_pictures_in_order_with_the_real_ones_apart(colour: Colour) -> None:
    red, blue = colour(255, 0, 0, size=(20, 40)), colour(0, 0, 255, size=(40, 40))
    green = colour(0, 255, 0, size=(40, 40))
    strip = transition_strip(red, [green, green], blue, height=20)
    assert strip.size == (20, 40 + 8 + 20 + 2 + 20 + 8 + 20)
    row = strip.pixels[10].tolist()
    assert row[39] == [255, 0, 0]
    assert row[44] == [255, 255, 255]
    assert row[60] == [0, 255, 0]
    assert row[-1] == [0, 0, 255]


def test_a_strip_without_frames_is_the_pair(colour: Colour) -> None:
    strip = transition_strip(colour(1, 1, 1), [], colour(2, 2, 2), height=20)
    assert strip.size == (20, 30 + 8 + 30)
    assert np.array_equal(np.unique(strip.pixels), [1, 2, 255])


@pytest.mark.parametrize("height", [0, 5000])
def test_a_height_out_of_range_is_refused(colour: Colour, height: int) -> None:
    with pytest.raises(UsageError, match=r"16\.\.2048"):
        transition_strip(colour(1, 1, 1), [], colour(1, 1, 1), height)
