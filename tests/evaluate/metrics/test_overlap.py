import numpy as np
import pytest
from numpy.typing import ArrayLike

from kiridashi.core.errors import InputError
from kiridashi.evaluate.metrics import CumulativeIou, Overlap, iou, overlap

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0]])


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (TRUTH, 1.0),
        (1 - TRUTH, 0.0),
        (np.zeros_like(TRUTH), 0.0),
        (np.ones_like(TRUTH), 0.5),
        ([[0, 1, 1, 0], [0, 1, 1, 0]], 1 / 3),
    ],
)
def test_iou_by_hand(predicted: ArrayLike, expected: float) -> None:
    assert iou(predicted, TRUTH) == pytest.approx(expected)


def test_two_empty_masks_agree() -> None:
    assert iou(np.zeros((3, 3)), np.zeros((3, 3))) == 1.0


def test_ignored_pixels_count_nowhere() -> None:
    predicted = np.array([[1, 1, 1, 0], [1, 1, 0, 0]])
    ignore = np.array([[0, 0, 1, 1], [0, 0, 0, 0]])
    assert iou(predicted, TRUTH) == pytest.approx(4 / 5)
    assert overlap(predicted, TRUTH, ignore) == Overlap(intersection=4, union=4, outside_both=2, total=6)


def test_any_non_zero_value_is_inside() -> None:
    assert iou(TRUTH * 255, TRUTH * 0.5) == 1.0


@pytest.mark.parametrize("ignore", [None, np.zeros((2, 4))])
def test_shapes_must_agree(ignore: ArrayLike | None) -> None:
    with pytest.raises(InputError, match=r"\(3, 4\)"):
        overlap(np.zeros((3, 4)), np.zeros((2, 4)), ignore)


def square(side: int, hit: int) -> Overlap:
    """`hit` of `side` squared object pixels found in a picture of 100 pixels, nothing else."""
    return Overlap(intersection=hit, union=side**2, outside_both=100 - side**2, total=100)


def test_cumulative_weighs_pixels_not_episodes() -> None:
    big, small = square(8, 64), square(2, 0)
    cumulative = CumulativeIou()
    cumulative.add("part", big)
    cumulative.add("part", small)
    assert np.mean([big.iou, small.iou]) == 0.5
    assert cumulative.miou == pytest.approx(64 / 68)


def test_cumulative_weighs_classes_equally() -> None:
    cumulative = CumulativeIou()
    for _ in range(3):
        cumulative.add("found", square(5, 25))
    cumulative.add("missed", square(5, 0))
    assert cumulative.by_class == {"found": 1.0, "missed": 0.0}
    assert cumulative.miou == 0.5


def test_fb_iou_pools_classes_and_adds_the_background() -> None:
    cumulative = CumulativeIou()
    cumulative.add("a", square(5, 25))
    cumulative.add("b", square(5, 0))
    foreground = 25 / 50
    background = 150 / 175
    assert cumulative.fb_iou == pytest.approx((foreground + background) / 2)


def test_background_of_fb_iou_equals_the_iou_of_the_complements() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = rng.random((2, 20, 30)) < 0.4
    cumulative = CumulativeIou()
    cumulative.add("a", overlap(predicted, truth))
    assert cumulative.fb_iou == pytest.approx((iou(predicted, truth) + iou(~predicted, ~truth)) / 2)


def test_no_episode_has_no_average() -> None:
    assert np.isnan(CumulativeIou().miou)
    assert np.isnan(CumulativeIou().fb_iou)
