import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from kiridashi.core.errors import InputError
from kiridashi.evaluate.metrics.levels import THRESHOLDS
from kiridashi.evaluate.metrics.localisation import (
    histograms,
    localised,
    localised_top,
    mask_iou_curves,
    max_box_acc,
    max_box_acc_v2,
    mean_of,
    presence,
    pxap,
    rank,
)

T = len(THRESHOLDS)
VALUES = [np.float32(value) for value in (0, 0.005, 0.31, 0.5, 0.77, 1)]
MAPS = arrays(np.float32, (3, 6, 7), elements=st.sampled_from(VALUES))
TRUTHS = arrays(np.bool_, (3, 6, 7))


def test_rank_counts_the_classes_ahead() -> None:
    scores = np.array([0.1, 0.7, 0.4, 0.4], np.float32)
    assert [rank(scores, wanted) for wanted in range(4)] == [3, 0, 1, 2]
    # That another class of the picture scores higher is no mistake.
    assert rank(scores, 2, {1}) == 0


def test_localisation_by_hand() -> None:
    ious, ranks = np.array([0.5, 0.49, 0.9, 0.7]), np.array([0, 0, 1, 7])
    assert localised(ious).tolist() == [0.75]
    assert localised_top(ious, ranks).tolist() == [0.25]
    assert localised_top(ious, ranks, top=5).tolist() == [0.5]
    # The first counts twice, the third never; then only the second counts.
    weights = np.array([[2.0, 1, 0, 1], [0, 1, 0, 0]])
    assert localised(ious, weights).tolist() == [0.75, 0]
    assert mean_of(ious, weights) == pytest.approx([(1.0 + 0.49 + 0.7) / 4, 0.49])


def test_max_box_acc_takes_one_threshold_for_all() -> None:
    # Each picture is right at a threshold of its own: no single one is right for both.
    curves = np.array([[0.9, 0.2, 0.55], [0.1, 0.8, 0.65]])
    assert max_box_acc(curves[:, :2]).tolist() == [0.5]
    assert max_box_acc(curves).tolist() == [1]
    assert max_box_acc(curves, np.array([[1.0, 0]])).tolist() == [1]
    # 0.3: 1 (third), 0.5: 1 (third), 0.7: 0.5.
    assert max_box_acc_v2(curves) == pytest.approx([2.5 / 3])


def test_max_box_acc_is_the_best_mean() -> None:
    rng = np.random.default_rng(0)
    curves, weights = rng.random((12, T)), rng.integers(0, 3, (5, 12)).astype(float)
    for found, row in zip(max_box_acc(curves, weights), weights, strict=True):
        shares = [np.average(curves[:, t] >= 0.5, weights=row) for t in range(T)]
        assert found == pytest.approx(max(shares))


def test_pxap_by_hand() -> None:
    values = np.array([[1.0, 0.8, 0.6, 0.2]], np.float32)
    truth = np.array([[True, False, True, False]])
    inside, outside = histograms(values, truth, np.zeros_like(truth))
    # Half of the object at precision 1, the other half at 2 / 3.
    assert pxap(inside[None], outside[None]) == pytest.approx([0.5 * 1 + 0.5 * 2 / 3])
    ignored = np.array([[False, True, False, False]])
    inside, outside = histograms(values, truth, ignored)
    assert inside.sum() + outside.sum() == 3
    assert pxap(inside[None], outside[None]).tolist() == [1]


@given(MAPS, TRUTHS, TRUTHS)
def test_pxap_is_the_average_precision_of_all_pixels(
    maps: np.ndarray, truths: np.ndarray, ignores: np.ndarray
) -> None:
    counts = [histograms(*parts) for parts in zip(maps, truths, ignores, strict=True)]
    inside, outside = (np.array(part) for part in zip(*counts, strict=True))
    weights = np.array([[1.0, 1, 1], [2, 0, 1]])
    for found, row in zip(pxap(inside, outside, weights), weights, strict=True):
        picked = [index for index, times in enumerate(row) for _ in range(int(times))]
        counted = ~ignores[picked]
        true, score = truths[picked][counted], np.floor(maps[picked][counted] * 100 + 1e-4)
        if true.any():
            assert found == pytest.approx(average_precision_score(true, score))
        else:
            assert np.isnan(found)


@given(MAPS, TRUTHS, TRUTHS)
def test_mask_curves_are_the_iou_at_each_threshold(
    maps: np.ndarray, truths: np.ndarray, ignores: np.ndarray
) -> None:
    inside, outside = histograms(maps[0], truths[0], ignores[0])
    found = mask_iou_curves(inside[None], outside[None])[0]
    for threshold, value in zip(THRESHOLDS, found, strict=True):
        said, counted = maps[0].astype(float) >= threshold, ~ignores[0]
        either = (said | truths[0]) & counted
        wanted = (said & truths[0] & counted).sum() / either.sum() if either.any() else 1
        assert value == pytest.approx(wanted)


def test_histograms_want_one_shape() -> None:
    with pytest.raises(InputError, match="one shape"):
        histograms(np.zeros((2, 3), np.float32), np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_presence_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(1)
    there, absent = np.round(rng.random(9) + 0.2, 1), np.round(rng.random(6), 1)
    labels = np.repeat([1, 0], [9, 6])
    expected = roc_auc_score(labels, np.concatenate([there, absent]))
    assert presence(there, absent) == pytest.approx([expected])
    weights = [rng.integers(1, 4, (4, count)).astype(float) for count in (9, 6)]
    for index, found in enumerate(presence(there, absent, weights)):
        both = np.concatenate([part[index] for part in weights])
        scores = np.concatenate([there, absent])
        assert found == pytest.approx(roc_auc_score(labels, scores, sample_weight=both))
