"""The trunk of the compact model: EfficientNet-Lite0 as a transformers backbone.

EfficientNet-Lite (Tan and Le, 2019, arXiv 1905.11946, in its mobile variant: no squeeze and
excitation, ReLU6) with every batch normalisation folded into its convolution: the trunk is either
frozen or tuned gently on a few pictures, where batch statistics would do harm, and folding makes
inference faster. The classification head is left out.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from kiridashi.models.compact.context import Context

# (repeats, kernel, stride, expansion, output channels) of each stage; the stem gives 32 channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32


class CompactTrunkConfig(PreTrainedConfig):  # type: ignore[misc]
    """Which blocks' outputs the neck receives; the defaults are strides 4, 8, 16 and 32.

    Attributes:
        out_blocks: block indices, in the order of their strides.
        image_size: side of the square input in pixels, a multiple of 32.
        context: whether learned context joins the levels before the neck.
    """

    model_type = "kiridashi_compact_trunk"
    out_blocks: tuple[int, ...] = (2, 4, 10, 15)
    image_size: int = 512
    context: bool = True


@dataclass
class CompactTrunkOutput(BaseModelOutput):  # type: ignore[misc]
    """Trunk output in the form that `Sam2VisionModel` reads.

    Attributes:
        intermediate_hidden_states: maps (B, H/s, W/s, C) for s = 4, 8, 16, 32, what the neck reads.
        trunk_maps: maps (B, C, H/s, W/s) before the context, what semantic likeness is measured on.
    """

    intermediate_hidden_states: tuple[Tensor, ...] | None = None
    trunk_maps: tuple[Tensor, ...] | None = None


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H/stride), ceil(W/stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, 1, kernel // 2, groups=self.groups)
        pads = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
        top, left = pads[0] // 2, pads[1] // 2
        x = F.pad(x, (left, pads[1] - left, top, pads[0] - top))
        return F.conv2d(x, self.weight, self.bias, stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project (MBConv without squeeze and excitation)."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expand = SameConv(inner, wide, 1) if expansion != 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, outer, 1)
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride)."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        y: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return x + y if self.residual else y


class CompactTrunk(PreTrainedModel):  # type: ignore[misc]
    """EfficientNet-Lite0 without its head, and the learned context on top of it.

    `forward` takes (B, 3, H, W) float, normalised as the model card says, and gives
    `CompactTrunkOutput`.
    """

    config_class = CompactTrunkConfig
    base_model_prefix = "trunk"
    main_input_name = "pixel_values"
    _no_split_modules: ClassVar[list[str]] = ["InvertedResidual"]

    def __init__(self, config: CompactTrunkConfig) -> None:
        super().__init__(config)
        self.stem = SameConv(3, STEM_CHANNELS, 3, stride=2)
        blocks = _blocks()
        self.blocks = nn.ModuleList(blocks)
        channels = [blocks[index].project.out_channels for index in config.out_blocks]
        self.channels = tuple(channels)
        self.context = Context(channels) if config.context else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, **_: object) -> CompactTrunkOutput:
        """Run the trunk; see the class."""
        return self.join(self.look(pixel_values))

    def look(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        """Maps (B, C, H/s, W/s) of the chosen blocks, before the context."""
        x = F.relu6(self.stem(pixel_values))
        kept: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.config.out_blocks:
                kept.append(x)
        return tuple(kept)

    def join(self, maps: tuple[Tensor, ...]) -> CompactTrunkOutput:
        """What the neck reads, from the maps of `look`."""
        joined = maps if self.context is None else self.context(maps)
        for_neck = tuple(level.permute(0, 2, 3, 1) for level in joined)
        return CompactTrunkOutput(
            last_hidden_state=for_neck[-1], intermediate_hidden_states=for_neck, trunk_maps=maps
        )


def _blocks() -> list[InvertedResidual]:
    blocks, inner = [], STEM_CHANNELS
    for repeats, kernel, stride, expansion, outer in STAGES:
        for repeat in range(repeats):
            blocks.append(InvertedResidual(inner, outer, kernel, stride if repeat == 0 else 1, expansion))
            inner = outer
    return blocks


def register_compact_trunk() -> None:
    """Make transformers build the trunk wherever a configuration names it; harmless when repeated."""
    AutoConfig.register(CompactTrunkConfig.model_type, CompactTrunkConfig, exist_ok=True)
    AutoModel.register(CompactTrunkConfig, CompactTrunk, exist_ok=True)
