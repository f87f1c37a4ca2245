"""Four global tokens: the strided phases of the reduced picture (Pro2SAM, section 3.1)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

THUMBNAIL = 32
GLOBALS = 4
# (row, column) each phase starts from, in the order of the tokens.
OFFSETS = ((0, 0), (1, 0), (0, 1), (1, 1))
PHASE = THUMBNAIL // 2


def thumbnail(pixels: Tensor) -> Tensor:
    """(B, 3, 32, 32) float thumbnails of (B, 3, H, W) float pictures, bilinear.

    With antialiasing where the picture is larger: the paper does not say, and without it the four tokens
    of a large picture rest on 4 of every 256 or more pixels.
    """
    size = (THUMBNAIL, THUMBNAIL)
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)


def phases(thumbnails: Tensor) -> Tensor:
    """(B, 4, 3, 16, 16) phases of (B, 3, 32, 32) thumbnails, each with every second row and column."""
    parts = [thumbnails[..., row::2, column::2] for row, column in OFFSETS]
    return torch.stack(parts, dim=1)


class GlobalTokens(nn.Module):
    """One vector for each phase, by a 16 x 16 convolution of its own.

    Args:
        width: D.
        shared: let the second projection serve the last three phases, as the released code does.
    """

    def __init__(self, width: int, shared: bool = False) -> None:
        super().__init__()
        self.shared = shared
        # Four in either case, as in the released code: two of them then never learn.
        self.projections = nn.ModuleList(nn.Conv2d(3, width, PHASE) for _ in range(GLOBALS))

    def forward(self, thumbnails: Tensor) -> Tensor:
        """(B, 4, D) tokens of (B, 3, 32, 32) normalised thumbnails."""
        parts = phases(thumbnails)
        tokens = []
        for index in range(GLOBALS):
            projection = self.projections[min(index, 1) if self.shared else index]
            tokens.append(projection(parts[:, index]).flatten(1))
        return torch.stack(tokens, dim=1)
