import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kiridashi.core.geometry.boxes import box_areas, box_iou, box_nms

Boxes = NDArray[np.float64]
coordinates = st.integers(0, 12)
box_lists = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=12)


def as_boxes(corners: list[tuple[int, int, int, int]]) -> Boxes:
    boxes = np.array(corners, dtype=np.float64).reshape(-1, 2, 2)
    return np.sort(boxes, axis=1).reshape(-1, 4)


def plain_iou(a: Boxes, b: Boxes) -> float:
    """Counted on a pixel grid: right by construction for whole-number corners."""
    grids = []
    for x0, y0, x1, y1 in (a.astype(int), b.astype(int)):
        grid = np.zeros((13, 13), dtype=bool)
        grid[y0:y1, x0:x1] = True
        grids.append(grid)
    union = (grids[0] | grids[1]).sum()
    return float((grids[0] & grids[1]).sum() / union) if union else 0.0


def plain_nms(boxes: Boxes, scores: Boxes, limit: float) -> list[int]:
    kept: list[int] = []
    for candidate in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        if all(plain_iou(boxes[candidate], boxes[better]) <= limit for better in kept):
            kept.append(candidate)
    return kept


@given(box_lists, box_lists)
def test_iou_equals_counted_pixels(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]]
) -> None:
    a, b = as_boxes(first), as_boxes(second)
    iou = box_iou(a, b)
    assert iou.shape == (len(a), len(b))
    for i, j in np.ndindex(iou.shape):
        assert iou[i, j] == pytest.approx(plain_iou(a[i], b[j]))


@given(box_lists, st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.data())
def test_suppression_equals_the_plain_one(
    corners: list[tuple[int, int, int, int]], limit: float, data: st.DataObject
) -> None:
    boxes = as_boxes(corners)
    scores = np.array(
        data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(boxes), max_size=len(boxes))),
        dtype=np.float64,
    )
    assert box_nms(boxes, scores, limit).tolist() == plain_nms(boxes, scores, limit)


def test_a_box_with_a_negative_side_has_no_area() -> None:
    assert box_areas(np.array([[5.0, 5.0, 2.0, 9.0], [0.0, 0.0, 2.0, 3.0]])).tolist() == [0.0, 6.0]
