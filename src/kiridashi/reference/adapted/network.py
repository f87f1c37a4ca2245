"""The head: a small U-shaped network on what the frozen trunk, the filters and the prior say of a picture.

The coarse levels are the trunk's, and only the finest is learned from the pixels themselves: what a U-Net
(Ronneberger et al., 2015, arXiv 1505.04597) must learn from a million pictures is there already, and what
ten pictures can teach (the look of this defect on this surface) is learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Channels of the trunk's maps at strides 4, 8, 16 and 32, and of the filters.
TRUNK = (24, 40, 112, 320)
FILTERS = 48
WIDTH, FINE_WIDTH = 32, 16
# Most cells are background: the head begins with that.
FIRST_BIAS = -2.0


@dataclass(frozen=True, eq=False)
class Batch:
    """What the head reads of B pictures or crops of them.

    Attributes:
        trunk: maps (B, C, s/4, s/4) to (B, C, s/32, s/32), standardised by channel.
        filters: (B, FILTERS, s/4, s/4), standardised by channel.
        prior: (B, 1, s/4, s/4) logits of the prior, about -1.5..1.5.
        fine: (B, 3, s/2, s/2) RGB, standardised by picture.
    """

    trunk: tuple[Tensor, ...]
    filters: Tensor
    prior: Tensor
    fine: Tensor

    @classmethod
    def of(cls, trunk: Sequence[Tensor], filters: Tensor, prior: Tensor, fine: Tensor) -> "Batch":
        """In the memory layout in which a CPU convolves a third faster."""
        return cls(tuple(_last(level) for level in trunk), _last(filters), _last(prior), _last(fine))


class Head(nn.Module):
    """`Batch` to (B, 1, s/2, s/2) logits that a place is the object."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in TRUNK)
        self.coarse = _three(WIDTH, WIDTH)
        self.middle = _three(WIDTH, WIDTH)
        self.read_filters = nn.Conv2d(FILTERS, WIDTH, 1)
        self.read_prior = nn.Conv2d(1, WIDTH, 1)
        self.pixels = nn.ModuleList([_three(3, FINE_WIDTH), _three(FINE_WIDTH, FINE_WIDTH)])
        self.read_pixels = nn.Conv2d(FINE_WIDTH, WIDTH, 1)
        self.joined = nn.ModuleList([_three(WIDTH, WIDTH), _three(WIDTH, WIDTH)])
        self.rough = nn.Conv2d(WIDTH, 1, 1)
        self.enlarge = nn.Conv2d(WIDTH, FINE_WIDTH, 1)
        self.sharpen = _three(FINE_WIDTH, FINE_WIDTH)
        self.exact = nn.Conv2d(FINE_WIDTH, 1, 1)
        self._begin()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, batch: Batch) -> Tensor:
        """Logits; see the class."""
        fine = batch.fine
        for layer in self.pixels:
            fine = F.relu(layer(fine))
        first, second, third, fourth = (
            layer(level) for layer, level in zip(self.reduce, batch.trunk, strict=True)
        )
        coarse = F.relu(third + _twice(fourth))
        coarse = coarse + F.relu(self.coarse(coarse))
        middle = F.relu(second + _twice(coarse))
        middle = middle + F.relu(self.middle(middle))
        joined = first + _twice(middle) + self.read_filters(batch.filters) + self.read_prior(batch.prior)
        # Six sources add up: half of their sum is about as large as each of them.
        joined = F.relu(joined + self.read_pixels(F.avg_pool2d(fine, 2))) / 2
        for layer in self.joined:
            joined = joined + F.relu(layer(joined))
        exact = F.relu(_twice(self.enlarge(joined)) + fine)
        exact = exact + F.relu(self.sharpen(exact))
        logits: Tensor = _twice(self.rough(joined)) + self.exact(exact)
        return logits

    def _begin(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for last in (self.rough, self.exact):
            nn.init.normal_(last.weight, 0, 0.01)
        nn.init.constant_(self.rough.bias, FIRST_BIAS)  # type: ignore[arg-type]


def head_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """() binary cross-entropy plus dice (Milletari et al., 2016) of (B, 1, h, w) against shares in 0..1."""
    probability = logits.sigmoid()
    both = (probability * truth).sum((1, 2, 3))
    total = (probability + truth).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (total + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + dice.mean()


def _three(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
