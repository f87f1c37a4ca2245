import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error as by_sklearn

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.absolute_error import mean_absolute_error
from kiridashi.evaluate.metrics.figures import figures_of

SQUARE = np.zeros((20, 20), dtype=bool)
SQUARE[5:15, 5:15] = True
NOTHING = Mask.empty((20, 20))


def test_the_error_of_a_map_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    found, true, ignore = rng.random((6, 7)), rng.random((6, 7)) > 0.5, rng.random((6, 7)) > 0.8
    assert mean_absolute_error(found, true) == pytest.approx(by_sklearn(true.ravel(), found.ravel()))
    counted = ~ignore
    expected = by_sklearn(true[counted].astype(float), found[counted])
    assert mean_absolute_error(found, true, ignore) == pytest.approx(expected)
    assert mean_absolute_error(found, true, np.ones((6, 7))) == 0
    with pytest.raises(InputError, match="one shape"):
        mean_absolute_error(np.zeros((2, 3)), np.zeros((3, 2)))


def test_all_figures_of_a_half() -> None:
    half = SQUARE.copy()
    half[:, 10:] = False
    found = figures_of(Mask.from_array(half), Mask.from_array(SQUARE))
    assert (found.iou, found.precision, found.recall) == pytest.approx((0.5, 1, 0.5))
    assert found.dice == pytest.approx(2 / 3)
    assert found.hd95 == pytest.approx(5)
    assert found.mae == pytest.approx(50 / 400)
    assert 0 < found.boundary_iou < 1
    assert found.j_and_f == pytest.approx((found.iou + found.boundary_f) / 2)


def test_one_convention_for_empty_masks() -> None:
    there = Mask.from_array(SQUARE)
    for found, truth, share, distance in (
        (NOTHING, NOTHING, 1, 0),
        (NOTHING, there, 0, math.hypot(20, 20)),
        (there, NOTHING, 0, math.hypot(20, 20)),
    ):
        figures = dataclasses.asdict(figures_of(found, truth))
        assert figures.pop("hd95") == pytest.approx(distance)
        assert figures.pop("mae") == pytest.approx(0 if found is truth else 0.25)
        assert set(figures.values()) == {share}


def test_ignored_pixels_change_no_figure() -> None:
    wrong = SQUARE.copy()
    wrong[16:, 16:] = True
    ignore = np.zeros_like(SQUARE)
    ignore[16:, 16:] = True
    truth = Mask.from_array(SQUARE)
    found = figures_of(Mask.from_array(wrong), truth, Mask.from_array(ignore))
    assert found == figures_of(truth, truth)
