"""Lively small networks with their features and thresholds, for the tests of the grid."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from kiridashi.core.picture import Picture
from kiridashi.models.grid import GridSettings
from kiridashi.models.promptable import Features, PromptableModel
from peers.lively_decoder import enliven, mark, thresholds

SIZES = ((96, 140), (300, 211))
# Random networks differ in how stable their masks are; with these, some fall at every step.
SEEDS = {"sam2": 2, "compact": 8, "drawing": 8, "edgetam": 2}


def checkered(size: tuple[int, int], seed: int = 0) -> Picture:
    colours = np.random.default_rng(seed).integers(0, 255, (6, 8, 3))
    tile = -(-max(size) // 6)
    pixels = colours.repeat(tile, 0).repeat(tile, 1)[: size[0], : size[1]]
    return Picture(pixels.astype(np.uint8), name="checkered")


@dataclass(frozen=True, eq=False)
class Scene:
    """One model, one picture, and settings at which some of the masks stay."""

    model: PromptableModel
    features: Features
    settings: GridSettings


@pytest.fixture(scope="package", params=SEEDS)
def lively(request: pytest.FixtureRequest) -> PromptableModel:
    builder: Callable[..., PromptableModel] = request.getfixturevalue(f"make_{request.param}")
    model = builder(128, SEEDS[request.param])
    enliven(model, mark(model.encode(checkered(SIZES[0]))))
    return model


@pytest.fixture(scope="package", params=SIZES, ids=["small", "tall"])
def scene(request: pytest.FixtureRequest, lively: PromptableModel) -> Scene:
    features = mark(lively.encode(checkered(request.param)))
    iou, stability = thresholds(lively, features)
    return Scene(lively, features, GridSettings(8, predicted_iou=iou, stability=max(stability, 0.3)))
