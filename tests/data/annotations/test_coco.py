import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import read_annotations

Document = dict[str, Any]
SIZE = (20, 30)
BLOCK = np.zeros(SIZE, bool)
BLOCK[2:9, 5:15] = True


def document() -> Document:
    block = Mask.from_array(BLOCK)
    return {
        "images": [
            {"id": 4, "file_name": "images/part.jpg", "height": 20, "width": 30},
            {"id": 5, "file_name": "other.jpg", "height": 10, "width": 10},
        ],
        "categories": [{"id": 1, "name": "screw"}, {"id": 2, "name": "nut"}],
        "annotations": [
            {"id": 1, "image_id": 4, "category_id": 1, "segmentation": [[5, 2, 15, 2, 15, 9, 5, 9]]},
            {"id": 2, "image_id": 4, "category_id": 2, "segmentation": block.to_rle(), "iscrowd": 1},
            {
                "id": 3,
                "image_id": 4,
                "category_id": 2,
                "segmentation": {"size": [20, 30], "counts": [102, 7, 491]},
            },
            {"id": 4, "image_id": 4, "category_id": 2, "bbox": [1, 1, 5, 5], "segmentation": []},
            {"id": 5, "image_id": 5, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]]},
        ],
    }


@pytest.fixture
def picture(make_picture: Callable[..., Picture]) -> Picture:
    return make_picture(SIZE, name="part.jpg")


def write(folder: Path, value: Any) -> Path:
    path = folder / "coco.json"
    path.write_text(json.dumps(value))
    return path


def test_polygons_and_both_run_lengths(tmp_path: Path, picture: Picture) -> None:
    found = read_annotations(write(tmp_path, document()), picture)
    assert [label for label, _ in found] == ["screw", "nut", "nut"]
    assert found[0].mask == found[1].mask == Mask.from_array(BLOCK)
    assert found[2].mask.box == (5, 2, 6, 9)


def test_masks_equal_those_of_pycocotools(
    tmp_path: Path, picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    content = document()
    content["annotations"][0]["segmentation"] = [
        [3.2, 1.7, 14.9, 4.1, 9.5, 18.8],
        [20, 3, 29.5, 3, 25, 12.25],
    ]
    path = write(tmp_path, content)
    reference = COCO(path)
    capsys.readouterr()
    theirs = [reference.annToMask(annotation) for annotation in reference.loadAnns([1, 2, 3])]
    ours = [mask.to_array() for _, mask in read_annotations(path, picture)]
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("label", "count"), [("screw", 1), ("nut", 2), ("2", 2)])
def test_a_category_is_picked_by_name_or_number(
    tmp_path: Path, picture: Picture, label: str, count: int
) -> None:
    assert len(read_annotations(write(tmp_path, document()), picture, label)) == count


def test_an_unknown_category_lists_the_known_ones(tmp_path: Path, picture: Picture) -> None:
    with pytest.raises(InputError, match="nut, screw"):
        read_annotations(write(tmp_path, document()), picture, "bolt")


def test_an_unknown_picture_names_the_nearest(tmp_path: Path, make_picture: Callable[..., Picture]) -> None:
    with pytest.raises(InputError, match=r"nearest name is 'part\.jpg'"):
        read_annotations(write(tmp_path, document()), make_picture(SIZE, name="part1.jpg"))


def test_letter_case_of_the_file_name_is_forgiven(
    tmp_path: Path, make_picture: Callable[..., Picture]
) -> None:
    assert len(read_annotations(write(tmp_path, document()), make_picture(SIZE, name="PART.JPG"))) == 3


def test_folders_tell_equal_names_apart(tmp_path: Path, picture: Picture) -> None:
    content = document()
    content["images"].append({"id": 6, "file_name": "spare\\part.jpg", "height": 20, "width": 30})
    path = write(tmp_path, content)
    assert len(read_annotations(path, Picture(picture.pixels, "part.jpg", Path("/d/images/part.jpg")))) == 3
    assert read_annotations(path, Picture(picture.pixels, "part.jpg", Path("/d/spare/part.jpg"))) == []
    with pytest.raises(InputError, match="several"):
        read_annotations(path, picture)


def test_another_size_is_refused_with_both(tmp_path: Path, make_picture: Callable[..., Picture]) -> None:
    with pytest.raises(SizeMismatchError, match="30 x 20") as caught:
        read_annotations(write(tmp_path, document()), make_picture((40, 60), name="part.jpg"))
    assert "60 x 40" in str(caught.value)


def set_segmentation(value: Any) -> Callable[[Document], None]:
    def change(content: Document) -> None:
        content["annotations"][0]["segmentation"] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(images="part.jpg"),
        lambda content: content.update(images=[1, 2]),
        lambda content: content.update(annotations={}),
        lambda content: content.update(categories=[None]),
        lambda content: content["images"][0].pop("id"),
        set_segmentation("part.png"),
        set_segmentation([[1, 2, 3]]),
        set_segmentation([5, 2, 15, 2, 15, 9]),
        set_segmentation([[0, 0, 1e300, 0, 0, 9]]),
        set_segmentation({"size": [20, 30], "counts": [1]}),
        set_segmentation({"size": [20, 30], "counts": "~~~"}),
        set_segmentation({"size": [10**6, 10**6], "counts": [10**12]}),
        set_segmentation({"counts": [600]}),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, picture: Picture, change: Callable[[Document], object]
) -> None:
    content = document()
    change(content)
    with pytest.raises(InputError, match=r"coco\.json") as caught:
        read_annotations(write(tmp_path, content), picture)
    assert "\n" not in str(caught.value)


def test_odd_but_harmless_values(tmp_path: Path, picture: Picture) -> None:
    content = document()
    content["images"].append({"id": 9, "file_name": None})
    content["images"].append({"file_name": "x.jpg"})
    content["annotations"].append({"image_id": [4], "category_id": {}, "segmentation": None})
    content["annotations"].append({"image_id": 4, "category_id": [1], "segmentation": [[0, 0, 5, 0, 5, 5]]})
    del content["categories"]
    found = read_annotations(write(tmp_path, content), picture)
    assert [label for label, _ in found] == ["1", "2", "2", "[1]"]
