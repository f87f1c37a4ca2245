"""The frozen trunk of a promptable model as the source of patch tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.gtformer.global_tokens import thumbnail
from kiridashi.localize.gtformer.options import STRIDES
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel

HALF_MOST = 65504.0


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture as the frozen trunk sees it, in half precision.

    Attributes:
        maps: (C_i, h_i, w_i) float16, one a chosen stride; none finer than the grid.
        thumbnail: (3, 32, 32) float16, normalised.
    """

    maps: tuple[Tensor, ...]
    thumbnail: Tensor


class FrozenTrunk:
    """Looks at pictures through the trunk of a promptable model, which never learns.

    The encoder sees the picture resized to its square, so that a cell of the grid is the same share of the
    width and of the height of any picture.

    Args:
        model: of the SAM 2 family; its trunk gives maps at strides 4, 8, 16 and 32.
        strides: of the maps that are joined.
        grid: patches along each side.

    Raises:
        UsageError: an untrained encoder.
    """

    def __init__(self, model: PromptableModel, strides: Sequence[int], grid: int) -> None:
        model.require("image_encoder", "localising")
        self.model, self.grid = model, grid
        self.levels = tuple(STRIDES.index(stride) for stride in strides)

    @cached_property
    def fingerprint(self) -> str:
        """Of the encoder: equal ones see equal pictures alike."""
        return encoder_fingerprint(self.model)

    @torch.inference_mode()
    def see(self, picture: Picture, *, keep: bool = False) -> Seen:
        """Run the trunk on a picture.

        Args:
            picture: of any size.
            keep: run the whole encoder and leave its features with the model, for what is decoded next.

        Raises:
            UsageError: a trunk without four maps.
        """
        pixels = to_input(picture, self.model.card)
        maps = self.model.encode(picture).trunk if keep else self._look(pixels)
        if len(maps) != len(STRIDES):
            raise UsageError(
                f"{self.model.card.name} has {len(maps)} trunk maps, expected one at each of the strides "
                "4, 8, 16 and 32; take --model compact"
            )
        kept = [self._reduced(maps[level]) for level in self.levels]
        halves = tuple(one[0].clamp(-HALF_MOST, HALF_MOST).half() for one in kept)
        return Seen(halves, thumbnail(pixels)[0].half())

    def patches(self, maps: Sequence[Tensor]) -> Tensor:
        """Join the maps of a batch on the grid.

        Args:
            maps: (B, C_i, h_i, w_i) of any float type, as in `Seen.maps`.

        Returns:
            (B, N, D_in) float32, patches row by row, D_in being the sum of the C_i.
        """
        size = (self.grid, self.grid)
        joined = [
            one.float()
            if one.shape[-2:] == size
            else F.interpolate(one.float(), size=size, mode="bilinear", align_corners=False)
            for one in maps
        ]
        return torch.cat(joined, dim=1).flatten(2).transpose(1, 2)

    def _look(self, pixels: Tensor) -> Sequence[Tensor]:
        trunk = self.model.net.vision_encoder.backbone
        if hasattr(trunk, "look"):
            # The compact trunk on its own: neck and context are of no use here.
            maps: Sequence[Tensor] = trunk.look(pixels)
            return maps
        return self.model.encode_input(pixels, (1, 1)).trunk

    def _reduced(self, level: Tensor) -> Tensor:
        if level.shape[-1] <= self.grid:
            return level
        return F.adaptive_avg_pool2d(level, (self.grid, self.grid))
