import json
from typing import Any

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.localize.settings import LEAST_SCORE, MEASURES, PUBLISHED, LocaliseSettings, for_inspection
from kiridashi.models.grid import GridSettings


def test_they_survive_a_file() -> None:
    for settings in (LocaliseSettings(), PUBLISHED, LocaliseSettings(most_candidates=7, least_score=0)):
        assert LocaliseSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    assert LocaliseSettings.from_dict({}) == LocaliseSettings()


def test_the_published_rules_have_no_lower_bound() -> None:
    assert (PUBLISHED.side, PUBLISHED.threshold, PUBLISHED.measure) == (14, 0.2, "iou")
    assert PUBLISHED.least == -1
    assert PUBLISHED.least_share == 0
    assert PUBLISHED.grid == GridSettings(32)
    assert LocaliseSettings(points_per_side=8).grid == GridSettings(8, skip_covered=True)


def test_the_least_score_follows_the_measure() -> None:
    assert set(LEAST_SCORE) == set(MEASURES)
    assert LocaliseSettings(measure="cosine").least == LEAST_SCORE["cosine"]
    assert LocaliseSettings(measure="cosine", least_score=0.1).least == 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "dice"},
        {"cells": "most"},
        {"guide": "other"},
        {"scaling": "log"},
        {"box": "loose"},
        {"side": 0},
        {"side": 513},
        {"points_per_side": 0},
        {"most_candidates": 0},
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"threshold": float("nan")},
        {"least_score": 1.5},
        {"least_score": float("nan")},
        {"least_share": -0.1},
        {"quality": 3.0},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LocaliseSettings(**wrong)
    with pytest.raises(UsageError):
        LocaliseSettings.from_dict(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"sied": 3}, {"side": "14"}, {"side": 14.0}, {"unions": 1}, {"threshold": True}, {"guide": None}],
)
def test_a_file_with_other_types_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="setting"):
        LocaliseSettings.from_dict(wrong)


def test_where_defects_are_sought_a_small_mask_is_no_reason_to_keep_the_region() -> None:
    chosen = LocaliseSettings(points_per_side=8, measure="soft-iou")
    suited = for_inspection(chosen)
    assert (suited.points_per_side, suited.measure) == (8, "soft-iou")
    assert suited.least_share == 0
    assert suited.least < chosen.least
    assert not suited.map_prompt
