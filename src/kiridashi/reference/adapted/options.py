"""What may be set of the learning of a head."""

from dataclasses import dataclass

from kiridashi.core.errors import UsageError
from kiridashi.data.augmentation import FEW_PICTURES, AugmentationOptions


@dataclass(frozen=True)
class HeadOptions:
    """Settings of the head; the defaults were chosen on made-up surfaces.

    Attributes:
        looks: pictures that the trunk looks at, copies included, about.
        most_copies: of one reference.
        folds: heads, each of which learns from all references but its own share of them.
        steps: of the optimiser, for one head.
        batch: crops a step.
        learning_rate: of AdamW at its highest.
        weight_decay: of AdamW.
        augmentation: of the copies.
    """

    looks: int = 60
    most_copies: int = 12
    folds: int = 3
    steps: int = 300
    batch: int = 4
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    augmentation: AugmentationOptions = FEW_PICTURES

    def __post_init__(self) -> None:
        for name in ("looks", "most_copies", "folds", "steps", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.learning_rate <= 1:
            raise UsageError(f"learning_rate is above 0 and at most 1, got {self.learning_rate}")
        if not 0 <= self.weight_decay <= 1:
            raise UsageError(f"weight_decay is 0 to 1, got {self.weight_decay}")

    def copies(self, references: int) -> int:
        """Copies of each of so many references; none of more than there are to be looks."""
        least = 1 if references <= self.looks else 0
        return max(least, min(self.most_copies, round(self.looks / references) - 1))
