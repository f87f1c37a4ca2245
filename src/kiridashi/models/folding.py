"""Batch normalisation folded into the convolution before it: the same map, fewer steps."""

from collections.abc import Mapping

import torch
from torch import Tensor


def fold_norm(state: Mapping[str, Tensor], conv: str, norm: str, eps: float) -> tuple[Tensor, Tensor]:
    """Weight and bias, in float64, of convolution `conv` with the normalisation `norm` behind it folded in.

    With statistics m, v and parameters g, b of the normalisation: W' = W g / sqrt(v + eps) and
    b' = b + (c - m) g / sqrt(v + eps), c the convolution's own bias if it has one.

    Raises:
        KeyError: the state dict lacks one of the tensors.
    """
    weight = state[f"{conv}.weight"].double()
    scale = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + eps).sqrt()
    shift = -state[f"{norm}.running_mean"].double()
    if f"{conv}.bias" in state:
        shift = shift + state[f"{conv}.bias"].double()
    return weight * scale[:, None, None, None], state[f"{norm}.bias"].double() + shift * scale


def fold_branches(weight: Tensor, bias: Tensor, point: Tensor, point_bias: Tensor) -> tuple[Tensor, Tensor]:
    """One depthwise convolution equal to `conv(x) + point(x) + x` (RepVGG, Ding et al., arXiv 2101.03697).

    Args:
        weight: (C, 1, K, K) of the depthwise branch, K odd.
        bias: (C,).
        point: (C, 1, 1, 1) of the 1x1 depthwise branch.
        point_bias: (C,).
    """
    centre = weight.shape[-1] // 2
    merged = weight.clone()
    merged[:, 0, centre, centre] += point[:, 0, 0, 0] + 1
    return merged, bias + point_bias


def as_entries(
    name: str, conv: tuple[Tensor, Tensor], dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """`NAME.weight` and `NAME.bias` of a convolution in a state dict."""
    weight, bias = conv
    return {f"{name}.weight": weight.to(dtype).contiguous(), f"{name}.bias": bias.to(dtype)}
