import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.report.localisation.drawing import draw_candidates, draw_heat, fit, map_pixels

SIZE = (40, 60)


@pytest.fixture
def picture() -> Picture:
    return Picture(np.full((*SIZE, 3), 120, dtype=np.uint8))


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[y0:y1, x0:x1] = True
    return Mask.from_array(full)


def test_heat_leaves_cold_places_as_they_are(picture: Picture) -> None:
    values = np.zeros(SIZE, dtype=np.float32)
    values[:, 30:] = 1
    drawn = draw_heat(picture, values)
    assert (drawn[:, :30] == 120).all()
    red, _, blue = drawn[0, -1].astype(int)
    assert red > blue + 20
    assert (draw_heat(picture, np.zeros((2, 2), np.float32)) == picture.pixels).all()


def test_maps_are_stretched_over_the_picture() -> None:
    grey = map_pixels(np.array([[0, 1], [0, 1]], dtype=np.float32), SIZE)
    assert grey.shape == SIZE
    assert (grey[:, 0] == 0).all()
    assert (grey[:, -1] == 255).all()
    assert (np.diff(grey[7].astype(int)) >= 0).all()
    assert (map_pixels(np.full((3, 5), 0.5, np.float32), SIZE) == 128).all()


def test_candidates_are_outlined_and_the_best_in_colour(picture: Picture) -> None:
    drawn = draw_candidates(picture, [rectangle(4, 4, 20, 20)], [rectangle(30, 10, 50, 30)])
    inside, outside = drawn[12, 12], drawn[38, 2]
    assert (inside == outside).all()
    assert (drawn[4, 12] > inside).all()
    red, _, blue = drawn[10, 40].astype(int)
    assert red > blue + 100
    assert (draw_candidates(picture, [], []) == inside).all()


@given(
    st.tuples(*[st.integers(0, 59)] * 2),
    st.tuples(*[st.integers(0, 39)] * 2),
    st.sampled_from([(4, 6), (13, 60), (80, 120), (1, 1)]),
)
def test_masks_fit_any_size(xs: tuple[int, int], ys: tuple[int, int], size: tuple[int, int]) -> None:
    mask = rectangle(min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    fitted = fit(mask, size)
    assert fitted.size == size
    assert 0 < fitted.area <= size[0] * size[1]
    x0, y0, x1, y1 = fitted.box
    assert 0 <= x0 < x1 <= size[1]
    assert 0 <= y0 < y1 <= size[0]
    across, down = size[1] / SIZE[1], size[0] / SIZE[0]
    assert abs(x0 - mask.box[0] * across) <= 1
    assert abs(y1 - mask.box[3] * down) <= 1


def test_nothing_stays_nothing() -> None:
    assert fit(Mask.empty(SIZE), (4, 6)).is_empty
