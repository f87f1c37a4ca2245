from collections.abc import Callable

import numpy as np

from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.sharpen import sharpen


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
