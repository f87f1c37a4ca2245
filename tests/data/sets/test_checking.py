import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.formats.made import in_memory, small_set, write_png

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.data.formats import (
    AnnotatedPicture,
    Annotation,
    Box,
    Polygons,
    Problem,
    read_set,
    write_set,
)
from kiridashi.data.sets import KINDS, check_set, repair_set

SIZE = (20, 24)
SQUARE = [2, 3, 8, 3, 8, 9, 2, 9]


def coco_file(
    folder: Path, marks: list[dict[str, Any]], sizes: dict[str, tuple[int, int]] | None = None
) -> Path:
    sizes = sizes or {"a.png": SIZE}
    images = [
        {"id": place, "file_name": name, "height": size[0], "width": size[1]}
        for place, (name, size) in enumerate(sizes.items(), start=1)
    ]
    base = {"image_id": 1, "category_id": 1, "bbox": [2, 3, 6, 6], "segmentation": [SQUARE]}
    annotations = [{"id": place, **base, **mark} for place, mark in enumerate(marks, start=1)]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}
    file = folder / "c.json"
    file.write_text(json.dumps(document))
    return file


def found(path: Path) -> list[tuple[str, str | None, str | None]]:
    return [(one.kind, one.picture, one.annotation) for one in check_set(read_set(path)).problems]


def test_a_sound_set_has_no_problem(tmp_path: Path) -> None:
    write_set(small_set(tmp_path / "in"), tmp_path / "out", "coco")
    checked = check_set(read_set(tmp_path / "out"))
    assert checked.problems == ()
    assert (checked.pictures, checked.annotations, checked.empty) == (2, 2, 1)


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ({"segmentation": [[2.0, 3.0, 2.1, 3.0, 2.1, 3.1]]}, "empty-mask"),
        ({"segmentation": [[2, 3, 40, 3, 40, 9, 2, 9]], "bbox": [2, 3, 38, 6]}, "outside-picture"),
        ({"bbox": [8, 3, 6, 6]}, "box-mismatch"),
        ({"bbox": [float("nan"), 3, 6, 6]}, "stated-box"),
        ({"bbox": [2, 3, 0, 6], "segmentation": []}, "bad-box"),
        ({"category_id": 4}, "unknown-class"),
    ],
)
def test_what_is_wrong_with_an_annotation(mark: dict[str, Any], kind: str, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", SIZE)
    assert found(
        coco_file(tmp_path, [{"segmentation": [[12, 3, 16, 3, 16, 7]], "bbox": [12, 3, 4, 4]}, mark])
    ) == [(kind, "a.png", "2")]


def test_the_same_object_twice_and_ids_twice(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", SIZE)
    assert found(coco_file(tmp_path, [{"id": 7}, {"id": 7}])) == [
        ("duplicate-annotation", "a.png", "7"),
        ("duplicate-id", None, None),
    ]


def test_pictures_that_are_missing_damaged_or_of_another_size(tmp_path: Path) -> None:
    sizes = {"gone.png": SIZE, "torn.png": SIZE, "small.png": (5, 5), "turned.png": (24, 20)}
    for name in ("torn.png", "small.png", "turned.png"):
        write_png(tmp_path / name, SIZE, seed=len(name))
    (tmp_path / "torn.png").write_bytes((tmp_path / "torn.png").read_bytes()[:300])
    file = coco_file(tmp_path, [{}], sizes)
    problems = {one.picture: one for one in check_set(read_set(file)).problems}
    assert {name: one.kind for name, one in problems.items()} == {
        "gone.png": "missing-file",
        "torn.png": "unreadable",
        "small.png": "size-mismatch",
        "turned.png": "size-mismatch",
    }
    assert "EXIF" in problems["turned.png"].text
    assert "EXIF" not in problems["small.png"].text


def test_classes_that_cannot_be_told_apart(tmp_path: Path) -> None:
    picture = AnnotatedPicture(
        "a.png", (4, 4), (Annotation(1, Box(0, 0, 2, 2)),), write_png(tmp_path / "a.png", (4, 4))
    )
    checked = check_set(in_memory([picture], {1: "Crack", 2: "crack ", 3: ""}))
    assert checked.counts == {"class-names": 2, "unused-class": 2}


def test_the_same_picture_in_two_splits_is_leakage(tmp_path: Path) -> None:
    first = write_png(tmp_path / "a.png", (40, 40), 1)
    shutil.copyfile(first, tmp_path / "b.png")
    Image.open(first).save(tmp_path / "c.jpg", quality=60)
    other = write_png(tmp_path / "d.png", (40, 40), 2)
    splits = {"a.png": "train", "b.png": "train", "c.jpg": "test", "d.png": "test"}
    pictures = [
        AnnotatedPicture(name, (40, 40), (), tmp_path / name, split=split) for name, split in splits.items()
    ]
    checked = check_set(in_memory(pictures, {}))
    assert other.is_file()
    assert [(one.kind, one.picture, one.others) for one in checked.problems] == [
        ("leakage", "a.png", ("b.png", "c.jpg")),
        ("duplicate-picture", "a.png", ("b.png",)),
        ("near-duplicate", "a.png", ("b.png", "c.jpg")),
    ]
    assert checked.groups == (("a.png", "b.png", "c.jpg"),)
    assert check_set(in_memory(pictures, {}), likeness=False).problems == ()


def test_equal_files_with_different_annotations_are_a_conflict(tmp_path: Path) -> None:
    first = write_png(tmp_path / "a.png", (40, 40), 1)
    shutil.copyfile(first, tmp_path / "b.png")
    pictures = [
        AnnotatedPicture("a.png", (40, 40), (Annotation(1, Box(0, 0, 5, 5)),), tmp_path / "a.png"),
        AnnotatedPicture("b.png", (40, 40), (), tmp_path / "b.png"),
    ]
    assert check_set(in_memory(pictures, {1: "x"})).counts == {"conflict": 1}


def test_every_kind_that_readers_name_is_known() -> None:
    import re

    import kiridashi.data

    folder = Path(kiridashi.data.__file__).parent
    text = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    named = set(re.findall(r'(?:Fault|Problem)\(\s*"([a-z-]+)"', text))
    assert named
    assert named <= KINDS.keys()


def test_repairing_writes_a_sound_set_and_leaves_the_old_one(tmp_path: Path) -> None:
    home = tmp_path / "in"
    for place, name in enumerate(["a.png", "small.png"]):
        write_png(home / name, SIZE, seed=place)
    shutil.copyfile(home / "a.png", home / "again.png")
    sizes = {"a.png": SIZE, "again.png": SIZE, "gone.png": SIZE, "small.png": (5, 5)}
    outside = {"segmentation": [[12, 3, 40, 3, 40, 9, 12, 9]], "bbox": [12, 3, 28, 6]}
    marks: list[dict[str, Any]] = [
        {},
        outside,
        {"bbox": [8, 3, 6, 6], "segmentation": [[2, 12, 8, 12, 8, 18, 2, 18]]},
        {"category_id": 9},
        {"segmentation": [[2.0, 3.0, 2.1, 3.0, 2.1, 3.1]]},
        {},
    ]
    marks += [{**mark, "image_id": 2} for mark in marks]
    file = coco_file(home, marks, sizes)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    annotated = read_set(file)
    checked = check_set(annotated)
    repaired = repair_set(annotated, checked, tmp_path / "out")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert sorted(repaired.left_out) == ["again.png", "gone.png", "small.png"]
    assert repaired.done == {
        "unknown-class": 1,
        "empty-mask": 1,
        "outside-picture": 1,
        "box-mismatch": 1,
        "duplicate-annotation": 1,
    }
    again = check_set(read_set(tmp_path / "out"))
    assert again.problems == ()
    assert (again.pictures, again.annotations) == (1, 3)
    sound = {one.id: one for one in next(iter(read_set(tmp_path / "out"))).annotations}
    full = np.zeros(SIZE, bool)
    full[3:9, 12:] = True
    assert sound[2].mask(SIZE) == Mask.from_array(full)
    assert sound[3].box == Box(2, 12, 8, 18)
    with pytest.raises(UsageError, match="not empty"):
        repair_set(annotated, checked, home)


def test_a_sound_shape_is_not_touched_by_a_repair(tmp_path: Path) -> None:
    shape = Polygons((np.array([[-0.4, 1.25], [7.125, 1.5], [3.0, 9.0]]),))
    picture = AnnotatedPicture("a.png", SIZE, (Annotation(1, shape),), write_png(tmp_path / "a.png", SIZE))
    annotated = in_memory([picture], {1: "x"})
    repair_set(annotated, check_set(annotated), tmp_path / "out", "coco")
    back = next(iter(read_set(tmp_path / "out"))).annotations[0].shape
    assert isinstance(back, Polygons)
    assert np.array_equal(back.parts[0], shape.parts[0])


def test_problems_are_values() -> None:
    assert Problem("orphan", None, "x") == Problem("orphan", None, "x")


def test_a_picture_whose_mask_is_missing_is_not_repaired_into_an_empty_one(tmp_path: Path) -> None:
    home = tmp_path / "in"
    for place, name in enumerate(["a", "b"]):
        write_png(home / "images" / f"{name}.png", SIZE, seed=place)
    inside = np.zeros(SIZE, np.uint8)
    inside[3:9, 2:9] = 1
    (home / "masks").mkdir()
    Image.fromarray(inside).save(home / "masks" / "a.png")
    annotated = read_set(home)
    repaired = repair_set(annotated, check_set(annotated), tmp_path / "out")
    assert repaired.left_out == ("b.png",)
    assert [one.name for one in read_set(tmp_path / "out")] == ["a.png"]
