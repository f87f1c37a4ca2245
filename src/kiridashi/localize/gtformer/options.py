"""The sizes of a GTFormer, and how its published form differs from ours."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from kiridashi.core.errors import UsageError

Trunk = Literal["compact", "deit-tiny", "deit-small", "deit-base"]
Pooling = Literal["mean", "gated"]
STRIDES = (4, 8, 16, 32)
# Patches of 16 x 16 pixels in a picture of 224 x 224.
DEIT_GRID = 14
DEIT_HEADS = {"deit-tiny": 3, "deit-small": 6, "deit-base": 12}
DEIT_HEAD_WIDTH = 64
MOST = {"grid": 64, "width": 1024, "depth": 24, "heads": 16}


@dataclass(frozen=True)
class GTFormerOptions:
    """What a network is built from; written into the card of a trained one.

    The defaults are those of the compact trunk, chosen on training photographs (five animals, 400 pictures to
    learn from, 165 to measure): there a second block, the coarsest map alone and gates of full steepness
    each cost precision of the map.

    Attributes:
        trunk: "compact": blocks on the frozen trunk of a promptable model; "deit-...": as published, a
            DeiT that learns too.
        strides: which of the frozen trunk's maps (strides 4, 8, 16, 32 of its input) are joined in a
            patch token.
        grid: patches along each side, 1..64. A finer map is averaged to it, a coarser one enlarged. 14
            for the DeiT trunks.
        width: of a token, a multiple of `heads`.
        depth: blocks in all.
        global_aware: how many of them, the last ones, let the global tokens gate the attention; the map is
            the mean of their gates.
        heads: of the attention.
        mlp_ratio: hidden width of a block's MLP in parts of `width`.
        drop_path: rate at which the last block is skipped in training (stochastic depth); it grows
            linearly from 0 at the first.
        stem_hidden: width of a hidden layer between the frozen trunk's features and the tokens, 0: none.
        thumbnail_deviation: of the first weights that make global tokens of the thumbnail; 0.02 as
            published. With 0 all pictures start with the same four tokens, and few pictures do not teach
            a token to know a picture by heart.
        temperature: factor before the sigmoid of the gates; 1 as published.
        pooling: how class maps become logits: "mean" over all patches as published, or "gated": weighted
            by the map, so that what speaks for a class has to lie inside the map.
        shared_projection: the released code's slip: the second projection serves the last three global
            tokens. For comparison only.

    Raises:
        UsageError: a setting out of its range.
    """

    trunk: Trunk = "compact"
    strides: tuple[int, ...] = (16, 32)
    grid: int = 16
    width: int = 128
    depth: int = 1
    global_aware: int = 1
    heads: int = 4
    mlp_ratio: float = 2.0
    drop_path: float = 0.1
    stem_hidden: int = 128
    thumbnail_deviation: float = 0.0
    temperature: float = 0.25
    pooling: Pooling = "mean"
    shared_projection: bool = False

    def __post_init__(self) -> None:
        if self.trunk not in get_args(Trunk):
            raise UsageError(f"trunk is one of {', '.join(get_args(Trunk))}, got {self.trunk!r}")
        if self.pooling not in get_args(Pooling):
            raise UsageError(f"pooling is one of {', '.join(get_args(Pooling))}, got {self.pooling!r}")
        for name, most in MOST.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise UsageError(f"{name} is a whole number of 1 to {most}, got {value!r}")
        if not self.strides or self.strides != tuple(sorted(set(self.strides) & set(STRIDES))):
            raise UsageError(f"strides are some of 4, 8, 16, 32 in this order, got {self.strides!r}")
        if type(self.global_aware) is not int or not 1 <= self.global_aware <= self.depth:
            raise UsageError(
                f"global_aware is 1 to the depth of {self.depth}: without a gate there is no map; "
                f"got {self.global_aware!r}"
            )
        if self.width % self.heads:
            raise UsageError(f"width must be a multiple of the {self.heads} heads, got {self.width}")
        if not 0.25 <= self.mlp_ratio <= 8:
            raise UsageError(f"mlp_ratio is 0.25 to 8, got {self.mlp_ratio}")
        if not 0 <= self.drop_path < 1:
            raise UsageError(f"drop_path is 0 to below 1, got {self.drop_path}")
        if type(self.stem_hidden) is not int or not 0 <= self.stem_hidden <= MOST["width"]:
            raise UsageError(f"stem_hidden is 0 to {MOST['width']}, got {self.stem_hidden!r}")
        if not 0 <= self.thumbnail_deviation <= 1:
            raise UsageError(f"thumbnail_deviation is 0 to 1, got {self.thumbnail_deviation}")
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"temperature must be above 0, got {self.temperature}")
        if self.is_deit and self.grid != DEIT_GRID:
            raise UsageError(f"{self.trunk} has a grid of {DEIT_GRID}, got {self.grid}")

    @property
    def is_deit(self) -> bool:
        """Whether the trunk takes pixels and learns."""
        return self.trunk != "compact"

    @property
    def patches(self) -> int:
        """N, the number of patch tokens."""
        return self.grid**2

    @property
    def tokens(self) -> int:
        """The length of the sequence: the class token, the patches and the four global tokens."""
        return self.patches + 5

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return asdict(self) | {"strides": list(self.strides)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave.

        Raises:
            UsageError: a value out of its range.
            TypeError: a field that is unknown, or of another type.
        """
        return cls(**{**fields, "strides": tuple(fields["strides"])})


def published(trunk: Trunk = "deit-small") -> GTFormerOptions:
    """The network of the paper: a DeiT of 12 blocks whose last three are global-aware (Pro2SAM, Fig. 2).

    Raises:
        UsageError: not a DeiT trunk.
    """
    if trunk not in DEIT_HEADS:
        raise UsageError(f"published are {', '.join(DEIT_HEADS)}, got {trunk!r}")
    heads = DEIT_HEADS[trunk]
    return GTFormerOptions(
        trunk=trunk,
        strides=STRIDES,
        grid=DEIT_GRID,
        width=heads * DEIT_HEAD_WIDTH,
        depth=12,
        global_aware=3,
        heads=heads,
        mlp_ratio=4.0,
        drop_path=0.1,
        stem_hidden=0,
        thumbnail_deviation=0.02,
        temperature=1.0,
        pooling="mean",
    )
