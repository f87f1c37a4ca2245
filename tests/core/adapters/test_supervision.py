import sys

import numpy as np
import pytest

from kiridashi.core.adapters.supervision import from_detections, to_detections
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments


def result() -> Segments:
    first, second = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    first[2:9, 5:11] = second[10:12, 0:4] = True
    items = (Segment(Mask.from_array(first), 0.75, "screw"), Segment(Mask.from_array(second), 0.5, "nut"))
    return Segments((20, 30), items)


def test_round_trip() -> None:
    pytest.importorskip("supervision")
    segments = result()
    detections = to_detections(segments)
    assert detections.xyxy.tolist() == [[5, 2, 11, 9], [0, 10, 4, 12]]
    assert detections.class_id.tolist() == [1, 0]
    back = from_detections(detections, segments.size)
    assert [(s.label, s.score) for s in back] == [("screw", 0.75), ("nut", 0.5)]
    assert all(ours.mask == theirs.mask for ours, theirs in zip(segments, back, strict=True))


def test_nothing_found() -> None:
    pytest.importorskip("supervision")
    assert len(to_detections(Segments((20, 30)))) == 0
    assert len(from_detections(to_detections(Segments((20, 30))), (20, 30))) == 0


def test_boxes_alone_are_filled_and_sorted() -> None:
    supervision = pytest.importorskip("supervision")
    boxes = np.array([[0, 0, 2, 3], [4, 4, 6, 6]], dtype=np.float32)
    back = from_detections(supervision.Detections(xyxy=boxes, confidence=np.array([0.1, 0.9])), (10, 10))
    assert [segment.mask.box for segment in back] == [(4, 4, 6, 6), (0, 0, 2, 3)]
    assert back[0].label == "object"


def test_without_supervision_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match="pip install supervision"):
        to_detections(result())
