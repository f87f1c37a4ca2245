"""Models whose card says `carries_mask`: an object's last mask is the mask prompt of its next frame."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.catalogue import ALL_PARTS
from kiridashi.models.promptable import PREVIOUS_LOGIT, PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession
from kiridashi.models.video.flow import SIDE, displace, look

POINT = Prompt(points=((38, 50, 1),))
OTHER = Prompt(points=((100, 90, 1),))
CARRIED = "object.1.carried.logits"
NO_MEMORY = ALL_PARTS - {"memory"}


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., list[Picture]]) -> list[Picture]:
    return make_clip(6)


@pytest.fixture(scope="module")
def carrying(tiny_compact: PromptableModel) -> PromptableModel:
    return PromptableModel(tiny_compact.net, replace(tiny_compact.card, carries_mask=True))


def mask_prompts(session: VideoSession, picture: Picture) -> list[Tensor]:
    """Every map that the prompt encoder gets during a step."""
    seen: list[Tensor] = []
    layer = session.model.net.prompt_encoder.mask_embed
    hook = layer.register_forward_pre_hook(lambda _layer, inputs: seen.extend(inputs))
    session.step(picture)
    hook.remove()
    return seen


def test_the_decoder_gets_the_last_mask(carrying: PromptableModel, clip: list[Picture]) -> None:
    session = carrying.video(MemoryOptions(carry="still"))
    last = session.step(clip[0], {1: POINT})[1].logits
    for picture in clip[1:3]:
        (seen,) = mask_prompts(session, picture)
        assert torch.equal(seen[0, 0], last.clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT))
        # The step inside `mask_prompts` was remembered: its mask is what is carried on now.
        last = session.state()[CARRIED]


def test_the_last_mask_is_moved_along_the_flow(
    carrying: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = carrying.video()
    session.step(clip[0], {1: disc})
    carried = session.state()[CARRIED][None, None].clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
    expected = displace(carried, look(clip[0]), look(clip[1]))
    (seen,) = mask_prompts(session, clip[1])
    assert torch.equal(seen, expected)
    assert not torch.equal(seen, carried)


def test_pictures_that_are_no_video_carry_nothing(
    carrying: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = carrying.video(MemoryOptions(carry="nothing"))
    session.step(clip[0], {1: disc})
    (seen,) = mask_prompts(session, clip[1])
    assert (seen == 0).all()


def test_an_unknown_way_to_carry_is_refused(carrying: PromptableModel) -> None:
    with pytest.raises(UsageError, match="flow, still, nothing"):
        carrying.video(MemoryOptions(carry="sideways"))  # type: ignore[arg-type]


def test_a_given_mask_is_carried_as_sure_logits(
    carrying: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = carrying.video()
    session.step(clip[0], {1: disc})
    carried = session.state()[CARRIED]
    assert (float(carried.min()), float(carried.max())) == pytest.approx((-10.0, 10.0))
    share = float((carried > 0).float().mean())
    assert share == pytest.approx(disc.area / 128**2, abs=0.01)


def test_an_absent_object_is_carried_as_nowhere(
    make_compact: Callable[..., PromptableModel], clip: list[Picture], disc: Mask
) -> None:
    plain = make_compact(object_score=-4.0)
    session = PromptableModel(plain.net, replace(plain.card, carries_mask=True)).video()
    session.step(clip[0], {1: disc})
    assert not session.step(clip[1])[1].present
    assert (session.state()[CARRIED] == -PREVIOUS_LOGIT).all()


def test_other_models_carry_nothing(
    tiny_compact: PromptableModel, carrying: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    plain, other = tiny_compact.video(), carrying.video()
    for session in (plain, other):
        session.step(clip[0], {1: disc})
    assert CARRIED not in plain.state()
    assert other.memory_bytes == plain.memory_bytes + 32 * 32 * 4 + SIDE**2
    assert mask_prompts(plain, clip[1]) == []
    assert len(mask_prompts(other, clip[1])) == 1
    a, b = (session.step(clip[2])[1].logits for session in (plain, other))
    assert not torch.equal(a, b)


def test_looking_leaves_the_carried_mask(carrying: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = carrying.video()
    session.step(clip[0], {1: disc})
    session.step(clip[1])
    before = session.state()[CARRIED].clone()
    looks = [session.step(clip[index], remember=False)[1].logits for index in (2, 3, 2)]
    session.step(clip[3], {1: POINT, 2: OTHER}, remember=False)
    assert torch.equal(looks[0], looks[2])
    assert torch.equal(session.state()[CARRIED], before)


def test_each_object_carries_its_own(carrying: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    together = carrying.video(MemoryOptions(dtype=torch.float32))
    together.step(clip[0], {1: disc, 2: OTHER})
    for name, prompt in ((1, disc), (2, OTHER)):
        alone = carrying.video(MemoryOptions(dtype=torch.float32))
        alone.step(clip[0], {name: prompt})
        expected = alone.step(clip[1], remember=False)[name].logits
        found = together.step(clip[1], remember=False)[name].logits
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=5e-3)


def test_one_mask_an_object_however_long(carrying: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = carrying.video(MemoryOptions(recent=1, pointers=1))
    session.step(clip[0], {1: disc})
    held = []
    for frame in range(8):
        session.step(clip[frame % len(clip)])
        held.append(session.memory_bytes)
    assert len(set(held)) == 1
    state = session.state()
    assert sum(t.nbytes for name, t in state.items() if not name.endswith(("frame", "frames"))) == held[-1]
    assert state[CARRIED].untyped_storage().nbytes() == 32 * 32 * 4


def test_a_saved_session_goes_on(
    carrying: PromptableModel, clip: list[Picture], disc: Mask, tmp_path: Path
) -> None:
    session = carrying.video()
    session.step(clip[0], {1: disc, 40: OTHER})
    session.step(clip[1])
    save_file(session.state(), tmp_path / "session.safetensors")
    again = VideoSession.from_state(carrying, load_file(tmp_path / "session.safetensors"))
    assert again.memory_bytes == session.memory_bytes
    for picture in clip[2:4]:
        ours, theirs = session.step(picture), again.step(picture)
        assert all(torch.equal(ours[name].logits, theirs[name].logits) for name in (1, 40))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({CARRIED: None}, "carried.logits is missing"),
        ({CARRIED: torch.zeros(3, 3)}, r"\(32, 32\) floats"),
        ({CARRIED: torch.zeros(32, 32, dtype=torch.int8)}, r"\(32, 32\) floats"),
        ({"seen": torch.zeros(256, 256)}, "not 256 x 256 bytes"),
        ({"seen": torch.zeros(8, 8, dtype=torch.uint8)}, "not 256 x 256 bytes"),
        ({"object.1.carried.frames": torch.zeros(1)}, "unknown tensor"),
        ({"object.1.recent.logits": torch.zeros(1)}, "unknown tensor"),
        ({"object.9.carried.logits": torch.zeros(32, 32)}, "object 9 has no prompted frame"),
    ],
)
def test_a_damaged_state_is_refused(
    carrying: PromptableModel,
    clip: list[Picture],
    disc: Mask,
    change: dict[str, Tensor | None],
    message: str,
) -> None:
    session = carrying.video()
    session.step(clip[0], {1: disc})
    merged = {**session.state(), **change}
    tensors = {name: tensor for name, tensor in merged.items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        VideoSession.from_state(carrying, tensors)


def test_states_with_and_without_masks_do_not_mix(
    carrying: PromptableModel, tiny_compact: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    with_mask, without = carrying.video(), tiny_compact.video()
    for session in (with_mask, without):
        session.step(clip[0], {1: disc})
    with pytest.raises(InputError, match="this model carries no mask"):
        VideoSession.from_state(tiny_compact, with_mask.state())
    with pytest.raises(InputError, match="is missing"):
        VideoSession.from_state(carrying, without.state())


@pytest.fixture(scope="module")
def forgetful(carrying: PromptableModel) -> PromptableModel:
    return PromptableModel(carrying.net, replace(carrying.card, trained=NO_MEMORY))


def test_without_a_trained_memory_the_last_mask_leads(
    forgetful: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    """Each later frame is a plain decode of the carried mask as a prior's logits, and of nothing else."""
    session = forgetful.video(MemoryOptions(carry="still"))
    session.step(clip[0], {1: disc})
    for picture in clip[1:3]:
        carried = session.state()[CARRIED]
        found = session.step(picture, remember=False)[1]
        features = forgetful.encode(picture)
        points = torch.zeros(1, 1, 1, 2), -torch.ones(1, 1, 1, dtype=torch.int32)
        with torch.inference_mode():
            sparse, dense = forgetful.net.prompt_encoder(
                input_points=points[0],
                input_labels=points[1],
                input_boxes=None,
                input_masks=carried[None, None],
            )
            expected = forgetful.net.mask_decoder(
                image_embeddings=forgetful.image_embedding(features),
                image_positional_embeddings=forgetful.net.get_image_wide_positional_embeddings(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
                high_resolution_features=list(features.levels[:-1]),
            )[0]
        torch.testing.assert_close(found.logits, expected[0, 0, 0], atol=1e-4, rtol=1e-4)
        session.step(picture)


def test_without_a_trained_memory_nothing_is_kept_of_older_frames(
    forgetful: PromptableModel, carrying: PromptableModel, clip: list[Picture], disc: Mask, tmp_path: Path
) -> None:
    session, other = forgetful.video(), carrying.video()
    for one in (session, other):
        one.step(clip[0], {1: disc})
        one.step(clip[1])
    kept = {name: tensor for name, tensor in session.state().items() if name.endswith("features")}
    assert kept
    assert all(tensor.numel() == 0 for tensor in kept.values())
    assert session.memory_bytes < other.memory_bytes
    save_file(session.state(), tmp_path / "session.safetensors")
    again = VideoSession.from_state(forgetful, load_file(tmp_path / "session.safetensors"))
    assert torch.equal(session.step(clip[2])[1].logits, again.step(clip[2])[1].logits)


def test_a_lost_object_can_be_found_again_without_a_memory(
    make_compact: Callable[..., PromptableModel], clip: list[Picture], disc: Mask
) -> None:
    plain = make_compact(object_score=-4.0)
    model = PromptableModel(plain.net, replace(plain.card, carries_mask=True, trained=NO_MEMORY))
    session = model.video()
    session.step(clip[0], {1: disc})
    assert not session.step(clip[1])[1].present
    assert session.state()[CARRIED].max() > -PREVIOUS_LOGIT


def test_a_model_that_neither_remembers_nor_carries_is_refused(
    forgetful: PromptableModel,
) -> None:
    with pytest.raises(UsageError, match="trained memory"):
        PromptableModel(forgetful.net, replace(forgetful.card, carries_mask=False)).video()
