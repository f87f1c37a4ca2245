import numpy as np

from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.demo import coins, without_coins
from kiridashi.demo.coins import TOTAL


def test_all_coins_are_marked_or_to_be_found() -> None:
    scene = coins()
    marked = split_components(scene.reference.mask.to_array())
    assert len(marked) + len(scene.truth) == TOTAL
    assert min(mask.area for mask in [*marked, *scene.truth]) > 1000


def test_no_coin_is_cut_in_two() -> None:
    scene = coins()
    for mask in scene.truth:
        assert len(split_components(mask.to_array())) == 1
        assert mask.box[1] > 0
    assert not scene.reference.mask.to_array()[-1].any()


def test_the_outlines_lie_on_the_photograph() -> None:
    scene = coins()
    brightness = scene.target.pixels.mean(axis=2)
    inside = Mask.from_array(np.logical_or.reduce([mask.to_array() for mask in scene.truth])).to_array()
    assert brightness[inside].mean() > brightness[~inside].mean() + 60


def test_the_other_photograph_has_three_channels() -> None:
    assert without_coins().pixels.shape == (400, 600, 3)
