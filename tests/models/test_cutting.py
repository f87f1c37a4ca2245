from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models import cutting
from kiridashi.models.catalogue import ALL_PARTS, Part, find_card
from kiridashi.models.cutting import cut
from kiridashi.models.promptable import Decoded, PromptableModel

PICTURE = Picture(np.zeros((40, 60, 3), dtype=np.uint8))


class LeftHalf(PromptableModel):
    """A model whose decoder always answers with the left half."""

    def __init__(self, trained: Iterable[Part] = ALL_PARTS, inside: float = 5.0) -> None:
        super().__init__(nn.Identity(), replace(find_card("sam2.1-tiny"), trained=frozenset(trained)))
        self.inside = inside

    def encode(self, picture: Picture) -> Any:
        return picture

    def refine(self, features: Any, prompt: Prompt, rounds: int = 2) -> Decoded:
        logits = torch.full((1, 1, 16, 16), -5.0)
        logits[..., :8] = self.inside
        return Decoded(logits, torch.tensor([[0.75]]), torch.zeros(1, 1, 4), torch.zeros(1), features.size)


def test_the_decoder_cuts() -> None:
    result = cut(LeftHalf(), PICTURE, Prompt(points=((5, 5, 1),)))
    assert result[0].score == 0.75
    assert result[0].mask.box == (0, 0, 30, 40)
    assert result.provenance["masks"] == "decoder of sam2.1-tiny"


def test_an_empty_mask_is_no_segment() -> None:
    assert len(cut(LeftHalf(inside=-5.0), PICTURE, Prompt(points=((5, 5, 1),)))) == 0


def test_an_untrained_decoder_is_refused() -> None:
    with pytest.raises(UsageError, match="cut needs a trained mask decoder"):
        cut(LeftHalf(trained=["image_encoder"]), PICTURE, Prompt(box=(5, 5, 20, 20)))


@pytest.mark.parametrize(
    "prompt", [Prompt(points=((60, 5, 1),)), Prompt(points=((5, -1, 1),)), Prompt(box=(60, 0, 70, 9))]
)
def test_prompts_outside_are_refused(prompt: Prompt) -> None:
    with pytest.raises(InputError, match="60 x 40"):
        cut(LeftHalf(), PICTURE, prompt)


def test_a_model_that_draws_prompts_takes_a_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(model: Any, picture: Picture, prompt: Prompt, logits: torch.Tensor) -> torch.Tensor:
        asked.append((picture, prompt, logits.shape))
        return torch.where(torch.arange(60) < 10, 5.0, -5.0).expand(40, 60)

    asked: list[Any] = []
    monkeypatch.setattr(cutting, "look_closer", look)
    prompt = Prompt(points=((5, 5, 1),))
    assert cut(LeftHalf(), PICTURE, prompt)[0].mask.box == (0, 0, 30, 40)
    assert not asked
    model = LeftHalf()
    model.card = replace(model.card, draws_prompts=True)
    assert cut(model, PICTURE, prompt)[0].mask.box == (0, 0, 10, 40)
    assert asked == [(PICTURE, prompt, (40, 60))]


def test_specks_and_pinholes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    spotted = torch.full((40, 60), -5.0)
    spotted[5:35, 5:35] = 5.0
    spotted[20, 20] = -5.0
    spotted[2, 50] = 5.0
    monkeypatch.setattr(cutting, "upscale", lambda _logits, _size: spotted)
    mask = cut(LeftHalf(), PICTURE, Prompt(points=((8, 8, 1),)))[0].mask
    assert mask.box == (5, 5, 35, 35)
    assert mask.area == 900
