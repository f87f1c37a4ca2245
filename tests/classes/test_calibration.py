import warnings

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.calibration import DEFAULT_THRESHOLD, calibrate, expected_cosine, left_out
from kiridashi.core.errors import InputError


def around(spread: float, count: int, width: int = 200, seed: int = 0) -> Tensor:
    """Unit vectors about one direction; any two have a cosine near 1 / (1 + spread^2)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, width, generator=generator) * spread / width**0.5
    return F.normalize(torch.eye(width)[0] + noise, dim=1)


def test_each_shot_is_compared_with_the_mean_of_the_others() -> None:
    shots = around(1, 4)
    for place, cosine in enumerate(left_out(shots)):
        others = torch.cat([shots[:place], shots[place + 1 :]])
        expected = F.cosine_similarity(shots[place], others.mean(dim=0), dim=0)
        torch.testing.assert_close(cosine, expected)


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_the_expected_cosine_is_that_of_a_new_vector_with_the_mean(count: int) -> None:
    vectors = around(1, 400, width=2000)
    shots, new = vectors[:count], vectors[count:]
    pair = float((new @ vectors[0]).mean())
    found = float((new @ F.normalize(shots.mean(dim=0), dim=0)).mean())
    assert found == pytest.approx(expected_cosine(pair, count), abs=0.02)


def test_one_shot_takes_the_default_and_says_so_whatever_it_is() -> None:
    assert calibrate(around(1, 1)) == DEFAULT_THRESHOLD
    assert calibrate(around(1, 1, seed=1).numpy()) == DEFAULT_THRESHOLD


def test_alike_shots_demand_more_than_varied_ones() -> None:
    thresholds = [calibrate(around(spread, 6)) for spread in (0.0, 0.3, 0.7, 1.2, 2.0)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert all(0 < threshold < 1 for threshold in thresholds)
    # The own shots outweigh the general expectation, the more the more there are.
    assert calibrate(around(0, 20)) > calibrate(around(0, 2)) > DEFAULT_THRESHOLD


def test_new_objects_of_the_class_pass_and_others_do_not() -> None:
    vectors = around(1.0, 300)
    for count in (2, 5, 10):
        threshold = calibrate(vectors[:count])
        row = F.normalize(vectors[:count].mean(dim=0), dim=0)
        assert ((vectors[count:] @ row) >= threshold).float().mean() > 0.95
        others = F.normalize(torch.randn(300, 200, generator=torch.Generator().manual_seed(1)), dim=1)
        assert ((others @ row) < threshold).float().mean() > 0.95


def test_shots_that_contradict_each_other_still_give_a_threshold() -> None:
    assert 0 < calibrate(torch.eye(5)[:3] - 0.3) < 1
    assert 0 < calibrate(torch.tensor([[1.0, 0.0], [-1.0, 1e-3]])) < 1


def test_no_shots_are_refused() -> None:
    with pytest.raises(InputError, match="K from 1 on"):
        calibrate(torch.empty(0, 4))
    with pytest.raises(InputError, match="K from 1 on"):
        calibrate(torch.ones(4))


def test_arrays_that_may_only_be_read_are_taken_without_a_warning() -> None:
    held = np.array(around(0.5, 3).numpy())
    held.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert calibrate(held) == pytest.approx(calibrate(torch.tensor(held)))
