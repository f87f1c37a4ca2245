from pathlib import Path

import pytest

from kiridashi.core.errors import InputError
from kiridashi.data.places import find_picture, folders_of


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    "written", ["day/a.png", "day\\a.png", "D:\\photos\\day\\a.png", "/home/x/day/a.png", "day/a"]
)
def test_names_of_any_computer(written: str, tmp_path: Path) -> None:
    file = touch(tmp_path / "day" / "a.png")
    assert find_picture(written, (tmp_path,)) == file


def test_nothing_outside_is_found(tmp_path: Path) -> None:
    touch(tmp_path / "secret.png")
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match="lies outside of"):
        find_picture("../secret.png", (tmp_path / "set",))
    with pytest.raises(InputError, match="there is no such picture"):
        find_picture("/secret.png", (tmp_path / "set",))


def test_the_folders_of_a_label_file(tmp_path: Path) -> None:
    file = touch(tmp_path / "labels.json")
    assert folders_of(file, None) == (tmp_path,)
    (tmp_path / "images").mkdir()
    assert folders_of(file, None) == (tmp_path, tmp_path / "images")
    with pytest.raises(InputError, match="expected the folder of the pictures"):
        folders_of(file, tmp_path / "gone")
