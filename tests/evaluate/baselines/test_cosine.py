import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.evaluate.baselines import CosinePrototypes
from kiridashi.models.catalogue import find_card
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.testing.scenes import plain, scene


class ColourModel(PromptableModel):
    """A model whose trunk maps are the picture's own colours, centred, at strides 4 and 8."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), find_card("compact"))

    def encode(self, picture: Picture) -> Features:
        pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1).float()[None] - 128
        fine = F.avg_pool2d(pixels, 4)
        return Features((), torch.empty(0), (fine, F.avg_pool2d(fine, 2)), picture.size)


@pytest.mark.parametrize(("level", "least"), [(0, 0.85), (-1, 0.7)])
def test_finds_the_disc(level: int, least: float) -> None:
    target = scene(1)
    found = CosinePrototypes(ColourModel(), level).fit([scene(0)]).predict(target.picture)
    assert found.union().iou(target.mask) > least


def test_prototypes_are_unit_averages_over_references() -> None:
    method = CosinePrototypes(ColourModel()).fit([scene(0), scene(1, (64, 64))])
    assert torch.allclose(method.prototypes_.norm(dim=1), torch.ones(2))
    orange = F.normalize(torch.tensor([225.0, 120.0, 40.0]) - 128, dim=0)
    assert float(method.prototypes_[0] @ orange) > 0.95


def test_full_mask_still_gives_a_classifier() -> None:
    shown = scene(0)
    whole = Reference(shown.picture, Mask.from_array(np.ones(shown.picture.size, dtype=bool)))
    found = CosinePrototypes(ColourModel()).fit([whole]).predict(shown.picture)
    assert found.union().coverage > 0.5


def test_order_of_calls() -> None:
    with pytest.raises(UsageError, match="before fit"):
        CosinePrototypes(ColourModel()).predict(plain())
    with pytest.raises(UsageError, match="at least one"):
        CosinePrototypes(ColourModel()).fit([])
