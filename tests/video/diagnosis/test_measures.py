import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from kiridashi.core.mask import Mask
from kiridashi.video.diagnosis.measures import (
    ProbeFit,
    auroc,
    component_auroc,
    distance,
    pointer_map,
    raw_distance,
    share_of,
    sides_of,
)

SIDE = 8


def share() -> torch.Tensor:
    covered = torch.zeros(SIDE, SIDE)
    covered[2:5, 3:7] = 1
    return covered


def coloured(seed: int, channels: int = 6) -> torch.Tensor:
    """Noise in which the object's places are shifted along one direction."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.linspace(-1, 1, channels)[:, None, None]
    return torch.randn(channels, SIDE, SIDE, generator=generator) * 0.3 + 2 * direction * share()


def test_raw_distance_is_a_root_mean_square() -> None:
    assert raw_distance(torch.zeros(2, 3, 4), torch.full((2, 3, 4), 2.0)) == pytest.approx(2)


def test_distance_is_split_into_object_and_background() -> None:
    one = torch.zeros(3, SIDE, SIDE)
    other = one + 4 * share() + (1 - share())
    found = distance(one, other, share())
    assert found.inside == pytest.approx(4)
    assert found.outside == pytest.approx(1)
    assert found.all == pytest.approx(((16 * 12 + 52) / 64) ** 0.5)
    assert distance(one, other).inside is None
    assert distance(one, other, torch.zeros(SIDE, SIDE)).inside is None


def test_auroc_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.integers(0, 6, (9, 9)).astype(np.float32))
    inside = torch.from_numpy(rng.random((9, 9)) < 0.3)
    expected = roc_auc_score(inside.flatten().numpy(), scores.flatten().numpy())
    assert auroc(scores, inside, ~inside) == pytest.approx(expected)
    assert auroc(scores, inside, torch.zeros_like(inside)) is None


def test_a_probe_finds_on_another_frame_what_it_learned() -> None:
    fit = ProbeFit()
    for seed in range(3):
        fit.add(coloured(seed), share())
    probe = fit.fit()
    assert probe is not None
    found = probe.auroc(coloured(9), share())
    assert found is not None
    assert found > 0.98
    noise = torch.randn(6, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    chance = probe.auroc(noise, share())
    assert chance is not None
    assert chance < 0.8


def test_a_probe_without_the_object_learns_nothing() -> None:
    fit = ProbeFit()
    fit.add(coloured(0), torch.zeros(SIDE, SIDE))
    assert fit.fit() is None


def test_a_channel_that_never_changes_does_no_harm() -> None:
    fit = ProbeFit()
    flat = coloured(0)
    flat[0] = 7
    fit.add(flat, share())
    probe = fit.fit()
    assert probe is not None
    assert torch.isfinite(probe.scores(flat)).all()


def test_the_first_component_says_whether_the_object_differs_most() -> None:
    found = component_auroc(coloured(1), share())
    assert found is not None
    assert found > 0.98
    # Something else differs more: a gradient across.
    slope = coloured(1) + 30 * torch.linspace(0, 1, SIDE)[None, :, None]
    other = component_auroc(slope, share())
    assert other is not None
    assert other < 0.75


def test_a_small_object_has_the_places_that_it_fills_most() -> None:
    covered = torch.zeros(SIDE, SIDE)
    covered[1, 1], covered[1, 2] = 0.2, 0.05
    inside, outside = sides_of(covered)
    assert inside.nonzero().tolist() == [[1, 1]]
    assert int(outside.sum()) == SIDE * SIDE - 1
    assert not sides_of(torch.zeros(SIDE, SIDE))[0].any()


def test_share_of_a_mask_is_by_area() -> None:
    mask = Mask.from_array(np.arange(16 * 16).reshape(16, 16) % 16 < 7)
    np.testing.assert_allclose(share_of(mask, (2, 4))[0], [1, 0.75, 0, 0])


def test_the_pointer_points_where_places_resemble_it() -> None:
    values = coloured(0)
    pointed = pointer_map(torch.linspace(-1, 1, 6), values)
    found = auroc(pointed, *sides_of(share()))
    assert found is not None
    assert found > 0.95
    assert not pointer_map(torch.zeros(6), values).any()
