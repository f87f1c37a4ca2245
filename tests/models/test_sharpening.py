from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.geometry.guided_filter import guided_filter
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import FILTER_CELLS, LEAST_PRIOR, _invented, sharpen

SIZE = (120, 160)


def test_an_untrained_decoder_is_refused(
    make_picture: Callable[..., Picture], tiny_sam2: PromptableModel
) -> None:
    untrained = PromptableModel(tiny_sam2.net, replace(tiny_sam2.card, trained=frozenset({"image_encoder"})))
    with pytest.raises(UsageError, match="mask decoder"):
        sharpen(untrained, make_picture(SIZE), np.zeros((128, 128), np.float32))


def test_the_decoder_never_loses_what_it_disagrees_with(
    make_picture: Callable[..., Picture], make_disc: Callable[..., Mask], tiny_sam2: PromptableModel
) -> None:
    """With random weights the decoder is wrong: the prior's region must survive."""
    truth = make_disc(SIZE).to_array()
    result = sharpen(tiny_sam2, make_picture(SIZE), truth.astype(np.float32))
    assert result.how == "mask decoder of tiny-sam2"
    assert result.probability.shape == SIZE
    assert (result.probability[truth] > 0.5).mean() > 0.5
    assert result.probability.min() >= 0
    assert result.probability.max() <= 1


def test_objects_that_the_prior_hardly_knows_are_not_invented() -> None:
    prior, exact = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    prior[5:15, 5:15], prior[25:30, 40:42] = 0.9, 0.9
    exact[4:18, 4:18], exact[24:38, 38:56] = 0.8, 0.8
    expected = np.zeros((40, 60), bool)
    expected[24:38, 38:56] = True
    assert (_invented(exact, prior) == expected).all()


def test_a_model_trained_on_priors_meets_the_filter_half_way(
    make_picture: Callable[..., Picture], make_disc: Callable[..., Mask], tiny_drawing: PromptableModel
) -> None:
    picture, truth = make_picture(SIZE), make_disc(SIZE).to_array().astype(np.float32)
    result = sharpen(tiny_drawing, picture, truth)
    assert result.how == "mask decoder of tiny-drawing and edge-aware filter"
    features = tiny_drawing.encode(picture)
    decoded = tiny_drawing.decode(features, [Prompt(prior=truth)], multimask=False).probability(0, 0)
    filtered = guided_filter(picture.pixels, truth, round(FILTER_CELLS))
    heard = (filtered > LEAST_PRIOR) & ~_invented(decoded, truth)
    expected = np.where(heard, (decoded + filtered) / 2, filtered)
    np.testing.assert_allclose(result.probability, expected, atol=1e-6)
    assert (filtered > LEAST_PRIOR).any()
    assert (filtered < LEAST_PRIOR).any()
    assert 0 <= result.probability.min() <= result.probability.max() <= 1
