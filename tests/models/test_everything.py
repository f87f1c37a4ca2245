from collections.abc import Callable
from dataclasses import replace

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.models.everything import everything
from kiridashi.models.grid import GridSettings, segment_everything
from kiridashi.models.promptable import PromptableModel

LOOSE = GridSettings(4, predicted_iou=0.3, stability=0.3)


def test_the_decoder_answers_a_grid(
    tiny_compact: PromptableModel, make_picture: Callable[..., Picture]
) -> None:
    picture = make_picture()
    found = everything(tiny_compact, picture, LOOSE)
    expected = segment_everything(tiny_compact, tiny_compact.encode(picture), LOOSE)
    assert len(found) > 0
    assert [(each.mask, each.score) for each in found] == [(each.mask, each.score) for each in expected]
    assert found.provenance["model"] == "tiny-compact"


def test_an_untrained_decoder_is_refused(
    tiny_compact: PromptableModel, make_picture: Callable[..., Picture]
) -> None:
    card = replace(tiny_compact.card, trained=frozenset({"image_encoder"}))
    with pytest.raises(UsageError, match="everything needs a trained mask decoder"):
        everything(PromptableModel(tiny_compact.net, card), make_picture())
