"""Masks and likeness on a feature map: a mask's cells, masked average pooling, cosine, Otsu's mask.

The formulas of CAV-SAM's test-time alignment and pseudo masks, on maps without a batch axis.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.geometry.otsu import otsu
from kiridashi.core.mask import Mask

# Weights that add up to less than this count as nothing: the prototype is then zero, not infinite.
LEAST_WEIGHT = 1e-6


def masked_average(features: Tensor, mask: Tensor) -> Tensor:
    """The prototype of a region: p = sum F M / sum M.

    Args:
        features: (C, h, w) float.
        mask: (h, w) float weights in 0..1, hard or soft.

    Returns:
        (C,); zero where the mask is empty. Gradients flow to the features, and to the mask if it has any.
    """
    return (features * mask).sum((1, 2)) / mask.sum().clamp(min=LEAST_WEIGHT)


def cosine_map(features: Tensor, prototype: Tensor) -> Tensor:
    """(h, w) cosine of each place of (C, h, w) features with a (C,) prototype, in [-1, 1].

    A place or a prototype of zeros has cosine 0.
    """
    places = F.normalize(features, dim=0)
    cosine = (places * F.normalize(prototype, dim=0)[:, None, None]).sum(0)
    return cosine.clamp(-1, 1)


@torch.no_grad()
def otsu_mask(similarity: Tensor) -> Tensor:
    """(h, w) float mask, 1 above Otsu's threshold of a (h, w) map; carries no gradient.

    Otsu parts any map that is not constant, whether the object is there or not; of a constant map, the
    mask is empty.
    """
    threshold = otsu(similarity.detach().cpu().numpy()).threshold
    return (similarity > threshold).to(similarity.dtype)


def best_covered(share: Tensor) -> Tensor:
    """Cells at least half covered; of an object too small for that, its best-covered ones."""
    most = float(share.max())
    if most <= 0:
        return torch.zeros_like(share, dtype=torch.bool)
    return share >= min(0.5, most * 0.999)


def mask_share(mask: Mask, height: int, width: int) -> Tensor:
    """(height, width) share of each cell that the mask covers, 0..1.

    A mask too thin or small to cover any cell keeps its true, small shares: nothing vanishes.
    """
    full = torch.from_numpy(mask.to_array()).float()[None, None]
    return F.interpolate(full, size=(height, width), mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
