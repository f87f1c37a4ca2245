import numpy as np
import pytest

from kiridashi.core.errors import SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.levels import THRESHOLDS
from kiridashi.evaluate.wsol.answers import WsolAnswer
from kiridashi.evaluate.wsol.items import Target, Truth, nearest
from kiridashi.evaluate.wsol.scoring import Curves, Score, score

SIZE = (20, 40)


def mask(x0: int, y0: int, x1: int, y1: int) -> Mask:
    inside = np.zeros(SIZE, dtype=bool)
    inside[y0:y1, x0:x1] = True
    return Mask.from_array(inside)


def target(side: int | None = None) -> Target:
    return Target.of(Truth.of_mask(mask(10, 4, 20, 14), Mask.empty(SIZE)), SIZE, side)


def test_a_perfect_map_is_right_at_every_threshold_but_the_first() -> None:
    found = score(WsolAnswer(np.array([0.2, 0.9], np.float32), _map(mask(10, 4, 20, 14))), target(), 1)
    assert found.curves is not None
    assert found.rank == 0
    assert found.own_iou is None
    # At 0 the map's box is the whole picture: 100 of 800 pixels.
    assert found.curves.box[0] == pytest.approx(100 / 800)
    assert (found.curves.box[1:] == 1).all()
    # The rectangle of a contour is one pixel too wide and too high.
    assert found.curves.contour[:100] == pytest.approx(100 / 121)
    assert found.curves.inside is not None
    assert found.curves.outside is not None
    assert found.curves.inside[100] == 100
    assert found.curves.outside[0] == 700


def test_of_several_contours_the_best_counts_for_the_second_version() -> None:
    values = _map(mask(10, 4, 20, 14)) + _map(mask(24, 0, 40, 20))
    found = score(WsolAnswer(None, values), target(), 0).curves
    assert found is not None
    assert (found.contour[:100] == 0).all()
    assert found.any_contour[:100] == pytest.approx(100 / 121)
    # Nothing is above the maximum; the box of pixel (0, 0) misses.
    assert (found.contour[100], found.any_contour[100]) == (0, 0)


def test_the_methods_own_box_and_mask_come_before_the_map() -> None:
    answer = WsolAnswer(
        None,
        _map(mask(0, 0, 2, 2)),
        (mask(10, 4, 20, 9).box, (0, 0, 1, 1)),
        mask(10, 4, 20, 9),
        True,
        (10, 4, 20, 14),
    )
    found = score(answer, target(), 0)
    assert (found.own_iou, found.mask_iou, found.alternative_iou, found.fallback) == (0.5, 0.5, 1, True)
    assert found.rank is None


def test_a_mask_without_a_box_has_its_own() -> None:
    assert score(WsolAnswer(None, None, mask=mask(10, 4, 20, 9)), target(), 0).own_iou == 0.5
    nothing = score(WsolAnswer(None, None, mask=Mask.empty(SIZE)), target(), 0)
    # No component: the whole picture.
    assert nothing.own_iou == pytest.approx(100 / 800)
    assert nothing.mask_iou == 0


def test_ignored_pixels_count_nowhere() -> None:
    truth = Truth.of_mask(mask(10, 4, 20, 14), mask(20, 0, 40, 20))
    found = score(WsolAnswer(None, None, mask=mask(10, 4, 40, 14)), Target.of(truth, SIZE, None), 0)
    assert found.mask_iou == 1


def test_all_is_measured_at_one_size() -> None:
    at_own, at_side = target(), target(224)
    assert (at_own.size, at_side.size) == (SIZE, (224, 224))
    # 10 * 5.6 and 19 * 5.6 = 106.4; 4 * 11.2 = 44.8 and 13 * 11.2 = 145.6.
    assert at_side.boxes.tolist() == [[56, 44, 106, 145]]
    assert at_side.mask is not None
    assert at_side.mask.sum() == 56 * 112
    own = mask(10, 4, 20, 14)
    found = score(WsolAnswer(None, None, (own.box,), own), at_side, 0)
    assert (found.own_iou, found.mask_iou) == (1, 1)


def test_only_boxes_are_known() -> None:
    truth = Target.of(Truth(np.array([[10.0, 4, 19, 13]])), SIZE, None)
    found = score(WsolAnswer(None, _map(mask(10, 4, 20, 14)), mask=mask(10, 4, 20, 14)), truth, 0)
    assert found.curves is not None
    assert (found.curves.inside, found.mask_iou, found.own_iou) == (None, None, 1)


def test_an_answer_for_another_picture_is_refused() -> None:
    with pytest.raises(SizeMismatchError):
        score(WsolAnswer(None, None, mask=Mask.empty((3, 3))), target(), 0)


@pytest.mark.parametrize(
    ("scores", "values", "told"),
    [
        (None, None, "none of them"),
        (None, np.full((2, 2), 1.5, np.float32), "0..1"),
        (None, np.full((2, 2), np.nan, np.float32), "0..1"),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), "scores"),
    ],
)
def test_answers_that_cannot_be(scores: np.ndarray | None, values: np.ndarray | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        WsolAnswer(scores, values)


def test_curves_are_kept_without_making_any_box_right() -> None:
    ious = np.resize([0.5, 0.49999999, 0.3, 0.7, 0.69999, 1, 0, 1 / 3], len(THRESHOLDS))
    counts = np.arange(len(THRESHOLDS))
    again = Curves.from_json(Curves(ious, ious, ious, counts, counts).to_json())
    assert again.box[:8].tolist() == [0.5, 0.4999, 0.3, 0.7, 0.6999, 1, 0, 0.3333]
    assert again.inside is not None
    assert again.inside.tolist() == counts.tolist()
    with pytest.raises(ValueError, match="101 numbers"):
        Curves.from_json(Curves(ious, ious, ious).to_json() | {"box": [1, 2]})


def test_nearest_rounds_down() -> None:
    # Rows 0 0 1 1 2 and so on: each pixel twice.
    doubled = nearest(mask(0, 0, 1, 1), (40, 80))
    assert np.argwhere(doubled).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_scores_are_plain_values() -> None:
    assert Score(None, None).own_iou is None


def _map(inside: Mask) -> np.ndarray:
    return inside.to_array().astype(np.float32)
