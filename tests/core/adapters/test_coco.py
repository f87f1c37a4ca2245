import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from kiridashi.core.adapters import coco
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments


def result() -> Segments:
    first, second = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    first[2:9, 5:11] = second[10:12, 0:4] = True
    first[3, 6] = False
    items = (
        Segment(Mask.from_array(first), 0.9, "screw"),
        Segment(Mask.empty((20, 30)), 0.8, "screw"),
        Segment(Mask.from_array(second), 0.4, "nut"),
    )
    return Segments((20, 30), items)


def test_the_document_opens_in_pycocotools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segments = result()
    numbers = coco.categories(segment.label for segment in segments)
    file = tmp_path / "annotations.json"
    file.write_text(
        json.dumps(
            coco.document(
                [coco.image(7, "a/part.jpg", segments.size)],
                coco.annotations(segments, image_id=7, first_id=3, categories=numbers),
                numbers,
                {"version": "1"},
            )
        )
    )
    opened = COCO(file)
    capsys.readouterr()
    assert opened.getAnnIds(imgIds=[7]) == [3, 4]
    assert opened.getCatIds(catNms=["nut"]) == [numbers["nut"]]
    screw, nut = opened.loadAnns([3, 4])
    assert np.array_equal(opened.annToMask(screw).astype(bool), segments[0].mask.to_array())
    assert screw["bbox"] == [5, 2, 6, 7]
    assert screw["area"] == segments[0].mask.area == 41
    assert screw["iscrowd"] == 0
    assert nut["score"] == 0.4
    assert opened.loadImgs([7])[0] == {"id": 7, "file_name": "a/part.jpg", "width": 30, "height": 20}


def test_categories_are_numbered_in_alphabetical_order() -> None:
    assert coco.categories(["nut", "bolt", "nut"]) == {"bolt": 1, "nut": 2}


def test_a_label_without_a_number_is_refused() -> None:
    with pytest.raises(UsageError, match="screw"):
        coco.annotations(result(), 1, 1, {"nut": 1})
