import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.episodes import Example
from kiridashi.poc.trial.views import STILL, view_name, view_parts, views
from kiridashi.transforms import CARDS


@pytest.fixture
def example() -> Example:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (60, 80, 3)).astype(np.uint8)
    mask = np.zeros((60, 80), dtype=bool)
    mask[20:40, 30:55] = True
    pixels[mask] += np.uint8(150)
    ignore = np.zeros_like(mask)
    ignore[:5] = True
    return Example(Picture(pixels, "one"), Mask.from_array(mask), Mask.from_array(ignore))


@pytest.mark.parametrize("name", STILL)
def test_every_transformation_changes_a_still_picture(name: str, example: Example) -> None:
    seen = views([name], [5], seed=1)[view_name(name, 5)](example)
    assert seen.picture.size == example.picture.size
    assert (seen.picture.pixels != example.picture.pixels).any()
    assert seen.picture.name == "one"
    # The object stays the bright thing: the mask has moved with it.
    inside, outside = seen.mask.to_array(), ~seen.mask.to_array()
    bright = seen.picture.pixels.mean(axis=2)
    assert bright[inside].mean() > bright[outside].mean()
    assert not seen.mask.intersection(seen.ignore)


def test_equal_seeds_give_equal_pictures_whatever_came_before(example: Example) -> None:
    first = views(["lighting-gamma", "viewpoint"], [3], seed=1)
    again = views(["viewpoint"], [3], seed=1)
    other = views(["viewpoint"], [3], seed=2)
    first["lighting-gamma:3"](example)
    one, two = first["viewpoint:3"](example), again["viewpoint:3"](example)
    assert np.array_equal(one.picture.pixels, two.picture.pixels)
    assert not np.array_equal(one.picture.pixels, other["viewpoint:3"](example).picture.pixels)


def test_farther_away_objects_are_smaller(example: Example) -> None:
    seen = views(["scale"], [5], seed=0)["scale:5"](example)
    middle = seen.mask.to_array()[15:45, 20:60]
    assert middle.sum() == pytest.approx(example.mask.area / 4, rel=0.15)


def test_what_is_no_matter_of_a_single_picture_is_refused() -> None:
    assert set(STILL) - {"scale"} <= set(CARDS)
    with pytest.raises(UsageError, match="no transformation named cut; known: lighting"):
        views(["cut"], [1], seed=0)
    assert view_parts(view_name("sensor-blur", 3)) == ("sensor-blur", 3)
