"""Decoding with an earlier mask; what refinement feeds back is held to the library in test_promptable.py."""

from collections.abc import Callable

import pytest
import torch

from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PREVIOUS_LOGIT, PromptableModel

CLICK = Prompt(points=((70.0, 40.0, 1),))
TWO_CLICKS = Prompt(points=((70.0, 40.0, 1), (10.0, 90.0, 0)))


@pytest.fixture(params=["tiny_sam2", "tiny_compact", "tiny_edgetam"])
def model(request: pytest.FixtureRequest) -> PromptableModel:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, PromptableModel)
    return found


@pytest.fixture(scope="module")
def scene(make_clip: Callable[..., list[Picture]]) -> Picture:
    return make_clip(1, size=(96, 160))[0]


def test_a_correction_by_the_same_prompt_is_a_round_of_refinement(
    model: PromptableModel, scene: Picture
) -> None:
    features = model.encode(scene)
    decoded = model.decode(features, [TWO_CLICKS], multimask=False)
    corrected = model.correct(features, TWO_CLICKS, decoded.logits[0, int(decoded.best()[0])])
    refined = model.refine(features, TWO_CLICKS, rounds=1)
    for field in ("logits", "iou", "tokens", "object_score"):
        torch.testing.assert_close(getattr(corrected, field), getattr(refined, field))
    assert corrected.size == scene.size


def test_earlier_mask_and_new_click_both_have_a_say(model: PromptableModel, scene: Picture) -> None:
    features = model.encode(scene)
    earlier = model.decode(features, [CLICK]).logits[0, 0]
    corrected = model.correct(features, TWO_CLICKS, earlier).logits
    for other in (
        model.correct(features, TWO_CLICKS, -earlier),
        model.correct(features, CLICK, earlier),
        model.decode(features, [TWO_CLICKS], multimask=False),
    ):
        assert (corrected - other.logits).abs().max() > 0.01


def test_logits_are_held_in_range(model: PromptableModel, scene: Picture) -> None:
    features = model.encode(scene)
    earlier = model.decode(features, [CLICK]).logits[0, 0]
    far = torch.where(earlier > 0, 900.0, -900.0)
    near = far.clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
    found = [model.correct(features, CLICK, logits, multimask=True).logits for logits in (far, near)]
    assert found[0].shape[1] == 3
    assert torch.equal(*found)
