import numpy as np
import pytest
import torch
from training.image.corrections import corrected, previous_mask
from training.image.decoding import PromptBatch, decode, encode_windows
from training.image.items import normalise
from training.network import make_network

from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.catalogue import find_card
from kiridashi.models.promptable import PromptableModel

PIXELS = np.random.default_rng(0).integers(0, 255, (512, 512, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> PromptableModel:
    return PromptableModel(make_network(None, 0), find_card("compact"))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=((100.0, 130.0, 1),)),
        Prompt(box=(40.0, 60.0, 300.0, 200.0)),
        Prompt(points=((100.0, 130.0, 1), (400.0, 20.0, 0)), box=(40.0, 60.0, 300.0, 200.0)),
    ],
)
def test_training_sees_what_the_product_computes(model: PromptableModel, prompt: Prompt) -> None:
    product = model.decode(model.encode(Picture(PIXELS)), [prompt])
    with torch.no_grad():
        maps = model.net.vision_encoder.backbone.look(normalise(PIXELS)[None])
        features = encode_windows(model.net, maps, torch.zeros(1, 2, dtype=torch.long))
        image = features.levels[-1] + model.net.no_memory_embedding.view(1, -1, 1, 1)
        points = torch.tensor([prompt.points]) if prompt.points else None
        boxes = torch.tensor([prompt.box]) if prompt.box else None
        masks = decode(model.net, features, image, PromptBatch(points, boxes, None))
    torch.testing.assert_close(masks.logits[:, 1:], product.logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(masks.iou[:, 1:], product.iou, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(masks.score, product.object_score, atol=1e-4, rtol=1e-3)


def test_a_window_has_the_position_codes_of_its_place_in_the_frame(model: PromptableModel) -> None:
    with torch.no_grad():
        maps = model.net.vision_encoder.backbone.look(normalise(PIXELS[:256, :256])[None])
        features = encode_windows(model.net, maps, torch.tensor([[5, 9]]))
    code = model.net.get_image_wide_positional_embeddings()
    assert torch.equal(features.position[0], code[0, :, 9:25, 5:21])
    assert features.corners.tolist() == [[80, 144]]


def test_a_correction_clicks_where_the_mask_is_wrong(model: PromptableModel) -> None:
    truth, previous = torch.zeros(1, 64, 64), torch.full((1, 64, 64), -5.0)
    truth[0, 10:30, 10:30] = 1
    again = corrected(PromptBatch(None, None, None), previous, truth, torch.ones(1, 64, 64))
    assert again.points is not None
    x, y, label = again.points[0, 0].tolist()
    assert label == 1
    assert 40 <= x <= 120
    assert 40 <= y <= 120
    previous[0, 10:30, 10:30] = 5
    previous[0, 40:60, 40:60] = 5
    again = corrected(again, previous, truth, torch.ones(1, 64, 64))
    assert again.points is not None
    assert again.points.shape == (1, 2, 3)
    x, y, label = again.points[0, 1].tolist()
    assert label == 0
    assert 160 <= min(x, y) <= max(x, y) <= 240
    assert again.base is not None
    assert torch.equal(again.base[:, 0], previous)


def test_the_previous_mask_is_the_one_that_would_be_shown(model: PromptableModel) -> None:
    from training.image.decoding import Masks

    logits = torch.arange(4.0)[None, :, None, None].expand(1, 4, 8, 8)
    masks = Masks(logits, torch.tensor([[0.9, 0.1, 0.8, 0.2]]), torch.zeros(1))
    assert (previous_mask(masks, several=True) == 2).all()
    assert (previous_mask(masks, several=False) == 0).all()
