from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.classes.embedding import POOLED, Embedder, cell_shares
from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import Features, PromptableModel

Builder = Callable[..., PromptableModel]
MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]


@pytest.mark.parametrize(("size", "grid"), [((48, 64), (8, 8)), ((50, 37), (8, 4)), ((5, 3), (8, 8))])
def test_shares_are_exact_areas(size: tuple[int, int], grid: tuple[int, int]) -> None:
    full = np.random.default_rng(0).random(size) < 0.4
    mask = Mask.from_array(full)
    # Every pixel cut into as many parts as there are cells, and the other way round: all areas are whole.
    fine = full.repeat(grid[0], 0).repeat(grid[1], 1)
    expected = fine.reshape(grid[0], size[0], grid[1], size[1]).mean(axis=(1, 3))
    np.testing.assert_allclose(cell_shares(mask, grid).numpy(), expected, atol=1e-6)


def test_embeddings_are_the_normalised_means_inside_the_masks(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    picture = make_picture((128, 128))
    quarter = Mask.from_array(np.pad(np.ones((64, 64)), ((0, 64), (64, 0))))
    found = Embedder(tiny_compact).embed(picture, [quarter])[0]
    parts = []
    for level, length in POOLED:
        maps = tiny_compact.encode(picture).trunk[level][0]
        side = maps.shape[-1] // 2
        parts.append(length * F.normalize(maps[:, :side, side:].mean(dim=(1, 2)), dim=0))
    torch.testing.assert_close(found, F.normalize(torch.cat(parts), dim=0), atol=1e-5, rtol=1e-4)


def test_many_masks_come_out_as_each_alone(
    tiny_compact: PromptableModel, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    picture, embedder = make_picture(), Embedder(tiny_compact)
    masks = [make_disc(radius=radius) for radius in (1, 5, 12, 20)]
    together = embedder.embed(picture, masks)
    assert together.shape == (4, embedder.width)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together.norm(dim=1), torch.ones(4))
    alone = torch.stack([embedder.embed_sample(picture, mask) for mask in masks])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    assert embedder.embed(picture, []).shape == (0, embedder.width)


def test_the_picture_is_encoded_once(
    make_compact: Builder, make_picture: MakePicture, make_disc: MakeDisc, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_compact()
    calls: list[Tensor] = []
    encode_input = model.encode_input

    def counted(pixels: Tensor, size: tuple[int, int]) -> Features:
        calls.append(pixels)
        return encode_input(pixels, size)

    monkeypatch.setattr(model, "encode_input", counted)
    embedder = Embedder(model)
    embedder.embed(make_picture(), [make_disc(radius=radius) for radius in (3, 6, 9)])
    embedder.embed(make_picture(), [make_disc()])
    assert len(calls) == 1


def test_one_pixel_is_enough(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    single = np.zeros((48, 64))
    single[10, 20] = 1
    found = Embedder(tiny_compact).embed_sample(make_picture(), Mask.from_array(single))
    assert found.norm().item() == pytest.approx(1, abs=1e-5)


def test_empty_and_foreign_masks_are_told(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    embedder, picture = Embedder(tiny_compact), make_picture(name="bolt.png")
    whole = Mask.from_array(np.ones((48, 64)))
    with pytest.raises(InputError, match=r"bolt\.png: mask 2 of 2 is empty"):
        embedder.embed(picture, [whole, Mask.empty((48, 64))])
    with pytest.raises(SizeMismatchError, match=r"bolt\.png, mask 1"):
        embedder.embed_sample(picture, Mask.from_array(np.ones((64, 48))))


def test_a_head_takes_the_pooled_vectors(
    tiny_compact: PromptableModel, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    plain = Embedder(tiny_compact)
    head = nn.Sequential(nn.Linear(plain.width, 7), nn.Dropout(0.9))
    headed = Embedder(tiny_compact, head)
    assert headed.width == 7
    found = headed.embed_sample(make_picture(), make_disc())
    assert found.norm().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(found, headed.embed_sample(make_picture(), make_disc()))
    assert not found.requires_grad


def test_the_fingerprint_tells_what_embeddings_depend_on(make_compact: Builder) -> None:
    model = make_compact()
    first = Embedder(model).fingerprint
    assert Embedder(make_compact()).fingerprint == first
    assert Embedder(make_compact(seed=3)).fingerprint != first
    with torch.no_grad():
        next(iter(model.net.mask_decoder.parameters())).add_(1)
        next(iter(model.net.vision_encoder.backbone.context.parameters())).add_(1)
    assert Embedder(model).fingerprint == first
    other_input = PromptableModel(model.net, replace(model.card, mean=(0.4, 0.4, 0.4)))
    assert Embedder(other_input).fingerprint != first
    heads = [nn.Linear(Embedder(model).width, 4) for _ in range(2)]
    assert len({first, *(Embedder(model, head).fingerprint for head in heads)}) == 3


def test_the_context_has_no_say(
    make_compact: Builder, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    model = make_compact()
    before = Embedder(model).embed_sample(make_picture(), make_disc())
    with torch.no_grad():
        for parameter in model.net.vision_encoder.backbone.context.parameters():
            parameter.add_(1)
    fresh = PromptableModel(model.net, model.card)
    assert torch.equal(Embedder(fresh).embed_sample(make_picture(), make_disc()), before)


def test_every_model_looks_with_the_compact_trunk(
    tiny_sam2: PromptableModel, tiny_edgetam: PromptableModel, make_picture: MakePicture, make_disc: MakeDisc
) -> None:
    first, second = Embedder(tiny_sam2), Embedder(tiny_edgetam)
    assert first.eye.card.name == second.eye.card.name == "compact"
    assert first.fingerprint == second.fingerprint
    assert first.width == 432
    found = [one.embed_sample(Picture(make_picture().pixels), make_disc()) for one in (first, second)]
    assert torch.equal(*found)
