import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.models.grid import GridSettings, grid_points
from kiridashi.models.grid.points import coarse_to_fine
from kiridashi.models.thresholds import GridThresholds


def test_points_lie_at_the_middle_of_equal_cells() -> None:
    points = grid_points(4, (100, 200))
    assert points.shape == (16, 2)
    expected = [(200 * (j + 0.5) / 4, 100 * (i + 0.5) / 4) for i in range(4) for j in range(4)]
    np.testing.assert_array_equal(points, expected)


@pytest.mark.parametrize("side", [1, 2, 5, 8, 16])
def test_the_order_visits_every_point_once(side: int) -> None:
    assert sorted(coarse_to_fine(side)) == list(range(side * side))


def test_the_order_is_coarse_to_fine() -> None:
    first = coarse_to_fine(8)[:4]
    assert {(index // 8, index % 8) for index in first} == {(0, 0), (0, 4), (4, 0), (4, 4)}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"points_per_side": 0}, "points per side"),
        ({"batch": 0}, "batch"),
        ({"stability_offset": -1.0}, "offset"),
        ({"predicted_iou": 1.5}, "predicted iou"),
        ({"stability": -0.1}, "stability"),
        ({"box_iou": float("nan")}, "box iou"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        GridSettings(**wrong)  # type: ignore[arg-type]


def test_thresholds_are_the_models_where_the_user_gave_none() -> None:
    own = GridThresholds(0.25, 0.75)
    assert GridSettings().thresholds(own) == own
    assert GridSettings(predicted_iou=0.0).thresholds(own) == GridThresholds(0.0, 0.75)
    assert GridSettings(stability=1.0).thresholds(own) == GridThresholds(0.25, 1.0)
