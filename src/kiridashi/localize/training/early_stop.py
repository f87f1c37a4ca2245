"""Which epoch's weights are kept, and when to stop."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn


class Best:
    """The weights of each part at its own best epoch: a baseline too is measured at its best.

    All state is in `facts` and `weights`, so that a killed run goes on with it.

    Args:
        parts: by name; the first says when to stop.
        least: no epoch before this one counts.

    Attributes:
        facts: for each part NAME its lowest loss, "NAME.loss", and that epoch (from 1), "NAME.epoch".
        weights: of all parts at these epochs, "NAME.parameter".
    """

    def __init__(self, parts: Mapping[str, nn.Module], least: int) -> None:
        self._parts, self._least = dict(parts), least
        self.facts: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}
        for name in self._parts:
            self.facts |= {f"{name}.loss": 0.0, f"{name}.epoch": 0.0}
            self._keep(name)

    def update(self, epoch: int, losses: Mapping[str, float] | None) -> None:
        """Take the state after an epoch.

        Args:
            epoch: counted from 1.
            losses: of each part; None: nothing is held aside, and the last epoch is kept.
        """
        for name in self._parts:
            loss = 0.0 if losses is None else losses[name]
            is_first = not self.facts[f"{name}.epoch"]
            is_best = is_first or losses is None or loss < self.facts[f"{name}.loss"]
            if is_best and (losses is None or epoch >= self._least):
                self.facts |= {f"{name}.loss": loss, f"{name}.epoch": float(epoch)}
                self._keep(name)

    def waited(self, epoch: int) -> int:
        """Epochs since the first part's best one; 0 before any counts."""
        best = self.facts[f"{next(iter(self._parts))}.epoch"]
        return epoch - int(best) if best else 0

    def restore(self) -> None:
        """Put each part's best weights in place."""
        for name, part in self._parts.items():
            own = {key: self.weights[f"{name}.{key}"] for key in part.state_dict()}
            part.load_state_dict(own)

    def _keep(self, name: str) -> None:
        state = copy.deepcopy(self._parts[name].state_dict())
        self.weights |= {f"{name}.{key}": value for key, value in state.items()}
