"""GTFormer: class logits, and a map of where something is, learned from labels of whole pictures.

Pro2SAM (stage 1): patch tokens, a class token and four global tokens pass ordinary blocks, then
global-aware ones. The map is the mean of the gates of the latter at the patches; the class head is a 3 x 3
convolution on the patches and their mean.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.localize.gtformer.attention import NORM_EPSILON, Block
from kiridashi.localize.gtformer.global_tokens import GLOBALS, GlobalTokens
from kiridashi.localize.gtformer.options import GTFormerOptions

INITIAL_DEVIATION = 0.02
PATCH = 16
# A map this empty gives its class maps no weight instead of an infinite one.
LEAST_MAP = 1e-4


class Localised(NamedTuple):
    """What the network says of a batch; h and w are the grid.

    Attributes:
        logits: (B, C) of the classes.
        map: (B, h, w) in (0, 1), where something is: M_b, the mean of the last blocks' gates.
        token_maps: (B, 4, h, w) in (0, 1), the same for each global token; `map` is their mean.
        class_maps: (B, C, h, w) logits of the classes at each patch, before the pooling.
        evidence: (B, C, h, w) logits of the classes at each patch by what the trunk saw there alone.
        trunk: (B, D', h, w) what the blocks of this network start from: the standardised maps of a frozen
            trunk, or the patch tokens before the first global-aware block; without gradients.
    """

    logits: Tensor
    map: Tensor
    token_maps: Tensor
    class_maps: Tensor
    evidence: Tensor
    trunk: Tensor


class FeatureStem(nn.Module):
    """Patch tokens from the features of a frozen trunk: standardised, then one linear layer or two.

    Args:
        channels: D_in.
        width: D.
        hidden: width between two layers; 0: one.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, width: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.hidden = nn.Linear(channels, hidden) if hidden else None
        self.project = nn.Linear(hidden or channels, width)

    def initialise(self) -> None:
        """Weights that keep the size of what comes in, and thresholds that differ.

        The blocks' layer norms take a token's length away; how strong the features of a place are, which
        says much of whether something is there, must be in its direction before.
        """
        for layer in (self.hidden, self.project):
            if layer is not None:
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        if self.hidden is not None:
            nn.init.normal_(self.hidden.bias, std=1.0)

    def standardise(self, patches: Tensor) -> Tensor:
        """(B, N, D_in) features with the training set's mean and deviation taken out."""
        return (patches - self.mean) / self.deviation

    def forward(self, patches: Tensor) -> Tensor:
        """(B, N, D_in) standardised -> (B, N, D)."""
        between = patches if self.hidden is None else F.relu(self.hidden(patches))
        tokens: Tensor = self.project(between)
        return tokens


class PixelStem(nn.Module):
    """Patch tokens from pixels: a convolution of 16 x 16 with stride 16.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 16 h, 16 w) normalised pixels -> (B, h w, D)."""
        tokens: Tensor = self.project(pixels).flatten(2).transpose(1, 2)
        return tokens


class GTFormer(nn.Module):
    """The network, with random weights.

    Args:
        options: its sizes.
        classes: C, at least 1.
        channels: D_in of the frozen trunk's joined maps; not used by the DeiT trunks.
    """

    def __init__(self, options: GTFormerOptions, classes: int, channels: int = 3) -> None:
        super().__init__()
        self.options, self.classes, self.channels = options, classes, channels
        width, depth = options.width, options.depth
        self.stem: FeatureStem | PixelStem
        self.stem = PixelStem(width) if options.is_deit else FeatureStem(channels, width, options.stem_hidden)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        # Of the class token and the patches, as in a ViT; the global tokens have their own.
        self.position = nn.Parameter(torch.zeros(1, 1 + options.patches, width))
        self.global_tokens = GlobalTokens(width, options.shared_projection)
        self.global_position = nn.Parameter(torch.zeros(1, GLOBALS, width))
        rates = [options.drop_path * index / max(depth - 1, 1) for index in range(depth)]
        self.blocks = nn.ModuleList(
            Block(width, options.heads, options.mlp_ratio, rate, options.temperature) for rate in rates
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.head = nn.Conv2d(width, classes, 3, padding=1)
        self.evidence = nn.Conv2d(width if options.is_deit else channels, classes, 1)
        self.apply(_initialise)
        if isinstance(self.stem, FeatureStem):
            self.stem.initialise()
        for parameter in (self.class_token, self.position, self.global_position):
            nn.init.trunc_normal_(parameter, std=INITIAL_DEVIATION)
        for projection in self.global_tokens.projections:
            nn.init.normal_(projection.weight, std=options.thumbnail_deviation)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor, thumbnails: Tensor) -> Localised:
        """Look at a batch.

        Args:
            inputs: (B, N, D_in) features of the patches, row by row, or for the DeiT trunks
                (B, 3, 224, 224) normalised pixels.
            thumbnails: (B, 3, 32, 32) normalised pixels.
        """
        if isinstance(self.stem, FeatureStem):
            inputs = self.stem.standardise(inputs)
        x = self.sequence(inputs, thumbnails)
        ordinary = len(self.blocks) - self.options.global_aware
        for block in self.blocks[:ordinary]:
            x = block(x)
        trunk = self._on_grid((inputs if isinstance(self.stem, FeatureStem) else self._patches(x)).detach())
        gates = []
        for block in self.blocks[ordinary:]:
            x, gate = block.global_aware(x)  # type: ignore[operator]
            gates.append(gate)
        token_maps = self._on_grid(self._patches(torch.stack(gates).mean(dim=0).transpose(1, 2)))
        class_maps: Tensor = self.head(self._on_grid(self._patches(self.norm(x))))
        total = token_maps.mean(dim=1)
        logits = class_maps.mean(dim=(2, 3))
        if self.options.pooling == "gated":
            logits = pooled(class_maps, total)
        return Localised(logits, total, token_maps, class_maps, self.evidence(trunk), trunk)

    def sequence(self, inputs: Tensor, thumbnails: Tensor) -> Tensor:
        """(B, N + 5, D): the class token, the patches, the four global tokens, each with its position."""
        patches = self.stem(inputs)
        first = self.class_token.expand(len(patches), -1, -1)
        ordinary = torch.cat([first, patches], dim=1) + self.position
        return torch.cat([ordinary, self.global_tokens(thumbnails) + self.global_position], dim=1)

    def _patches(self, tokens: Tensor) -> Tensor:
        """(B, N, ...) of the (B, N + 5, ...) tokens."""
        return tokens[:, 1 : 1 + self.options.patches]

    def _on_grid(self, patches: Tensor) -> Tensor:
        """(B, N, K) -> (B, K, h, w)."""
        grid = self.options.grid
        return patches.transpose(1, 2).reshape(len(patches), -1, grid, grid)


def pooled(maps: Tensor, weights: Tensor) -> Tensor:
    """(B, C) means of (B, C, h, w) maps under (B, h, w) weights of 0 or more."""
    each = weights[:, None]
    return (maps * each).sum(dim=(2, 3)) / each.sum(dim=(2, 3)).clamp(min=LEAST_MAP)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
