import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.evaluate.ifsis.scoring import without_ignored
from kiridashi.evaluate.metrics.average_precision import Answer, Shape, Target, average_precision


def box(x0: int, x1: int) -> Shape:
    full = np.zeros((10, 40), dtype=bool)
    full[:, x0:x1] = True
    return Shape.of(Mask.from_array(full))


def test_an_exact_mask_is_worth_all_and_a_wrong_name_nothing() -> None:
    truth = [Target(box(0, 10), "cow", False), Target(box(20, 30), "cat", False)]
    found = [Answer(box(0, 10), "cow", 0.9), Answer(box(20, 30), "cow", 0.1)]
    scored = average_precision([(truth, found)], ["cow", "cat", "dog"])
    assert [scored["cow"].ap, scored["cow"].ap50] == pytest.approx([1, 1])
    assert scored["cat"].ap == 0
    assert "dog" not in scored


def test_overlap_decides_at_which_thresholds_it_counts() -> None:
    # IoU 0.7: right at 0.50, 0.55, 0.60, 0.65 and 0.70.
    scored = average_precision(
        [([Target(box(0, 10), "cow", False)], [Answer(box(0, 7), "cow", 0.9)])], ["cow"]
    )
    assert scored["cow"].ap50 == pytest.approx(1)
    assert scored["cow"].ap == pytest.approx(0.5)


def test_a_surer_wrong_one_halves_the_precision() -> None:
    truth = [Target(box(0, 10), "cow", False)]
    wrong, right = Answer(box(20, 30), "cow", 0.9), Answer(box(0, 10), "cow", 0.5)
    assert average_precision([(truth, [wrong, right])], ["cow"])["cow"].ap50 == pytest.approx(0.5)
    swapped = [wrong._replace(score=0.4), right]
    assert average_precision([(truth, swapped)], ["cow"])["cow"].ap50 == pytest.approx(1)


def test_a_crowd_is_neither_missed_nor_wrong() -> None:
    truth = [Target(box(0, 10), "cow", False), Target(box(15, 40), "cow", True)]
    found = [Answer(box(20, 30), "cow", 0.9), Answer(box(0, 10), "cow", 0.5)]
    assert average_precision([(truth, found)], ["cow"])["cow"].ap == pytest.approx(1)


def test_pictures_are_ranked_together() -> None:
    one = ([Target(box(0, 10), "cow", False)], [Answer(box(0, 10), "cow", 0.5)])
    empty: tuple[list[Target], list[Answer]] = ([], [Answer(box(0, 10), "cow", 0.9)])
    assert average_precision([one, empty], ["cow"])["cow"].ap50 == pytest.approx(0.5)
    assert average_precision([one, ([], [])], ["cow"])["cow"].ap50 == pytest.approx(1)
    assert average_precision([([], [])], ["cow"]) == {}


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    average_precision([([Target(box(0, 10), "cow", False)], [])], ["cow"])
    assert capsys.readouterr().out == ""


def test_void_pixels_are_taken_off() -> None:
    mask, void = (Mask.from_array(np.arange(40)[None].repeat(3, 0) < end) for end in (10, 4))
    assert without_ignored(mask, void).box == (4, 0, 10, 3)
    assert without_ignored(void, mask).is_empty
    assert without_ignored(mask, Mask.empty((3, 40))) is mask
