"""What the decoder's answer to one prompt costs: SAM 2's recipe (Ravi et al., 2024, appendix D.2.2)."""

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL, DICE, IOU = 20.0, 1.0, 1.0
# Of the focal loss (Lin et al., 2017): how little easy pixels count, and how much those inside do.
FOCUS, INSIDE = 2.0, 0.25


def mask_loss(logits: Tensor, predicted_iou: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """() 20 focal + dice of the best of M masks, and the L1 error of all predicted IoUs; mean over N.

    Args:
        logits: (N, M, h, w).
        predicted_iou: (N, M).
        truth: (N, h, w) 0 or 1.
        counted: (h, w) 0 where the truth is not known, else 1.
    """
    target = truth[:, None].expand_as(logits)
    cost = FOCAL * _focal(logits, target, counted) + DICE * _dice(logits, target, counted)
    # Three answers to one ambiguous point: only the nearest is taught (Kirillov et al., 2023, section 3).
    error = (predicted_iou - _iou(logits, target, counted)).abs().mean(dim=1)
    return (cost.amin(dim=1) + IOU * error).mean()


def _focal(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    wrong = probability * (1 - target) + (1 - probability) * target
    side = INSIDE * target + (1 - INSIDE) * (1 - target)
    return (side * wrong.pow(FOCUS) * entropy * counted).sum((2, 3)) / counted.sum().clamp(min=1)


def _dice(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    probability, inside = logits.sigmoid() * counted, target * counted
    both = (probability * inside).sum((2, 3))
    return 1 - (2 * both + 1) / (probability.sum((2, 3)) + inside.sum((2, 3)) + 1)


@torch.no_grad()
def _iou(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    found, true = (logits > 0) & (counted > 0), (target > 0.5) & (counted > 0)
    both, either = (found & true).sum((2, 3)).float(), (found | true).sum((2, 3)).float()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
