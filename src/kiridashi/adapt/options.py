"""What may be set of an adapting; the defaults were chosen on made-up surfaces and training photographs."""

from dataclasses import asdict, dataclass
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.data.augmentation import FEW_PICTURES, AugmentationOptions
from kiridashi.models.delta import TunedPart

# Of AdamW at its highest. The decoder has been trained for long and a few pictures spoil it easily; a LoRA
# begins at nothing.
RATES: dict[TunedPart, float] = {"decoder": 1e-4, "neck": 3e-4, "lora": 1e-3}
# Tried in turn, as shares of it, until one brings something.
SHARES = (1.0, 0.25, 0.0625)


@dataclass(frozen=True)
class AdaptOptions:
    """Settings of an adapting.

    Attributes:
        part: what is tuned: "lora" (low-rank changes of the trunk), "neck" or "decoder".
        epochs: at most; an epoch meets every picture and every copy once.
        patience: stop after this many epochs without a gain on the pictures held aside.
        aside: share of the pictures held aside, 0..0.5; two at least.
        most_copies: augmented copies of a picture; fewer where memory is short or pictures are many.
        looks: pictures and copies in all, about, which bounds the time.
        batch: pictures a step; None: by the memory there is.
        rank: of a LoRA.
        learning_rate: of AdamW at its highest; None: by the part, and lower where that brings nothing.
        weight_decay: of AdamW.
        least_gain: in mean IoU, below which the base is kept.
        augmentation: of the copies.
        seed: of all that is random.
    """

    part: TunedPart = "decoder"
    epochs: int = 8
    patience: int = 2
    aside: float = 0.25
    most_copies: int = 4
    looks: int = 80
    batch: int | None = None
    rank: int = 8
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    least_gain: float = 0.005
    augmentation: AugmentationOptions = FEW_PICTURES
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"epochs": 1, "patience": 1, "most_copies": 0, "looks": 1, "rank": 1, "seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UsageError(f"{name} must be at least {value}, got {getattr(self, name)}")
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch must be at least 1, got {self.batch}")
        if not 0 <= self.aside <= 0.5:
            raise UsageError(f"aside is a share of 0 to 0.5, got {self.aside}")
        if self.learning_rate is not None and not 0 < self.learning_rate <= 1:
            raise UsageError(f"learning_rate is above 0 and at most 1, got {self.learning_rate}")

    @property
    def rates(self) -> tuple[float, ...]:
        """Highest learning rates, to be tried in this order."""
        if self.learning_rate is not None:
            return (self.learning_rate,)
        return tuple(RATES[self.part] * share for share in SHARES)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        fields = asdict(self)
        fields["augmentation"]["scale"] = list(self.augmentation.scale)
        return fields
