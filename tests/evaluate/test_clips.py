from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.evaluate.clips import find_clips

Save = Callable[[Path, ArrayLike], None]


def add_clip(folder: Path, save: Save, frames: int) -> None:
    for index in range(frames):
        save(folder / "frames" / f"{index:05d}.png", np.full((6, 8, 3), index))
        mask = np.zeros((6, 8))
        mask[index, index] = 1
        save(folder / "masks" / f"{index:05d}.png", mask)


def test_clips_come_by_name_with_frames_in_order(tmp_path: Path, save: Save) -> None:
    add_clip(tmp_path / "walk", save, 3)
    add_clip(tmp_path / "jump", save, 2)
    jump, walk = find_clips(tmp_path)
    assert (jump.name, len(jump), walk.name, len(walk)) == ("jump", 2, "walk", 3)
    for index, (picture, mask) in enumerate(walk):
        assert (picture.pixels == index).all()
        assert (mask.origin, mask.area) == ((index, index), 1)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        find_clips(tmp_path)


def test_a_frame_without_a_mask_is_refused(tmp_path: Path, save: Save) -> None:
    add_clip(tmp_path / "walk", save, 3)
    (tmp_path / "walk" / "masks" / "00001.png").unlink()
    with pytest.raises(InputError, match=r"00001\.png"):
        find_clips(tmp_path)


def test_a_mask_of_another_size_is_refused(tmp_path: Path, save: Save) -> None:
    add_clip(tmp_path / "walk", save, 2)
    save(tmp_path / "walk" / "masks" / "00001.png", np.ones((8, 6)))
    with pytest.raises(SizeMismatchError):
        find_clips(tmp_path)[0].read(1)
