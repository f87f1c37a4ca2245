"""What becomes of the carried mask in training, so that the memory learns to do without it."""

import numpy as np
import torch
from torch import Tensor

from training.image.priors import spoil

# Shares of clips in which the carried mask is withheld, and in which it is spoiled in every frame.
WITHHELD_SHARE, SPOILED_SHARE = 0.3, 0.2
KEPT, WITHHELD, SPOILED = range(3)


class CarriedMasks:
    """Draws for each clip of a batch whether its carried masks are kept, withheld or spoiled.

    Args:
        others: (B, T, s, s) share of each cell that other objects cover: what a spoiled mask may leak to.
        rng: draws everything.
    """

    def __init__(self, others: Tensor, rng: np.random.Generator) -> None:
        shares = [1 - WITHHELD_SHARE - SPOILED_SHARE, WITHHELD_SHARE, SPOILED_SHARE]
        self.fates = rng.choice(3, len(others), p=shares)
        self._others, self._rng = others, rng

    def __call__(self, frame: int, carried: Tensor) -> Tensor:
        """(B, 1, s, s) logits for the decoder in a frame, from those of the frame before."""
        changed = carried.clone()
        for row, fate in enumerate(self.fates):
            if fate == WITHHELD:
                changed[row] = 0
            elif fate == SPOILED:
                cover = carried[row, 0].sigmoid().cpu().numpy()
                others = self._others[row, frame - 1].cpu().numpy()
                changed[row, 0] = torch.from_numpy(spoil(cover, others, self._rng)).to(carried.device)
        return changed
