from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.localize.matching import reduce_masks, similarity
from kiridashi.localize.settings import Cells, Measure

SIZES = ((28, 42), (30, 17), (5, 61))


def scattered(size: tuple[int, int], seed: int) -> Mask:
    """A patchy mask that leaves some of its picture free."""
    rng = np.random.default_rng(seed)
    full = np.zeros(size, bool)
    top, left = rng.integers(0, size[0] - 1), rng.integers(0, size[1] - 1)
    full[top : top + rng.integers(1, size[0]), left : left + rng.integers(1, size[1])] = True
    return Mask.from_array(full & (rng.random(size) < 0.8))


def shared(pixel: int, length: int, cell: int, side: int) -> Fraction:
    """How much of a pixel lies in a cell, along one axis."""
    first, last = Fraction(cell * length, side), Fraction((cell + 1) * length, side)
    return max(min(Fraction(pixel + 1), last) - max(Fraction(pixel), first), Fraction(0))


def covered(mask: Mask, side: int, row: int, column: int) -> Fraction:
    """The share of one cell, pixel by pixel in exact arithmetic."""
    height, width = mask.size
    total = Fraction(0)
    for y, x in np.argwhere(mask.to_array()).tolist():
        total += shared(y, height, row, side) * shared(x, width, column, side)
    return total / Fraction(height * width, side * side)


@pytest.mark.parametrize("side", [1, 4, 14])
@pytest.mark.parametrize("size", SIZES)
def test_cells_are_area_averages_also_where_a_pixel_is_larger_than_a_cell(
    size: tuple[int, int], side: int
) -> None:
    masks = [scattered(size, 1), Mask.empty(size), Mask.from_array(np.ones(size))]
    reduced = reduce_masks(masks, side)
    assert reduced.shape == (3, side, side)
    assert reduced.dtype == np.float32
    assert not reduced[1].any()
    np.testing.assert_allclose(reduced[2], 1, atol=1e-6)
    truth = [[covered(masks[0], side, row, column) for column in range(side)] for row in range(side)]
    np.testing.assert_allclose(reduced[0], np.array(truth, dtype=float), atol=1e-6)
    # `any` of the published rule rests on the zeros being zeros.
    np.testing.assert_array_equal(reduced[0] > 0, np.array(truth) > 0)


def test_masks_of_several_sizes_are_reduced_together_and_none_is_fine() -> None:
    masks = [scattered(size, seed) for seed, size in enumerate(SIZES)]
    together = reduce_masks(masks, 7)
    for row, mask in enumerate(masks):
        np.testing.assert_array_equal(together[row], reduce_masks([mask], 7)[0])
    assert reduce_masks([], 7).shape == (0, 7, 7)


def by_loops(
    target: NDArray[np.float32], inside: NDArray[np.float32], measure: str, level: float, cells: str
) -> list[float]:
    """Each measure as its formula reads, cell by cell."""
    found = []
    for mask in inside.astype(np.float64):
        pairs = list(zip(target.astype(np.float64).ravel(), mask.ravel(), strict=True))
        if measure == "iou":
            hard = [(m > level, x > 0 if cells == "any" else x >= 0.5) for m, x in pairs]
            above, below = sum(m and x for m, x in hard), sum(m or x for m, x in hard)
        elif measure == "soft-iou":
            above, below = sum(min(m, x) for m, x in pairs), sum(max(m, x) for m, x in pairs)
        elif measure == "cosine":
            above = sum(m * x for m, x in pairs)
            below = (sum(m * m for m, _ in pairs) * sum(x * x for _, x in pairs)) ** 0.5
        else:
            area, outside = sum(x for _, x in pairs), sum(1 - x for _, x in pairs)
            if area == 0 or outside < 1e-6 * len(pairs):
                found.append(0.0)
                continue
            above = sum(m * x for m, x in pairs) / area - sum(m * (1 - x) for m, x in pairs) / outside
            below = 1
        found.append(above / below if below else 0.0)
    return found


@pytest.mark.parametrize("measure", get_args(Measure))
@pytest.mark.parametrize("cells", get_args(Cells))
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 9), level=st.sampled_from([0.2, 0.5]))
def test_measures_agree_with_plain_loops(
    measure: Measure, cells: Cells, seed: int, side: int, level: float
) -> None:
    rng = np.random.default_rng(seed)
    target = rng.random((side, side)).astype(np.float32)
    inside = np.clip(rng.normal(0.4, 0.6, (6, side, side)), 0, 1).astype(np.float32)
    inside[0], inside[1] = 0, 1
    scores = similarity(target, inside, measure, level, cells)
    np.testing.assert_allclose(scores, by_loops(target, inside, measure, level, cells), atol=2e-6)
    assert (np.abs(scores) <= 1).all()


@pytest.mark.parametrize("measure", get_args(Measure))
def test_the_map_itself_scores_best_and_nothing_scores_nothing(measure: Measure) -> None:
    target = np.zeros((8, 8), np.float32)
    target[2:6, 3:7] = 1
    part, shifted = target.copy(), np.roll(target, 2, axis=1)
    part[2:4] = 0
    scores = similarity(target, np.stack([part, target, shifted, 1 - target, np.zeros_like(target)]), measure)
    assert scores[1] == pytest.approx(1)
    assert scores.argmax() == 1
    assert scores[3] == (-1 if measure == "inside-outside" else 0)
    assert scores[4] == 0
    assert not similarity(np.zeros_like(target), target[None], measure).any()
    assert similarity(target, np.empty((0, 8, 8), np.float32), measure).shape == (0,)


def test_the_published_cells_swell_a_thin_mask_and_half_cells_lose_it() -> None:
    thin = np.zeros((56, 56), bool)
    thin[20, :] = True
    reduced = reduce_masks([Mask.from_array(thin)], 14)
    target = np.zeros((14, 14), np.float32)
    target[5] = 0.9
    assert similarity(target, reduced, "iou", 0.2, "any")[0] == 1
    assert similarity(target, reduced, "iou", 0.2, "half")[0] == 0
