import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiridashi.classes.base_training import CocoSet
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.pictures import write_picture


def square(x: float, y: float, side: float = 10) -> list[list[float]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    for name in ("one.png", "two.png", "three.png"):
        write_picture(tmp_path / name, np.full((40, 50, 3), 90, np.uint8))
    crowd = Mask.from_array(np.pad(np.ones((5, 50)), ((35, 0), (0, 0)))).to_rle()
    return {
        "images": [
            {"id": 1, "file_name": "one.png", "height": 40, "width": 50},
            {"id": 2, "file_name": "two.png"},
            {"id": 3, "file_name": "three.png"},
        ],
        "categories": [{"id": 7, "name": "nut"}, {"id": 9, "name": "bolt"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 9, "segmentation": square(2, 3)},
            {"id": 2, "image_id": 1, "category_id": 7, "segmentation": square(20, 3)},
            {"id": 3, "image_id": 1, "category_id": 7, "segmentation": crowd, "iscrowd": 1},
            {"id": 4, "image_id": 2, "category_id": 7, "segmentation": crowd, "iscrowd": 1},
            {"id": 5, "image_id": 3, "category_id": 7, "segmentation": square(5, 5, 20)},
        ],
    }


def opened(folder: Path, document: dict[str, Any]) -> CocoSet:
    path = folder / "instances.json"
    path.write_text(json.dumps(document))
    return CocoSet(path, folder)


def test_samples_have_the_objects_of_their_picture(tmp_path: Path, document: dict[str, Any]) -> None:
    found = opened(tmp_path, document)
    assert len(found) == 2
    first, second = found[0], found[1]
    assert [one.label for one in first.objects] == ["bolt", "nut"]
    assert first.objects[1].mask.box == (20, 3, 30, 13)
    assert [(one.label, one.mask.area) for one in second.objects] == [("nut", 400)]
    assert second.picture.name == "three.png"


def test_crowds_are_neither_object_nor_background(tmp_path: Path, document: dict[str, Any]) -> None:
    found = opened(tmp_path, document)
    assert found[0].unknown.box == (0, 35, 50, 40)
    assert found[1].unknown.is_empty


def test_the_digest_is_of_the_marks(tmp_path: Path, document: dict[str, Any]) -> None:
    first = opened(tmp_path, document).digest
    assert opened(tmp_path, document).digest == first
    document["annotations"][0]["segmentation"][0][0] = 2.5
    assert opened(tmp_path, document).digest != first


def test_unusable_sets_are_told(tmp_path: Path, document: dict[str, Any]) -> None:
    document["images"][0]["file_name"] = "../outside.png"
    with pytest.raises(InputError, match="no picture inside"):
        opened(tmp_path, document)[0]
    document["images"][2]["file_name"] = "gone.png"
    with pytest.raises(InputError, match="no such file"):
        opened(tmp_path, document)[1]
    document["annotations"] = document["annotations"][2:4]
    with pytest.raises(InputError, match="no picture in it has an object"):
        opened(tmp_path, document)
