from pathlib import Path

import numpy as np
import pytest
from training.image.grid_thresholds import Found, attempt, gather, kept, overlaps_of
from training.scenes import IGNORE

from kiridashi.core.mask import Mask
from kiridashi.models.grid import GridSettings, gallery
from kiridashi.models.promptable import PromptableModel


def found(kind: str = "many") -> Found:
    """Four masks on two objects: a good one, its lesser double, an unstable one, a wrong one."""
    return Found(
        kind=kind,
        predicted_iou=np.array([0.9, 0.8, 0.7, 0.6]),
        stability=np.array([0.9, 0.9, 0.5, 0.9]),
        boxes=np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29], [40, 40, 49, 49]], dtype=np.float64),
        overlaps=np.array([[0.8, 0], [0.75, 0], [0, 0.6], [0, 0.1]]),
        wanted=np.array([True, True]),
    )


def test_overlaps_leave_out_what_nobody_knows() -> None:
    objects = np.zeros((6, 8), np.uint8)
    objects[1:3, 1:5] = 1
    objects[4, 0:4] = 2
    objects[1:3, 5] = IGNORE
    inside = np.zeros((6, 8), bool)
    inside[1:3, 3:7] = True
    areas = np.bincount(objects.ravel(), minlength=256)
    # 4 pixels of 8 are met, 2 fall on nothing, 2 on what nobody knows.
    assert overlaps_of(Mask.from_array(inside), objects, areas).tolist() == [4 / 10, 0.0]
    assert overlaps_of(Mask.empty((6, 8)), objects, areas).tolist() == [0.0, 0.0]


def test_doubles_fall_and_thresholds_hold() -> None:
    assert kept(found(), 0.5, 0.5, box_iou=0.7).tolist() == [0, 2, 3]
    assert kept(found(), 0.5, 0.8, box_iou=0.7).tolist() == [0, 3]
    assert kept(found(), 0.6, 0.5, box_iou=0.7).tolist() == [0, 2]
    assert kept(found(), 0.9, 0.5, box_iou=0.7).tolist() == []


def test_a_trial_counts_objects_and_masks() -> None:
    trial = attempt([found("photographs"), found("many")], 0.5, 0.8, box_iou=0.7)
    assert trial.recall == (0.5, 0.5)
    assert trial.precision == trial.made_up_precision == 0.5
    assert (trial.masks, trial.most) == (2.0, 2)
    loose = attempt([found("photographs")], 0.5, 0.5, box_iou=0.7)
    assert loose.recall == (1.0, 0.5)
    assert loose.precision == pytest.approx(2 / 3)
    assert np.isnan(loose.made_up_precision)
    assert np.isnan(attempt([found()], 0.9, 0.5, box_iou=0.7).precision)


def test_a_trial_keeps_what_the_grid_keeps(
    tiny_compact: PromptableModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.image.grid_thresholds.SHARES", {"surfaces": 1.0})
    seen = []

    def record(model: PromptableModel, features: object, settings: GridSettings) -> object:
        small = GridSettings(4, predicted_iou=0, stability=0, box_iou=1)
        assert settings == GridSettings(predicted_iou=0, stability=0, box_iou=1)
        seen.append(features)
        return gallery(model, features, small)  # type: ignore[arg-type]

    monkeypatch.setattr("training.image.grid_thresholds.gallery", record)
    (scene,) = gather(tiny_compact, tmp_path, None, 1)
    limits = GridSettings(4, predicted_iou=0.4, stability=0.2)
    expected = gallery(tiny_compact, seen[0], limits)  # type: ignore[arg-type]
    assert scene.kind == "surfaces"
    assert len(scene.stability) > len(expected.masks) > 0
    chosen = kept(scene, 0.4, 0.2, limits.box_iou)
    np.testing.assert_array_equal(scene.predicted_iou[chosen], expected.predicted_iou)
