"""Position codes that depend on nothing but a map's shape, computed once instead of in every picture.

transformers keeps the code of one shape, and its neck asks for one level after the other.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

# Levels of a neck and the memory's map; codes of further shapes are computed each time.
MOST_SHAPES = 8


class KeptPositions(nn.Module):
    """A sine position code that remembers what it has computed.

    Args:
        code: of transformers; called with a shape, a device and a type.

    Attributes:
        code: the same.
    """

    def __init__(self, code: nn.Module) -> None:
        super().__init__()
        self.code = code
        self._kept: dict[tuple[Any, ...], Tensor] = {}

    def forward(
        self, shape: torch.Size, device: Any, dtype: torch.dtype, mask: Tensor | None = None
    ) -> Tensor:
        """(B, C, H, W) code of a map of this shape; do not change it in place."""
        key = (tuple(shape), str(device), dtype)
        if mask is None and key in self._kept:
            return self._kept[key]
        # Kept from a picture that is only looked at, it may serve one that is learned from.
        with torch.inference_mode(False), torch.no_grad():
            code: Tensor = self.code(shape, device, dtype, mask)
        if mask is None and len(self._kept) < MOST_SHAPES:
            self._kept[key] = code
        return code


def keep_positions(net: Any) -> None:
    """Let a network of the SAM 2 family compute its position codes once; harmless when repeated."""
    for part in _owners(net):
        if not isinstance(part.position_encoding, KeptPositions):
            part.position_encoding = KeptPositions(part.position_encoding)


def forget_positions(net: Any) -> None:
    """Let it compute them each time again, as the library does."""
    for part in _owners(net):
        if isinstance(part.position_encoding, KeptPositions):
            part.position_encoding = part.position_encoding.code


def _owners(net: Any) -> Iterator[Any]:
    neck = getattr(getattr(net, "vision_encoder", None), "neck", None)
    for part in (neck, getattr(net, "memory_encoder", None)):
        if part is not None and hasattr(part, "position_encoding"):
            yield part
