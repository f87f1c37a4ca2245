"""From which score on a class counts as there, found on pictures that nothing was learned from."""

import torch
from torch import Tensor

# With fewer pictures with the class, or without it, a threshold found on them is one of chance.
LEAST_EACH = 5


def score_threshold(scores: Tensor, present: Tensor, default: float) -> float:
    """The threshold with the highest mean of hit rate and correct-rejection rate (Youden's J).

    Halfway between two neighbouring scores; of several as good, the one nearest to `default`.

    Args:
        scores: (N,) of the class, 0..1.
        present: (N,) bool, whether the class is there.
        default: with too few pictures of either kind.
    """
    there, absent = scores[present], scores[~present]
    if min(len(there), len(absent)) < LEAST_EACH:
        return default
    ranked = torch.unique(scores)
    middles = torch.cat([ranked[:1] / 2, (ranked[:-1] + ranked[1:]) / 2, torch.tensor([default])])
    hits = (there[None] >= middles[:, None]).float().mean(dim=1)
    rejections = (absent[None] < middles[:, None]).float().mean(dim=1)
    quality = hits + rejections
    able = middles[quality >= quality.max() - 1e-6]
    return float(able[(able - default).abs().argmin()])
