import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import read_annotations

SIZE = (40, 60)


def png(bitmap: Any) -> str:
    stream = BytesIO()
    Image.fromarray(bitmap).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def document(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "imagePath": "../../secret.jpg",
        "imageData": None,
        "imageHeight": 40,
        "imageWidth": 60,
        "shapes": list(shapes),
    }


def shape(kind: str | None, points: Any, label: str = "screw", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


@pytest.fixture
def picture(make_picture: Callable[..., Picture]) -> Picture:
    return make_picture(SIZE, name="part.jpg")


def write(folder: Path, value: Any) -> Path:
    path = folder / "part.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    "drawn",
    [
        shape("polygon", [[10, 5], [30, 5], [30, 12], [10, 12]]),
        shape(None, [[10, 5], [30, 5], [30, 12], [10, 12]]),
        shape("rectangle", [[30, 12], [10, 5]]),
        shape("rectangle", [[10, 5], [30, 5], [30, 12], [10, 12]]),
        shape("mask", [[10, 5], [29, 11]], mask=png(np.ones((7, 20), bool))),
        shape("mask", [[10, 5], [29, 11]], mask=png(np.full((7, 20), 255, np.uint8))),
    ],
)
def test_shapes_of_a_block(tmp_path: Path, picture: Picture, drawn: dict[str, Any]) -> None:
    ((label, mask),) = read_annotations(write(tmp_path, document(drawn)), picture)
    assert label == "screw"
    assert mask.size == SIZE
    assert mask.box == (10, 5, 30, 12)
    assert mask.area == 140


def test_a_circle(tmp_path: Path, picture: Picture) -> None:
    drawn = shape("circle", [[30, 20], [30, 30]])
    ((_, mask),) = read_annotations(write(tmp_path, document(drawn)), picture)
    assert mask.box == (20, 10, 40, 30)
    assert mask.area == pytest.approx(np.pi * 100, rel=0.02)


def test_a_circle_over_the_border_is_cut_off(tmp_path: Path, picture: Picture) -> None:
    drawn = shape("circle", [[0, 0], [10, 0]])
    ((_, mask),) = read_annotations(write(tmp_path, document(drawn)), picture)
    assert mask.box == (0, 0, 10, 10)


def test_labels_are_picked_and_lines_left_out(tmp_path: Path, picture: Picture) -> None:
    path = write(
        tmp_path,
        document(
            shape("rectangle", [[0, 0], [5, 5]], "nut"),
            shape("point", [[3, 3]], "nut"),
            shape("line", [[3, 3], [9, 9]], "screw"),
            shape("rectangle", [[10, 10], [15, 15]], "screw"),
        ),
    )
    assert [label for label, _ in read_annotations(path, picture)] == ["nut", "screw"]
    assert [mask.box for _, mask in read_annotations(path, picture, "screw")] == [(10, 10, 15, 15)]
    with pytest.raises(InputError, match="nut, screw"):
        read_annotations(path, picture, "bolt")


def test_another_size_is_refused_with_both(tmp_path: Path, make_picture: Callable[..., Picture]) -> None:
    with pytest.raises(SizeMismatchError, match="60 x 40") as caught:
        read_annotations(write(tmp_path, document()), make_picture((10, 20)))
    assert "20 x 10" in str(caught.value)


@pytest.mark.parametrize(
    "drawn",
    [
        shape("polygon", None),
        shape("polygon", [[1, 2], [3, "4"], [5, 6]]),
        shape("polygon", [[0, 0], [1e200, 0], [0, 9]]),
        shape("circle", [[1, 2]]),
        shape("circle", [[1, 2], [3, 4], [5, 6]]),
        shape("star", [[1, 2], [3, 4], [5, 6]]),
        shape("mask", [[1, 2], [3, 4]]),
        shape("mask", [[1, 2], [3, 4]], mask="!!"),
        shape("mask", [[1, 2], [3, 4]], mask=base64.b64encode(b"GIF89a").decode()),
        shape("mask", [[50, 2], [59, 4]], mask=png(np.ones((3, 20), bool))),
        shape("mask", [[0, 0], [59, 4]], mask=png(np.ones((3, 2000), bool))),
        {},
    ],
)
def test_damaged_shapes_are_refused(tmp_path: Path, picture: Picture, drawn: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"part\.json") as caught:
        read_annotations(write(tmp_path, document(drawn)), picture)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shapes", [None, "x", [1], {"label": "screw"}])
def test_a_damaged_list_of_shapes_is_refused(tmp_path: Path, picture: Picture, shapes: Any) -> None:
    with pytest.raises(InputError, match="list of objects"):
        read_annotations(write(tmp_path, {"shapes": shapes}), picture)
