from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.catalogue import find_card
from kiridashi.models.cutting import cut
from kiridashi.models.promptable import Decoded

PICTURE = Picture(np.zeros((40, 60, 3), dtype=np.uint8))


def decoding_model() -> Any:
    """A model with a trained decoder that always answers with the left half."""
    logits = torch.full((1, 1, 16, 16), -5.0)
    logits[..., :8] = 5.0
    decoded = Decoded(logits, torch.tensor([[0.75]]), torch.zeros(1, 1, 4), torch.zeros(1), PICTURE.size)
    return SimpleNamespace(
        card=find_card("sam2.1-tiny"), encode=lambda picture: None, refine=lambda features, prompt: decoded
    )


def test_a_trained_decoder_is_used() -> None:
    result = cut(decoding_model(), PICTURE, Prompt(points=((5, 5, 1),)))
    assert result[0].score == 0.75
    assert result[0].mask.box == (0, 0, 30, 40)
    assert result.provenance["masks"] == "decoder of sam2.1-tiny"


def test_the_stand_in_says_that_it_is_one() -> None:
    model: Any = SimpleNamespace(card=find_card("compact"))
    result = cut(model, PICTURE, Prompt(box=(5, 5, 20, 20)))
    assert result.provenance["masks"] == "interim: GrabCut; the decoder of compact is not trained yet"


@pytest.mark.parametrize(
    "prompt", [Prompt(points=((60, 5, 1),)), Prompt(points=((5, -1, 1),)), Prompt(box=(60, 0, 70, 9))]
)
def test_prompts_outside_are_refused(prompt: Prompt) -> None:
    with pytest.raises(InputError, match="60 x 40"):
        cut(decoding_model(), PICTURE, prompt)
