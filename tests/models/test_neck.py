import copy
from collections.abc import Callable

import pytest
import torch

from kiridashi.core.picture import Picture
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.neck import neck_inputs, neck_map
from kiridashi.models.promptable import PromptableModel

FAMILIES = ["tiny_compact", "tiny_sam2", "tiny_edgetam"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_single_map_is_the_encoders(family: str, request: pytest.FixtureRequest) -> None:
    model: PromptableModel = request.getfixturevalue(family)
    pixels = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        maps = neck_inputs(model.net, pixels)
        whole = model.net.vision_encoder(pixels).fpn_hidden_states
        for level in range(3):
            torch.testing.assert_close(neck_map(model.net.vision_encoder.neck, maps[level:]), whole[level])


def test_no_map_is_no_level(tiny_sam2: PromptableModel) -> None:
    with pytest.raises(ValueError, match="at least one"):
        neck_map(tiny_sam2.net.vision_encoder.neck, [])


@pytest.fixture
def model(make_sam2: Callable[..., PromptableModel]) -> PromptableModel:
    return make_sam2(image_size=64)


def test_another_neck_serves_for_the_block_only(
    model: PromptableModel, make_picture: Callable[..., Picture]
) -> None:
    picture, own = make_picture(), model.net.vision_encoder.neck
    before = model.encode(picture)
    other = copy.deepcopy(own)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(2)
    with model.with_neck(other):
        inside = model.encode(picture)
        assert model.encode(picture) is inside
        torch.testing.assert_close(inside.levels[-1], 2 * before.levels[-1])
    assert model.net.vision_encoder.neck is own
    assert model.encode(picture) is before


def test_the_own_neck_comes_back_after_an_error(model: PromptableModel) -> None:
    own, kept = model.net.vision_encoder.neck, model._encoded
    with pytest.raises(KeyboardInterrupt), model.with_neck(copy.deepcopy(own)):
        raise KeyboardInterrupt
    assert model.net.vision_encoder.neck is own
    assert model._encoded is kept


def test_the_fingerprint_follows_weights_of_the_encoder_only(
    make_sam2: Callable[..., PromptableModel],
) -> None:
    model, twin = make_sam2(image_size=64), make_sam2(image_size=64)
    first = encoder_fingerprint(model)
    assert encoder_fingerprint(twin) == first
    with torch.no_grad():
        twin.net.no_memory_embedding.add_(1)
        assert encoder_fingerprint(twin) == first
        next(twin.net.vision_encoder.neck.parameters()).flatten()[0].add_(1e-3)
    assert encoder_fingerprint(twin) != first
    assert encoder_fingerprint(make_sam2(image_size=128)) != first
