"""The batched unroll of the training against the product's session."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from training.image.decoding import WindowFeatures
from training.video.stage import encode_clips
from training.video.unroll import Remembered, choose, read, take_given, unroll, write

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions
from kiridashi.models.video.estimate import ABSENT

FULL_PRECISION = MemoryOptions(dtype=torch.float32, carry="still")


@pytest.fixture(scope="module")
def disc() -> Mask:
    rows, columns = np.mgrid[:128, :128]
    return Mask.from_array((columns - 38.4) ** 2 + (rows - 51.2) ** 2 < 25.6**2)


def carrying(model: PromptableModel) -> PromptableModel:
    return PromptableModel(model.net, replace(model.card, carries_mask=True))


def encoded(model: PromptableModel, clips: list[list[Picture]]) -> list[WindowFeatures]:
    pixels = torch.stack([torch.cat([to_input(frame, model.card) for frame in clip]) for clip in clips])
    return encode_clips(model.net, None, pixels, torch.zeros(len(clips), 2, dtype=torch.long), "cpu")


def given(*masks: Mask) -> torch.Tensor:
    return torch.stack([torch.from_numpy(mask.to_array()).float() for mask in masks])


@pytest.mark.parametrize("object_score", [4.0, -4.0])
@torch.no_grad()
def test_the_unroll_is_the_session(
    make_compact: Callable[..., PromptableModel],
    make_clip: Callable[..., Any],
    disc: Mask,
    object_score: float,
) -> None:
    """Nine frames: more than the seven that the network can tell apart."""
    model, clip = carrying(make_compact(object_score=object_score)), make_clip(9)
    session = model.video(FULL_PRECISION)
    expected = [session.step(frame, {1: disc} if not index else None)[1] for index, frame in enumerate(clip)]
    answers = unroll(model.net, encoded(model, [clip]), given(disc))
    covered = []
    for masks, wanted in zip(answers, expected[1:], strict=True):
        chosen = choose(model.net, masks)
        torch.testing.assert_close(chosen.logits[0], wanted.logits, rtol=1e-3, atol=1e-3)
        assert float(chosen.score[0]) == pytest.approx(wanted.object_score, abs=1e-3)
        covered.append(float((chosen.logits > 0).float().mean()))
    if object_score > 0:
        assert 0.02 < sum(covered) / len(covered) < 0.98, "the masks say nothing"
    else:
        assert all((choose(model.net, masks).logits == ABSENT).all() for masks in answers)


@torch.no_grad()
def test_a_batch_of_two_is_two_batches_of_one(
    tiny_compact: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    other = Mask.from_array(np.roll(disc.to_array(), 40, axis=1))
    clips, masks = [make_clip(4), make_clip(4, seed=5)], [disc, other]
    both = unroll(tiny_compact.net, encoded(tiny_compact, clips), given(*masks))
    for row in range(2):
        alone = unroll(tiny_compact.net, encoded(tiny_compact, [clips[row]]), given(masks[row]))
        for together, single in zip(both, alone, strict=True):
            torch.testing.assert_close(together.logits[row], single.logits[0], rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(together.score[row], single.score[0], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_window_is_a_part_of_the_frame(
    tiny_compact: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    """Windows have fewer tokens than the frame, and the codes of the place where they lie."""
    clip = make_clip(3, (64, 64))
    pixels = torch.stack([_normalised(frame, tiny_compact) for frame in clip])[None]
    mask = Mask.from_array(disc.to_array()[20:84, 8:72])
    here, there = (
        unroll(
            tiny_compact.net,
            encode_clips(tiny_compact.net, None, pixels, torch.tensor([corner]), "cpu"),
            given(mask),
        )
        for corner in ([0, 0], [4, 2])
    )
    assert here[-1].logits.shape == (1, 4, 16, 16)
    assert (here[-1].logits - there[-1].logits).abs().max() > 1e-3


@torch.no_grad()
def test_old_memories_are_left_out(
    tiny_compact: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    """A memory beyond the seventh frame back counts for nothing, its pointer still does."""
    frames = encoded(tiny_compact, [make_clip(3)])
    late = {
        then: unroll(tiny_compact.net, frames, given(disc), times=[0, 1, then])[-1].logits
        for then in (2, 7, 8, 16, 17)
    }
    for one, other in ((2, 7), (7, 8), (8, 16), (16, 17)):
        assert not torch.equal(late[one], late[other])
    past = [take_given_and_write(tiny_compact, frames[0], disc, time) for time in (0, 1)]
    for time, same in ((7, False), (16, False), (17, True)):
        alone, both = (read(tiny_compact.net, frames[2], kept, time) for kept in (past[:1], past))
        assert torch.equal(alone, both) is same


def take_given_and_write(
    model: PromptableModel, features: WindowFeatures, mask: Mask, time: int
) -> Remembered:
    chosen = take_given(model.net, features, given(mask))
    return write(model.net, features, chosen, given(mask), time)


def test_gradients_flow_through_memories(
    tiny_compact: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    """The memory encoder learns from the frames after the one that it writes."""
    net = tiny_compact.net
    weight = net.memory_encoder.projection.weight
    weight.requires_grad_(True)
    try:
        answers = unroll(net, encoded(tiny_compact, [make_clip(2)]), given(disc))
        (gradient,) = torch.autograd.grad(answers[-1].logits.sum(), [weight])
    finally:
        weight.requires_grad_(False)
    assert gradient.abs().max() > 0


def _normalised(frame: Picture, model: PromptableModel) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.card.mean, model.card.std))
    return (torch.from_numpy(frame.pixels.copy()).permute(2, 0, 1).float() / 255 - mean) / std
