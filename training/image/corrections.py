"""The second round of a training step: the decoder's own mask and a click where it is wrong."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.evaluate.clicks import next_click
from training.image.decoding import Masks, PromptBatch

STRIDE = 4
# Mask logits fed back, as `PromptableModel.refine` clamps them.
MOST_LOGIT = 32.0


def previous_mask(masks: Masks, several: bool) -> Tensor:
    """(B, s, s) detached logits of the mask that would be shown: the best of the three, or the single one."""
    chosen = masks.iou[:, 1:].argmax(1) + 1 if several else torch.zeros(len(masks.iou), dtype=torch.long)
    rows = torch.arange(len(masks.iou), device=masks.logits.device)
    return masks.logits[rows, chosen.to(rows.device)].detach().clamp(-MOST_LOGIT, MOST_LOGIT)


def corrected(prompts: PromptBatch, previous: Tensor, truth: Tensor, counts: Tensor) -> PromptBatch:
    """The same prompts with the previous mask and one click more on each.

    Args:
        prompts: of the first round.
        previous: (B, s, s) logits of its masks.
        truth: (B, s, s) share of each cell that the object covers.
        counts: (B, s, s) 0 where the truth is unknown.
    """
    rows = zip(previous.cpu().numpy(), truth.cpu().numpy(), counts.cpu().numpy(), strict=True)
    clicks = torch.from_numpy(np.stack([_click(*row) for row in rows]))[:, None].to(previous.device)
    points = clicks if prompts.points is None else torch.cat([prompts.points, clicks], dim=1)
    return PromptBatch(points, prompts.boxes, previous[:, None])


def _click(
    previous: NDArray[np.float32], truth: NDArray[np.float32], counts: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3,) x, y, label: at the deepest error, or on the object when there is none."""
    found = next_click(truth > 0.5, previous > 0, counts == 0)
    if found is None:
        rows, columns = np.nonzero(truth > 0.5)
        middle = len(rows) // 2
        found = (float(columns[middle]), float(rows[middle]), 1) if len(rows) else (0.0, 0.0, 0)
    x, y, label = found
    return np.array([(x + 0.5) * STRIDE, (y + 0.5) * STRIDE, label], np.float32)
