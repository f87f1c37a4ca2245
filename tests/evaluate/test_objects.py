from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError, SizeMismatchError, UsageError
from kiridashi.evaluate.objects import clip_scenes, objects_of, picture_scenes

Save = Callable[[Path, ArrayLike], None]


def map_of_classes() -> NDArray[np.int32]:
    """20 x 50, so that 0.5 % are 5 pixels."""
    labels = np.zeros((20, 50), dtype=np.int32)
    labels[2:8, 2:10] = 3
    labels[2:4, 20:25] = 3
    labels[10:14, 2:9] = 1
    labels[10:14, 9:11] = 255
    labels[15, 30:35] = 7  # five pixels
    labels[18, 40:44] = 7  # four
    return labels


def test_objects_are_the_components_of_each_class() -> None:
    found = objects_of(map_of_classes())
    assert [part.box for part in found] == [(2, 10, 9, 14), (2, 2, 10, 8), (20, 2, 25, 4), (30, 15, 35, 16)]
    assert [part.area for part in found] == [28, 48, 10, 5]


def test_touching_classes_are_two_objects_and_touching_corners_one() -> None:
    labels = np.zeros((10, 10), dtype=np.int32)
    labels[0:3, 0:3] = 1
    labels[0:3, 3:6] = 2
    labels[3:5, 6:8] = 2
    assert [part.area for part in objects_of(labels)] == [9, 13]


def test_the_least_share_decides() -> None:
    labels = map_of_classes()
    assert len(objects_of(labels, 0.0)) == 5
    assert len(objects_of(labels, 0.0051)) == 3
    assert objects_of(np.full((10, 10), 255, dtype=np.int32)) == ()
    with pytest.raises(UsageError, match="share"):
        objects_of(labels, 1.5)


def test_scenes_of_a_set_of_pictures(tmp_path: Path, save: Save) -> None:
    for name in ("b", "a"):
        save(tmp_path / "images" / f"{name}.png", np.zeros((20, 50, 3)))
        save(tmp_path / "masks" / f"{name}.png", map_of_classes())
    save(tmp_path / "images" / "alone.png", np.zeros((20, 50, 3)))
    sources = picture_scenes(tmp_path)
    assert [(source.name, source.group) for source in sources] == [("a", "a"), ("b", "b")]
    scene = sources[0].read()
    assert len(scene.objects) == 4
    assert np.count_nonzero(scene.ignore) == 8
    assert all(part.size == scene.picture.size for part in scene.objects)


def test_pictures_and_maps_must_fit(tmp_path: Path, save: Save) -> None:
    with pytest.raises(InputError, match="no pictures"):
        picture_scenes(tmp_path)
    save(tmp_path / "images" / "a.png", np.zeros((20, 50, 3)))
    save(tmp_path / "masks" / "a.png", np.zeros((50, 20)))
    with pytest.raises(SizeMismatchError):
        picture_scenes(tmp_path)[0].read()


@pytest.mark.parametrize(
    ("per_clip", "expected"), [(1, [0]), (3, [0, 4, 8]), (9, list(range(9))), (20, list(range(9)))]
)
def test_scenes_of_clips_are_spread_evenly(
    tmp_path: Path, save: Save, per_clip: int, expected: list[int]
) -> None:
    for index in range(9):
        save(tmp_path / "walk" / "frames" / f"{index:05d}.png", np.full((6, 8, 3), index))
        mask = np.zeros((6, 8))
        mask[1:3, 1:3] = mask[4, 6] = index != 4
        save(tmp_path / "walk" / "masks" / f"{index:05d}.png", mask)
    sources = clip_scenes(tmp_path, per_clip)
    assert [source.name for source in sources] == [f"walk/{index:05d}" for index in expected]
    assert {source.group for source in sources} == {"walk"}
    for index, source in zip(expected, sources, strict=True):
        scene = source.read()
        assert (scene.picture.pixels == index).all()
        assert [part.area for part in scene.objects] == ([] if index == 4 else [5])


def test_at_least_one_frame_a_clip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        clip_scenes(tmp_path, 0)
