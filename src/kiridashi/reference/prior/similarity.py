"""Semantic evidence: how alike each place is to the references' object and to their surroundings.

Masked average pooling and cosine similarity (the prototype of CAV-SAM, section 1.4 of its
specification), joined by the mean of the nearest reference places, which keeps objects of several
parts together (the training-free prior of PFENet, Tian et al., 2020, in its dense form).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.models.pooling import best_covered
from kiridashi.reference.prior.evidence import OUTSIDE_COVER, Example, View

# Trunk maps used: strides 8, 16 and 32.
LEVELS = (1, 2, 3)
NEAREST = 3
MAX_PLACES = 2048
CHANNELS_A_LEVEL = 6


@dataclass(frozen=True, eq=False)
class Memory:
    """What one trunk level remembers of the references; all rows have unit length.

    Attributes:
        foreground: (C,) prototype of the object.
        background: (C,) prototype of the surroundings.
        inside: (N, C) places on the object.
        outside: (M, C) places beside it.
    """

    foreground: Tensor
    background: Tensor
    inside: Tensor
    outside: Tensor


def remember(examples: Sequence[Example], level: int) -> Memory:
    """Pool the examples at one trunk level."""
    rows, inner, outer = [], [], []
    for example in examples:
        maps = example.view.trunk[level]
        rows.append(F.normalize(maps.flatten(1).T, dim=1))
        inside, outside = example.shares(*maps.shape[-2:])
        inner.append(inside.flatten())
        outer.append(outside.flatten())
    places, inside, outside = torch.cat(rows), torch.cat(inner), torch.cat(outer)
    far = outside > OUTSIDE_COVER
    return Memory(
        F.normalize((places * inside[:, None]).sum(0), dim=0),
        F.normalize((places * outside[:, None]).sum(0) + 1e-9, dim=0),
        _thin(places[best_covered(inside)]),
        _thin(places[far if far.any() else best_covered(outside)] if outside.max() > 0 else -places[:1]),
    )


def _thin(places: Tensor) -> Tensor:
    """At most MAX_PLACES rows, evenly spread."""
    if len(places) <= MAX_PLACES:
        return places
    return places[torch.linspace(0, len(places) - 1, MAX_PLACES).long()]


def contrast(view: View, memory: Memory, level: int) -> Tensor:
    """(h, w) cosine to the object's prototype minus cosine to the surroundings', at one level."""
    maps = view.trunk[level]
    places = F.normalize(maps.flatten(1).T, dim=1)
    return (places @ (memory.foreground - memory.background)).view(maps.shape[-2:])


def compare(view: View, memory: Memory, level: int) -> Tensor:
    """(CHANNELS_A_LEVEL, h, w) evidence of one level, at the level's own resolution.

    Channels: prototype contrast, the same standardised over the picture, similarity to the object,
    nearest-place contrast, nearest inside, nearest outside (low: the picture is unfamiliar).
    """
    maps = view.trunk[level]
    places = F.normalize(maps.flatten(1).T, dim=1)
    lead = contrast(view, memory, level).flatten()
    standard = (lead - lead.mean()) / (lead.std() + 1e-3)
    inside, outside = _nearest(places, memory.inside), _nearest(places, memory.outside)
    object_like = places @ memory.foreground
    channels = torch.stack([lead, standard / 3, object_like, inside - outside, inside, outside])
    return channels.view(CHANNELS_A_LEVEL, *maps.shape[-2:])


def _nearest(places: Tensor, known: Tensor) -> Tensor:
    """(N,) mean cosine to the few nearest known places."""
    return (places @ known.T).topk(min(NEAREST, len(known)), dim=1).values.mean(1)
