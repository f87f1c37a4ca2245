from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from tests.evaluate.vos.maps import label_map

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.evaluate.vos.sets import objects_in, open_set, read_frame

Save = Callable[[Path, ArrayLike], None]
SaveClip = Callable[[Path, Sequence[NDArray[np.uint8]]], Path]
MAPS = [label_map((1, 4, 4)), label_map((1, 8, 4)), label_map((1, 12, 4))]


def published(root: Path, save: Save, names: Sequence[str]) -> None:
    for name in names:
        for index, labels in enumerate(MAPS):
            save(root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg", np.zeros((*labels.shape, 3)))
            save(root / "Annotations" / "480p" / name / f"{index:05d}.png", labels)


def test_a_folder_of_clips_and_a_single_clip(tmp_path: Path, save_clip: SaveClip) -> None:
    clip = save_clip(tmp_path / "set" / "walk", MAPS)
    assert [one.name for one in open_set(tmp_path / "set").clips] == ["walk"]
    single = open_set(clip)
    assert (single.name, [one.name for one in single.clips]) == ("walk", ["walk"])


def test_davis_2017_takes_its_list(tmp_path: Path, save: Save) -> None:
    published(tmp_path, save, ["dogs", "cats", "birds"])
    assert [one.name for one in open_set(tmp_path).clips] == ["birds", "cats", "dogs"]
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("dogs\nbirds\n")
    (lists / "train.txt").write_text("cats\n")
    assert [one.name for one in open_set(tmp_path).clips] == ["dogs", "birds"]
    assert [one.name for one in open_set(tmp_path, "train").clips] == ["cats"]
    with pytest.raises(InputError, match="no list of the split 'test'"):
        open_set(tmp_path, "test")


def test_davis_2016_lists_every_frame(tmp_path: Path, save: Save) -> None:
    published(tmp_path, save, ["dogs", "cats"])
    lists = tmp_path / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    line = "/JPEGImages/480p/dogs/{0:05d}.jpg /Annotations/480p/dogs/{0:05d}.png\n"
    (lists / "val.txt").write_text("".join(line.format(index) for index in range(3)))
    (clip,) = open_set(tmp_path).clips
    assert (clip.name, len(clip)) == ("dogs", 3)


@pytest.mark.parametrize("name", ["..", "C:\\else"])
def test_a_list_cannot_leave_the_folder(tmp_path: Path, save: Save, name: str) -> None:
    published(tmp_path, save, ["dogs"])
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text(f"{name}\n")
    with pytest.raises(InputError):
        open_set(tmp_path)


def test_a_split_belongs_to_davis(tmp_path: Path, save_clip: SaveClip) -> None:
    save_clip(tmp_path / "walk", MAPS)
    with pytest.raises(InputError, match="no split"):
        open_set(tmp_path, "val")


def test_frames_without_masks_are_named(tmp_path: Path, save: Save) -> None:
    published(tmp_path, save, ["dogs"])
    (tmp_path / "Annotations" / "480p" / "dogs" / "00001.png").unlink()
    with pytest.raises(InputError, match=r"00001\.jpg"):
        open_set(tmp_path)


def test_objects_of_a_first_frame() -> None:
    assert objects_in(label_map((3, 5, 5), (1, 30, 5), (255, 45, 30))) == (1, 3)
    # Saved as black and white, 255 is the object.
    assert objects_in(label_map((255, 5, 5))) == (255,)
    assert objects_in(label_map()) == ()


def test_palettes_give_their_indices(tmp_path: Path, save_clip: SaveClip) -> None:
    folder = save_clip(tmp_path / "walk", MAPS)
    image = Image.fromarray(label_map((2, 5, 5)), mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(folder / "masks" / "00000.png")
    _, labels = read_frame(open_set(folder).clips[0], 0)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, label_map((2, 5, 5)))


def test_masks_that_cannot_be_used_are_refused(tmp_path: Path, save_clip: SaveClip) -> None:
    folder = save_clip(tmp_path / "walk", MAPS)
    Image.fromarray(np.full((48, 64), 300, dtype=np.uint16)).save(folder / "masks" / "00000.png")
    Image.fromarray(np.zeros((5, 5), dtype=np.uint8)).save(folder / "masks" / "00001.png")
    clip = open_set(folder).clips[0]
    with pytest.raises(InputError, match="up to 255, found 300"):
        read_frame(clip, 0)
    with pytest.raises(SizeMismatchError):
        read_frame(clip, 1)


def test_the_fingerprint_follows_the_files(tmp_path: Path, save_clip: SaveClip) -> None:
    folder = save_clip(tmp_path / "walk", MAPS)
    found = open_set(folder)
    before = found.fingerprint(found.clips[0])
    assert open_set(folder).fingerprint(found.clips[0]) == before
    Image.fromarray(label_map((1, 30, 30))).save(folder / "masks" / "00002.png")
    assert found.fingerprint(found.clips[0]) != before
