"""The fusion network's recipe in small: gather, fit a few steps, judge presence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training.prior.fit import Batch, augment, collate, forward, loss
from training.prior.gather import Elsewhere, site_episodes
from training.prior.presence import fit_head, head_inputs
from training.prior.sites import SiteMaker

from kiridashi.reference.prior.evidence import GRID
from kiridashi.reference.prior.fusion import FusionNet


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    """One surface site of three pictures; each is asked for, and beside it the clean surface."""
    rng = np.random.default_rng(0)
    site = SiteMaker(Path(tmp_path_factory.mktemp("no-data"))).surface(3, rng)
    return site_episodes(site, rng, Elsewhere())


def test_each_picture_is_asked_with_and_without_the_defect(episodes: list[Batch]) -> None:
    present = [int(episode["target"][0].max()) > 0 for episode in episodes]
    assert present == [True, False] * 3
    assert {tuple(episode["target"].shape) for episode in episodes} == {(2, GRID, GRID)}


def test_a_few_steps_lower_the_loss(episodes: list[Batch]) -> None:
    torch.manual_seed(0)
    net = FusionNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    batch = collate(episodes, "cpu")
    losses = []
    for _ in range(8):
        value = loss(forward(net, batch), batch["target"])
        optimiser.zero_grad()
        torch.autograd.backward(value)
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.9 * losses[0]


def test_augmentation_mirrors_all_maps_alike(episodes: list[Batch]) -> None:
    batch = collate(episodes[:1], "cpu")
    for seed in range(6):
        changed = augment({name: t.clone() for name, t in batch.items()}, np.random.default_rng(seed))
        for axes in ((), (-1,), (-2,), (-1, -2)):
            if torch.equal(changed["target"], batch["target"].flip(axes)):
                assert torch.equal(changed["thumbnail"], batch["thumbnail"].flip(axes))
                break
        else:
            pytest.fail("the target is not a mirrored copy")
        assert torch.equal(changed["facts"], batch["facts"])


def test_the_presence_head_learns_on_frozen_features(episodes: list[Batch]) -> None:
    net = FusionNet().eval()
    before = {name: t.clone() for name, t in net.state_dict().items() if not name.startswith("presence")}
    cases = head_inputs(net, episodes)
    assert cases.present.tolist() == [1.0, 0.0] * 3
    fit_head(net, cases)
    scores = net.presence(cases.rows)[:, 0]
    assert scores[cases.present > 0].min() > scores[cases.present == 0].max()
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in before.items())
