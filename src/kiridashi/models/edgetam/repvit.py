"""The trunk of EdgeTAM: RepViT-M1 as a transformers backbone.

RepViT (Wang et al., 2024, arXiv 2307.09283) in its form for inference: the parallel branches of
each token mixer are merged into one depthwise convolution and every batch normalisation is folded
(structural re-parameterisation, section 3.2 of the paper). The classification head is left out.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

EXPANSION = 2
GATE_DIVISOR = 8


class RepVitTrunkConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes of the four stages; the defaults are RepViT-M1.

    Attributes:
        widths: channels of the maps of strides 4, 8, 16 and 32.
        depths: blocks of each stage, the one before the downsampling not counted.
    """

    model_type = "kiridashi_repvit_trunk"
    widths: tuple[int, ...] = (48, 96, 192, 384)
    depths: tuple[int, ...] = (2, 2, 14, 2)


def gate_width(channels: int) -> int:
    """Channels inside a squeeze-and-excitation gate: a quarter, rounded to a multiple of 8."""
    return max(GATE_DIVISOR, (channels // 4 + GATE_DIVISOR // 2) // GATE_DIVISOR * GATE_DIVISOR)


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al., 2018, arXiv 1709.01507): a factor in 0..1 for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, gate_width(channels), 1)
        self.excite = nn.Conv2d(gate_width(channels), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        summary = x.mean(dim=(2, 3), keepdim=True)
        factor: Tensor = self.excite(F.relu(self.squeeze(summary))).sigmoid()
        return x * factor


class ChannelMixer(nn.Module):
    """Two pointwise convolutions with a residual: what the feed-forward part is in a transformer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, EXPANSION * channels, 1)
        self.narrow = nn.Conv2d(EXPANSION * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        step: Tensor = self.narrow(F.gelu(self.widen(x)))
        return x + step


class Block(nn.Module):
    """Mix over space, gate the channels if asked, mix over channels (section 3.2)."""

    def __init__(self, channels: int, *, gated: bool) -> None:
        super().__init__()
        # The residual of the token mixer is in its centre weight.
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.gate = Gate(channels) if gated else None
        self.channel = ChannelMixer(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        x = self.spatial(x)
        y: Tensor = self.channel(x if self.gate is None else self.gate(x))
        return y


class Downsample(nn.Module):
    """The deep downsampling layer (section 3.3): a block, half the size, more channels, a mixer."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.before = Block(inner, gated=False)
        self.spatial = nn.Conv2d(inner, inner, 3, stride=2, padding=1, groups=inner)
        self.project = nn.Conv2d(inner, outer, 1)
        self.channel = ChannelMixer(outer)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H/2), ceil(W/2))."""
        y: Tensor = self.channel(self.project(self.spatial(self.before(x))))
        return y


class RepVitTrunk(PreTrainedModel):  # type: ignore[misc]
    """RepViT without its head.

    `forward` takes (B, 3, H, W) float, normalised as the model card says, and gives a
    `BaseModelOutput` whose `last_hidden_state` is the list of (B, C, H/s, W/s) for s = 4, 8, 16, 32,
    which is what `EdgeTamVisionModel` reads.
    """

    config_class = RepVitTrunkConfig
    base_model_prefix = "trunk"
    main_input_name = "pixel_values"

    def __init__(self, config: RepVitTrunkConfig) -> None:
        super().__init__(config)
        first = config.widths[0]
        enter = nn.Conv2d(3, first // 2, 3, stride=2, padding=1)
        shrink = nn.Conv2d(first // 2, first, 3, stride=2, padding=1)
        self.stem = nn.ModuleList([enter, shrink])
        self.stages = nn.ModuleList(_stages(config.widths, config.depths))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, **_: object) -> Any:
        """Run the trunk; see the class."""
        x = self.stem[1](F.gelu(self.stem[0](pixel_values)))
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return BaseModelOutput(last_hidden_state=maps)


def _stages(widths: tuple[int, ...], depths: tuple[int, ...]) -> list[nn.Sequential]:
    stages, inner = [], widths[0]
    for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        layers: list[nn.Module] = [Downsample(inner, width)] if index else []
        # Every other block is gated (section 3.4): nearly the gain of all at half the time.
        layers += [Block(width, gated=block % 2 == 0) for block in range(depth)]
        stages.append(nn.Sequential(*layers))
        inner = width
    return stages


def register_repvit_trunk() -> None:
    """Make transformers build the trunk wherever a configuration names it; harmless when repeated."""
    AutoConfig.register(RepVitTrunkConfig.model_type, RepVitTrunkConfig, exist_ok=True)
    AutoModel.register(RepVitTrunkConfig, RepVitTrunk, exist_ok=True)
