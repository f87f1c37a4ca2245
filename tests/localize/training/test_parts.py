"""The small parts of training: schedule, views, thresholds, the best epoch, options."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.training.augmentation import LEAST_SIDE, View, views_of
from kiridashi.localize.training.early_stop import Best
from kiridashi.localize.training.options import (
    DEFECT_AREA,
    TrainingOptions,
    for_inspection,
    published_cub,
    published_ilsvrc,
)
from kiridashi.localize.training.schedule import rate
from kiridashi.localize.training.thresholds import score_threshold


def test_the_rate_climbs_and_then_falls_along_a_cosine() -> None:
    rates = [rate(step, 110, peak=1.0, final=0.1, warmup=0.091) for step in range(110)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1)
    middle = 0.1 + 0.9 * (1 + math.cos(math.pi * 49 / 99)) / 2
    assert rates[59] == pytest.approx(middle)
    assert all(one > other for one, other in pairwise(rates[10:]))
    assert rate(0, 1, peak=1.0, final=0.1, warmup=0.0) == 1.0
    assert rate(5, 10, peak=1e-7, final=1e-6, warmup=0.0) == pytest.approx(1e-7)


def test_views_begin_with_the_picture_and_its_mirror_image(make_picture: Callable[..., Picture]) -> None:
    picture = make_picture((40, 60))
    views = views_of(picture.digest, 6)
    assert views[0].of(picture).digest == picture.digest
    np.testing.assert_array_equal(views[1].of(picture).pixels, picture.pixels[:, ::-1])
    assert [view.mirrored for view in views] == [False, True] * 3
    for view in views[2:]:
        left, top, right, bottom = view.crop
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert right - left >= LEAST_SIDE - 1e-9
        assert min(view.of(picture).size) >= 29
    assert len({view.key for view in views}) == 6
    # They follow from the picture alone, and begin alike however many are asked for.
    assert views_of(picture.digest, 6) == views
    assert views_of(picture.digest, 3) == views[:3]
    assert views_of(make_picture((40, 60), seed=5).digest, 3)[2] != views[2]


def test_a_crop_of_a_tiny_picture_has_a_pixel() -> None:
    dot = Picture(np.zeros((1, 1, 3), np.uint8))
    assert View(crop=(0.2, 0.2, 0.95, 0.95)).of(dot).size == (1, 1)
    assert View(crop=(0.9, 0.9, 1.0, 1.0)).of(dot).size == (1, 1)


def test_the_threshold_parts_the_scores_best() -> None:
    scores = torch.tensor([0.1, 0.2, 0.25, 0.3, 0.35, 0.6, 0.7, 0.8, 0.9, 0.95])
    present = scores > 0.5
    assert score_threshold(scores, present, 0.5) == pytest.approx(0.5)
    assert score_threshold(scores / 2, present, 0.5) == pytest.approx((0.35 + 0.6) / 4)
    # Of thresholds that part as well, the nearest to the default.
    assert score_threshold(scores, present, 0.45) == pytest.approx(0.45)
    # A miss is as bad as a false alarm, in parts of their kind.
    mixed = present.clone()
    mixed[0] = True
    assert score_threshold(scores, mixed, 0.5) == pytest.approx(0.5)


def test_with_few_pictures_the_default_stays() -> None:
    scores = torch.tensor([0.9, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert score_threshold(scores, scores > 0.95, 0.3) == 0.3
    assert score_threshold(scores, scores > 0.5, 0.3) == 0.3


def _parts() -> dict[str, nn.Module]:
    return {"first": nn.Linear(1, 1, bias=False), "other": nn.Linear(1, 1, bias=False)}


def _set(parts: dict[str, nn.Module], value: float) -> None:
    for part in parts.values():
        nn.init.constant_(part.weight, value)  # type: ignore[arg-type]


def _values(parts: dict[str, nn.Module]) -> list[float]:
    return [part.state_dict()["weight"].item() for part in parts.values()]


def test_each_part_keeps_its_own_best_epoch() -> None:
    parts = _parts()
    best = Best(parts, least=2)
    # The first epoch is the best of all and too early.
    table = {1: (0.1, 0.1), 2: (0.9, 0.5), 3: (0.8, 0.6), 4: (0.85, 0.7)}
    for epoch, (first, other) in table.items():
        _set(parts, epoch)
        best.update(epoch, {"first": first, "other": other})
    assert best.facts == {"first.loss": 0.8, "first.epoch": 3, "other.loss": 0.5, "other.epoch": 2}
    assert best.waited(4) == 1
    best.restore()
    assert _values(parts) == [3, 2]


def test_with_nothing_held_aside_the_last_epoch_is_kept() -> None:
    parts = _parts()
    best = Best(parts, least=5)
    for epoch in (1, 2, 3):
        _set(parts, epoch)
        best.update(epoch, None)
        assert best.waited(epoch) == 0
    best.restore()
    assert _values(parts) == [3, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": "many"}, "labels is one of auto, single, multiple"),
        ({"epochs": 0}, "epochs is a whole number of 1 to"),
        ({"batch": 2.5}, "batch is a whole number"),
        ({"views": 17}, "views is a whole number of 1 to 16"),
        ({"seed": -1}, "seed is a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate is above 0"),
        ({"thumbnail_factor": 2.0}, "thumbnail_factor is 0 to 1"),
        ({"plain_rate": 0.0}, "plain_rate is above 0"),
        ({"held_aside": 0.6}, "held_aside is 0 to 0.5"),
        ({"area": 1.0}, "area is a share of the picture between 0 and 1"),
        ({"token_weight": float("inf")}, "token_weight must be 0 or more"),
        ({"balance_cap": 0.5}, "balance_cap must be 1 or more"),
    ],
)
def test_options_out_of_range_are_told(change: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        TrainingOptions(**change)  # type: ignore[arg-type]


def test_options_come_back_and_the_published_ones_are_as_published() -> None:
    cub, ilsvrc = published_cub(), published_ilsvrc()
    assert TrainingOptions.from_dict(cub.to_dict()) == cub
    assert (cub.area, cub.learning_rate, cub.batch, cub.epochs) == (0.25, 1e-4, 256, 30)
    assert (ilsvrc.area, ilsvrc.learning_rate, ilsvrc.batch) == (0.35, 1.5e-5, 512)
    for options in (cub, ilsvrc):
        assert (options.weight_decay, options.network.drop_path, options.seed) == (0.05, 0.1, 6)
        assert (options.region_weight, options.edge_weight, options.token_weight) == (1, 1, 0.5)
        assert options.thumbnail_factor == 1
        assert (options.evidence_weight, options.background_weight) == (0, 0)
        assert (options.network.stem_hidden, options.network.thumbnail_deviation) == (0, 0.02)
        assert options.network.pooling == "mean"
        assert options.network.temperature == 1


def test_options_for_inspection_hold_the_map_to_a_small_area() -> None:
    options = TrainingOptions(seed=3, epochs=9)
    suited = for_inspection(options)
    assert (suited.seed, suited.epochs) == (3, 9)
    assert suited.area == DEFECT_AREA < options.area
    assert suited.region_weight > options.region_weight
    assert suited.background_weight < options.background_weight
    assert for_inspection(options, 0.2).area == 0.2
