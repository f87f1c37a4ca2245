"""Models whose card says `recalls_by_matching`: what resembles the object becomes the mask prompt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession
from kiridashi.models.video.matching import MatchingOptions, describe

POINT = Prompt(points=((38, 50, 1),))
OTHER = Prompt(points=((100, 90, 1),))
GRID = (8, 8)


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., list[Picture]]) -> list[Picture]:
    return make_clip(6)


@pytest.fixture(scope="module")
def matching(tiny_compact: PromptableModel) -> PromptableModel:
    return matched(tiny_compact)


def matched(plain: PromptableModel) -> PromptableModel:
    return PromptableModel(plain.net, replace(plain.card, recalls_by_matching=True))


def mask_prompts(session: VideoSession, picture: Picture) -> list[Tensor]:
    """Every map that the prompt encoder gets during a step."""
    seen: list[Tensor] = []
    layer = session.model.net.prompt_encoder.mask_embed
    hook = layer.register_forward_pre_hook(lambda _layer, inputs: seen.extend(inputs))
    session.step(picture)
    hook.remove()
    return seen


def test_the_decoder_gets_what_the_memory_draws(
    matching: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = matching.video(MemoryOptions(dtype=torch.float32))
    session.step(clip[0], {1: disc})
    (seen,) = mask_prompts(session, clip[1])
    before, now = (describe(matching.encode(picture), GRID)[0].numpy() for picture in clip[:2])
    share = session.state()["object.1.prompted.features"][0, :, -1].numpy()
    odds = []
    for token in now:
        alike = before @ token
        nearest = np.argsort(-alike, kind="stable")[:16]
        weights = np.exp((alike[nearest] - alike.max()) / 0.05)
        vote = np.clip(weights @ share[nearest] / weights.sum(), 0.02, 0.98)
        odds.append(2 * np.log(vote / (1 - vote)))
    drawn = torch.tensor(np.array(odds), dtype=torch.float32).view(1, 1, *GRID)
    expected = F.interpolate(drawn, size=(32, 32), mode="bilinear")
    torch.testing.assert_close(seen, expected, atol=1e-3, rtol=1e-3)


def test_the_same_frame_is_recalled_as_it_was_marked(
    matching: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = matching.video()
    session.step(clip[0], {1: disc})
    (seen,) = mask_prompts(session, clip[0])
    drawn = F.interpolate(seen, size=(128, 128), mode="bilinear")[0, 0].numpy() > 0
    assert Mask.from_array(drawn).iou(disc) > 0.6


def test_options_say_how_tokens_vote(matching: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = VideoSession(matching, MemoryOptions(dtype=torch.float32), MatchingOptions(1, 0.05, 3.0))
    session.step(clip[0], {1: disc})
    (seen,) = mask_prompts(session, clip[1])
    before, now = (describe(matching.encode(picture), GRID)[0] for picture in clip[:2])
    share = session.state()["object.1.prompted.features"][0, :, -1]
    odds = 3 * share[(now @ before.T).argmax(dim=1)].clamp(0.02, 0.98).logit()
    expected = F.interpolate(odds.view(1, 1, *GRID), size=(32, 32), mode="bilinear")
    torch.testing.assert_close(seen, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("wrong", [{"nearest": 0}, {"temperature": 0.0}, {"gain": -1.0}])
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="nearest from 1 on"):
        MatchingOptions(**wrong)


def test_a_frame_without_the_object_is_not_remembered(
    make_compact: Callable[..., PromptableModel], clip: list[Picture], disc: Mask
) -> None:
    session = matched(make_compact(object_score=-4.0)).video()
    session.step(clip[0], {1: disc})
    assert not session.step(clip[1])[1].present
    assert not any("recent" in name for name in session.state())


def test_other_models_attend(
    tiny_compact: PromptableModel, matching: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    plain, other = tiny_compact.video(), matching.video()
    for session in (plain, other):
        session.step(clip[0], {1: disc})
    assert mask_prompts(plain, clip[1]) == []
    assert len(mask_prompts(other, clip[1])) == 1
    a, b = (session.step(clip[2])[1].logits for session in (plain, other))
    assert not torch.equal(a, b)


def test_looking_changes_nothing(matching: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = matching.video()
    session.step(clip[0], {1: disc})
    session.step(clip[1])
    before = {name: tensor.clone() for name, tensor in session.state().items()}
    looks = [session.step(clip[index], remember=False)[1].logits for index in (2, 3, 2)]
    session.step(clip[3], {1: POINT, 2: OTHER}, remember=False)
    assert torch.equal(looks[0], looks[2])
    after = session.state()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_each_object_has_its_own_memory(matching: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    together = matching.video(MemoryOptions(dtype=torch.float32))
    together.step(clip[0], {1: disc, 2: OTHER})
    for name, prompt in ((1, disc), (2, OTHER)):
        alone = matching.video(MemoryOptions(dtype=torch.float32))
        alone.step(clip[0], {name: prompt})
        expected = alone.step(clip[1], remember=False)[name].logits
        found = together.step(clip[1], remember=False)[name].logits
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=5e-3)


def test_two_recent_frames_however_long(
    make_compact: Callable[..., PromptableModel], clip: list[Picture], disc: Mask
) -> None:
    session = matched(make_compact(object_score=4.0)).video()
    session.step(clip[0], {1: disc})
    held = []
    for frame in range(8):
        session.step(clip[frame % len(clip)])
        held.append(len(session.state()["object.1.recent.frames"]))
    assert held == [1, 2, 2, 2, 2, 2, 2, 2]


def test_a_saved_session_goes_on(
    matching: PromptableModel, clip: list[Picture], disc: Mask, tmp_path: Path
) -> None:
    session = matching.video()
    session.step(clip[0], {1: disc, 40: OTHER})
    session.step(clip[1])
    save_file(session.state(), tmp_path / "session.safetensors")
    again = VideoSession.from_state(matching, load_file(tmp_path / "session.safetensors"))
    assert again.memory_bytes == session.memory_bytes
    for picture in clip[2:4]:
        ours, theirs = session.step(picture), again.step(picture)
        assert all(torch.equal(ours[name].logits, theirs[name].logits) for name in (1, 40))


def test_states_of_the_two_memories_do_not_mix(
    matching: PromptableModel, tiny_compact: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session, other = matching.video(), tiny_compact.video()
    for one in (session, other):
        one.step(clip[0], {1: disc})
    for model, foreign in ((matching, other), (tiny_compact, session)):
        with pytest.raises(InputError, match="load it with the model that made it"):
            VideoSession.from_state(model, foreign.state())


def test_a_lost_object_is_found_again_by_its_looks(
    make_compact: Callable[..., PromptableModel], clip: list[Picture], disc: Mask
) -> None:
    """However long it was away: the memory of the prompted frame stays, and nothing else was added."""
    model = matched(make_compact(object_score=-4.0))
    session = model.video()
    session.step(clip[0], {1: disc})
    before = mask_prompts(session, clip[1])[0]
    for picture in clip[2:]:
        assert not session.step(picture)[1].present
    assert torch.equal(mask_prompts(session, clip[1])[0], before)


def test_a_model_without_a_memory_is_refused(matching: PromptableModel) -> None:
    card = replace(matching.card, trained=frozenset({"image_encoder", "mask_decoder"}))
    with pytest.raises(UsageError, match="trained memory"):
        PromptableModel(matching.net, card).video()
