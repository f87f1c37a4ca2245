"""Keeps frames that do not belong to the scene out of the memory.

Camera cuts, a hand before the lens: what such a frame shows must not be remembered as the object. As
Bromley et al. propose (arXiv 2410.22451), the decision is a threshold on the L2 distance between the
frame's embedding and those remembered; neither the embedding nor the threshold is known. Here it is the mean
of the trunk's coarsest map, a unit vector, which has no places: a pan or a moving object changes it
little, another scene much.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.promptable import Features

# Embeddings of frames kept: those with prompts, of which the first always stays, and the newest others.
MOST_PROMPTED, MOST_RECENT = 16, 4
PROMPTED, RECENT = "prompted", "recent"


@dataclass(frozen=True)
class GateOptions:
    """When a frame is an interjection.

    The defaults were chosen on nine training clips of DAVIS (every second frame). Frames of a clip were at
    most 0.33 from its memory, and 0.64 after eight frames left out; frames of other clips at least 0.72.
    What the session took for the object in frames of other clips had a likeness of at most 0.61 to it.

    Attributes:
        distance: from which on a frame is unlike the memory, 0..2.
        likeness: cosine from which on what was found in an unlike frame is recognised as the object, -1..1.

    Raises:
        UsageError: a value is out of its range.
    """

    distance: float = 0.68
    likeness: float = 0.65

    def __post_init__(self) -> None:
        if not 0 <= self.distance <= 2 or not -1 <= self.likeness <= 1:
            raise UsageError(
                f"the gate takes a distance in 0..2 and a likeness in -1..1, got {self.distance} and "
                f"{self.likeness}"
            )


class Gate:
    """What is remembered of the scene; bounded.

    Args:
        options: the thresholds.
    """

    def __init__(self, options: GateOptions) -> None:
        self.options = options
        self._prompted: list[Tensor] = []
        self._recent: deque[Tensor] = deque(maxlen=MOST_RECENT)

    def distance(self, features: Features) -> float:
        """L2 distance of a frame to the nearest one remembered, 0..2; 0 where none is."""
        remembered = [*self._prompted, *self._recent]
        if not remembered:
            return 0.0
        return float((torch.stack(remembered) - embed(features)).norm(dim=1).min())

    def is_unlike(self, distance: float) -> bool:
        """Whether a distance is that of a frame from elsewhere."""
        return distance >= self.options.distance

    def remember(self, features: Features, *, prompted: bool) -> None:
        """Take a frame for one of the scene."""
        if not prompted:
            self._recent.append(embed(features))
            return
        self._prompted.append(embed(features))
        if len(self._prompted) > MOST_PROMPTED:
            del self._prompted[1]

    def state(self) -> dict[str, Tensor]:
        """Everything remembered as named tensors."""
        lists = {PROMPTED: self._prompted, RECENT: list(self._recent)}
        return {name: torch.stack(values) for name, values in lists.items() if values}

    def restore(self, tensors: Mapping[str, Tensor]) -> "Gate":
        """Take back what `state` gave.

        Raises:
            InputError: it is not such a state.
        """
        for name, rows in tensors.items():
            if name not in (PROMPTED, RECENT) or rows.ndim != 2:
                raise InputError(f"gate: unknown tensor {name!r}; is this a saved tracker?")
        self._prompted = list(tensors.get(PROMPTED, ()))
        self._recent.extend(tensors.get(RECENT, ()))
        return self


def embed(features: Features) -> Tensor:
    """(C,) unit vector of a whole frame: the mean of the trunk's coarsest map."""
    return F.normalize(features.trunk[-1].mean((0, 2, 3)), dim=0)
