from collections.abc import Callable
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.localize.labels import gathering, read_labels

WritePicture = Callable[..., Path]


def test_a_folder_for_each_class(tmp_path: Path, write_picture: WritePicture) -> None:
    for name in ("ok/1.png", "crack/1.png", "crack/more/2.png", "キズ/1.png"):
        write_picture(name)
    (tmp_path / "empty").mkdir()
    write_picture("loose.png")
    labels = read_labels(tmp_path)
    found = {item.path.relative_to(tmp_path).as_posix(): set(item.labels) for item in labels.items}
    assert found == {
        "ok/1.png": set(),
        "crack/1.png": {"crack"},
        "crack/more/2.png": {"crack"},
        "キズ/1.png": {"キズ"},
    }
    assert labels.classes == ("crack", "キズ")
    assert [Path(one.file).name for one in labels.refused] == [tmp_path.name, "empty"]
    assert "loose.png" in labels.refused[0].reason


def test_folders_of_splits(tmp_path: Path, write_picture: WritePicture) -> None:
    for name in ("train/ok/1.png", "train/crack/1.png", "test/crack/2.png"):
        write_picture(name)
    labels = read_labels(tmp_path)
    assert [(item.split, set(item.labels)) for item in labels.items] == [
        ("test", {"crack"}),
        ("train", {"crack"}),
        ("train", set()),
    ]


def test_a_picture_in_two_folders_has_both_labels(tmp_path: Path, write_picture: WritePicture) -> None:
    write_picture("crack/1.png", shade=5)
    write_picture("stain/9.png", shade=5)
    write_picture("stain/2.png")
    labels = read_labels(tmp_path)
    assert [set(item.labels) for item in labels.items] == [{"crack", "stain"}, {"stain"}]


def test_a_picture_that_is_good_and_bad_is_refused(tmp_path: Path, write_picture: WritePicture) -> None:
    write_picture("good/1.png", shade=5)
    write_picture("crack/1.png", shade=5)
    write_picture("crack/2.png")
    labels = read_labels(tmp_path)
    assert [item.path.name for item in labels.items] == ["2.png"]
    assert any("contradict" in one.reason for one in labels.refused)


def test_a_folder_without_folders_says_what_is_expected(tmp_path: Path, write_picture: WritePicture) -> None:
    write_picture("1.png")
    with pytest.raises(InputError, match="one folder for each class"):
        read_labels(tmp_path)


def test_pictures_do_not_go_with_folders(tmp_path: Path, write_picture: WritePicture) -> None:
    write_picture("ok/1.png")
    with pytest.raises(UsageError, match="--pictures"):
        read_labels(tmp_path, pictures=tmp_path)


def test_too_many_classes_are_a_mistake(
    tmp_path: Path, write_picture: WritePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_CLASSES", 2)
    for name in ("a/1.png", "b/1.png", "c/1.png"):
        write_picture(name)
    with pytest.raises(UsageError, match="more than 2 classes"):
        read_labels(tmp_path)


def test_no_such_source(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    with pytest.raises(UsageError, match=r"did you mean .*labels\.csv"):
        read_labels(tmp_path / "lables.csv")
    (tmp_path / "labels.xlsx").touch()
    with pytest.raises(InputError, match=r"a table of labels \(\.csv\)"):
        read_labels(tmp_path / "labels.xlsx")
