from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.evaluate.cdfss.voting import answer_by_vote, vote


@given(st.integers(1, 7), st.integers(0, 1000), st.floats(0, 1))
def test_is_the_rule_written_out(count: int, seed: int, share: float) -> None:
    masks = np.random.default_rng(seed).random((count, 4, 5)) < share
    total = np.sum(masks, axis=0)
    expected = total / max(1, total.max()) >= 0.5
    assert np.array_equal(vote([Mask.from_array(mask) for mask in masks]).to_array(), expected)


def test_is_relative_to_the_most_votes() -> None:
    """Of five, three agree at most: two votes win (2/3), one does not (1/3)."""
    rows = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert vote([Mask.from_array([row]) for row in rows]).to_array().tolist() == [[True, True, False]]


def test_needs_masks_of_one_size() -> None:
    with pytest.raises(UsageError, match="at least one"):
        vote([])
    with pytest.raises(InputError, match="different"):
        vote([Mask.empty((2, 2)), Mask.empty((2, 3))])


def test_every_reference_answers_for_itself(bright: type) -> None:
    made: list[Any] = []

    def factory() -> object:
        made.append(bright(shift=len(made)))
        return made[-1]

    pixels = np.zeros((4, 9, 3), dtype=np.uint8)
    pixels[:, 2] = 255
    picture = Picture(pixels)
    reference = Reference(picture, Mask.from_array(pixels[..., 0]))
    found = answer_by_vote(factory, [reference] * 3, picture)  # type: ignore[arg-type]
    assert [method.count_ for method in made] == [1, 1, 1]
    assert found.mask.box == (2, 0, 5, 4)
