import numpy as np
import pytest
import torch

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.video.looks import GRID, Looks, look_of

LEFT, RIGHT = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def test_likeness_is_to_the_more_alike_of_prompt_and_latest() -> None:
    looks = Looks()
    assert looks.likeness(1, LEFT) == -1
    looks.take(1, LEFT, prompted=True)
    looks.take(1, RIGHT, prompted=False)
    assert looks.likeness(1, LEFT) == looks.likeness(1, RIGHT) == 1
    assert looks.likeness(2, LEFT) == -1
    looks.take(1, torch.zeros(2), prompted=False)
    assert looks.likeness(1, RIGHT) == 1
    looks.forget(1)
    assert looks.likeness(1, LEFT) == -1


def test_a_state_comes_back() -> None:
    looks = Looks()
    looks.take(3, LEFT, prompted=True)
    looks.take(12, RIGHT, prompted=False)
    again = Looks().restore(looks.state())
    assert again.likeness(3, LEFT) == 1
    assert again.likeness(12, RIGHT) == 1
    assert again.likeness(3, RIGHT) == 0
    with pytest.raises(InputError, match="unknown tensor"):
        Looks().restore({"latest.x": LEFT})


def test_a_look_is_of_what_the_mask_covers() -> None:
    tokens = torch.zeros(2, GRID, GRID)
    tokens[0, :, : GRID // 2] = 1
    tokens[1, :, GRID // 2 :] = 1
    half = np.zeros((40, 60), bool)
    half[:, :30] = True
    torch.testing.assert_close(look_of(tokens, Mask.from_array(half)), LEFT)
    torch.testing.assert_close(look_of(tokens, Mask.from_array(~half)), RIGHT)
    assert not look_of(tokens, Mask.empty((40, 60))).any()
