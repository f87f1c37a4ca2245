import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from kiridashi.core.errors import InputError
from kiridashi.evaluate.pictures.annotated import open_annotated

Save = Callable[[Path, ArrayLike], None]


@pytest.fixture
def coco(tmp_path: Path, save: Save) -> Path:
    """Four pictures; a dent in the first two, a scratch in the second and third, nothing in the last."""
    marks = {1: [(1, 4)], 2: [(1, 6), (2, 1)], 3: [(2, 9)], 4: []}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, ones in marks.items():
        save(tmp_path / "images" / f"{number}.png", np.full((20, 24, 3), 90))
        images.append({"id": number, "file_name": f"{number}.png", "width": 24, "height": 20})
        for label, x in ones:
            polygon = [x, 2, x + 5, 2, x + 5, 8, x, 8]
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": label}
            annotations.append(
                {**one, "segmentation": [polygon], "bbox": [x, 2, 5, 6], "area": 30, "iscrowd": 0}
            )
    names = [{"id": 1, "name": "dent"}, {"id": 2, "name": "scratch"}]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": names}))
    return path


def test_knows_who_holds_what(coco: Path) -> None:
    found = open_annotated(coco, coco.parent / "images")
    assert found.classes == {"dent": ("1.png", "2.png"), "scratch": ("2.png", "3.png")}
    assert found.without("dent") == ("3.png", "4.png")
    example = found.read("2.png", "scratch")
    assert example.mask.box == (1, 2, 6, 8)
    assert found.read("4.png", "dent").mask.is_empty
    assert example.ignore.is_empty


def test_changes_are_seen(coco: Path, save: Save) -> None:
    before = open_annotated(coco, coco.parent / "images").fingerprint
    assert before == open_annotated(coco, coco.parent / "images").fingerprint
    save(coco.parent / "images" / "3.png", np.zeros((20, 24, 3)))
    assert before != open_annotated(coco, coco.parent / "images").fingerprint


def test_what_cannot_be_measured_is_refused(coco: Path, save: Save) -> None:
    save(coco.parent / "images" / "2.png", np.zeros((10, 24, 3)))
    with pytest.raises(InputError, match="24 x 20"):
        open_annotated(coco, coco.parent / "images").read("2.png", "dent")
    document = json.loads(coco.read_text())
    document["annotations"] = document["annotations"][:1]
    coco.write_text(json.dumps(document))
    with pytest.raises(InputError, match="2 or more"):
        open_annotated(coco, coco.parent / "images")
