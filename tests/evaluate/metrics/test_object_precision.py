"""Against pycocotools, picture by picture and resampled."""

import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.average_precision import Answer, Shape, Target, average_precision
from kiridashi.evaluate.metrics.object_precision import Matched, match, object_precision

Found = list[tuple[Mask, float]]


def pictures(seed: int, count: int) -> list[tuple[list[Mask], Found]]:
    """Random boxes, and answers that meet some of them more or less."""
    rng = np.random.default_rng(seed)

    def box(x: int, y: int, side: int) -> Mask:
        full = np.zeros((40, 40), dtype=bool)
        full[max(y, 0) : y + side, max(x, 0) : x + side] = True
        return Mask.from_array(full)

    made = []
    for _ in range(count):
        places = [tuple(int(v) for v in rng.integers(0, 28, 2)) for _ in range(int(rng.integers(0, 4)))]
        truth = [box(x, y, 10) for x, y in places]
        moved = [(x + int(rng.integers(-3, 4)), y + int(rng.integers(-3, 4))) for x, y in places]
        stray = [(int(rng.integers(0, 28)), int(rng.integers(0, 28))) for _ in range(int(rng.integers(0, 3)))]
        made.append((truth, [(box(x, y, 10), round(float(rng.random()), 6)) for x, y in moved + stray]))
    return made


def by_coco(shown: list[tuple[list[Mask], Found]]) -> tuple[float, float]:
    asked = [
        (
            [Target(Shape.of(mask), "a", False) for mask in truth],
            [Answer(Shape.of(mask), "a", score) for mask, score in found],
        )
        for truth, found in shown
    ]
    scored = average_precision(asked, ["a"])["a"]
    return scored.ap, scored.ap50


@pytest.mark.parametrize("seed", range(6))
def test_is_that_of_pycocotools(seed: int) -> None:
    shown = pictures(seed, 8)
    values = object_precision([match(found, truth) for truth, found in shown])
    ap, ap50 = by_coco(shown)
    assert values[0].mean() == pytest.approx(ap)
    assert values[0, 0] == pytest.approx(ap50)


def test_weights_are_repeated_pictures() -> None:
    shown = pictures(11, 6)
    weights = np.array([[2.0, 0, 1, 3, 0, 1]])
    repeated = [one for one, times in zip(shown, weights[0], strict=True) for _ in range(int(times))]
    values = object_precision([match(found, truth) for truth, found in shown], weights)
    assert values[0].mean() == pytest.approx(by_coco(repeated)[0])


def test_nothing_there_is_no_figure_and_nothing_found_is_none_right() -> None:
    assert np.isnan(object_precision([Matched((0.5,), (0,), 0)])).all()
    assert (object_precision([Matched((), (), 2)]) == 0).all()


def test_rows_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [match(found, truth) for truth, found in pictures(3, 6)]
    weights = np.random.default_rng(0).integers(0, 3, (7, 6)).astype(np.float64)
    whole = object_precision(shown, weights)
    monkeypatch.setattr("kiridashi.evaluate.metrics.object_precision.MOST_CELLS", 10)
    assert np.array_equal(object_precision(shown, weights), whole, equal_nan=True)
