from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import FrameResult, ObjectResult
from kiridashi.reference.cav import cycle
from kiridashi.reference.cav.cycle import choose, cycle_iou
from kiridashi.reference.cav.pseudo_video import OBJECT, show_references

DiscSite = Callable[..., Reference]


class ByColour:
    """Stands in for a session: finds the pixels whose colour is near to that of what it was shown."""

    def __init__(self, shown: Reference) -> None:
        self._colour = shown.picture.pixels[shown.mask.to_array()].mean(axis=0)

    def step(self, picture: Picture, *, remember: bool = True) -> FrameResult:
        assert not remember
        far = np.abs(picture.pixels - self._colour).max(axis=2)
        logits = torch.zeros(1, 1)
        found = Mask.from_array(far < 40)
        return FrameResult(0, {OBJECT: ObjectResult(logits, 9.0, 1.0, picture.size, logits, found)})


@pytest.fixture
def by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(_: PromptableModel, references: Sequence[Reference]) -> ByColour:
        (one,) = references
        return ByColour(one)

    monkeypatch.setattr(cycle, "show_references", shown)


@pytest.mark.usefixtures("by_colour")
def test_what_is_right_comes_back_and_what_is_wrong_does_not(
    model: PromptableModel, disc_site: DiscSite
) -> None:
    """Two references of unequal size: one equal to the target, one of another place."""
    target, other = disc_site(0), disc_site(3, discs=2, size=(90, 70))
    background = Mask.from_array(~target.mask.to_array())
    assert cycle_iou(model, target.picture, target.mask, [target, other]) > 0.95
    assert cycle_iou(model, target.picture, background, [target, other]) < 0.1


@pytest.mark.usefixtures("by_colour")
def test_every_reference_counts_the_same(model: PromptableModel, disc_site: DiscSite) -> None:
    target = disc_site(0)
    wrong = Reference(target.picture, Mask.from_array(~target.mask.to_array()))
    assert cycle_iou(model, target.picture, target.mask, [target, wrong]) == pytest.approx(0.5, abs=0.02)


def test_an_empty_answer_is_worth_nothing(
    model: PromptableModel, disc_site: DiscSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cycle, "show_references")
    target = disc_site(0)
    assert cycle_iou(model, target.picture, Mask.empty(target.picture.size), [target]) == 0.0


def test_the_way_back_is_the_plain_pair(model: PromptableModel, disc_site: DiscSite) -> None:
    reference, target = disc_site(0, size=(64, 64)), disc_site(1, size=(48, 64))
    back = show_references(model, [target]).step(reference.picture)[OBJECT].mask
    assert not back.is_empty
    assert cycle_iou(model, target.picture, target.mask, [reference]) == back.iou(reference.mask)


@pytest.mark.parametrize(
    ("cycles", "margin", "chosen"),
    [
        ({"none": 0.5, "ttga": 0.54, "both": 0.52}, 0.05, "none"),
        ({"none": 0.5, "ttga": 0.56, "both": 0.6}, 0.05, "both"),
        ({"none": 0.5, "ttga": 0.4}, 0.05, "none"),
        ({"none": 0.5, "ttga": 0.75}, 0.25, "ttga"),
        ({"none": 0.0, "ttga": 0.0}, 0.0, "none"),
        ({"ttga": 0.7, "none": 0.7}, 0.0, "none"),
        ({"none": 0.5, "ttga": 0.5001}, 0.0, "ttga"),
        ({"dbst": 0.2, "both": 0.21}, 0.5, "both"),
        ({"affine": 0.0}, 0.05, "affine"),
    ],
)
def test_the_plain_pair_stays_unless_it_is_beaten_by_the_margin(
    cycles: dict[str, float], margin: float, chosen: str
) -> None:
    assert choose(cycles, margin) == chosen
