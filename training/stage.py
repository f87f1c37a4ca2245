"""What the loop asks of a stage of training."""

from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

Batch = Any
Figures = dict[str, float]


class Stage(Protocol):
    """One kind of training."""

    @property
    def net(self) -> nn.Module:
        """The network that is trained."""
        ...

    @property
    def items(self) -> Dataset[Any]:
        """Deterministic by index and of no fixed end; worker processes make them ahead."""
        ...

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters to train, by name."""
        ...

    def collate(self, items: list[Any]) -> Batch:
        """One batch from items, still on the CPU."""
        ...

    def loss(self, batch: Batch, step: int) -> tuple[Tensor, Figures]:
        """The loss to step on, and figures for the log; deterministic by batch and step."""
        ...

    def validate(self) -> Figures:
        """Figures on the validation split; "score" decides which weights are best."""
        ...
