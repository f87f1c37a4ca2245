import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.models.pooling import cosine_map, masked_average, otsu_mask
from kiridashi.reference.alignment.losses import Truth, alignment_loss, similarity_loss
from kiridashi.reference.alignment.options import Loss

# The specification of CAV-SAM, section 1.4.
FLOOR, NO_SIMILARITY = 0.6265, 1.3863
LOSSES: list[Loss] = ["acc", "abc"]


def square(side: int = 8) -> Truth:
    mask = torch.zeros(side, side)
    mask[2:5, 3:7] = 1
    return Truth(mask, mask)


def parted(truth: Truth) -> Tensor:
    """(2, h, w) features that point one way inside and the other way outside."""
    sign = 2 * truth.cells - 1
    return torch.stack([sign, 0.5 * sign])


@pytest.mark.parametrize("loss", LOSSES)
def test_perfect_separation_reaches_the_floor(loss: Loss) -> None:
    truth = square()
    value = alignment_loss(parted(truth), parted(truth), truth, truth, loss=loss)
    assert value.item() == pytest.approx(FLOOR, abs=1e-4)
    assert value.item() == pytest.approx(2 * math.log(1 + math.exp(-1)), abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_similarity_costs_twice_ln_2(loss: Loss) -> None:
    zeros = torch.zeros(2, 8, 8)
    value = alignment_loss(zeros, zeros, square(), square(), loss=loss)
    assert value.item() == pytest.approx(NO_SIMILARITY, abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_features_go_below_the_floor(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        maps = torch.randn(2, 3, 8, 8, generator=generator)
        assert alignment_loss(maps[0], maps[1], square(), square(), loss=loss).item() > FLOOR


def test_each_loss_is_its_definition_step_by_step() -> None:
    reference, copy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    there = cosine_map(copy, masked_average(reference, square().cells))
    bce = torch.nn.functional.binary_cross_entropy
    first = bce(there.sigmoid(), square().fine)
    values = {}
    for loss, region in (("acc", otsu_mask(there)), ("abc", square().cells)):
        back = cosine_map(reference, masked_average(copy, region))
        values[loss] = first + bce(back.sigmoid(), square().fine)
    for loss in LOSSES:
        torch.testing.assert_close(
            alignment_loss(reference, copy, square(), square(), loss=loss), values[loss]
        )
    assert values["acc"] != values["abc"]


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_reach_both_maps_through_the_prototypes_too(loss: Loss) -> None:
    """A gradient on the reference from the first half alone can only come through its prototype."""
    reference, copy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    reference.requires_grad_(True)
    copy.requires_grad_(True)
    prototype_only = similarity_loss(
        cosine_map(copy.detach(), masked_average(reference, square().cells)), square().fine
    )
    (through,) = torch.autograd.grad(prototype_only, reference)
    assert through.abs().sum() > 0
    assert through[:, square().cells == 0].abs().sum() == 0
    value = alignment_loss(reference, copy, square(), square(), loss=loss)
    for gradient in torch.autograd.grad(value, [reference, copy]):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_the_true_mask_of_the_copy_pools_in_abc_only() -> None:
    reference, copy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    cells = square().cells.clone().requires_grad_(True)
    truth = Truth(cells, square().fine)
    (gradient,) = torch.autograd.grad(
        alignment_loss(reference, copy.requires_grad_(True), square(), truth, loss="acc"),
        cells,
        allow_unused=True,
    )
    assert gradient is None
    (gradient,) = torch.autograd.grad(
        alignment_loss(reference, copy, square(), truth, loss="abc"), cells, allow_unused=True
    )
    assert gradient.abs().sum() > 0


def test_a_temperature_lowers_the_floor() -> None:
    truth = square()
    value = alignment_loss(parted(truth), parted(truth), truth, truth, temperature=0.1)
    assert value.item() == pytest.approx(2 * math.log(1 + math.exp(-10)), abs=1e-6)


def test_a_coarse_similarity_is_compared_at_the_finer_masks_size() -> None:
    coarse, fine = torch.ones(4, 4), torch.ones(16, 16)
    assert similarity_loss(coarse, fine).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_truth_is_the_share_of_each_cell(make_disc: Callable[..., Mask]) -> None:
    mask = make_disc((48, 64))
    truth = Truth.of(mask, (6, 8), 32)
    assert truth.cells.shape == (6, 8)
    assert truth.fine.shape == (32, 32)
    assert truth.cells.mean().item() == pytest.approx(mask.coverage, abs=0.02)
    assert truth.fine.mean().item() == pytest.approx(mask.coverage, abs=0.01)
