from collections.abc import Callable

import numpy as np
import torch

from kiridashi.core.mask import Mask
from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.pooling import best_covered, mask_share
from kiridashi.reference.prior.evidence import GRID, Example, look


def test_a_view_holds_all_levels_on_their_grids(disc_site: Callable[..., Reference]) -> None:
    view = look(load_model(), disc_site(0).picture)
    assert [level.shape[-1] for level in view.trunk] == [128, 64, 32, 16]
    assert view.thumbnail.shape == (3, GRID, GRID)
    assert view.local.shape[0] == GRID * GRID
    assert np.isfinite(view.local).all()


def test_shares_add_up_to_the_masks_area() -> None:
    full = np.zeros((96, 96), dtype=bool)
    full[10:40, 20:70] = True
    share = mask_share(Mask.from_array(full), 32, 32)
    assert abs(float(share.sum()) * 9 - full.sum()) < 0.05 * full.sum()


def test_one_pixel_does_not_vanish() -> None:
    full = np.zeros((400, 300), dtype=bool)
    full[200, 150] = True
    share = mask_share(Mask.from_array(full), 16, 16)
    covered = best_covered(share)
    assert share.max() > 0
    assert 1 <= int(covered.sum()) <= 4


def test_a_marked_negative_leaves_the_rest_unknown(disc_site: Callable[..., Reference]) -> None:
    reference = disc_site(0)
    view = look(load_model(), reference.picture)
    inside, outside = Example(view, None, reference.mask).shares(32, 32)
    assert inside.sum() == 0
    assert 0 < outside.sum() < 32 * 32 / 4
    inside, outside = Example(view, reference.mask).shares(32, 32)
    assert torch.allclose(inside + outside, torch.ones(32, 32))
