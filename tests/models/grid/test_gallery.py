from dataclasses import replace

import numpy as np
import torch

from kiridashi.core.mask import Mask
from kiridashi.models.grid import Gallery, GridSettings, gallery, segment_everything
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.thresholds import SAM2_THRESHOLDS
from peers.stock_grid import stock_grid

from .conftest import Scene


def best_overlaps(reference: list[Mask], found: tuple[Mask, ...]) -> list[float]:
    return [max((mask.iou(other) for other in found), default=0.0) for mask in reference]


def stock_masks(scene: Scene) -> list[Mask]:
    found = stock_grid(scene.model, scene.features, scene.settings)
    return [Mask.from_array(mask.numpy()) for mask in found.masks]


def test_same_masks_as_stock(scene: Scene) -> None:
    stock = stock_grid(scene.model, scene.features, scene.settings)
    ours = gallery(scene.model, scene.features, scene.settings)
    assert len(ours.masks) == len(stock.masks) >= 1
    overlaps = [
        mask.iou(Mask.from_array(other.numpy())) for mask, other in zip(ours.masks, stock.masks, strict=True)
    ]
    assert np.mean(overlaps) >= 0.99
    np.testing.assert_allclose(ours.predicted_iou, stock.predicted_iou.numpy(), rtol=1e-4)
    np.testing.assert_allclose(ours.stability, stock.stability.numpy(), atol=1e-3)
    torch.testing.assert_close(ours.tokens, stock.tokens, rtol=1e-3, atol=1e-4)


def test_some_masks_fall_at_each_step(scene: Scene) -> None:
    """The parity test would be empty if everything or nothing passed."""

    def count(settings: GridSettings) -> int:
        return len(gallery(scene.model, scene.features, settings).masks)

    overlapping = replace(scene.settings, box_iou=1.0)
    unstable = replace(overlapping, stability=0.01)
    suppressed, stable, good = count(scene.settings), count(overlapping), count(unstable)
    assert 1 <= suppressed < stable < good < count(replace(unstable, predicted_iou=0.0))


def test_skipping_covered_points_finds_most_with_fewer_decodes(scene: Scene) -> None:
    full = gallery(scene.model, scene.features, scene.settings)
    skipping = gallery(scene.model, scene.features, replace(scene.settings, skip_covered=True, batch=4))
    assert full.decoded == 64
    assert 0 < skipping.decoded < full.decoded
    # Among fewer candidates another one may win a suppression, so "most" is not "all".
    overlaps = best_overlaps(list(skipping.masks), full.masks)
    assert np.mean(overlaps) > 0.6
    found = np.zeros(scene.features.size, dtype=bool)
    for mask in skipping.masks:
        found |= mask.to_array()
    everything = np.zeros(scene.features.size, dtype=bool)
    for mask in full.masks:
        everything |= mask.to_array()
    assert np.count_nonzero(found & everything) / np.count_nonzero(everything) > 0.6


def test_the_batch_changes_nothing(scene: Scene) -> None:
    whole = gallery(scene.model, scene.features, scene.settings)
    pieces = gallery(scene.model, scene.features, replace(scene.settings, batch=7))
    assert [mask.box for mask in whole.masks] == [mask.box for mask in pieces.masks]
    np.testing.assert_allclose(whole.predicted_iou, pieces.predicted_iou, rtol=1e-4)


def test_is_deterministic(scene: Scene) -> None:
    def key(found: Gallery) -> list[object]:
        return [
            found.predicted_iou.tolist(),
            found.stability.tolist(),
            [mask.to_rle() for mask in found.masks],
        ]

    first = gallery(scene.model, scene.features, scene.settings)
    assert key(first) == key(gallery(scene.model, scene.features, scene.settings))


def test_segments_carry_scores_and_provenance(scene: Scene) -> None:
    segments = segment_everything(scene.model, scene.features, scene.settings)
    assert segments.size == scene.features.size
    assert segments.verdict is None
    assert {segment.label for segment in segments} == {"object"}
    assert (np.diff(segments.scores) <= 0).all()
    limits = scene.settings.thresholds(SAM2_THRESHOLDS)
    assert (segments.scores > limits.predicted_iou).all()
    assert segments.provenance["predicted IoU above"] == f"{limits.predicted_iou:g}"
    assert segments.provenance["stability at least"] == f"{limits.stability:g}"
    assert segments.provenance["method"] == "grid"
    assert segments.provenance["points"] == "8 x 8"
    assert segments.provenance["decoded points"] == "64"


def test_the_card_gives_the_thresholds_that_the_user_does_not(scene: Scene) -> None:
    limits = scene.settings.thresholds(SAM2_THRESHOLDS)
    own = PromptableModel(scene.model.net, replace(scene.model.card, grid=limits))
    silent = replace(scene.settings, predicted_iou=None, stability=None)
    expected = gallery(scene.model, scene.features, scene.settings)
    found = gallery(own, scene.features, silent)
    assert found.masks == expected.masks
    assert len(stock_grid(own, scene.features, silent).masks) == len(expected.masks)


def test_nothing_found_is_an_empty_result(scene: Scene) -> None:
    settings = replace(scene.settings, predicted_iou=1.0)
    found = gallery(scene.model, scene.features, settings)
    assert found.masks == ()
    assert found.tokens.shape == (0, scene.model.net.mask_decoder.hidden_size)
    assert found.points.shape == (0, 2)
    assert len(segment_everything(scene.model, scene.features, settings)) == 0


def test_each_mask_knows_its_point(scene: Scene) -> None:
    found = gallery(scene.model, scene.features, scene.settings)
    height, width = scene.features.size
    cells = found.points / (width, height) * 8 - 0.5
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-6)
