"""The grid on which all evidence meets, and the pictures' features on it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.pooling import mask_share
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.prior.filters import filter_bank

# All evidence is brought to GRID x GRID cells, the stride-4 map of the compact model.
GRID = 128
# A cell counts as outside when nearly all of it is.
OUTSIDE_COVER = 0.9

FloatMap = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class View:
    """One picture as the prior sees it.

    Attributes:
        trunk: trunk maps (C, H_i, W_i) at strides 4, 8, 16 and 32, float32.
        thumbnail: (3, GRID, GRID) float32 in [0, 1].
        local: (GRID * GRID, L) float32 local appearance: filters and the two finest trunk maps.
        size: (height, width) of the picture.
    """

    trunk: tuple[Tensor, ...]
    thumbnail: Tensor
    local: NDArray[np.float32]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with what is known of it.

    Attributes:
        view: of the picture.
        inside: where the object is; None: nowhere.
        outside: where it is known not to be; None: everywhere else.
    """

    view: View
    inside: Mask | None
    outside: Mask | None = None

    def shares(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """(height, width) shares of each cell known to be inside and outside, 0..1 each."""
        inside = torch.zeros(height, width) if self.inside is None else mask_share(self.inside, height, width)
        outside = 1 - inside if self.outside is None else mask_share(self.outside, height, width)
        return inside, outside


def look(model: PromptableModel, picture: Picture) -> View:
    """Encode a picture and gather its local appearance."""
    trunk = tuple(level[0] for level in model.encode(picture).trunk)
    pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1)[None]
    small = F.interpolate(pixels, size=(GRID, GRID), mode="bilinear", antialias=True)
    bank = filter_bank(small[0].permute(1, 2, 0).numpy())
    fine = [to_grid(level).permute(1, 2, 0).numpy() for level in trunk[:2]]
    local = np.concatenate([bank, *fine], axis=-1).reshape(GRID * GRID, -1)
    return View(trunk, small[0].float() / 255, np.ascontiguousarray(local), picture.size)


def to_grid(maps: Tensor) -> Tensor:
    """(C, h, w) maps, bilinear to (C, GRID, GRID)."""
    if maps.shape[-2:] == (GRID, GRID):
        return maps
    return F.interpolate(maps[None], size=(GRID, GRID), mode="bilinear", align_corners=False)[0]
