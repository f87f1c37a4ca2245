"""From references to a prior for any picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Self

import numpy as np
import torch
from torch import Tensor

from kiridashi.reference.prior.appearance import AppearanceForest
from kiridashi.reference.prior.evidence import Example, FloatMap, View
from kiridashi.reference.prior.fusion import FusionNet, gather_evidence, reference_facts
from kiridashi.reference.prior.similarity import LEVELS, Memory, remember


@cache
def fusion_net() -> FusionNet:
    """The shipped fusion network, loaded once a process."""
    from safetensors.torch import load_file

    net = FusionNet()
    with as_file(files(__package__).joinpath("fusion.safetensors")) as path:
        net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return net.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed of a picture before any edge is looked at.

    Attributes:
        map: (GRID, GRID) float32, how likely each cell is the object.
        presence: how likely the object is in the picture at all, 0..1.
    """

    map: FloatMap
    presence: float


class PriorEstimator:
    """Remembers references and says for a picture how likely each cell is the object."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn from references and negatives; at least one example has the object."""
        self.memories_ = [remember(examples, level) for level in LEVELS]
        self.forest_ = AppearanceForest(self.seed).fit(examples)
        self.facts_ = reference_facts(examples, self.memories_)
        return self

    def predict(self, view: View) -> Prior:
        """Where the object probably is in a picture, and whether it is there."""
        evidence = gather_evidence(view, self.memories_, self.forest_, self.facts_)
        fused = fusion_net().judge(evidence)
        return Prior(fused.prior[0].numpy(), float(fused.presence[0]))

    def state(self) -> dict[str, Tensor]:
        """What was learned, as tensors."""
        state = {"facts": self.facts_}
        for number, memory in enumerate(self.memories_):
            state |= {f"memory{number}.{field}": getattr(memory, field) for field in Memory.__annotations__}
        state["forest.rows"] = torch.from_numpy(self.forest_.rows_)
        state["forest.inside"] = torch.from_numpy(self.forest_.inside_)
        return state

    def restore(self, state: Mapping[str, Tensor]) -> Self:
        """Take back what `state` gave."""
        self.facts_ = state["facts"]
        self.memories_ = [
            Memory(**{field: state[f"memory{number}.{field}"] for field in Memory.__annotations__})
            for number in range(len(LEVELS))
        ]
        rows, inside = state["forest.rows"].numpy(), state["forest.inside"].numpy()
        self.forest_ = AppearanceForest(self.seed).fit_rows(rows.astype(np.float16), inside)
        return self
