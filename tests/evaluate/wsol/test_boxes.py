import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from kiridashi.core.errors import InputError
from kiridashi.evaluate.metrics.levels import THRESHOLDS, levels
from kiridashi.evaluate.wsol.boxes import (
    as_boxes,
    best_iou,
    component_boxes,
    contour_boxes,
    inclusive,
    inclusive_iou,
    largest_component_box,
    min_max,
    resized,
    scaled,
    threshold_boxes,
    whole_picture,
)

MAPS = arrays(np.float32, (9, 11), elements=st.floats(0, 1, width=32))


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float64)


def test_corners_are_inside() -> None:
    # Two boxes of 2 x 2 pixels that share one: 1 / (4 + 4 - 1).
    assert inclusive_iou(boxes((0, 0, 1, 1)), boxes((1, 1, 2, 2)))[0, 0] == pytest.approx(1 / 7)
    # A box of a single pixel has an area.
    assert inclusive_iou(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3)))[0, 0] == 1
    # Neighbours share nothing.
    assert inclusive_iou(boxes((0, 0, 1, 1)), boxes((2, 0, 3, 1)))[0, 0] == 0


def test_iou_is_the_share_of_pixels() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, 12, (20, 2, 2)), axis=1).reshape(20, 4).astype(float)
    found = inclusive_iou(corners[:10], corners[10:])
    for row, a in enumerate(corners[:10].astype(int)):
        for column, b in enumerate(corners[10:].astype(int)):
            first, second = (np.zeros((12, 12), dtype=bool) for _ in range(2))
            first[a[1] : a[3] + 1, a[0] : a[2] + 1] = second[b[1] : b[3] + 1, b[0] : b[2] + 1] = True
            assert found[row, column] == pytest.approx((first & second).sum() / (first | second).sum())


def test_the_true_box_that_fits_best_counts() -> None:
    truth = boxes((0, 0, 9, 9), (20, 20, 29, 29))
    assert best_iou(boxes((20, 20, 29, 24), (0, 0, 9, 9)), truth).tolist() == [0.5, 1]
    assert best_iou(boxes((0, 0, 1, 1)), np.zeros((0, 4))).tolist() == [0]


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ([[1, 2, 3]], "four numbers"),
        ([[1, 2, 0, 5]], "corners"),
        ([[0, 0, float("nan"), 1]], "four numbers"),
        ([["a", 0, 1, 1]], "four numbers"),
    ],
)
def test_boxes_that_cannot_be_are_refused(given_: list[list[float]], told: str) -> None:
    with pytest.raises(InputError, match=told):
        as_boxes(given_)


def test_exclusive_corners_come_inside() -> None:
    assert inclusive([(2, 3, 5, 4)]).tolist() == [[2, 3, 4, 3]]


def test_min_max_stretches_and_gives_zeros_for_a_flat_map() -> None:
    assert min_max(np.array([[0.2, 0.4], [0.3, 0.6]], np.float32)) == pytest.approx(
        np.array([[0, 0.5], [0.25, 1]]), abs=1e-6
    )
    assert not min_max(np.full((3, 4), 0.7, np.float32)).any()
    assert not min_max(np.full((1, 2), 1e-39, np.float32)).any()


@given(MAPS)
def test_levels_are_exact_at_every_threshold(values: np.ndarray) -> None:
    # The thresholds themselves, as float32, must fall on the right side too.
    values[0] = THRESHOLDS[::10].astype(np.float32)
    found = levels(values)
    for index, threshold in enumerate(THRESHOLDS):
        assert np.array_equal(found >= index, values.astype(np.float64) >= threshold)


def test_largest_component_touches_by_corners() -> None:
    inside = np.zeros((6, 8), dtype=bool)
    inside[0, 0] = inside[1, 1] = inside[2, 2] = True
    inside[4, 5:7] = True
    assert largest_component_box(inside).tolist() == [[0, 0, 2, 2]]
    assert component_boxes(inside).tolist() == [[0, 0, 2, 2], [5, 4, 6, 4]]
    assert component_boxes(inside, min_area=3).tolist() == [[0, 0, 2, 2]]
    assert component_boxes(inside, min_area=9).tolist() == [[0, 0, 2, 2]]
    assert component_boxes(np.zeros((3, 3), bool)).shape == (0, 4)


def test_more_components_than_sixteen_bits_can_count() -> None:
    inside = np.zeros((600, 600), dtype=bool)
    inside[::2, ::2] = True
    inside[598, 590:] = True
    assert largest_component_box(inside).tolist() == [[590, 598, 599, 598]]


@given(arrays(np.bool_, (7, 9)))
def test_the_largest_component_is_the_first_of_all(inside: np.ndarray) -> None:
    parts = ndimage.label(inside, np.ones((3, 3)))[0]
    if inside.any():
        rows, columns = np.nonzero(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))
        wanted = [columns.min(), rows.min(), columns.max(), rows.max()]
        areas = np.bincount(parts.ravel())[1:]
        if (areas == areas.max()).sum() == 1:
            assert largest_component_box(inside).tolist() == [wanted]


def test_nothing_is_the_whole_picture() -> None:
    assert largest_component_box(np.zeros((6, 8), bool)).tolist() == [[0, 0, 7, 5]]
    flat = threshold_boxes(min_max(np.full((6, 8), 0.4, np.float32)))
    assert (flat == whole_picture((6, 8))).all()


@given(MAPS)
def test_threshold_boxes_are_those_of_each_threshold(values: np.ndarray) -> None:
    found = threshold_boxes(values)
    for index, threshold in enumerate(THRESHOLDS):
        assert np.array_equal(found[index : index + 1], largest_component_box(values >= threshold))


def test_a_map_by_hand() -> None:
    values = np.zeros((4, 6), np.float32)
    values[1:3, 1:3], values[1, 4] = 0.5, 1
    found = threshold_boxes(values)
    assert found[0].tolist() == [0, 0, 5, 3]
    assert (found[1:51] == [1, 1, 2, 2]).all()
    assert (found[51:] == [4, 1, 4, 1]).all()


def test_contours_by_hand() -> None:
    values = np.zeros((10, 12), np.float32)
    values[2:5, 3:7], values[8:, 10:] = 1, 0.5
    every = contour_boxes(values)
    # One pixel further out than the region, but not out of the picture.
    assert sorted(every[0].boxes.tolist()) == [[3, 2, 7, 5], [10, 8, 11, 9]]
    assert every[0].boxes[every[0].largest].tolist() == [3, 2, 7, 5]
    # 0.5 is 127 in 8 bits, and 127 is not above int(0.5 * 255).
    assert len(every[49].boxes) == 2
    assert len(every[50].boxes) == 1
    # At the maximum itself nothing is above.
    assert every[100].boxes.tolist() == [[0, 0, 0, 0]]
    assert contour_boxes(np.zeros((5, 5), np.float32))[0].boxes.tolist() == [[0, 0, 0, 0]]


@given(MAPS)
def test_contours_as_wsolevaluation_describes_them(values: np.ndarray) -> None:
    found = contour_boxes(values)
    image = (values * 255).astype(np.uint8)
    for threshold, here in list(zip(THRESHOLDS, found, strict=True))[::7]:
        binary = (image > int(threshold * image.max())).astype(np.uint8)
        outlines = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        rows = []
        for outline in outlines:
            x, y, width, height = cv2.boundingRect(outline)
            rows.append([x, y, min(x + width, 10), min(y + height, 8)])
        assert here.boxes.tolist() == (rows or [[0, 0, 0, 0]])
        if outlines:
            largest = max(cv2.contourArea(outline) for outline in outlines)
            assert cv2.contourArea(outlines[here.largest]) == largest


def test_boxes_move_to_another_size() -> None:
    # 10 x 20 to 224 x 224: 3 * 22.4 = 67.2, 1 * 11.2 = 11.2, 19 * 11.2 = 212.8.
    assert scaled(boxes((1, 3, 30, 9)), (10, 20), (224, 224)).tolist() == [[11, 67, 212, 201]]
    assert scaled(boxes((-2, 0.5, 3, 4)), (10, 20), (10, 20)).tolist() == [[0, 0.5, 3, 4]]


def test_maps_lie_on_the_whole_picture() -> None:
    larger = resized(np.array([[0, 1]], np.float32), (4, 8))
    assert larger.shape == (4, 8)
    assert larger[:, 0].tolist() == [0] * 4
    assert larger[:, -1].tolist() == [1] * 4
    assert resized(larger, (4, 8)) is larger
