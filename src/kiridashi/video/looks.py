"""How the objects looked when they were prompted, and when they were last found."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.models.pooling import masked_average
from kiridashi.models.promptable import Features
from kiridashi.models.video.matching import describe

# Tokens a side on which looks are averaged.
GRID = 32
PROMPTED, LATEST = "prompted.", "latest."


class Looks:
    """A prototype of each object as it was prompted, and one as it was last found."""

    def __init__(self) -> None:
        self._prompted: dict[int, Tensor] = {}
        self._latest: dict[int, Tensor] = {}

    def likeness(self, object_id: int, look: Tensor) -> float:
        """Cosine of a look with the more alike of the two prototypes, -1..1; -1 for an unknown object."""
        known = [kept[object_id] for kept in (self._prompted, self._latest) if object_id in kept]
        return max((float(one @ look) for one in known), default=-1.0)

    def take(self, object_id: int, look: Tensor, *, prompted: bool) -> None:
        """Remember a look; one of zeros, of nothing, is passed over."""
        if look.any():
            (self._prompted if prompted else self._latest)[object_id] = look

    def forget(self, object_id: int) -> None:
        """Drop an object."""
        self._prompted.pop(object_id, None)
        self._latest.pop(object_id, None)

    def state(self) -> dict[str, Tensor]:
        """Everything remembered as named tensors."""
        kinds = {PROMPTED: self._prompted, LATEST: self._latest}
        return {f"{kind}{name}": look.clone() for kind, kept in kinds.items() for name, look in kept.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> "Looks":
        """Take back what `state` gave.

        Raises:
            InputError: it is not such a state.
        """
        for name, look in tensors.items():
            kind, _, number = name.partition(".")
            kept = {PROMPTED: self._prompted, LATEST: self._latest}.get(f"{kind}.")
            if kept is None or not number.isdecimal() or look.ndim != 1:
                raise InputError(f"looks: unknown tensor {name!r}; is this a saved tracker?")
            kept[int(number)] = look
        return self


def tokens_of(features: Features) -> Tensor:
    """(D, GRID, GRID) unit vectors of the places of a frame."""
    return describe(features, (GRID, GRID))[0].T.reshape(-1, GRID, GRID)


def look_of(tokens: Tensor, mask: Mask) -> Tensor:
    """(D,) unit vector of the part of a frame that a mask covers; zero for an empty mask.

    Args:
        tokens: of the frame, as `tokens_of` gives them.
        mask: in the frame.
    """
    inside = torch.from_numpy(mask.to_array())[None, None].float()
    share = F.interpolate(inside, size=(GRID, GRID), mode="area")[0, 0]
    return F.normalize(masked_average(tokens, share), dim=0)
