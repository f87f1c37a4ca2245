"""Between two pictures: LoRA, noise and text, as CAV-SAM interpolates them (its equations 1 and 2)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from kiridashi.core.errors import InputError

# Keeps the angle's sine away from zero; nearer vectors are interpolated linearly.
NEAREST = 1 - 1e-7
VARIANCE_FLOOR = 1e-5


def lerp(start: Tensor, end: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) * start + alpha * end; exactly the ends at 0 and 1."""
    return start * (1 - alpha) + end * alpha


def lerp_states(start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """`lerp` key by key.

    Raises:
        InputError: the two do not have the same keys.
    """
    if start.keys() != end.keys():
        raise InputError(
            "these LoRAs belong to different networks; make both with the same back-end and rank"
        )
    return {name: lerp(value, end[name], alpha) for name, value in start.items()}


def slerp(start: Tensor, end: Tensor, alpha: float) -> Tensor:
    """Spherical interpolation over all elements as one vector.

    The angle is computed in float64 with its cosine clamped to +-(1 - 1e-7); where the clamp bites (equal
    or opposite directions), or a vector is zero, the sphere gives no way and the result is `lerp`'s.

    Args:
        start: any shape.
        end: the same shape.
        alpha: 0..1.

    Returns:
        The same shape and dtype; its norm is that of the ends when these are of equal norm.
    """
    one, two = start.double(), end.double()
    scale = one.norm() * two.norm()
    cosine = float((one * two).sum() / scale) if float(scale) > 0 else 1.0
    if abs(cosine) >= NEAREST:
        return lerp(start, end, alpha)
    angle = torch.arccos(torch.tensor(cosine, dtype=torch.float64))
    mixed = torch.sin((1 - alpha) * angle) * one + torch.sin(alpha * angle) * two
    return (mixed / torch.sin(angle)).to(start.dtype)


def adain(mixed: Tensor, start: Tensor, end: Tensor, alpha: float) -> Tensor:
    """Give each channel the interpolated mean and spread of the ends (Huang and Belongie, 2017).

    Args:
        mixed: (B, C, H, W).
        start: the same shape.
        end: the same shape.
        alpha: 0..1.

    Returns:
        (B, C, H, W).
    """
    mean, spread = _moments(mixed)
    (mean_0, spread_0), (mean_1, spread_1) = _moments(start), _moments(end)
    return (mixed - mean) / spread * lerp(spread_0, spread_1, alpha) + lerp(mean_0, mean_1, alpha)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, 1, 1) mean and spread over the places."""
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, unbiased=False)
    return mean, (variance + VARIANCE_FLOOR).sqrt()


def between_noises(start: Tensor, end: Tensor, alpha: float, with_adain: bool) -> Tensor:
    """(B, C, H, W) `slerp`, then `adain` if wanted."""
    mixed = slerp(start, end, alpha)
    return adain(mixed, start, end, alpha) if with_adain else mixed
