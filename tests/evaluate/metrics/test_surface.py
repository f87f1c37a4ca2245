"""Against every distance between the two outlines, and scikit-image's Hausdorff distance."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from skimage.metrics import hausdorff_distance

from kiridashi.core.errors import InputError
from kiridashi.evaluate.metrics.surface import hd95, surface_distances

MASKS = arrays(np.bool_, (8, 9), elements=st.booleans())


def outline(mask: np.ndarray) -> np.ndarray:
    """Pixels with a side towards the outside or the picture's edge."""
    padded = np.pad(mask, 1)
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: np.ndarray = mask & ~around
    return edge


@given(MASKS, MASKS)
def test_is_the_percentile_of_all_distances(found: np.ndarray, true: np.ndarray) -> None:
    assume(found.any() and true.any())
    between = cdist(np.argwhere(outline(found)), np.argwhere(outline(true)))
    expected = np.concatenate([between.min(axis=1), between.min(axis=0)])
    assert hd95(found, true) == pytest.approx(np.percentile(expected, 95))
    assert hd95(found, true) == pytest.approx(hd95(true, found))
    largest = surface_distances(found, true).max()
    assert largest == pytest.approx(hausdorff_distance(outline(found), outline(true)))


def test_a_shifted_square() -> None:
    true, found = np.zeros((30, 30)), np.zeros((30, 30))
    true[5:15, 5:15] = 1
    found[5:15, 8:18] = 1
    assert hd95(found, true) == 3
    assert hd95(true, true) == 0


def test_empty_masks_and_ignored_pixels() -> None:
    nothing, something = np.zeros((3, 4)), np.ones((3, 4))
    assert hd95(nothing, nothing) == 0
    assert hd95(nothing, something) == hd95(something, nothing) == 5 == math.hypot(3, 4)
    far = np.zeros((3, 4))
    far[0, 0] = far[2, 3] = 1
    near = np.zeros((3, 4))
    near[0, 0] = 1
    assert hd95(far, near) > 3
    assert hd95(far, near, far - near) == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        hd95(np.zeros((2, 3)), np.zeros((3, 2)))
