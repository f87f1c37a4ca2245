import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.classes.samples import Marked, find_labelled, gather
from kiridashi.core.mask import Mask
from kiridashi.localize.review import PseudoLabel, doubt_of, doubt_of_nothing, write_review

SIZE = (20, 30)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "part.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint8).reshape(*SIZE, 3)).save(path)
    return path


def found(picture: Path, label: str | None = "crack", x: int = 2, doubt: float = 0.5) -> PseudoLabel:
    full = np.zeros(SIZE, dtype=bool)
    full[3:9, x : x + 5] = True
    mask = None if label is None else Mask.from_array(full)
    return PseudoLabel(str(picture), picture.stem, label, 0.9, 0.8, "gallery", "fits", doubt, mask)


def listed(folder: Path) -> list[dict[str, str]]:
    text = (folder / "review.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def write(folder: Path, labels: Sequence[PseudoLabel]) -> list[dict[str, str]]:
    assert write_review(folder, labels) == folder / "review.csv"
    return listed(folder)


def test_doubt_grows_with_what_speaks_against() -> None:
    assert doubt_of(1.0, 1.0, "gallery") == 0
    assert doubt_of(0.9, 0.8, "gallery") < doubt_of(0.9, 0.5, "gallery") < doubt_of(0.5, 0.5, "gallery")
    assert doubt_of(0.9, 0.9, "coarse") == doubt_of(0.9, 0.1, "coarse") > doubt_of(0.9, 0.3, "sharpened")
    assert doubt_of(0.9, -0.4, "gallery") == 1
    assert doubt_of_nothing(0.0, 0.5) == 0 < doubt_of_nothing(0.2, 0.5) < doubt_of_nothing(0.49, 0.5) < 0.5
    assert doubt_of_nothing(0.2, 0.0) == 0


def test_samples_are_read_by_classes_add(tmp_path: Path, picture: Path) -> None:
    out = tmp_path / "out"
    write(out, [found(picture), found(picture, x=15), found(picture, "傷", x=9)])
    cracks = gather(out / "pseudo" / "crack", None)
    assert cracks.unusable == ()
    assert sorted(one.mask.box for one in cracks.marked) == [(2, 3, 7, 9), (15, 3, 20, 9)]
    every = [one for one in find_labelled(out / "pseudo") if isinstance(one, Marked)]
    assert sorted(str(one.label) for one in every) == ["crack", "crack", "傷"]
    assert {one.picture.size for one in every} == {SIZE}


def test_the_list_begins_with_the_most_doubtful(tmp_path: Path, picture: Path) -> None:
    rows = write(
        tmp_path / "out",
        [found(picture, doubt=0.2), found(picture, x=9, doubt=0.9), found(picture, None, doubt=0.4)],
    )
    assert [row["doubt"] for row in rows] == ["0.900", "0.400", "0.200"]
    assert [row["class"] for row in rows] == ["crack", "", "crack"]
    assert rows[1]["sample"] == rows[1]["mask"] == ""
    for row in (rows[0], rows[2]):
        assert (tmp_path / "out" / row["sample"]).read_bytes() == picture.read_bytes()
        assert (tmp_path / "out" / row["mask"]).is_file()


def test_a_second_list_takes_the_place_of_the_first(tmp_path: Path, picture: Path) -> None:
    out = tmp_path / "out"
    write(out, [found(picture), found(picture, "stain")])
    mine = out / "pseudo" / "stain" / "images" / "mine.png"
    mine.write_bytes(picture.read_bytes())
    write(out, [found(picture)])
    assert not (out / "pseudo" / "stain" / "images" / "part.png").exists()
    assert not (out / "pseudo" / "stain" / "masks" / "part.png").exists()
    assert mine.exists()
    assert (out / "pseudo" / "crack" / "images" / "part.png").exists()


def test_a_forged_list_removes_nothing_elsewhere(tmp_path: Path, picture: Path) -> None:
    out = tmp_path / "out"
    (out / "pseudo").mkdir(parents=True)
    precious = tmp_path / "images" / "x.png"
    precious.parent.mkdir()
    precious.touch()
    forged = ["pseudo/../images/../../images/x.png", "pseudo/../images/x.png", "../images/x.png", 7]
    (out / "pseudo" / ".written.json").write_text(json.dumps(forged))
    write(out, [found(picture)])
    assert precious.exists()


@pytest.mark.parametrize("damage", ["", "[[", "7", "[" * 100_000])
def test_a_damaged_list_does_no_harm(tmp_path: Path, picture: Path, damage: str) -> None:
    out = tmp_path / "out"
    (out / "pseudo").mkdir(parents=True)
    (out / "pseudo" / ".written.json").write_text(damage)
    assert len(write(out, [found(picture)])) == 1


def test_class_names_become_folders_that_every_system_takes(tmp_path: Path, picture: Path) -> None:
    labels = ["a/b", "a:b", "masks", "..", "A:B", "x" * 300]
    rows = write(tmp_path / "out", [found(picture, label) for label in labels])
    folders = {row["class"]: Path(row["sample"]).parts[1] for row in rows}
    assert len({name.casefold() for name in folders.values()}) == len(labels)
    assert folders["masks"] == "_masks"
    assert all(name not in ("", ".", "..") and len(name) <= 90 for name in folders.values())


def test_no_cell_is_a_formula_and_lost_pictures_are_left_out(tmp_path: Path, picture: Path) -> None:
    rows = write(tmp_path / "out", [found(picture, "=HYPERLINK(1)"), found(tmp_path / "gone.png", "-x")])
    assert {row["class"] for row in rows} == {"'=HYPERLINK(1)", "'-x"}
    assert [row["sample"] for row in rows if row["picture"].endswith("gone.png")] == [""]
