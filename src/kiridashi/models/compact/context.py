"""What the compact model learns on top of its frozen trunk before SAM 2's neck reads it.

SAM 2's trunk sees the whole picture by attention and its neck is 1 x 1 convolutions only. A convolution
trunk trained to tell classes apart sees less and says less about extent, so two levels get blocks with
large kernels (ConvNeXt: Liu et al., 2022, arXiv 2201.03545, section 2).
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

COARSE_WIDTH, MIDDLE_WIDTH = 128, 64
COARSE_BLOCKS, MIDDLE_BLOCKS = 3, 1
EXPANSION = 3


class ContextBlock(nn.Module):
    """ConvNeXt block: depthwise 7 x 7, layer norm, two pointwise layers, residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, EXPANSION * width)
        self.narrow = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        y = self.norm(self.spread(x).permute(0, 2, 3, 1))
        y = self.narrow(F.gelu(self.widen(y)))
        output: Tensor = x + y.permute(0, 3, 1, 2)
        return output


class Context(nn.Module):
    """Joins the trunk's levels from coarse to fine.

    Args:
        channels: of the trunk's maps at strides 4, 8, 16 and 32.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        _, middle, coarse, coarsest = channels
        self.from_coarsest = nn.Conv2d(coarsest, COARSE_WIDTH, 1)
        self.from_coarse = nn.Conv2d(coarse, COARSE_WIDTH, 1)
        self.coarse_blocks = nn.Sequential(*(ContextBlock(COARSE_WIDTH) for _ in range(COARSE_BLOCKS)))
        self.down = nn.Conv2d(COARSE_WIDTH, MIDDLE_WIDTH, 1)
        self.from_middle = nn.Conv2d(middle, MIDDLE_WIDTH, 1)
        self.middle_blocks = nn.Sequential(*(ContextBlock(MIDDLE_WIDTH) for _ in range(MIDDLE_BLOCKS)))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Trunk maps (B, C, H/s, W/s), s = 4, 8, 16, 32, to maps of the same sizes."""
        fine, middle, coarse, coarsest = maps
        joined = self.from_coarse(coarse) + _enlarged(self.from_coarsest(coarsest), coarse)
        joined = self.coarse_blocks(joined)
        sharper = self.from_middle(middle) + _enlarged(self.down(joined), middle)
        return fine, self.middle_blocks(sharper), joined, coarsest


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
