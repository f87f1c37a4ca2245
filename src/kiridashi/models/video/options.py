"""How much of the past a video session remembers."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class MemoryOptions:
    """Limits of the memory of one object.

    Attributes:
        recent: spatial memories of tracked frames, the newest ones; None for what the network was
            trained with (6 in SAM 2) or what matching gains from (2), and never more than the former.
        pointers: object pointers of tracked frames, the newest ones; None for what the network was
            trained with (15 in SAM 2).
        prompted: frames with a prompt, at least 2. Beyond it the first and the newest stay.
        dtype: in which spatial memories are kept. SAM 2 keeps bfloat16; all computation is float32.
        multimask: decode three masks and keep the one with the highest predicted IoU wherever the
            network's configuration says so; False always takes the single mask.
    """

    recent: int | None = None
    pointers: int | None = None
    prompted: int = 16
    dtype: torch.dtype = torch.bfloat16
    multimask: bool = True

    def fitted(self, config: Any, recent: int | None = None) -> "MemoryOptions":
        """The options with every None replaced by the network's own figure.

        Args:
            config: of the network.
            recent: what None means for `recent`, if not the most that the network can tell apart.

        Raises:
            UsageError: a limit is below its minimum or above what the network can tell apart.
        """
        most = {"recent": config.num_maskmem - 1, "pointers": config.max_object_pointers_in_encoder - 1}
        default = most["recent"] if recent is None else min(recent, most["recent"])
        recent = default if self.recent is None else self.recent
        pointers = most["pointers"] if self.pointers is None else self.pointers
        for name, value in (("recent", recent), ("pointers", pointers)):
            if not 0 <= value <= most[name]:
                raise UsageError(f"{name} is 0 to {most[name]} for this model, got {value}")
        if self.prompted < 2:
            raise UsageError(f"prompted is at least 2 (the first and the newest), got {self.prompted}")
        if not self.dtype.is_floating_point:
            raise UsageError(f"memories are kept in a floating-point type, got {self.dtype}")
        return replace(self, recent=recent, pointers=pointers)
