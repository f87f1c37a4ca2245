import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiridashi.core.errors import InputError
from kiridashi.localize.labels import LabelSet, read_labels

WritePicture = Callable[..., Path]


@pytest.fixture
def document(write_picture: WritePicture) -> dict[str, Any]:
    for name in ("images/a.png", "images/b.png", "images/c.png"):
        write_picture(name)
    return {
        "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("abc")],
        "categories": [{"id": 7, "name": "crack"}, {"id": 8, "name": "stain"}, {"id": 9, "name": "good"}],
        "annotations": [
            {"image_id": 0, "category_id": 7, "bbox": [1, 0, 2, 3]},
            {"image_id": 0, "category_id": 7, "bbox": [3, 1, 2, 2]},
            {"image_id": 0, "category_id": 8},
            {"image_id": 2, "category_id": 9},
        ],
    }


def read(folder: Path, document: dict[str, Any]) -> LabelSet:
    (folder / "labels.json").write_text(json.dumps(document))
    return read_labels(folder / "labels.json")


def test_categories_become_labels(tmp_path: Path, document: dict[str, Any]) -> None:
    labels = read(tmp_path, document)
    assert {item.path.name: set(item.labels) for item in labels.items} == {
        "a.png": {"crack", "stain"},
        "b.png": set(),
        "c.png": set(),
    }
    assert labels.items[0].boxes == ((1, 0, 3, 3), (3, 1, 5, 3))
    assert labels.items[1].boxes is None
    assert labels.classes == ("crack", "stain")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_id": 1, "category_id": 5}, "does not name"),
        ({"image_id": 1, "category_id": 7, "bbox": [0, 0, 0, 4]}, "no area"),
        ({"image_id": 1, "category_id": 7, "bbox": "wide"}, "four numbers"),
    ],
)
def test_a_bad_annotation_costs_its_picture(
    tmp_path: Path, document: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    document["annotations"].append(change)
    labels = read(tmp_path, document)
    assert [item.path.name for item in labels.items] == ["a.png", "c.png"]
    (refused,) = labels.refused
    assert refused.file == "b.png"
    assert reason in refused.reason


def test_files_outside_are_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    document["images"] += [{"id": 9, "file_name": "/etc/hostname"}, {"id": 10, "file_name": ["x"]}]
    labels = read(tmp_path, document)
    assert len(labels.items) == 3
    assert [one.file for one in labels.refused] == ["/etc/hostname", "['x']"]


def test_another_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a COCO file"):
        read(tmp_path, {"shapes": []})
