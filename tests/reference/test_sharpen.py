from collections.abc import Callable

import numpy as np

from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.sharpen import guided_filter, sharpen


def test_the_filter_keeps_a_constant_and_follows_an_edge() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 220
    picture = Picture(pixels)
    flat = guided_filter(picture, np.full((64, 64), 0.3, np.float32), 4)
    assert np.allclose(flat, 0.3, atol=1e-3)
    # A soft step six pixels beside the edge moves onto it.
    soft = np.clip((np.arange(64) - 24) / 16, 0, 1).astype(np.float32)[None].repeat(64, 0)
    sharp = guided_filter(picture, soft, 6)
    step = np.abs(np.diff(sharp[32]))
    assert step.argmax() == 31
    assert step.max() > 3 * np.abs(np.diff(soft[32])).max()


def test_an_untrained_decoder_is_left_alone_and_named(disc_site: Callable[..., Reference]) -> None:
    reference = disc_site(0)
    prior = np.zeros((128, 128), np.float32)
    result = sharpen(load_model(), reference.picture, prior)
    assert "interim" in result.how
    assert result.probability.shape == reference.picture.size


def test_the_decoder_never_loses_what_it_disagrees_with(
    disc_site: Callable[..., Reference], tiny_sam2: PromptableModel
) -> None:
    """With random weights the decoder is wrong: the prior's region must survive."""
    reference = disc_site(1)
    height, width = reference.picture.size
    truth = reference.mask.to_array()
    result = sharpen(tiny_sam2, reference.picture, truth.astype(np.float32))
    assert result.how == "mask decoder of tiny-sam2"
    assert result.probability.shape == (height, width)
    assert (result.probability[truth] > 0.5).mean() > 0.5
    assert result.probability.min() >= 0
    assert result.probability.max() <= 1
