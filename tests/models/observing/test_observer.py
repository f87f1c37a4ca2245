from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.observing import Observer, observe, stages_of
from kiridashi.models.observing.observer import SIDE, small
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]
Builder = Callable[..., PromptableModel]
SIZE = (48, 64)


def hooks(model: PromptableModel) -> int:
    return sum(len(module._forward_hooks) for module in model.net.modules())


def fail_inside(model: PromptableModel) -> None:
    with observe(model):
        raise RuntimeError("planted")


def two_frames(
    model: PromptableModel, make_picture: MakePicture, disc: Mask
) -> list[dict[str, torch.Tensor]]:
    session, seen = model.video(), []
    with observe(model) as observer:
        for index in range(2):
            session.step(make_picture(SIZE, seed=index), {1: disc} if index == 0 else None)
            seen.append(observer.take(memory=session.state()))
    return seen


def named(observer: Observer | PromptableModel) -> list[str]:
    stages = observer.stages if isinstance(observer, Observer) else stages_of(observer)
    return [stage.name for stage in stages]


@pytest.mark.parametrize("family", ["sam2", "edgetam"])
def test_every_layer_of_memory_attention_is_seen(
    family: str, request: pytest.FixtureRequest, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    model: PromptableModel = request.getfixturevalue(f"make_{family}")()
    first, second = two_frames(model, make_picture, make_disc(SIZE))
    assert named(model) == ["encoder", "memory-1", "memory-2", "decoder", "tokens", "pointer", "written"]
    # The frame with the prompt does not ask the memory.
    assert list(first) == ["encoder", "decoder", "tokens", "pointer", "written"]
    assert list(second) == named(model)
    width = second["encoder"].shape[0]
    for name in ("encoder", "memory-1", "memory-2", "decoder"):
        assert second[name].shape == (width, 8, 8)
        assert torch.isfinite(second[name]).all()
    assert second["pointer"].shape == (width,)
    assert not torch.equal(second["memory-1"], second["memory-2"])


def test_a_model_that_matches_shows_its_vote_and_what_it_wrote(
    make_drawing: Builder, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    plain = make_drawing()
    model = PromptableModel(plain.net, replace(plain.card, recalls_by_matching=True))
    first, second = two_frames(model, make_picture, make_disc(SIZE))
    assert named(model) == ["encoder", "vote", "decoder", "tokens", "pointer", "written"]
    assert second["vote"].shape == (1, 32, 32)
    # The last channel is the share that the object covers: of the mask that was given, in the first frame.
    share = first["written"][-1]
    assert share.min() < 0.1
    assert share.max() > 0.9
    assert stages_of(model)[-1].holds_share


def test_what_was_known_already_is_seen_as_well(
    make_sam2: Builder, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    model, picture = make_sam2(), make_picture(SIZE)
    features = model.encode(picture)
    with observe(model) as observer:
        model.video().step(picture, {1: make_disc(SIZE)})
        assert "encoder" not in observer.take()
        torch.testing.assert_close(observer.take(features)["encoder"], features.levels[-1][0])


def test_all_hooks_are_gone_whatever_happens(make_sam2: Builder) -> None:
    model = make_sam2()
    before = hooks(model)
    with observe(model):
        assert hooks(model) > before
    assert hooks(model) == before
    with pytest.raises(RuntimeError, match="planted"):
        fail_inside(model)
    assert hooks(model) == before


def test_looking_changes_no_answer(
    make_sam2: Builder, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    model = make_sam2()
    plain, watched = model.video(), model.video()
    for index in range(2):
        picture, prompt = make_picture(SIZE, seed=index), {1: make_disc(SIZE)} if index == 0 else None
        alone = plain.step(picture, prompt)[1].logits
        with observe(model):
            assert torch.equal(watched.step(picture, prompt)[1].logits, alone)


def test_maps_are_made_small() -> None:
    assert small(torch.ones(2, 3 * SIDE, 2 * SIDE)).shape == (2, SIDE, SIDE)
    assert small(torch.ones(2, 4, 5)).shape == (2, 4, 5)
