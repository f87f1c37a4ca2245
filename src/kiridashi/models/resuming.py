"""Go on where a killed run was: weights, moments of AdamW, the best weights so far and a few numbers."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from kiridashi.core.errors import InputError
from kiridashi.data.atomic import write_bytes
from kiridashi.data.tensors import read_tensors

NOW, FIRST, SECOND, BEST = "now.", "first.", "second.", "best."


class Resuming:
    """The file that a run goes on from.

    Nothing random is kept: what a step draws follows from its number alone.

    Args:
        trained: all that is trained.
        optimiser: over its parameters.
        path: of the file; None: nothing is kept.
    """

    def __init__(self, trained: nn.Module, optimiser: torch.optim.AdamW, path: Path | None) -> None:
        self._parameters = dict(trained.named_parameters())
        self._optimiser, self._path = optimiser, path

    def write(self, facts: Mapping[str, float], best: Mapping[str, Tensor]) -> None:
        """Replace the file, atomically.

        Raises:
            UsageError: it cannot be written.
        """
        if self._path is None:
            return
        tensors = {NOW + name: value.detach() for name, value in self._parameters.items()}
        tensors |= {BEST + name: value for name, value in best.items()}
        for name, parameter in self._parameters.items():
            moments = self._optimiser.state.get(parameter)
            if moments:
                tensors[FIRST + name], tensors[SECOND + name] = moments["exp_avg"], moments["exp_avg_sq"]
        # All of one kind: a run that goes on writes what an uninterrupted one writes.
        numbers = {name: float(value) for name, value in facts.items()}
        kept = {name: value.clone().contiguous() for name, value in tensors.items()}
        write_bytes(self._path, save(kept, metadata={"facts": json.dumps(numbers)}), fsync=True)

    def resume(
        self, facts: dict[str, float], best: dict[str, Tensor]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Facts and best weights of the file, with everything else put in place; as given without a file.

        Raises:
            InputError: the file is damaged or of something else.
        """
        if self._path is None or not self._path.is_file():
            return facts, best
        tensors, metadata = read_tensors(self._path)
        try:
            read = {str(name): float(value) for name, value in json.loads(metadata["facts"]).items()}
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(tensors[NOW + name])
                    if FIRST + name in tensors:
                        self._optimiser.state[parameter] = {
                            "step": torch.tensor(read["step"]),
                            "exp_avg": tensors[FIRST + name],
                            "exp_avg_sq": tensors[SECOND + name],
                        }
            return {name: read[name] for name in facts}, {name: tensors[BEST + name] for name in best}
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self._path}: not the state of this run ({error}); remove it and run again"
            ) from error
