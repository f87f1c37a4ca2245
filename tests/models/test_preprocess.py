from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import cards, find_card
from kiridashi.models.preprocess import to_input


def photo(size: tuple[int, int], seed: int = 0) -> Picture:
    """Coarse noise: edges at every angle, dark and bright."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size[0] // 8 + 1, size[1] // 8 + 1, 3), dtype=np.uint8)
    wide = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
    return Picture(np.asarray(wide))


@pytest.mark.parametrize("name", list(cards()))
def test_the_input_has_the_form_the_card_says(name: str) -> None:
    card = replace(find_card(name), image_size=64)
    pixels = to_input(photo((48, 100)), card)
    assert pixels.shape == (1, 3, 64, 64)
    assert pixels.dtype == torch.float32


def test_black_and_white_land_where_mean_and_std_put_them() -> None:
    card = replace(find_card("sam2.1-tiny"), image_size=32)
    for level in (0, 255):
        pixels = to_input(Picture(np.full((20, 30, 3), level, dtype=np.uint8)), card)
        expected = (level / 255 - torch.tensor(card.mean)) / torch.tensor(card.std)
        torch.testing.assert_close(pixels[0, :, 0, 0], expected)
        assert torch.equal(pixels, pixels[..., :1, :1].expand_as(pixels))


@pytest.mark.parametrize("size", [(48, 64), (200, 130), (31, 500), (1, 1), (64, 64)])
def test_it_equals_the_formula_of_the_library_in_floating_point(size: tuple[int, int]) -> None:
    """The library resizes 8-bit pixels; the exact result differs by that rounding only."""
    card = replace(find_card("sam2.1-tiny"), image_size=64)
    picture = photo(size)
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1)[None].double(),
        size=(64, 64),
        mode="bilinear",
        antialias=True,
    )
    mean, std = (
        torch.tensor(values, dtype=torch.double).view(1, 3, 1, 1) for values in (card.mean, card.std)
    )
    # Rescaling and normalisation joined into one step, as the library's fast processor does.
    expected = (exact - 255 * mean) / (255 * std)
    # The 8-bit resize rounds its weights and both of its passes: at most one level from the exact value.
    level = 1 / (255 * min(card.std))
    difference = (to_input(picture, card).double() - expected).abs()
    assert difference.max() < 1.01 * level
    assert difference.mean() < 0.35 * level


@pytest.mark.parametrize("size", [(96, 128), (300, 40)])
def test_it_resizes_like_pillow_within_a_level(size: tuple[int, int]) -> None:
    card = replace(find_card("compact"), image_size=64)
    picture = photo(size, seed=3)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (card.mean, card.std))
    levels = (to_input(picture, card) * std + mean) * 255
    pillow = Image.fromarray(picture.pixels).resize((64, 64), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.asarray(pillow).copy()).permute(2, 0, 1)[None].float()
    assert (levels - expected).abs().max() < 1.01


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    card = replace(find_card("compact"), image_size=64)
    picture = photo((64, 64))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (card.mean, card.std))
    levels = ((to_input(picture, card) * std + mean) * 255).round()[0].permute(1, 2, 0)
    assert np.array_equal(levels.numpy().astype(np.uint8), picture.pixels)
