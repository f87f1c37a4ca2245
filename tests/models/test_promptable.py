"""The image path against the library's own forward on the same weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import EdgeTamConfig, EdgeTamModel, Sam2Config, Sam2Model

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.preprocess import to_input
from kiridashi.models.prompt_map import draw_prompts
from kiridashi.models.promptable import (
    DECODE_BATCH,
    KEPT_PICTURES,
    PREVIOUS_LOGIT,
    PRIOR_LOGIT,
    PromptableModel,
)

SIZE = (96, 160)
PRIOR = np.random.default_rng(4).uniform(0.02, 0.98, (32, 32)).astype(np.float32)
ONE_POINT = Prompt(points=((70.0, 40.0, 1),))
TWO_POINTS = Prompt(points=((70.0, 40.0, 1), (10.0, 90.0, 0)))
BOX = Prompt(box=(20.0, 10.0, 120.0, 80.0))
BOX_AND_POINT = Prompt(points=((60.0, 50.0, 1),), box=(20.0, 10.0, 120.0, 80.0))
ONLY_PRIOR = Prompt(prior=PRIOR)
ALL = Prompt(points=((60.0, 50.0, 1),), box=(20.0, 10.0, 120.0, 80.0), prior=PRIOR)
EVERY_KIND = (ONE_POINT, TWO_POINTS, BOX, BOX_AND_POINT, ONLY_PRIOR, ALL)
KIND_NAMES = ("point", "two points", "box", "box and point", "prior", "all")
MODELS = ("tiny_sam2", "tiny_compact", "tiny_drawing", "tiny_edgetam")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> PromptableModel:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, PromptableModel)
    return found


@pytest.fixture(scope="session")
def scene(make_clip: Callable[..., list[Picture]]) -> Picture:
    return make_clip(1, size=SIZE)[0]


def stock_of(model: PromptableModel) -> Any:
    """The library's image model with the same weights."""
    video = model.net.config
    kinds: dict[str, tuple[Any, Any]] = {
        "sam2": (Sam2Model, Sam2Config),
        "edgetam": (EdgeTamModel, EdgeTamConfig),
    }
    net_class, config_class = kinds[model.card.family]
    net = net_class(
        config_class(
            vision_config=video.vision_config,
            prompt_encoder_config=video.prompt_encoder_config.to_dict(),
            mask_decoder_config=video.mask_decoder_config.to_dict(),
        )
    ).eval()
    assert not net.load_state_dict(model.net.state_dict(), strict=False).missing_keys
    return net


def stock_decode(
    model: PromptableModel, picture: Picture, prompt: Prompt, multimask: bool, mask: Tensor | None
) -> Any:
    """One prompt through the library's forward, its coordinates scaled by hand."""
    net, side = stock_of(model), model.card.image_size
    height, width = picture.size
    asked: dict[str, Tensor] = {}
    if prompt.points:
        scaled = [[x * side / width, y * side / height] for x, y, _ in prompt.points]
        asked["input_points"] = torch.tensor([[scaled]])
        asked["input_labels"] = torch.tensor([[[label for *_, label in prompt.points]]])
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        across, down = side / width, side / height
        asked["input_boxes"] = torch.tensor([[[x0 * across, y0 * down, x1 * across, y1 * down]]])
    if mask is not None:
        asked["input_masks"] = mask
    with torch.inference_mode():
        embeddings = net.get_image_embeddings(to_input(picture, model.card))
        return net(image_embeddings=embeddings, multimask_output=multimask, **asked)


def prior_as_logits(prompt: Prompt) -> Tensor | None:
    if prompt.prior is None:
        return None
    probability = torch.from_numpy(prompt.prior)[None, None]
    return (probability / (1 - probability)).log().clamp(-PRIOR_LOGIT, PRIOR_LOGIT)


def mask_input(
    model: PromptableModel, picture: Picture, prompt: Prompt, base: Tensor | None
) -> Tensor | None:
    """What the library's forward is to be given as its mask, its coordinates scaled by hand."""
    if not model.card.draws_prompts:
        return base
    side = model.card.image_size
    across, down = side / picture.size[1], side / picture.size[0]
    points = labels = box = None
    if prompt.points:
        points = torch.tensor([[[x * across, y * down] for x, y, _ in prompt.points]])
        labels = torch.tensor([[label for *_, label in prompt.points]])
    if prompt.box is not None:
        box = torch.tensor([prompt.box]) * torch.tensor([across, down, across, down])
    return draw_prompts(base, points, labels, box, side // 4)


def test_features_are_the_libraries_embeddings(model: PromptableModel, scene: Picture) -> None:
    features = model.encode(scene)
    with torch.inference_mode():
        expected = stock_of(model).get_image_embeddings(to_input(scene, model.card))
    ours = (*features.levels[:-1], model.image_embedding(features))
    for level, (one, other) in enumerate(zip(ours, expected, strict=True)):
        assert one.shape[-1] == model.card.image_size >> (level + 2)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert [trunk.shape[-1] for trunk in features.trunk] == [
        model.card.image_size // s for s in (4, 8, 16, 32)
    ]
    assert features.position.shape == features.levels[-1].shape
    assert features.size == SIZE


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("prompt", EVERY_KIND, ids=KIND_NAMES)
def test_masks_are_the_libraries(
    model: PromptableModel, scene: Picture, prompt: Prompt, multimask: bool
) -> None:
    decoded = model.decode(model.encode(scene), [prompt], multimask)
    mask = mask_input(model, scene, prompt, prior_as_logits(prompt))
    stock = stock_decode(model, scene, prompt, multimask, mask)
    assert decoded.logits.shape[1] == (3 if multimask else 1)
    torch.testing.assert_close(decoded.logits, stock.pred_masks[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(decoded.iou, stock.iou_scores[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        decoded.object_score, stock.object_score_logits.reshape(-1), atol=1e-4, rtol=1e-4
    )


def test_different_prompts_give_different_masks(model: PromptableModel, scene: Picture) -> None:
    """Guards the parity tests: they would mean little on a network that ignores its prompt."""
    decoded = model.decode(model.encode(scene), EVERY_KIND)
    for one in range(len(EVERY_KIND)):
        for other in range(one):
            assert (decoded.logits[one] - decoded.logits[other]).abs().max() > 0.01


@pytest.mark.parametrize("multimask", [True, False])
def test_a_batch_of_mixed_prompts_equals_single_ones(
    model: PromptableModel, scene: Picture, multimask: bool
) -> None:
    features = model.encode(scene)
    moved = [Prompt(points=((5.0 + 7 * i, 9.0 + 4 * i, 1),)) for i in range(DECODE_BATCH + 3)]
    prompts = [*EVERY_KIND, *moved, *reversed(EVERY_KIND)]
    together = model.decode(features, prompts, multimask)
    alone = [model.decode(features, [prompt], multimask) for prompt in prompts]
    for field in ("logits", "iou", "tokens", "object_score"):
        single = torch.cat([getattr(decoded, field) for decoded in alone])
        torch.testing.assert_close(getattr(together, field), single, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prompt", [ONE_POINT, BOX_AND_POINT], ids=["point", "box and point"])
def test_refinement_feeds_the_logits_back(model: PromptableModel, scene: Picture, prompt: Prompt) -> None:
    refined = model.refine(model.encode(scene), prompt, rounds=2)
    several = prompt.is_ambiguous
    step = stock_decode(model, scene, prompt, several, mask_input(model, scene, prompt, None))
    for _ in range(2):
        best = int(step.iou_scores[0, 0].argmax())
        mask = step.pred_masks[0, :, best : best + 1].clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
        step = stock_decode(model, scene, prompt, False, mask_input(model, scene, prompt, mask))
    torch.testing.assert_close(refined.logits, step.pred_masks[0], atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(refined.iou, step.iou_scores[0], atol=1e-4, rtol=1e-4)


def test_only_a_card_that_says_so_draws(tiny_compact: PromptableModel, tiny_drawing: PromptableModel) -> None:
    """On equal weights the prompt tokens are equal, and without drawing a click leaves no map."""
    sparse, dense = tiny_compact.embed_prompts(SIZE, [ONE_POINT])
    drawn_sparse, drawn = tiny_drawing.embed_prompts(SIZE, [ONE_POINT])
    assert torch.equal(sparse, drawn_sparse)
    empty = tiny_compact.net.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1)
    assert torch.equal(dense, empty.expand_as(dense))
    assert drawn.shape == dense.shape
    assert (drawn.std(dim=(2, 3)) > 0).all()


@pytest.mark.parametrize(("prompt", "masks"), [(ONE_POINT, 3), (BOX, 1)], ids=["click", "box"])
def test_no_rounds_of_refinement_are_a_plain_decode(
    tiny_sam2: PromptableModel, scene: Picture, prompt: Prompt, masks: int
) -> None:
    """One click may mean several things, a box means one."""
    features = tiny_sam2.encode(scene)
    plain = tiny_sam2.decode(features, [prompt], multimask=masks == 3)
    refined = tiny_sam2.refine(features, prompt, rounds=0)
    assert refined.logits.shape[1] == masks
    assert torch.equal(plain.logits, refined.logits)


@pytest.mark.parametrize("size", [(32, 32), (96, 160), (17, 28)])
def test_a_prior_may_have_any_size(tiny_sam2: PromptableModel, scene: Picture, size: tuple[int, int]) -> None:
    flat = Prompt(prior=np.full(size, 0.8, dtype=np.float32))
    reference = Prompt(prior=np.full((32, 32), 0.8, dtype=np.float32))
    decoded = tiny_sam2.decode(tiny_sam2.encode(scene), [flat, reference])
    torch.testing.assert_close(decoded.logits[0], decoded.logits[1], atol=1e-4, rtol=1e-4)


def test_a_certain_prior_stays_within_the_decoders_range(tiny_sam2: PromptableModel, scene: Picture) -> None:
    certain = [Prompt(prior=np.eye(32, dtype=np.float32)), Prompt(prior=np.zeros((8, 8), dtype=np.float32))]
    decoded = tiny_sam2.decode(tiny_sam2.encode(scene), certain)
    assert decoded.logits.isfinite().all()


def test_masks_come_at_the_pictures_size(tiny_sam2: PromptableModel, scene: Picture) -> None:
    decoded = tiny_sam2.decode(tiny_sam2.encode(scene), [BOX])
    best = int(decoded.best()[0])
    assert best == int(decoded.iou[0].argmax())
    probability = decoded.probability(0, best)
    assert probability.shape == SIZE
    assert np.array_equal(decoded.mask(0).to_array(), probability > 0.5)
    assert decoded.mask(0, 1).size == SIZE


def test_points_move_with_the_picture(tiny_sam2: PromptableModel) -> None:
    """The same relative place in a picture twice as large is the same prompt."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    small, large = Picture(pixels), Picture(pixels.repeat(4, 0).repeat(2, 1))
    sparse = [
        tiny_sam2.embed_prompts(picture.size, [prompt])[0]
        for picture, prompt in (
            (small, Prompt(points=((10.0, 20.0, 1),), box=(4.0, 8.0, 40.0, 48.0))),
            (large, Prompt(points=((20.0, 80.0, 1),), box=(8.0, 32.0, 80.0, 192.0))),
        )
    ]
    torch.testing.assert_close(sparse[0], sparse[1])


def test_decoding_without_prompts_is_refused(tiny_sam2: PromptableModel, scene: Picture) -> None:
    with pytest.raises(UsageError, match="at least one prompt"):
        tiny_sam2.decode(tiny_sam2.encode(scene), [])


class Counted:
    """Counts how often a model's encoder runs."""

    def __init__(self, model: PromptableModel) -> None:
        self.runs = 0
        self.handle = model.net.vision_encoder.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.runs += 1


def pictures(count: int) -> Sequence[Picture]:
    rng = np.random.default_rng(1)
    return [Picture(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)) for _ in range(count)]


def test_a_picture_is_encoded_once(make_sam2: Callable[..., PromptableModel]) -> None:
    model = make_sam2(image_size=64)
    counted = Counted(model)
    picture = pictures(1)[0]
    first = model.encode(picture)
    same_pixels = Picture(picture.pixels.copy(), name="another name")
    assert model.encode(picture) is first
    assert model.encode(same_pixels) is first
    assert counted.runs == 1
    changed = picture.pixels.copy()
    changed[3, 4, 1] ^= 1
    assert model.encode(Picture(changed)) is not first
    assert model.encode(Picture(picture.pixels.reshape(12, 48, 3))) is not first
    assert counted.runs == 3


def test_the_oldest_features_are_let_go(make_sam2: Callable[..., PromptableModel]) -> None:
    model = make_sam2(image_size=64)
    shown = pictures(KEPT_PICTURES + 1)
    kept = [model.encode(picture) for picture in shown[:KEPT_PICTURES]]
    assert model.encode(shown[0]) is kept[0]
    model.encode(shown[-1])
    assert model.encode(shown[0]) is kept[0]
    assert model.encode(shown[1]) is not kept[1]


def test_gradients_flow_through_the_plain_encoder(make_compact: Callable[..., PromptableModel]) -> None:
    model = make_compact(image_size=64)
    weight = model.net.vision_encoder.backbone.stem.weight.requires_grad_(True)
    features = model.encode_input(torch.randn(1, 3, 64, 64), (64, 64))
    (gradient,) = torch.autograd.grad(features.levels[-1].square().sum(), weight)
    assert gradient.abs().sum() > 0


def test_an_untrained_part_is_refused_with_a_way_out(tiny_compact: PromptableModel) -> None:
    card = replace(tiny_compact.card, trained=frozenset({"image_encoder"}))
    model = PromptableModel(tiny_compact.net, card)
    model.require("image_encoder", "localize")
    with pytest.raises(
        UsageError,
        match=r"^cut needs a trained mask decoder, which tiny-compact does not have; .*--model sam2\.1-tiny$",
    ):
        model.require("mask_decoder", "cut")
