from pathlib import Path

import cv2
import numpy as np
import pytest
from training.video.clips import KINDS, LEAST_PIXELS, ClipMaker
from training.video.motion import camera, excursion, shifted, smooth
from training.video.sprites import make_sprite, paste

from kiridashi.core.errors import UsageError

SIDE, FRAMES = 64, 3


def maker(data: Path, kind: str, split: str = "train") -> ClipMaker:
    return ClipMaker(data, None, {kind: 1.0}, split, SIDE, FRAMES)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_show_their_object_first(tiny_data: Path, kind: str, split: str) -> None:
    clips = maker(tiny_data, kind, split)
    for seed in range(6):
        clip = clips.draw(np.random.default_rng(seed))
        assert clip.pixels.shape == (FRAMES, SIDE, SIDE, 3)
        assert clip.objects.shape == (FRAMES, SIDE, SIDE)
        assert clip.pixels.dtype == clip.objects.dtype == np.uint8
        assert np.count_nonzero(clip.objects[0] == 1) >= LEAST_PIXELS


@pytest.mark.parametrize("kind", KINDS)
def test_equal_generators_draw_equal_clips(tiny_data: Path, kind: str) -> None:
    one, other = maker(tiny_data, kind), maker(tiny_data, kind)
    other.draw(np.random.default_rng(3))
    a, b = (clips.draw(np.random.default_rng(8)) for clips in (one, other))
    assert np.array_equal(a.pixels, b.pixels)
    assert np.array_equal(a.objects, b.objects)


def test_objects_move(tiny_data: Path) -> None:
    clips = maker(tiny_data, "composed")
    moved = 0
    for seed in range(8):
        objects = clips.draw(np.random.default_rng(seed)).objects
        moved += not np.array_equal(objects[0] == 1, objects[-1] == 1)
    assert moved == 8


def test_held_out_sequences_are_not_trained_on(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "davis_train").mkdir()
    (tmp_path / "davis_train" / "goat").symlink_to(tiny_data / "davis_train" / "goat")
    maker(tmp_path, "sequences", "validation").draw(np.random.default_rng(0))
    with pytest.raises(UsageError, match="no clips can be drawn"):
        maker(tmp_path, "sequences", "train")


def test_unknown_kinds_are_refused(tiny_data: Path) -> None:
    with pytest.raises(UsageError, match="unknown kinds of clips"):
        maker(tiny_data, "films")


def test_movements_start_where_they_are() -> None:
    rng = np.random.default_rng(0)
    assert smooth(5, 1.0, 1.0, rng)[0] == 0
    assert np.abs(excursion(5, 100.0, rng)[0]).max() == 0
    assert max(np.hypot(*offset) for offset in excursion(5, 100.0, rng)) > 50
    view = camera(2, 64, np.array([30.0, 20.0]), 1.0, True, rng)[0]
    assert view[:2] @ [30.0, 20.0, 1.0] == pytest.approx([32, 32])


def test_a_sprite_lies_where_its_path_says() -> None:
    rgba = np.full((9, 9, 4), 255, np.uint8)
    sprite = make_sprite(rgba, 9.0, np.array([[20.0, 10.0], [90.0, 90.0]]), 0.0, np.random.default_rng(4))
    views = np.stack([shifted(0.0)] * 2)
    pixels, objects = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8)
    paste(sprite, 5, 0, views, pixels, objects)
    x, y, width, height = cv2.boundingRect((objects == 5).astype(np.uint8))
    assert (x + width / 2, y + height / 2) == pytest.approx((20, 10), abs=1)
    assert np.count_nonzero(objects) == pytest.approx(81, abs=20)
    before = objects.copy()
    paste(sprite, 6, 1, views, pixels, objects)
    assert np.array_equal(objects, before), "outside of the window nothing changes"
