"""The losses of SAM 2 (Ravi et al., 2024, appendix D.2.2) on soft targets."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# SAM 2 weighs focal loss with 20 at focus 2. Half of both costs the same at an error of one half and presses
# harder for clear answers, which a short training needs.
FOCAL, DICE, OBJECT = 10.0, 1.0, 1.0
# Which of three masks is shown hangs on it: with a weight of 1 the choice lost 0.07 IoU to the best.
IOU = 4.0
FOCUS = 1.0
LEAST_TARGET = 0.5


@dataclass(frozen=True, eq=False)
class MaskLoss:
    """What a batch of answers costs.

    Attributes:
        total: () to step on.
        best: (B,) index of the mask with the least loss.
        iou: (B, M) true IoU of each mask.
        present: (B,) whether the object is there at all.
    """

    total: Tensor
    best: Tensor
    iou: Tensor
    present: Tensor


def mask_loss(
    logits: Tensor, predicted_iou: Tensor, score: Tensor, truth: Tensor, counts: Tensor
) -> MaskLoss:
    """Cost of the single mask plus that of the best of the three; of every predicted IoU; of the score.

    Args:
        logits: (B, 4, s, s); the first is the single mask.
        predicted_iou: (B, 4).
        score: (B,) logit that the object is there.
        truth: (B, s, s) share of each cell that the object covers.
        counts: (B, s, s) 0 where the truth is unknown.
    """
    target, counted = truth[:, None], counts[:, None]
    present = truth.sum((1, 2)) > LEAST_TARGET
    cost = FOCAL * _focal(logits, target, counted) + DICE * _dice(logits, target, counted) * present[:, None]
    best = 1 + cost[:, 1:].argmin(dim=1)
    masks = cost[:, 0] + cost.gather(1, best[:, None])[:, 0]
    iou = true_iou(logits, target, counted)
    # An empty answer to an absent object is right, but its predicted IoU means nothing.
    judged = ((predicted_iou - iou).abs().mean(1) * present).sum() / present.sum().clamp(min=1)
    there = F.binary_cross_entropy_with_logits(score, present.float())
    return MaskLoss(masks.mean() + IOU * judged + OBJECT * there, best, iou, present)


@torch.no_grad()
def true_iou(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """(B, M) IoU of the masks at logit 0 with the cells that are covered by half."""
    found, true = (logits > 0) & (counted > 0), (target > 0.5) & (counted > 0)
    both = (found & true).sum((2, 3)).float()
    either = (found | true).sum((2, 3)).float()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _focal(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """(B, M) focal loss (Lin et al., 2017); for soft targets the error is the focus (Li et al., 2020)."""
    entropy = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    focus = (logits.sigmoid() - target).abs().pow(FOCUS)
    return (entropy * focus * counted).sum((2, 3)) / counted.sum((2, 3)).clamp(min=1)


def _dice(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """(B, M) dice loss (Milletari et al., 2016)."""
    probability = logits.sigmoid() * counted
    both = (probability * target).sum((2, 3))
    total = probability.sum((2, 3)) + (target * counted).sum((2, 3))
    return 1 - (2 * both + 1) / (total + 1)
