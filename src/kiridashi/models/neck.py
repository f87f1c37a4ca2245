"""The neck of an image encoder apart from its trunk: what it reads, and one of its maps alone.

The neck of SAM 2 and its kin is a feature pyramid (Lin et al., 2017, arXiv 1612.03144) of one
convolution a level, whose coarse maps are added to the finer ones where the configuration says so.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F


def neck_inputs(net: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    """Trunk maps as the neck of `net` reads them, (B, C_i, H/s, W/s) for s = 4, 8, 16, 32.

    Of the compact model they hold the learned context, unlike `Features.trunk`.

    Args:
        net: a network of the SAM 2 family.
        pixels: (B, 3, H, W) made by `to_input`.
    """
    output = net.vision_encoder.backbone(pixels)
    maps = getattr(output, "intermediate_hidden_states", None)
    if maps is not None:
        return tuple(level.permute(0, 3, 1, 2) for level in maps)
    return tuple(output.last_hidden_state)


def neck_map(neck: Any, maps: Sequence[Tensor]) -> Tensor:
    """One map of the neck, without computing the finer ones.

    Args:
        neck: `vision_encoder.neck`.
        maps: its inputs from the wanted level to the coarsest, a tail of what `neck_inputs` gives.

    Returns:
        (B, C, H/s, W/s) at the stride of the first of `maps`, as the encoder itself would give it.
    """
    coarsest = len(neck.convs) - 1
    joined: Tensor | None = None
    for offset in range(len(maps)):
        # The neck lists its convolutions from coarse to fine, and its levels from fine to coarse.
        level = coarsest - offset
        lateral: Tensor = neck.convs[offset](maps[-1 - offset])
        if joined is None or level not in neck.fpn_top_down_levels:
            joined = lateral
        else:
            joined = lateral + F.interpolate(joined, scale_factor=2.0, mode="nearest")
    if joined is None:
        raise ValueError("neck_map needs at least one map")
    return joined
