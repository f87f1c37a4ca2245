"""What may be set of the alignment; the defaults are CAV-SAM's where it states them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from kiridashi.core.errors import UsageError
from kiridashi.data.augmentation import AugmentationOptions

Loss = Literal["acc", "abc"]
STRIDES = (4, 8, 16)


@dataclass(frozen=True)
class AlignmentOptions:
    """Settings of the tuning of the neck (CAV-SAM, TTGA).

    Attributes:
        loss: "acc" pools the copy's prototype under its predicted mask, "abc" under its true one.
        steps: of the optimiser, one augmented copy each; also the length of the cosine schedule.
        learning_rate: of Adam at the first step, above 0 and at most 1.
        weight_decay: of Adam, as a term of the gradient, 0 to 1.
        patience: stop after this many steps in which the smoothed loss did not fall (see `EarlyStop`);
            None: all steps, as published.
        stride: 4, 8 or 16, of the neck's map that the loss is taken on; the paper does not say which.
            From 16, gradients reach the convolutions of strides 16 and 32 only.
        loss_size: side in cells at which similarity and mask are compared.
        temperature: divides the cosine before the sigmoid; None: as published, none.
        copies: augmented copies in all, met again in turn once they are used up (at least one for each
            reference); None: a new one each step, as published. The trunk's run on the copies is nearly
            all the time that tuning takes.
        augmentation: of the copies.
        seed: of the augmentation.
    """

    loss: Loss = "acc"
    steps: int = 100
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    patience: int | None = None
    stride: int = 16
    loss_size: int = 256
    temperature: float | None = None
    copies: int | None = None
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise UsageError(f"loss is one of {', '.join(get_args(Loss))}, got {self.loss!r}")
        if self.stride not in STRIDES:
            raise UsageError(f"stride is one of 4, 8, 16, got {self.stride}")
        least = {"steps": 1, "patience": 1, "loss_size": 1, "copies": 1, "seed": 0}
        for name, value in ((name, getattr(self, name)) for name in least):
            if value is not None and value < least[name]:
                raise UsageError(f"{name} must be at least {least[name]}, got {value}")
        if not 0 < self.learning_rate <= 1:
            raise UsageError(f"learning_rate is above 0 and at most 1, got {self.learning_rate}")
        if not 0 <= self.weight_decay <= 1:
            raise UsageError(f"weight_decay is 0 to 1, got {self.weight_decay}")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise UsageError(f"temperature must be above 0, got {self.temperature}")

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        fields = asdict(self)
        fields["augmentation"]["scale"] = list(self.augmentation.scale)
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave.

        Raises:
            UsageError: a value out of its range.
            TypeError: a field that is unknown.
        """
        augmentation = dict(fields["augmentation"])
        augmentation["scale"] = tuple(augmentation["scale"])
        return cls(**{**fields, "augmentation": AugmentationOptions(**augmentation)})
