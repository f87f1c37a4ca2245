import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.adapters import coco
from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments
from kiridashi.data.masks import label_mask
from kiridashi.data.reference_masks import read_reference_mask

SIZE = (20, 30)
NUMBERS = np.zeros(SIZE, np.uint8)
NUMBERS[2:9, 5:15] = 3
NUMBERS[12:18, 20:28] = 7
BOTH, SEVEN = Mask.from_array(NUMBERS), Mask.from_array(NUMBERS == 7)


@pytest.fixture
def picture(make_picture: Callable[..., Picture]) -> Picture:
    return make_picture(SIZE, name="part.jpg")


def as_label_map(path: Path) -> Path:
    Image.fromarray(NUMBERS).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def as_labelme(path: Path) -> Path:
    corners = [("3", [[5, 2], [15, 9]]), ("7", [[20, 12], [28, 18]])]
    shapes = [{"label": label, "points": points, "shape_type": "rectangle"} for label, points in corners]
    path.write_text(json.dumps({"shapes": shapes}))
    return path


def as_coco(path: Path) -> Path:
    items = tuple(Segment(label_mask(NUMBERS, value), 1.0, str(value)) for value in (3, 7))
    numbers = {"3": 1, "7": 2}
    path.write_text(
        json.dumps(
            coco.document(
                [coco.image(1, "part.jpg", SIZE)],
                coco.annotations(Segments(SIZE, items), 1, 1, numbers),
                numbers,
            )
        )
    )
    return path


@pytest.mark.parametrize("save", [as_label_map, as_labelme, as_coco])
def test_objects_are_united_or_picked(tmp_path: Path, picture: Picture, save: Callable[[Path], Path]) -> None:
    path = save(tmp_path / "mask.json")
    assert read_reference_mask(path, picture) == BOTH
    assert read_reference_mask(str(path), picture, "7") == SEVEN
    with pytest.raises(InputError, match=r"mask\."):
        read_reference_mask(path, picture, "4")


def test_another_size_is_refused_with_both(tmp_path: Path, make_picture: Callable[..., Picture]) -> None:
    path = as_label_map(tmp_path / "mask")
    for label in (None, "7"):
        with pytest.raises(SizeMismatchError, match="30 x 20") as caught:
            read_reference_mask(path, make_picture((8, 9)), label)
        assert "9 x 8" in str(caught.value)


def test_a_name_is_no_label_of_a_mask_picture(tmp_path: Path, picture: Picture) -> None:
    with pytest.raises(InputError, match="number"):
        read_reference_mask(as_label_map(tmp_path / "mask"), picture, "screw")


@pytest.mark.parametrize("document", [{"shapes": []}, {"images": [], "annotations": []}])
def test_a_file_that_marks_nothing_is_refused(
    tmp_path: Path, picture: Picture, document: dict[str, Any]
) -> None:
    path = tmp_path / "mask.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"part\.jpg"):
        read_reference_mask(path, picture)
