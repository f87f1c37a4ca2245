import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.ifsis.folders import FolderInstances
from kiridashi.evaluate.ifsis.instances import Instance, labels_of, open_instances
from kiridashi.evaluate.ifsis.splits import Split

MakeSet = Callable[..., Path]
SQUARE = [[2, 2, 8, 2, 8, 8, 2, 8]]


def test_a_folder_is_read_by_its_meta_file(make_set: MakeSet) -> None:
    split = {"base": ["bolt"], "novel": ["nut"]}
    folder = make_set({"a": {1: "bolt", 3: "nut"}, "b": {2: "bolt"}}, suggested_incremental_split=split)
    found = open_instances(folder)
    assert isinstance(found, FolderInstances)
    assert found.split == Split(("bolt",), ("nut",))
    assert found.instances["a"] == (Instance("a", 1, "bolt"), Instance("a", 3, "nut"))
    assert labels_of(found) == ("bolt", "nut")
    marked = found.read("a")
    assert marked.masks[3].box == (24, 5, 34, 15)
    assert marked.ignore.is_empty


def test_void_pixels_are_no_instance(make_set: MakeSet) -> None:
    folder = make_set({"a": {1: "bolt"}})
    path = folder / "masks" / "a.png"
    numbers = np.array(Image.open(path))
    numbers[:3] = 255
    Image.fromarray(numbers).save(path)
    marked = open_instances(folder).read("a")
    assert marked.ignore.area == 3 * 40
    assert marked.masks[1].area == 100


def test_what_a_folder_lacks_is_said(make_set: MakeSet) -> None:
    with pytest.raises(InputError, match="names 'b'"):
        open_instances(_with_items(make_set({"a": {1: "bolt"}}, "one"), [{"id": "b", "instances": {}}]))
    with pytest.raises(InputError, match="`instances`"):
        open_instances(_with_items(make_set({"a": {1: "bolt"}}, "two"), [{"id": "a"}]))
    items = [{"id": "a", "instances": {"255": "bolt"}}]
    with pytest.raises(InputError, match="numbered from 1"):
        open_instances(_with_items(make_set({"a": {1: "bolt"}}, "three"), items))
    ghost = _with_items(make_set({"a": {1: "bolt"}}, "four"), [{"id": "a", "instances": {"2": "bolt"}}])
    with pytest.raises(InputError, match="instance 2"):
        open_instances(ghost).read("a")
    with pytest.raises(UsageError, match="of its own"):
        open_instances(make_set({"a": {1: "bolt"}}, "five"), ghost)


def _with_items(folder: Path, items: list[dict[str, Any]]) -> Path:
    (folder / "meta.json").write_text(json.dumps({"items": items}))
    return folder


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """coco(annotations, file_name="a.png"): a COCO file whose one picture lies in images/ beside it."""
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(tmp_path / "images" / "a.png")

    def make(annotations: list[dict[str, Any]], file_name: str = "a.png") -> Path:
        path = tmp_path / "instances.json"
        document = {
            "images": [{"id": 7, "file_name": file_name, "height": 10, "width": 12}],
            "categories": [{"id": 3, "name": "bolt"}],
            "annotations": [{"image_id": 7, "category_id": 3, "id": 1, **one} for one in annotations],
        }
        path.write_text(json.dumps(document))
        return path

    return make


def test_a_coco_file_gives_polygons_and_crowds(coco: Callable[..., Path]) -> None:
    crowd = Mask.from_array(np.eye(10, 12)).to_rle()
    path = coco([{"segmentation": SQUARE}, {"segmentation": []}, {"segmentation": crowd, "iscrowd": 1}])
    found = open_instances(path)
    assert found.instances == {"7": (Instance("7", 1, "bolt"), Instance("7", 2, "bolt", crowd=True))}
    marked = found.read("7")
    assert marked.masks[1].box == (2, 2, 8, 8)
    assert marked.masks[2].area == 10


@pytest.mark.parametrize(
    ("annotation", "file_name"),
    [
        ({"segmentation": SQUARE, "category_id": 9}, "a.png"),
        ({"segmentation": SQUARE, "image_id": 9}, "a.png"),
        ({"segmentation": SQUARE}, "../a.png"),
        ({"segmentation": SQUARE}, "/a.png"),
        ({"segmentation": SQUARE}, "b.png"),
        ({"segmentation": [["x"]]}, "a.png"),
        ({"segmentation": {"size": [10, 12], "counts": "junk!"}}, "a.png"),
        ({"segmentation": {"size": [2, 2], "counts": [4]}}, "a.png"),
        ({"segmentation": 4}, "a.png"),
    ],
)
def test_a_damaged_coco_file_is_an_error_of_the_input(
    coco: Callable[..., Path], annotation: dict[str, Any], file_name: str
) -> None:
    with pytest.raises(KiridashiError):
        open_instances(coco([annotation], file_name)).read("7")
