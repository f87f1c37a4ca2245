from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.geometry.otsu import otsu
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.cav import pseudo_masks
from kiridashi.reference.cav.pseudo_masks import PseudoMasks, prototype

SIDE = 64
Angles = NDArray[np.float64]


class Painted:
    """Stands in for a model: features of two channels, one place a pixel, given by picture."""

    def __init__(self) -> None:
        self._maps: dict[str, Tensor] = {}

    def paint(self, degrees: Angles, length: float = 1.0) -> Picture:
        """A picture whose features point where an (H, W) map of angles says."""
        number = len(self._maps)
        picture = Picture(np.full((*degrees.shape, 3), number, np.uint8), f"painted-{number}")
        angles = torch.from_numpy(np.deg2rad(degrees)).float()
        self._maps[picture.digest] = length * torch.stack([angles.cos(), angles.sin()])[None]
        return picture

    def encode(self, picture: Picture) -> Any:
        return SimpleNamespace(levels=[self._maps[picture.digest]])


def everywhere(degrees: float) -> Angles:
    return np.full((SIDE, SIDE), degrees)


def shown(model: Painted, degrees: float, length: float = 1.0) -> Reference:
    """A reference whose object looks like this, on one side; the other side looks the other way."""
    angles = everywhere(degrees + 180)
    angles[:, :20] = degrees
    return Reference(model.paint(angles, length), Mask.from_array(angles == degrees))


def answer(likeness: Angles) -> Mask | None:
    """The pseudo mask of a picture that resembles the object as an (H, W) map says."""
    model = Painted()
    masks = PseudoMasks(model, [shown(model, 0)])  # type: ignore[arg-type]
    return masks.mask(model.paint(np.rad2deg(np.arccos(likeness))))


def lump(inside: int, high: float, low: float) -> Angles:
    """(64, 64) likeness, high on the first pixels."""
    likeness = np.full(SIDE * SIDE, low)
    likeness[:inside] = high
    return likeness.reshape(SIDE, SIDE)


def test_the_prototype_is_the_average_under_the_masks_share_of_each_place(
    model: PromptableModel, make_picture: Callable[..., Picture]
) -> None:
    inside = np.zeros((64, 64), dtype=bool)
    inside[16:32, 32:56] = True
    reference = Reference(make_picture((64, 64)), Mask.from_array(inside))
    features = model.encode(reference.picture).levels[-1][0]
    # Of the 4 x 4 places, one lies within the mask and half of its neighbour does.
    expected = (features[:, 1, 2] + 0.5 * features[:, 1, 3]) / 1.5
    torch.testing.assert_close(prototype(model, reference), expected)


def test_alike_places_become_the_mask() -> None:
    likeness = lump(600, high=0.9, low=-0.3)
    found = answer(likeness)
    assert found == Mask.from_array(likeness > 0)


@pytest.mark.parametrize(
    "likeness",
    [
        pytest.param(lump(SIDE * SIDE, high=0.9, low=0.9), id="the same everywhere"),
        pytest.param(lump(3900, high=0.9, low=-0.3), id="nearly all"),
        pytest.param(lump(3, high=0.9, low=-0.3), id="a speck"),
        pytest.param(lump(600, high=0.4, low=-0.3), id="nothing alike"),
    ],
)
def test_the_gate_refuses_what_cannot_be_believed(likeness: Angles) -> None:
    assert answer(likeness) is None


def test_the_gate_asks_for_two_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bell of likeness has a separability of 2 / pi however narrow it is; two lumps are near 1."""
    bell = np.random.default_rng(0).normal(0.6, 0.05, (SIDE, SIDE))
    assert otsu(bell).separability == pytest.approx(2 / np.pi, abs=0.02)
    assert answer(bell) is not None
    monkeypatch.setattr(pseudo_masks, "LEAST_SEPARABILITY", 0.7)
    assert answer(bell) is None
    assert answer(lump(600, high=0.9, low=-0.3)) is not None


def test_each_reference_has_one_voice_however_long_its_features_are() -> None:
    """The mean of directions 0 and 90 degrees is 45; lengths would draw it to 18, nearer to 0 than to 45."""
    model = Painted()
    masks = PseudoMasks(model, [shown(model, 0, length=3), shown(model, 90)])  # type: ignore[arg-type]
    angles = everywhere(0)
    angles[:20] = 45
    assert masks.mask(model.paint(angles)) == Mask.from_array(angles == 45)


def test_one_reference_among_others_is_the_nearest() -> None:
    model = Painted()
    masks = PseudoMasks(model, [shown(model, angle) for angle in (0, 90, 200)])  # type: ignore[arg-type]
    angles = everywhere(30)
    assert masks.nearest(model.paint(angles)) == 0
    # One place is enough.
    angles[3, 5] = 205
    assert masks.nearest(model.paint(angles)) == 2


def test_masks_follow_the_neck_that_the_model_has(model: PromptableModel, disc_site: Any) -> None:
    site = disc_site(0, size=(64, 64))
    plain = PseudoMasks(model, [site]).prototypes
    other = type(model.net.vision_encoder.neck)(model.net.config.vision_config)
    with model.with_neck(other):
        assert not torch.equal(PseudoMasks(model, [site]).prototypes, plain)
    assert torch.equal(PseudoMasks(model, [site]).prototypes, plain)
