import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from kiridashi.core.errors import InputError
from kiridashi.evaluate.metrics.confusion import confusion

MASKS = arrays(np.bool_, (3, 5, 4), elements=st.booleans())
BY_SKLEARN = {"iou": jaccard_score, "dice": f1_score, "precision": precision_score, "recall": recall_score}


@given(MASKS, MASKS, MASKS)
def test_shares_are_those_of_scikit_learn(found: np.ndarray, true: np.ndarray, ignore: np.ndarray) -> None:
    counts = confusion(found, true, ignore)
    for place in range(3):
        counted = ~ignore[place]
        ours, theirs = found[place][counted], true[place][counted]
        for name, measure in BY_SKLEARN.items():
            empty = not ours.any() and not theirs.any()
            expected = 1.0 if empty else measure(theirs, ours, zero_division=0)
            assert getattr(counts, name)[place] == pytest.approx(expected), name
        assert counts.dice[place] == pytest.approx(2 * counts.iou[place] / (1 + counts.iou[place]))


def test_counts_by_hand() -> None:
    counts = confusion([[1, 1, 0, 0]], [[0, 1, 1, 0]])
    assert [int(part) for part in (counts.true_positive, counts.false_positive)] == [1, 1]
    assert [int(part) for part in (counts.false_negative, counts.true_negative)] == [1, 1]
    assert float(counts.iou) == pytest.approx(1 / 3)


def test_one_empty_mask_is_worth_nothing_and_two_all() -> None:
    nothing, something = np.zeros((2, 2)), np.eye(2)
    for name in BY_SKLEARN:
        assert getattr(confusion(nothing, nothing), name) == 1
        assert getattr(confusion(nothing, something), name) == 0
        assert getattr(confusion(something, nothing), name) == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        confusion(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="one shape"):
        confusion(np.zeros(3), np.zeros(3))
