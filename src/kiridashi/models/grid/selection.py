"""Which masks stay: stability and box suppression, with as little upscaling as gives stock's answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from kiridashi.core.geometry.boxes import Boxes, box_areas, box_iou
from kiridashi.core.mask import Mask
from kiridashi.models.grid.settings import GridSettings
from kiridashi.models.grid.zoom import Patch


@dataclass(frozen=True, eq=False)
class StableMask:
    """A mask that is stable at the picture's size.

    Attributes:
        mask: the mask.
        stability: its score.
        box: (x0, y0, x1, y1), x1 and y1 the last pixels: SAM 2 suppresses with such boxes.
    """

    mask: Mask
    stability: float
    box: NDArray[np.float64]


@dataclass(eq=False)
class Candidate:
    """A mask whose predicted IoU is high enough.

    Attributes:
        patch: its logits.
        size: (height, width) of the picture.
        iou: predicted.
        token: (C,) mask token.
        point: index of the grid's point it came from.
        least_stability: at which it stays.
        settings: of the grid.
    """

    patch: Patch
    size: tuple[int, int]
    iou: float
    token: torch.Tensor
    point: int
    least_stability: float
    settings: GridSettings

    @cached_property
    def stable(self) -> StableMask | None:
        """The mask at the picture's size, or None when it is not stable there."""
        if self._stability_at_most() < self.least_stability:
            return None
        bitmap, above, below = self.patch.upscale(self.settings.stability_offset)
        if below == 0 or above / below < self.least_stability:
            return None
        mask = self._place(bitmap)
        x0, y0, x1, y1 = mask.box
        # SAM 2 gives an empty mask the box of its first pixel; that needs a stability of 0 to get here.
        box = (x0, y0, max(x1 - 1, 0), max(y1 - 1, 0))
        return StableMask(mask, above / below, np.array(box, dtype=np.float64))

    @cached_property
    def _corners(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.patch.corners()

    def _stability_at_most(self) -> float:
        """No cell's pixel exceeds its greatest corner or falls below its least."""
        least, greatest = self._corners
        below = self.patch.count(least > -self.settings.stability_offset)
        return self.patch.count(greatest > self.settings.stability_offset) / below if below else np.inf

    def surely_overlaps(self, boxes: Boxes) -> bool:
        """Whether its box, wherever between its bounds, overlaps one of (N, 4) boxes too much."""
        least, greatest = self._corners
        inner, outer = self.patch.box(least > 0), self.patch.box(greatest > 0)
        if inner is None or outer is None or not len(boxes):
            return False
        corner = np.maximum(inner[:2], boxes[:, :2]), np.minimum(inner[2:], boxes[:, 2:])
        both = np.clip(corner[1] - corner[0], 0, None).prod(axis=1)
        either = box_areas(outer[None]) + box_areas(boxes) - both
        return bool((both > self.settings.box_iou * either).any())

    def _place(self, bitmap: NDArray[np.bool_]) -> Mask:
        local = Mask.from_array(bitmap)
        if local.is_empty:
            return Mask.empty(self.size)
        rows, columns = self.patch.pixels
        return Mask(local.bitmap, (local.origin[0] + columns.start, local.origin[1] + rows.start), self.size)


def choose(candidates: Sequence[Candidate], box_limit: float) -> list[tuple[Candidate, StableMask]]:
    """The stable masks that box suppression leaves, best predicted IoU first.

    A candidate is upscaled only when neither its bounds nor a better mask rule it out, which
    changes nothing in the outcome of greedy suppression.
    """
    kept: list[tuple[Candidate, StableMask]] = []
    boxes = np.empty((0, 4))
    for candidate in sorted(candidates, key=lambda one: (-one.iou, one.point)):
        if candidate.surely_overlaps(boxes):
            continue
        stable = candidate.stable
        if stable is None or (box_iou(stable.box[None], boxes) > box_limit).any():
            continue
        kept.append((candidate, stable))
        boxes = np.concatenate([boxes, stable.box[None]])
    return kept
