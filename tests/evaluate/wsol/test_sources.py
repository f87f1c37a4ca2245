import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.wsol.items import Item, Truth, WsolSet
from kiridashi.evaluate.wsol.sources import as_defects, from_labels, open_set


def item_of(source: WsolSet, name: str) -> Item:
    return next(item for item in source.items if item.id == name)


def truth_of(source: WsolSet, name: str, label: str) -> Truth:
    item = item_of(source, name)
    return source.truth(item, label, read_picture(item.path))


def rewrite(folder: Path, change: object) -> None:
    path = folder / "meta.json"
    document = json.loads(path.read_text())
    document["items"][0].update(change)
    path.write_text(json.dumps(document))


def test_a_folder_of_labels_splits_boxes_and_masks(animals: Path) -> None:
    source = open_set(animals)
    assert (source.name, source.classes, len(source.items)) == ("animals", ("cat", "dog"), 18)
    item = item_of(source, "val1")
    assert (item.labels, item.split, item.marked) == (("dog",), "val", True)
    truth = truth_of(source, "val1", "dog")
    assert truth.boxes.tolist() == [[3, 6, 10, 13]]
    assert truth.mask is not None
    assert truth.mask.area == 64
    # Training sees neither boxes nor masks.
    assert set(vars(item.weak)) == {"id", "path", "labels"}


def test_boxes_alone_will_do(animals: Path) -> None:
    (animals / "masks" / "val1.png").unlink()
    truth = truth_of(open_set(animals), "val1", "dog")
    assert (truth.boxes.tolist(), truth.mask) == ([[3, 6, 10, 13]], None)


def test_void_pixels_are_ignored(animals: Path) -> None:
    values = np.array(Image.open(animals / "masks" / "val1.png"))
    values[0] = 255
    Image.fromarray(values).save(animals / "masks" / "val1.png")
    truth = truth_of(open_set(animals), "val1", "dog")
    assert truth.mask is not None
    assert truth.ignore is not None
    assert (truth.mask.area, truth.ignore.area) == (64, 30)


def test_a_folder_of_masks_with_classes(tiles: Path) -> None:
    source = open_set(tiles)
    assert source.classes == ("crack", "stain")
    assert [item_of(source, name).labels for name in ("t0", "t7", "t11")] == [("crack",), ("stain",), ()]
    # Boxes are those of the components; specks have none.
    values = np.array(Image.open(tiles / "masks" / "t7.png"))
    values[0, 0], values[2:4, 20:26] = 2, 2
    Image.fromarray(values).save(tiles / "masks" / "t7.png")
    assert truth_of(source, "t7", "stain").boxes.tolist() == [[9, 6, 16, 13], [20, 2, 25, 3]]


def test_a_picture_of_two_classes_is_asked_for_each(tiles: Path) -> None:
    values = np.array(Image.open(tiles / "masks" / "t0.png"))
    values[16:, 20:] = 2
    Image.fromarray(values).save(tiles / "masks" / "t0.png")
    rewrite(tiles, {"classes": [2, 1]})
    source = open_set(tiles)
    assert item_of(source, "t0").labels == ("stain", "crack")
    assert truth_of(source, "t0", "stain").boxes.tolist() == [[20, 16, 29, 19]]
    assert truth_of(source, "t0", "crack").boxes.tolist() == [[2, 6, 9, 13]]
    merged = truth_of(as_defects(source), "t0", "defect")
    assert len(merged.boxes) == 2
    assert merged.mask is not None
    assert merged.mask.area == 64 + 40


def test_all_classes_as_one(tiles: Path, animals: Path) -> None:
    source = as_defects(open_set(tiles))
    assert (source.classes, source.name) == (("defect",), "tiles")
    assert [item_of(source, name).labels for name in ("t0", "t7", "t11")] == [("defect",), ("defect",), ()]
    assert truth_of(source, "t7", "defect").boxes.tolist() == [[9, 6, 16, 13]]
    with pytest.raises(UsageError, match="every picture has a class"):
        as_defects(open_set(animals))


def test_the_fingerprint_changes_with_the_set(animals: Path) -> None:
    before = open_set(animals).fingerprint
    assert open_set(animals).fingerprint == before
    (animals / "masks" / "val1.png").unlink()
    assert open_set(animals).fingerprint != before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "../animals/images/val1"}, "images/ does not have"),
        ({"id": "val1"}, "two items have one id"),
        ({"label": None}, "expected a `label`"),
        ({"label": None, "classes": [9]}, "expected a `label`"),
        ({"split": 3}, "`split` is a name"),
        ({"bboxes_xyxy": [[5, 5, 1, 1]]}, "corners"),
    ],
)
def test_damaged_folders_are_told(animals: Path, change: dict[str, object], told: str) -> None:
    rewrite(animals, change)
    with pytest.raises(InputError, match=told):
        open_set(animals)


def test_a_mask_that_contradicts_is_told(animals: Path) -> None:
    source = open_set(animals)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(animals / "masks" / "val1.png")
    with pytest.raises(InputError, match="no pixel of 'dog'"):
        truth_of(source, "val1", "dog")
    Image.fromarray(np.ones((20, 31), np.uint8)).save(animals / "masks" / "val1.png")
    with pytest.raises(InputError, match="31 x 20"):
        truth_of(source, "val1", "dog")


def test_what_is_no_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        open_set(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no set of pictures"):
        open_set(tmp_path)


@dataclass(frozen=True)
class Said:
    path: Path
    labels: frozenset[str]
    split: str | None = None
    boxes: tuple[tuple[float, float, float, float], ...] | None = None


def test_a_table_of_labels(tmp_path: Path) -> None:
    said = [
        Said(tmp_path / "a" / "1.png", frozenset({"nut"}), "train"),
        Said(tmp_path / "b" / "1.png", frozenset({"nut", "bolt"}), "test", ((2, 3, 6, 8),)),
        Said(tmp_path / "b" / "2.png", frozenset(), "test"),
    ]
    source = from_labels("parts", said, ("bolt", "nut"))
    first, second, third = source.items
    assert first.id != second.id
    assert [item.marked for item in source.items] == [False, True, False]
    assert second.labels == ("bolt", "nut")
    empty = Picture(np.zeros((20, 20, 3), np.uint8))
    # x1 and y1 were outside.
    assert source.truth(second, "nut", empty).boxes.tolist() == [[2, 3, 5, 7]]
    with pytest.raises(InputError, match="no box"):
        source.truth(third, "nut", empty)
    with pytest.raises(InputError, match="no pictures"):
        from_labels("parts", [], ())
    assert from_labels("parts", said[:2], ("bolt", "nut")).fingerprint != source.fingerprint


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    folder = tmp_path / "CUB_200_2011"
    lists = {
        "images.txt": "1 001.Tit/a.png\n2 002.Owl/b.png\n",
        "image_class_labels.txt": "1 1\n2 2\n",
        "classes.txt": "1 001.Tit\n2 002.Owl\n",
        "train_test_split.txt": "1 1\n2 0\n",
        "bounding_boxes.txt": "1 3.0 4.0 10.0 8.0\n2 2.0 6.0 8.0 8.0\n",
    }
    for name, text in lists.items():
        write(folder / name, text)
    for name in ("001.Tit/a.png", "002.Owl/b.png"):
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "images" / name)
    return folder


def test_cub(cub: Path) -> None:
    source = open_set(cub)
    assert source.classes == ("001.Tit", "002.Owl")
    assert [(item.id, item.labels, item.split) for item in source.items] == [
        ("1", ("001.Tit",), "train"),
        ("2", ("002.Owl",), "test"),
    ]
    truth = truth_of(source, "2", "002.Owl")
    assert (truth.boxes.tolist(), truth.mask) == ([[2, 6, 9, 13]], None)
    drawn = np.zeros((20, 30), np.uint8)
    drawn[6:14, 2:10], drawn[0, 0] = 255, 51
    (cub / "segmentations" / "002.Owl").mkdir(parents=True)
    Image.fromarray(drawn).save(cub / "segmentations" / "002.Owl" / "b.png")
    mask = truth_of(open_set(cub), "2", "002.Owl").mask
    assert mask is not None
    assert mask.area == 64


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("images.txt", "1 ../../etc/passwd\n", "leaves the folder"),
        ("images.txt", "1 C:/windows\n", "leaves the folder"),
        ("images.txt", "3 001.Tit/a.png\n", "picture 3"),
        ("classes.txt", "1\n", "two or more words"),
        ("bounding_boxes.txt", "1 a b c d\n", "x, y, width and height"),
        ("bounding_boxes.txt", "1 3 4 -9 8\n", "x, y, width and height"),
    ],
)
def test_damaged_lists_of_cub_are_told(cub: Path, name: str, text: str, told: str) -> None:
    (cub / name).write_text(text)
    with pytest.raises(InputError, match=told):
        open_set(cub)


def note(*objects: tuple[str, tuple[int, ...]]) -> str:
    sides = ("xmin", "ymin", "xmax", "ymax")
    parts = [
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for name, box in objects
    ]
    return f"<annotation>{''.join(parts)}</annotation>"


@pytest.fixture
def ilsvrc(tmp_path: Path) -> Path:
    folder = tmp_path / "ILSVRC"
    write(folder / "ImageSets/CLS-LOC/train_cls.txt", "n01/n01_1 1\nn02/n02_7 2\n")
    write(folder / "ImageSets/CLS-LOC/val.txt", "val_1 1\n")
    write(folder / "Annotations/CLS-LOC/train/n02/n02_7.xml", note(("n02", (1, 2, 3, 4))))
    write(folder / "Annotations/CLS-LOC/val/val_1.xml", note(("n01", (2, 6, 9, 13)), ("n01", (20, 1, 25, 4))))
    return folder


def test_ilsvrc(ilsvrc: Path) -> None:
    source = open_set(ilsvrc)
    assert source.classes == ("n01", "n02")
    assert [(item.labels, item.split, item.marked) for item in source.items] == [
        (("n01",), "train", False),
        (("n02",), "train", True),
        (("n01",), "val", True),
    ]
    assert source.items[2].path == ilsvrc / "Data/CLS-LOC/val/val_1.JPEG"
    empty = Picture(np.zeros((20, 30, 3), np.uint8))
    assert source.truth(source.items[2], "n01", empty).boxes.tolist() == [[2, 6, 9, 13], [20, 1, 25, 4]]
    assert source.truth(source.items[1], "n02", empty).boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<annotation>", "no annotation of PASCAL VOC's form"),
        ("<annotation><object><name>n01</name></object></annotation>", "without a box"),
        ("<annotation></annotation>", "no object"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation><object><name>&b;</name></object></annotation>',
            "no annotation",
        ),
    ],
)
def test_damaged_annotations_of_ilsvrc_are_told(ilsvrc: Path, text: str, told: str) -> None:
    write(ilsvrc / "Annotations/CLS-LOC/val/val_1.xml", text)
    with pytest.raises(InputError, match=told):
        open_set(ilsvrc)


def test_names_of_ilsvrc_stay_inside(ilsvrc: Path) -> None:
    write(ilsvrc / "ImageSets/CLS-LOC/train_cls.txt", "n01/../../../x 1\n")
    with pytest.raises(InputError, match="leaves the folder"):
        open_set(ilsvrc)
