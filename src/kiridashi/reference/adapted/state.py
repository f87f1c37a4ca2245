"""The learned state as tensors by name, and back."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kiridashi.reference.adapted.material import Standard
from kiridashi.reference.adapted.network import Head

PRIOR, HEAD, STANDARD = "prior.", "head", "standard."
MOST_HEADS = 16


def to_tensors(prior: Mapping[str, Tensor], heads: Sequence[Head], standard: Standard) -> dict[str, Tensor]:
    """All that was learned."""
    tensors = {PRIOR + name: tensor for name, tensor in prior.items()}
    for number, head in enumerate(heads):
        tensors |= {f"{HEAD}{number}.{name}": tensor for name, tensor in head.state_dict().items()}
    for number, (mean, deviation) in enumerate(zip(standard.means, standard.deviations, strict=True)):
        tensors |= {f"{STANDARD}mean{number}": mean, f"{STANDARD}deviation{number}": deviation}
    return tensors


def from_tensors(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Head], Standard]:
    """Take back what `to_tensors` gave: the prior's state, the heads, the standardisation.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: a tensor does not fit.
    """
    heads: list[Head] = []
    while len(heads) < MOST_HEADS and (own := _under(tensors, f"{HEAD}{len(heads)}.")):
        with torch.random.fork_rng(devices=[]):
            head = Head()
        head.load_state_dict(own, strict=True)
        heads.append(head.eval().requires_grad_(False))
    maps = range(sum(name.startswith(f"{STANDARD}mean") for name in tensors))
    if heads and len(maps) != len(heads[0].reduce) + 1:
        raise KeyError("a standardisation for each map")
    means = tuple(tensors[f"{STANDARD}mean{number}"] for number in maps)
    deviations = tuple(tensors[f"{STANDARD}deviation{number}"] for number in maps)
    return _under(tensors, PRIOR), heads, Standard(means, deviations)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
