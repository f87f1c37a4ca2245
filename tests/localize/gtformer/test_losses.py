import math

import pytest
import torch
from torch.nn import functional as F

from kiridashi.localize.gtformer.losses import (
    background_loss,
    contrast_loss,
    edge_loss,
    label_loss,
    map_loss,
    region_loss,
)
from kiridashi.localize.gtformer.network import Localised


def test_the_region_loss_is_zero_where_the_mean_area_of_the_batch_is_a() -> None:
    maps = torch.zeros(2, 4, 4)
    maps[0, :2] = 1
    assert region_loss(maps, 0.25).item() == pytest.approx(0)
    # Of the batch, not of each picture: one is half covered, the other not at all.
    assert region_loss(maps[:1], 0.25).item() == pytest.approx(0.25)
    assert region_loss(maps[1:], 0.25).item() == pytest.approx(0.25)
    assert region_loss(maps, 0.35).item() == pytest.approx(0.1)
    assert region_loss(maps, 0.35, slack=0.06).item() == pytest.approx(0.04)
    assert region_loss(maps, 0.35, slack=0.2).item() == 0
    assert region_loss(maps[:0], 0.35).item() == 0


def test_the_edge_loss_is_largest_at_a_half_and_near_zero_where_all_is_decided() -> None:
    # Away from the border, at which the kernel meets zeros.
    def inner(value: float) -> float:
        return edge_loss(torch.full((1, 400, 400), value)).item()

    assert inner(0.5) == pytest.approx(0.25, abs=2e-3)
    assert inner(0.0) == 0
    assert inner(1.0) == pytest.approx(0, abs=2e-3)
    values = [inner(value) for value in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert max(values) == values[2]
    assert values[0] == pytest.approx(0.09, abs=2e-3)


def test_the_edge_loss_by_hand() -> None:
    one = torch.zeros(1, 3, 3)
    one[0, 1, 1] = 1
    smooth = [0.805, *[0.046] * 4, *[0.0026] * 4]
    expected = sum(value * (1 - value) for value in smooth) / 9
    assert edge_loss(one).item() == pytest.approx(expected, rel=1e-5)


def test_pictures_without_an_object_pull_their_map_to_zero_and_not_to_a() -> None:
    maps = torch.full((4, 4, 4), 0.4, requires_grad=True)
    has_object = torch.tensor([True, True, False, False])
    loss = map_loss(maps, has_object, area=0.5, edge_weight=0.0)
    assert loss.item() == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)
    (gradient,) = torch.autograd.grad(loss, maps)
    assert (gradient[:2] < 0).all()
    assert (gradient[2:] > 0).all()
    # Every picture has the same say.
    assert gradient[0].abs().sum().item() == pytest.approx(gradient[3].abs().sum().item())


def test_an_outside_that_says_nothing_costs_nothing() -> None:
    alike = torch.full((2, 5), 3.0)
    assert background_loss(alike, single=True).item() == pytest.approx(0, abs=1e-6)
    telling = alike.clone()
    telling[0, 2] += 4
    assert background_loss(telling, single=True).item() > 0.3
    absent = torch.full((2, 5), -20.0)
    assert background_loss(absent, single=False).item() == pytest.approx(0, abs=1e-6)
    assert background_loss(torch.zeros(3, 2), single=False).item() == pytest.approx(2 * math.log(2))


def seen(total: torch.Tensor, evidence: torch.Tensor) -> Localised:
    nothing = torch.zeros(0)
    return Localised(nothing, total, nothing, nothing, evidence, nothing)


def test_the_map_is_pulled_to_where_the_label_can_be_read() -> None:
    evidence = torch.full((1, 2, 2, 2), -4.0)
    evidence[0, 0, 0, 0] = 4.0
    labels, weights = torch.tensor([[1.0, 0.0]]), torch.ones(2)
    right, wrong = torch.full((1, 2, 2), 0.1), torch.full((1, 2, 2), 0.1)
    right[0, 0, 0], wrong[0, 1, 1] = 0.9, 0.9
    for single in (True, False):
        found = [
            contrast_loss(seen(total, evidence), labels, weights, single=single).item()
            for total in (right, wrong)
        ]
        assert found[0] < found[1] - 0.3


def test_of_a_picture_without_a_label_all_is_outside() -> None:
    evidence = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(2, 3)
    totals = [torch.rand(2, 2, 2, requires_grad=True) for _ in range(2)]
    losses = [contrast_loss(seen(one, evidence), labels, torch.ones(3), single=False) for one in totals]
    assert losses[0].item() == pytest.approx(losses[1].item())
    expected = background_loss(evidence.mean(dim=(2, 3)), single=False)
    assert losses[0].item() == pytest.approx(expected.item())


def test_with_an_object_in_every_picture_it_is_the_published_loss() -> None:
    maps = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0))
    found = map_loss(maps, torch.ones(3, dtype=torch.bool), area=0.35)
    torch.testing.assert_close(found, region_loss(maps, 0.35) + edge_loss(maps))


def test_one_label_a_picture_is_cross_entropy() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    labels = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])
    weights = torch.tensor([1.0, 1.0, 3.0])
    expected = F.cross_entropy(logits, torch.tensor([0, 2]), weight=weights)
    torch.testing.assert_close(label_loss(logits, labels, weights, single=True), expected)


def test_several_labels_are_binary_cross_entropy_with_the_present_ones_weighted() -> None:
    logits, labels = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    weights = torch.tensor([4.0, 9.0])
    found = label_loss(logits, labels, weights, single=False)
    assert found.item() == pytest.approx(4 * math.log(2) + math.log(2))
