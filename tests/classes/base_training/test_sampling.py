import numpy as np
import pytest

from kiridashi.classes.base_training.sampling import BACKGROUND, draw_points, eroded
from kiridashi.core.mask import Mask


def rectangle(height: int, width: int, y: int = 5, x: int = 7) -> Mask:
    full = np.zeros((60, 80))
    full[y : y + height, x : x + width] = 1
    return Mask.from_array(full)


def test_erosion_takes_a_rim_of_a_twentieth_of_the_size() -> None:
    left = eroded(rectangle(40, 40))
    rows, columns = np.nonzero(left)
    assert left.shape == (40, 40)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 37, 2, 37)


def test_the_picture_border_is_a_rim_too() -> None:
    left = eroded(rectangle(40, 40, y=0, x=0))
    assert not left[:2].any()
    assert not left[:, :2].any()


def test_a_thin_object_keeps_its_innermost_pixel() -> None:
    full = np.zeros((60, 80))
    full[10, 5:70] = 1
    full[9:12, 30:33] = 1
    mask = Mask.from_array(full)
    left = eroded(mask)
    assert np.argwhere(left).tolist() == [[1, 26]]


@pytest.mark.parametrize("seed", range(5))
def test_points_lie_where_their_owner_says(seed: int) -> None:
    objects = [rectangle(12, 12), rectangle(20, 15, y=30, x=50)]
    unknown = rectangle(10, 70, y=18, x=5)
    points = draw_points(objects, unknown, 64, np.random.default_rng(seed))
    assert points.places.shape == (64, 2)
    assert np.bincount(points.owners + 1).tolist() == [32, 16, 16]
    places = np.floor(points.places).astype(int)
    for (x, y), owner in zip(places, points.owners, strict=True):
        inside = [bool(mask.to_array()[y, x]) for mask in objects]
        assert inside == [owner == 0, owner == 1]
        assert not unknown.to_array()[y, x]
    # Half of the background points are close to an object, or to what is not known.
    ring = places[32:48]
    covered = objects[0] | objects[1] | unknown
    rows, columns = np.nonzero(covered.to_array())
    distances = [np.hypot(rows - y, columns - x).min() for x, y in ring]
    assert max(distances) <= 4


def test_each_of_many_objects_gets_a_point() -> None:
    objects = [rectangle(4, 4, y=y, x=x) for y in range(0, 50, 6) for x in range(0, 70, 6)]
    points = draw_points(objects, Mask.empty((60, 80)), 16, np.random.default_rng(0))
    assert set(points.owners.tolist()) == {BACKGROUND, *range(len(objects))}


def test_a_picture_without_background_has_points_on_objects_only() -> None:
    whole = Mask.from_array(np.ones((60, 80)))
    points = draw_points([whole], Mask.empty((60, 80)), 16, np.random.default_rng(0))
    assert points.owners.tolist() == [0] * 8
