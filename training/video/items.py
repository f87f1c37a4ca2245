"""Items of the video stage: clips with the frozen trunk's maps, deterministic by their index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from training.image.items import look, normalise
from training.video.clips import TARGET, ClipMaker, covers
from training.video.unroll import STRIDE


@dataclass(frozen=True, eq=False)
class ClipItem:
    """One clip of T frames.

    Attributes:
        pixels: (T, 3, S, S) normalised.
        maps: of the frozen trunk, (T, C, H, W) each, or None when the trainer computes them.
        corner: of the window in the frame, in tokens.
        given: (S, S) float32, the mask of the first frame.
        truth: (T, s, s) share of each cell that the object covers.
        others: (T, s, s) the same of other objects.
        counts: (T, s, s) 0 where nothing is known.
    """

    pixels: Tensor
    maps: tuple[Tensor, ...] | None
    corner: tuple[int, int]
    given: Tensor
    truth: Tensor
    others: Tensor
    counts: Tensor


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """B clips: as `ClipItem`, each tensor with an axis B in front.

    Attributes:
        pixels: (B, T, 3, S, S).
        maps: (B, T, C, H, W) each, or None.
        corners: (B, 2) in tokens.
        given: (B, S, S).
        truth: (B, T, s, s).
        others: (B, T, s, s).
        counts: (B, T, s, s).
    """

    pixels: Tensor
    maps: tuple[Tensor, ...] | None
    corners: Tensor
    given: Tensor
    truth: Tensor
    others: Tensor
    counts: Tensor


class ClipItems(Dataset[ClipItem]):
    """Clips.

    Args:
        maker: draws them.
        trunk: the frozen trunk to run on each frame, or None.
        seed: of everything.
    """

    def __init__(self, maker: ClipMaker, trunk: nn.Module | None, seed: int) -> None:
        self._maker, self._trunk, self._seed = maker, trunk, seed

    def __getitem__(self, index: int) -> ClipItem:
        clip = self._maker.draw(np.random.default_rng((self._seed, 3, index)))
        pixels = torch.stack([normalise(frame) for frame in clip.pixels])
        per_frame = [look(self._trunk, frame) for frame in pixels] if self._trunk is not None else None
        maps = None
        if per_frame is not None:
            maps = tuple(torch.stack(level) for level in zip(*(one for one in per_frame if one), strict=True))
        truth, others, counts = (torch.from_numpy(one) for one in covers(clip.objects, STRIDE))
        given = torch.from_numpy((clip.objects[0] == TARGET).astype(np.float32))
        return ClipItem(pixels, maps, clip.corner, given, truth, others, counts)


def collate(items: Sequence[ClipItem]) -> ClipBatch:
    """One batch; all items have equally many frames."""
    maps = None
    if items[0].maps is not None:
        maps = tuple(
            torch.stack(level) for level in zip(*(one.maps for one in items if one.maps), strict=True)
        )
    pixels, given, truth, others, counts = (
        torch.stack([getattr(item, name) for item in items])
        for name in ("pixels", "given", "truth", "others", "counts")
    )
    return ClipBatch(
        pixels, maps, torch.tensor([item.corner for item in items]), given, truth, others, counts
    )
