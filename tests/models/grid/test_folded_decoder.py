from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kiridashi.core.prompt import Prompt
from kiridashi.models.grid.clicks import embed_clicks
from kiridashi.models.grid.folded_decoder import Attended, FoldedDecoder, select
from kiridashi.models.promptable import PromptableModel
from peers.stock_grid import decode_points

from .conftest import SIZES, checkered

POINTS = torch.tensor([[10.0, 20.0], [64.0, 64.0], [100.0, 5.0]])
CORNERS = torch.tensor([[0.5, 0.5], [127.5, 40.0], [127.9, 127.9], [16.0, 112.0], [71.3, 127.0]])
MODELS = ("tiny_sam2", "tiny_compact", "tiny_drawing", "tiny_edgetam")


def relative(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> PromptableModel:
    found: PromptableModel = request.getfixturevalue(request.param)
    return found


def attend(model: PromptableModel, points: Tensor) -> tuple[FoldedDecoder, Attended]:
    features = model.encode(checkered(SIZES[0]))
    side = model.card.image_size
    clicks = embed_clicks(model, points.numpy(), (side, side))
    decoder = FoldedDecoder(model.net.mask_decoder)
    position = model.net.get_image_wide_positional_embeddings()
    levels = features.levels[0], features.levels[1]
    picture = decoder.share(model.image_embedding(features) + clicks.dense, position, levels)
    return decoder, decoder.attend(picture, clicks.sparse, clicks.changes)


@pytest.mark.parametrize("points", [POINTS, CORNERS], ids=["inner", "border"])
@torch.inference_mode()
def test_equals_the_stock_decoder(model: PromptableModel, points: Tensor) -> None:
    logits, iou, tokens = decode_points(model, model.encode(checkered(SIZES[0])), points)
    decoder, attended = attend(model, points)
    ours = decoder.mask_tokens(attended)[:, 1:]
    assert relative(ours, tokens) < 1e-4
    assert relative(decoder.predicted_iou(attended)[:, 1:], iou) < 1e-4
    for prompt in range(len(points)):
        masks = decoder.logits(attended, prompt, [1, 2, 3], ours[prompt])
        assert relative(masks, logits[prompt]) < 1e-4


@torch.inference_mode()
def test_object_score_and_single_mask_equal_stock(model: PromptableModel) -> None:
    features = model.encode(checkered(SIZES[0]))
    scale = features.size[1] / model.card.image_size, features.size[0] / model.card.image_size
    prompts = [Prompt(points=((x * scale[0], y * scale[1], 1),)) for x, y in POINTS.tolist()]
    decoder, attended = attend(model, POINTS)
    assert relative(decoder.object_score(attended), model.decode(features, prompts).object_score) < 1e-4
    model.net.mask_decoder.dynamic_multimask_via_stability = False
    try:
        stock = model.decode(features, prompts, multimask=False)
    finally:
        model.net.mask_decoder.dynamic_multimask_via_stability = True
    tokens = decoder.mask_tokens(attended)[:, :1]
    single = torch.stack([decoder.logits(attended, i, [0], tokens[i]) for i in range(len(POINTS))])
    assert relative(single, stock.logits) < 1e-4


@torch.inference_mode()
def test_a_chosen_mask_of_a_chosen_prompt_is_the_same(model: PromptableModel) -> None:
    decoder, attended = attend(model, POINTS)
    tokens = decoder.mask_tokens(attended)
    whole = decoder.logits(attended, 2, [1, 2, 3], tokens[2, 1:])
    alone = select(attended, [2])
    torch.testing.assert_close(decoder.mask_tokens(alone)[0], tokens[2])
    torch.testing.assert_close(decoder.logits(alone, 0, [3], tokens[2, 3:])[0], whole[2])


@torch.inference_mode()
def test_a_prompt_does_not_depend_on_its_batch(model: PromptableModel) -> None:
    decoder, together = attend(model, POINTS)
    alone_decoder, alone = attend(model, POINTS[1:2])
    torch.testing.assert_close(alone_decoder.mask_tokens(alone)[0], decoder.mask_tokens(together)[1])


@torch.inference_mode()
def test_a_drawn_click_matters(tiny_drawing: PromptableModel) -> None:
    """Guards the parity tests: they would mean little where the changes are as nothing."""
    decoder, attended = attend(tiny_drawing, POINTS)
    undrawn = decoder.attend(attended.picture, attended.codes[:, 6:])
    tokens = decoder.mask_tokens(attended)
    assert relative(decoder.mask_tokens(undrawn), tokens) > 1e-2
    masks = decoder.logits(attended, 1, [1], tokens[1, 1:2])
    assert relative(decoder.logits(undrawn, 1, [1], tokens[1, 1:2]), masks) > 1e-3


@torch.inference_mode()
def test_follows_changed_weights(make_sam2: Callable[..., PromptableModel]) -> None:
    model = make_sam2(128, 5)
    before = attend(model, POINTS)
    model.net.mask_decoder.transformer.layers[0].cross_attn_image_to_token.o_proj.weight *= 2
    model.net.mask_decoder.upscale_conv1.weight *= 2
    _, iou, tokens = decode_points(model, model.encode(checkered(SIZES[0])), POINTS)
    decoder, attended = attend(model, POINTS)
    assert relative(decoder.mask_tokens(attended)[:, 1:], tokens) < 1e-4
    assert relative(before[0].predicted_iou(before[1])[:, 1:], iou) > 1e-4
