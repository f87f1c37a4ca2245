from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from kiridashi.core.errors import SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession

POINT = Prompt(points=((38, 50, 1),))
OTHER = Prompt(points=((100, 90, 1),))


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., list[Picture]]) -> list[Picture]:
    return make_clip(8)


def snapshot(session: VideoSession) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in session.state().items()}


def assert_same_state(session: VideoSession, before: dict[str, torch.Tensor]) -> None:
    after = session.state()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_memory_is_bounded_after_sixty_frames(
    tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = tiny_sam2.video(MemoryOptions(prompted=3))
    held = []
    for frame in range(60):
        prompts: dict[int, Prompt | Mask] = {2: POINT} if frame % 7 == 0 else {}
        if frame == 0:
            prompts[1] = disc
        session.step(clip[frame % len(clip)], prompts)
        held.append(session.memory_bytes)
    tokens, pointer = 8 * 8 * 64 * 2, 128 * 4
    most = 2 * ((3 + 6) * tokens + (3 + 15) * pointer)
    assert max(held) <= most
    assert max(held[-20:]) <= max(held[20:40])
    # Every tensor owns just its storage: a view of a batch would hold more than it counts.
    state = session.state()
    assert sum(t.nbytes for name, t in state.items() if not name.endswith(("frame", "frames"))) == held[-1]
    tensors = [t for bank in session._banks.values() for t in bank.tensors()]
    assert all(t.untyped_storage().nbytes() == t.nbytes for t in tensors)


def test_objects_do_not_influence_each_other(
    tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    alone, together = tiny_sam2.video(), tiny_sam2.video()
    for frame, picture in enumerate(clip):
        first: dict[int, Prompt | Mask] = {1: disc} if frame == 0 else {}
        late: dict[int, Prompt | Mask] = {7: OTHER} if frame == 3 else {}
        one, both = alone.step(picture, first), together.step(picture, first | late)
        assert set(both.objects) == ({1, 7} if frame >= 3 else {1})
        torch.testing.assert_close(one[1].logits, both[1].logits, rtol=1e-2, atol=2e-2)


def test_many_objects_need_several_batches(tiny_sam2: PromptableModel, clip: list[Picture]) -> None:
    session = tiny_sam2.video()
    prompts = {name: Prompt(points=((10.0 * name, 60, 1),)) for name in range(1, 12)}
    session.step(clip[0], prompts)
    result = session.step(clip[1])
    assert list(result.objects) == list(prompts)
    single = tiny_sam2.video()
    single.step(clip[0], {11: prompts[11]})
    torch.testing.assert_close(single.step(clip[1])[11].logits, result[11].logits, rtol=1e-2, atol=2e-2)


def test_forget_drops_an_object_and_its_memory(
    tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = tiny_sam2.video()
    session.step(clip[0], {1: disc, 2: OTHER})
    both = session.memory_bytes
    session.forget(1)
    assert list(session.objects) == [2]
    assert session.memory_bytes == both // 2
    assert list(session.step(clip[1]).objects) == [2]
    with pytest.raises(UsageError, match=r"object 1 is not followed; followed are \[2\]"):
        session.forget(1)
    session.step(clip[2], {1: POINT})
    assert list(session.objects) == [2, 1]


def test_looking_without_remembering(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = tiny_sam2.video()
    for picture in clip[:2]:
        session.step(picture, {1: disc})
    before, frame = snapshot(session), session.frame
    forth = [session.step(picture, remember=False)[1].logits for picture in clip[3:6]]
    back = [session.step(picture, remember=False)[1].logits for picture in reversed(clip[3:6])]
    asked = session.step(clip[4], {1: POINT, 9: OTHER}, remember=False)
    assert set(asked.objects) == {1, 9}
    assert all(torch.equal(a, b) for a, b in zip(forth, reversed(back), strict=True))
    assert not torch.equal(forth[0], forth[1])
    assert_same_state(session, before)
    assert (session.frame, session.objects) == (frame, (1,))


def test_equal_runs_give_equal_results(tiny_compact: PromptableModel, clip: list[Picture]) -> None:
    runs = []
    for _ in range(2):
        session = tiny_compact.video()
        runs.append([session.step(p, {1: POINT} if i == 0 else None)[1].logits for i, p in enumerate(clip)])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_memory_type_changes_little(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    """Half the bytes for nearly the same masks, with weights that exaggerate every difference."""
    half, full = tiny_sam2.video(), tiny_sam2.video(MemoryOptions(dtype=torch.float32))
    for frame, picture in enumerate(clip):
        prompts = {1: disc} if frame == 0 else None
        a, b = half.step(picture, prompts)[1], full.step(picture, prompts)[1]
        assert ((a.logits > 0) == (b.logits > 0)).float().mean() > 0.99
    assert half.memory_bytes < 0.6 * full.memory_bytes


def test_memory_changes_the_answer(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    elsewhere = Mask.from_array(np.roll(disc.to_array(), 50, axis=1))
    one, other = tiny_sam2.video(), tiny_sam2.video()
    one.step(clip[0], {1: disc})
    other.step(clip[0], {1: elsewhere})
    assert (one.step(clip[1])[1].logits - other.step(clip[1])[1].logits).abs().max() > 0.1


def test_given_mask_comes_back_unchanged(tiny_sam2: PromptableModel, clip: list[Picture]) -> None:
    speck = np.zeros((128, 128), dtype=bool)
    speck[64, 30:33] = True
    given = Mask.from_array(speck)
    result = tiny_sam2.video().step(clip[0], {1: given})[1]
    assert result.mask == given
    assert (result.object_score, result.iou) == (10.0, 1.0)


def test_mask_smaller_than_a_network_pixel_still_counts(
    tiny_sam2: PromptableModel, make_clip: Callable[..., list[Picture]]
) -> None:
    picture = make_clip(1, (600, 800))[0]
    dot = np.zeros(picture.size, dtype=bool)
    dot[300, 400] = True
    result = tiny_sam2.video().step(picture, {1: Mask.from_array(dot)})[1]
    assert result.present
    assert result.mask.area == 1


def test_empty_mask_says_that_the_object_is_absent(tiny_sam2: PromptableModel, clip: list[Picture]) -> None:
    result = tiny_sam2.video().step(clip[0], {1: Mask.empty(clip[0].size)})[1]
    assert not result.present
    assert result.mask.is_empty


def test_frames_of_different_sizes(
    tiny_sam2: PromptableModel, make_clip: Callable[..., list[Picture]], disc: Mask
) -> None:
    session = tiny_sam2.video()
    for size in ((128, 128), (90, 200), (33, 17)):
        picture = make_clip(1, size)[0]
        result = session.step(picture, {1: disc} if session.frame == 0 else None)[1]
        assert result.mask.size == size
        assert result.probability().shape == size


def test_a_prior_is_a_prompt(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = tiny_sam2.video()
    first = session.step(clip[0], {1: Prompt(prior=disc.to_array().astype(np.float32))})[1]
    assert 0 < first.iou < 1
    assert session.step(clip[1]).frame == 1


def test_single_mask_option(tiny_sam2: PromptableModel, clip: list[Picture]) -> None:
    session = tiny_sam2.video(MemoryOptions(multimask=False))
    expected = tiny_sam2.decode(tiny_sam2.encode(clip[0]), [POINT], multimask=False)
    torch.testing.assert_close(session.step(clip[0], {1: POINT})[1].logits, expected.logits[0, 0])


def test_nothing_to_follow(tiny_sam2: PromptableModel, clip: list[Picture]) -> None:
    session = tiny_sam2.video()
    with pytest.raises(UsageError, match="no object to follow"):
        session.step(clip[0])
    session.step(clip[0], {1: POINT})
    session.forget(1)
    with pytest.raises(UsageError, match="no object to follow"):
        session.step(clip[0], {})


def test_wrong_prompts_change_nothing(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> None:
    session = tiny_sam2.video()
    session.step(clip[0], {1: disc})
    before = snapshot(session)
    with pytest.raises(SizeMismatchError, match="64 x 32"):
        session.step(clip[1], {2: POINT, 1: Mask.empty((32, 64))})
    with pytest.raises(UsageError, match="a prompt is a Prompt or a Mask, got tuple"):
        session.step(clip[1], {2: cast(Any, (3, 4))})
    assert_same_state(session, before)


def test_untrained_memory_is_refused(tiny_sam2: PromptableModel) -> None:
    card = replace(tiny_sam2.card, trained=frozenset({"image_encoder", "mask_decoder"}))
    with pytest.raises(UsageError, match="needs a trained memory"):
        PromptableModel(tiny_sam2.net, card).video()


def test_network_without_memory_is_refused(tiny_sam2: PromptableModel) -> None:
    picture_only = SimpleNamespace(net=SimpleNamespace(), card=tiny_sam2.card)
    with pytest.raises(UsageError, match="loaded without its memory"):
        VideoSession(cast(PromptableModel, picture_only))


def test_only_what_is_to_be_kept_is_remembered(
    tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    session = tiny_sam2.video()
    asked = []

    def keep(found: Any) -> list[int]:
        asked.append(sorted(found))
        return [2]

    session.step(clip[0], {1: disc, 2: OTHER}, keep=lambda found: [])
    session.step(clip[1], keep=keep)
    state = session.state()
    assert asked == [[1, 2]]
    assert state["object.1.prompted.frames"].tolist() == [0]
    assert state["object.2.recent.frames"].tolist() == [1]
    assert "object.1.recent.frames" not in state
    assert session.frame == 2


def test_points_correct_what_is_remembered_of_a_known_object(
    tiny_drawing: PromptableModel, clip: list[Picture], disc: Mask
) -> None:
    def last(first: dict[int, Prompt | Mask], then: dict[int, Prompt | Mask]) -> torch.Tensor:
        session = tiny_drawing.video()
        session.step(clip[0], first)
        session.step(clip[1])
        return session.step(clip[2], then)[1].guess

    corrected = last({1: disc}, {1: OTHER})
    # It hears the click, and the memory as well.
    assert not torch.equal(corrected, last({1: disc}, {}))
    elsewhere = Mask.from_array(np.roll(disc.to_array(), 40, axis=0))
    assert not torch.equal(corrected, last({1: elsewhere}, {1: OTHER}))
    # A box says where the object is, whatever is remembered.
    box = Prompt(points=OTHER.points, box=(80, 70, 120, 110))
    assert torch.equal(last({1: disc}, {1: box}), last({1: elsewhere}, {1: box}))
