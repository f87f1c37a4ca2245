from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.closer_look import LEAST_SIDE, Window, look_closer
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import Decoded

SIZE = (300, 400)
PICTURE = Picture(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8))
CLICK = Prompt(points=((120, 90, 1),))


def answer(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    logits = torch.full(SIZE, -5.0)
    logits[y0:y1, x0:x1] = 5.0
    return logits


class Watched:
    """A model whose second answer is the left half of whatever it is shown."""

    def __init__(self, side: int = 16) -> None:
        self.shown: list[Picture] = []
        self.prompts: list[Prompt] = []
        self.previous: list[Tensor] = []
        self.net: Any = self
        self.prompt_encoder: Any = self
        self.mask_input_size = (side, side)

    def encode(self, picture: Picture) -> Picture:
        self.shown.append(picture)
        return picture

    def correct(self, features: Picture, prompt: Prompt, previous: Tensor) -> Decoded:
        self.prompts.append(prompt)
        self.previous.append(previous)
        logits = torch.full((1, 1, *self.mask_input_size), -9.0)
        logits[..., : self.mask_input_size[1] // 2] = 9.0
        return Decoded(logits, torch.ones(1, 1), torch.zeros(1, 1, 4), torch.zeros(1), features.size)


@given(
    st.integers(40, 900),
    st.integers(40, 900),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_window_lies_in_its_picture_and_holds_the_box(
    height: int, width: int, ends: tuple[float, float, float, float]
) -> None:
    x0, x1 = sorted((ends[0] * (width - 2), ends[1] * (width - 2)))
    y0, y1 = sorted((ends[2] * (height - 2), ends[3] * (height - 2)))
    box = (x0, y0, x1 + 1, y1 + 1)
    window = Window.around(box, (height, width))
    assert 0 <= window.left < window.right <= width
    assert 0 <= window.top < window.bottom <= height
    assert window.left <= box[0] + 1
    assert window.right >= box[2] - 1
    assert window.right - window.left >= min(LEAST_SIDE, width)
    inner = window.prompt(Prompt(box=box))
    assert inner is not None
    assert inner.box is not None
    assert inner.box[2] - inner.box[0] == pytest.approx(min(box[2], window.right) - max(box[0], window.left))


def test_the_object_is_shown_larger_and_both_answers_count() -> None:
    model: Any = Watched()
    joined = look_closer(model, PICTURE, CLICK, answer(100, 60, 160, 120))
    (shown,), (prompt,), (previous,) = model.shown, model.prompts, model.previous
    # Twice the object's 60 pixels, around its middle at (130, 90).
    assert np.array_equal(shown.pixels, PICTURE.pixels[30:150, 70:190])
    assert prompt.points == ((50, 60, 1),)
    assert previous[8, 8] == pytest.approx(5.0)
    assert previous[0, 0] == pytest.approx(-5.0)
    assert joined[90, 110] == pytest.approx((5 + 9) / 2)
    assert joined[90, 155] == pytest.approx((5 - 9) / 2)
    assert joined[90, 75] == pytest.approx((-5 + 9) / 2)
    assert joined[90, 300] < -5


@pytest.mark.parametrize(
    ("prompt", "logits"),
    [
        (CLICK, answer(0, 0, 0, 0)),
        (CLICK, answer(20, 20, 380, 280)),
        (Prompt(points=((390, 290, 1),)), answer(100, 60, 160, 120)),
        (Prompt(prior=np.full(SIZE, 0.5, np.float32)), answer(100, 60, 160, 120)),
    ],
    ids=["empty", "fills the picture", "no point near", "only a prior"],
)
def test_the_first_answer_stays_where_a_closer_look_makes_no_sense(prompt: Prompt, logits: Tensor) -> None:
    model: Any = Watched()
    assert look_closer(model, PICTURE, prompt, logits) is logits
    assert not model.shown


def test_a_box_counts_for_the_window_and_moves_with_it() -> None:
    model: Any = Watched()
    look_closer(model, PICTURE, Prompt(box=(90.0, 60.0, 190.0, 120.0)), answer(100, 60, 160, 120))
    # A square of 200 around the box of 100 x 60: columns 40 to 240, rows 0 to 200 (moved into the picture).
    assert model.shown[0].size == (200, 200)
    assert model.prompts[0].box == (50.0, 60.0, 150.0, 120.0)


def test_on_a_real_model_the_mask_stays_at_the_click() -> None:
    pixels = np.full((*SIZE, 3), 200, np.uint8)
    pixels[70:110, 100:150] = (180, 30, 30)
    picture = Picture(pixels)
    logits = look_closer(load_model("compact"), picture, CLICK, answer(100, 70, 150, 110))
    assert logits.shape == SIZE
    inside = (logits > 0).numpy()
    assert inside[75:105, 105:145].mean() > 0.9
    assert inside[:, 220:].sum() == 0
