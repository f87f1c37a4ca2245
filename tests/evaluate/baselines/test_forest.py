import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.evaluate.baselines import RandomForestPixels
from kiridashi.testing.scenes import plain, scene


def test_finds_the_disc() -> None:
    target = scene(1)
    found = RandomForestPixels().fit([scene(0)]).predict(target.picture)
    assert found.union().iou(target.mask) > 0.8


def test_references_of_unequal_size_are_pooled() -> None:
    target = scene(3)
    found = RandomForestPixels().fit([scene(0, (64, 96)), scene(1, (50, 70))]).predict(target.picture)
    assert found.union().iou(target.mask) > 0.8


def test_seed_decides() -> None:
    target = scene(1).picture
    first, second = (RandomForestPixels(seed=1).fit([scene(0)]).predict(target).union() for _ in range(2))
    assert first == second


def test_full_mask_makes_everything_the_object() -> None:
    picture = plain(90, (30, 40))
    whole = Reference(picture, Mask.from_array(np.ones((30, 40), dtype=bool)))
    assert RandomForestPixels().fit([whole]).predict(picture).union().coverage == 1.0


def test_nothing_found_is_an_empty_result() -> None:
    ground = Picture(np.full((40, 60, 3), (70, 110, 80), dtype=np.uint8))
    assert len(RandomForestPixels().fit([scene(0)]).predict(ground)) == 0


def test_order_of_calls() -> None:
    with pytest.raises(UsageError, match="before fit"):
        RandomForestPixels().predict(plain())
    with pytest.raises(UsageError, match="at least one"):
        RandomForestPixels().fit([])


def test_bare_pictures_teach_what_is_no_object() -> None:
    """Without them everything that is not the background's colour may be the object."""
    other = Picture(np.full((40, 60, 3), (200, 180, 40), dtype=np.uint8))
    plainly = RandomForestPixels().fit([scene(0)])
    taught = RandomForestPixels().fit([scene(0)], [Negative(other)])
    assert taught.predict(other).union().coverage < 0.01 <= plainly.predict(other).union().coverage
