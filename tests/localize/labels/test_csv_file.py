import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError
from kiridashi.localize.labels import LabelSet, read_labels

WritePicture = Callable[..., Path]


@pytest.fixture
def site(tmp_path: Path, write_picture: WritePicture) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        write_picture(name)
    return tmp_path


def read(site: Path, text: str | bytes, pictures: Path | None = None) -> LabelSet:
    data = text.encode() if isinstance(text, str) else text
    (site / "labels.csv").write_bytes(data)
    return read_labels(site / "labels.csv", pictures)


def by_name(labels: LabelSet) -> dict[str, set[str]]:
    return {item.path.name: set(item.labels) for item in labels.items}


def test_rows_become_labels_and_ok_means_nothing_is_there(site: Path) -> None:
    labels = read(site, "picture,label\na.png,crack\nb.png,OK\nc.png,stain;crack\n")
    assert by_name(labels) == {"a.png": {"crack"}, "b.png": set(), "c.png": {"stain", "crack"}}
    assert labels.classes == ("crack", "stain")
    assert labels.counts == {"crack": 2, "stain": 1}
    assert (labels.normal, labels.imbalance) == (1, 2.0)
    assert labels.normal_names == ("OK",)
    assert labels.refused == ()


@pytest.mark.parametrize("head", ["File Name;Class", "image_path;LABELS", "画像;判定", "ＦＩＬＥ;ラベル"])
def test_columns_by_other_names(site: Path, head: str) -> None:
    labels = read(site, f"no;{head}\n1;a.png;crack\n2;b.png;OK\n")
    assert by_name(labels) == {"a.png": {"crack"}, "b.png": set()}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_what_spreadsheets_write(site: Path, delimiter: str, coding: str) -> None:
    rows = [("ファイル", "分類"), ("a.png", "キズ"), ("b.png", "良品"), ("c.png", '"キズ;汚れ"')]
    text = "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"
    labels = read(site, text.encode(coding))
    assert by_name(labels) == {"a.png": {"キズ"}, "b.png": set(), "c.png": {"キズ", "汚れ"}}


def test_another_coding_is_refused_with_what_to_do(site: Path) -> None:
    with pytest.raises(InputError, match="CSV UTF-8"):
        read(site, b"picture,label\na.png,\xfc\xfc\xff\xff\n")


def test_several_rows_of_a_picture_add_up_and_repeats_count_once(site: Path) -> None:
    labels = read(site, "picture,label\na.png,crack\na.png,stain\na.png,CRACK\nb.png,ok\n")
    assert by_name(labels) == {"a.png": {"crack", "stain"}, "b.png": set()}
    assert labels.repeated == 1


def test_missing_pictures_are_named_and_the_others_used(site: Path) -> None:
    labels = read(site, "picture,label\na.png,crack\ngone.png,crack\n,crack\nb.png,\n")
    assert by_name(labels) == {"a.png": {"crack"}}
    told = {one.file: one.reason for one in labels.refused}
    assert list(told) == ["line 3, gone.png", "line 4, no name", "line 5, b.png"]
    assert "there is no such picture" in told["line 3, gone.png"]
    assert "write OK" in told["line 5, b.png"]


def test_contradictory_labels_are_refused_by_name(site: Path) -> None:
    labels = read(site, "picture,label\na.png,crack\na.png,good\nb.png,crack\n")
    assert by_name(labels) == {"b.png": {"crack"}}
    (refused,) = labels.refused
    assert refused.file.endswith("a.png")
    assert "'good' and 'crack'" in refused.reason


def test_nothing_usable_is_an_error(site: Path) -> None:
    with pytest.raises(InputError, match=r"line 2, gone\.png.*and 1 more"):
        read(site, "picture,label\ngone.png,crack\nlost.png,crack\n")


def test_splits_by_any_of_their_names(site: Path) -> None:
    labels = read(site, "picture,label,split\na.png,x,training\nb.png,x,検証\nc.png,x,sometimes\n")
    assert [item.split for item in labels.items] == ["train", "val"]
    assert "'sometimes'" in labels.refused[0].reason


def test_a_picture_in_two_splits_is_refused(site: Path) -> None:
    labels = read(site, "picture,label,split\na.png,x,train\na.png,y,test\nb.png,x,train\n")
    assert by_name(labels) == {"b.png": {"x"}}
    assert "splits test and train" in labels.refused[0].reason


@pytest.mark.parametrize(
    ("head", "cells", "box"),
    [
        ("x0,y0,x1,y1", "1,0,4,3", (1, 0, 4, 3)),
        ("xmin,ymin,xmax,ymax", "1.5,0,4,3", (1.5, 0, 4, 3)),
        ("x1,y1,x2,y2", "1,0,4,3", (1, 0, 4, 3)),
        ("x,y,w,h", "1,0,3,3", (1, 0, 4, 3)),
    ],
)
def test_boxes_are_kept(site: Path, head: str, cells: str, box: tuple[float, ...]) -> None:
    labels = read(site, f"picture,label,{head}\na.png,x,{cells}\nb.png,x,,,,\n")
    assert [item.boxes for item in labels.items] == [(box,), None]


@pytest.mark.parametrize("cells", ["4,0,1,3", "1,0,nan,3", "1,0,1e9,3", "1,,4,3", "a,b,c,d"])
def test_boxes_that_are_none_are_refused(site: Path, cells: str) -> None:
    labels = read(site, f"picture,label,x0,y0,x1,y1\na.png,x,{cells}\nb.png,x,0,0,2,2\n")
    assert by_name(labels) == {"b.png": {"x"}}
    assert "box" in labels.refused[0].reason


def test_a_good_part_with_a_box_contradicts_itself(site: Path) -> None:
    labels = read(site, "picture,label,x0,y0,x1,y1\na.png,OK,0,0,2,2\nb.png,x,0,0,2,2\n")
    assert by_name(labels) == {"b.png": {"x"}}


def test_nothing_outside_of_the_folder_is_opened(
    site: Path, write_picture: WritePicture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    write_picture("a.png").rename(outside)
    (site / "link.png").symlink_to(outside)
    climbing = os.path.relpath(outside, site)
    labels = read(site, f"picture,label\n{climbing},x\nlink.png,x\n{outside},x\nb.png,x\n")
    assert by_name(labels) == {"b.png": {"x"}}
    assert ["--pictures" in one.reason for one in labels.refused] == [True] * 3
    assert by_name(read(site, "picture,label\nsecret.png,x\n", pictures=outside.parent)) == {
        "secret.png": {"x"}
    }


def test_names_of_another_computer(site: Path, write_picture: WritePicture) -> None:
    write_picture("images/deep/d.png")
    rows = ["C:\\Users\\qa\\deep\\d.png,x", "deep\\d.png,y", "b,z", "/mnt/photos/c.png,z"]
    labels = read(site, "picture,label\n" + "\n".join(rows) + "\n")
    assert by_name(labels) == {"d.png": {"x", "y"}, "b.png": {"z"}, "c.png": {"z"}}


def test_copies_are_one_picture(site: Path, write_picture: WritePicture) -> None:
    write_picture("d.png", shade=99)
    write_picture("copy of d.png", shade=99)
    labels = read(site, "picture,label\nd.png,x\ncopy of d.png,y\na.png,x\n")
    assert by_name(labels) == {"d.png": {"x", "y"}, "a.png": {"x"}}
    assert "the same picture as" in labels.refused[0].reason


def test_normal_names_of_the_user(site: Path) -> None:
    (site / "labels.csv").write_text("picture,label\na.png,Grade A\nb.png,dent\n")
    labels = read_labels(site / "labels.csv", normal=["grade-a"])
    assert (labels.classes, labels.normal, labels.normal_names) == (("dent",), 1, ("Grade A",))


@pytest.mark.parametrize("text", ["a.png,crack\n", "picture;note\na.png;crack\n", " \n\n"])
def test_a_table_without_the_columns_says_which_it_needs(site: Path, text: str) -> None:
    with pytest.raises(InputError, match="`picture` and `label`"):
        read(site, text)


def test_an_endless_cell_is_refused(site: Path) -> None:
    with pytest.raises(InputError, match="no row of a table"):
        read(site, 'picture,label\na.png,"' + "x" * 200_000 + '"\n')


def test_a_long_label_and_an_impossible_name_are_refused(site: Path) -> None:
    rows = ["a.png," + "x" * 101, "n" * 5000 + ".png,x", "b.png,x"]
    labels = read(site, "picture,label\n" + "\n".join(rows) + "\n")
    assert by_name(labels) == {"b.png": {"x"}}
    assert ["101 characters" in one.reason for one in labels.refused] == [True, False]
    assert "no such picture" in labels.refused[1].reason
