"""How far apart two looks at a stage are, and how well it parts the object from the background.

The published measure is called regularised L2 distance; its formula is not known. These are our own:
root mean squares over all values, divided by what a stage changes from one clean frame to the next, so that
stages of different scale can be compared.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.models.pooling import cosine_map

# Places with more of the object than this are its own, with less than the second the background's.
INSIDE, OUTSIDE = 0.5, 0.1
# Against a stage that never changes.
LEAST = 1e-8
# Added to the diagonal of the probe's normal equations, as a share of their mean.
RIDGE = 1e-2
POWER_STEPS = 40


@dataclass(frozen=True)
class Distance:
    """Between two (C, h, w) maps, in root mean square over the values of a place.

    Attributes:
        all: over all places.
        inside: over the object's places; None without any.
        outside: over the background's.
    """

    all: float
    inside: float | None
    outside: float | None


def share_of(mask: Mask, size: tuple[int, int]) -> Tensor:
    """(h, w) share of each place that a mask covers; the frame is squeezed to the grid as to the network."""
    inside = torch.from_numpy(mask.to_array())[None, None].float()
    return F.interpolate(inside, size=size, mode="area")[0, 0]


def sides_of(share: Tensor) -> tuple[Tensor, Tensor]:
    """(h, w) bool of the object's places and of the background's.

    An object too small to fill half a place has the places that it fills most.
    """
    most = float(share.max())
    return share >= (min(INSIDE, most) if most > 0 else 2.0), share < OUTSIDE


def raw_distance(one: Tensor, other: Tensor) -> float:
    """||a - b||_2 / sqrt(number of values)."""
    return float((one - other).square().mean().sqrt())


def distance(one: Tensor, other: Tensor, share: Tensor | None = None) -> Distance:
    """The same, over all places, the object's and the background's.

    Args:
        one: (C, h, w), or (C,) of a stage without places.
        other: likewise.
        share: (h, w) of each place that the object covers; None: not known.
    """
    every = raw_distance(one, other)
    if share is None or one.ndim == 1:
        return Distance(every, None, None)
    places = (one - other).square().mean(0)
    sides = [float(places[side].mean().sqrt()) if side.any() else None for side in sides_of(share)]
    return Distance(every, *sides)


def auroc(scores: Tensor, inside: Tensor, outside: Tensor) -> float | None:
    """Probability that a place of the object scores higher than one of the background; ties count half.

    Args:
        scores: (h, w).
        inside: (h, w) bool.
        outside: (h, w) bool.

    Returns:
        0..1; None where one of both has no place.
    """
    ones, zeros = scores[inside].double(), scores[outside].double()
    if not len(ones) or not len(zeros):
        return None
    ordered = zeros.sort().values
    below, upto = torch.searchsorted(ordered, ones), torch.searchsorted(ordered, ones, right=True)
    return float((below + upto).double().mean() / 2 / len(zeros))


def component_auroc(values: Tensor, share: Tensor) -> float | None:
    """AUROC of the frame's own first principal component, whichever way round parts better; 0.5..1.

    Says whether the object is what a stage differs most by.
    """
    inside, outside = sides_of(share)
    rows = values.flatten(1)
    centred = rows - rows.mean(1, keepdim=True)
    found = auroc((_first_axis(centred) @ centred).reshape(share.shape), inside, outside)
    return None if found is None else max(found, 1 - found)


def _first_axis(centred: Tensor) -> Tensor:
    """(C,) first principal direction of (C, n) places, by power iteration."""
    axis = centred[:, int(centred.square().sum(0).argmax())]
    for _ in range(POWER_STEPS):
        axis = F.normalize(centred @ (axis @ centred), dim=0)
    return axis


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear read-out that tells the object's places from the background's.

    Attributes:
        mean: (C,) of what it was fitted to.
        scale: (C,) deviations.
        weights: (C,).
    """

    mean: Tensor
    scale: Tensor
    weights: Tensor

    def scores(self, values: Tensor) -> Tensor:
        """(h, w) of a (C, h, w) map; higher: more like the object."""
        rows = (values.flatten(1).double().T - self.mean) / self.scale
        return (rows @ self.weights).reshape(values.shape[1:])

    def auroc(self, values: Tensor, share: Tensor) -> float | None:
        """How well it parts the places of a map; None where one side has none."""
        return auroc(self.scores(values), *sides_of(share))


class ProbeFit:
    """Least squares with a ridge on standardised channels, both sides weighted alike; streamed."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, values: Tensor, share: Tensor) -> None:
        """Learn from a (C, h, w) map and the (h, w) share of the object; without the object, nothing."""
        inside, outside = sides_of(share)
        if not inside.any() or not outside.any():
            return
        flat = values.flatten(1).T.double()
        for side, target in ((inside, 1.0), (outside, -1.0)):
            rows = flat[side.flatten()]
            self._rows.append(rows)
            self._targets.append(torch.full((len(rows),), target, dtype=torch.float64))

    def fit(self) -> Probe | None:
        """The probe; None when nothing was learned from."""
        if not self._rows:
            return None
        rows, targets = torch.cat(self._rows), torch.cat(self._targets)
        inside = targets > 0
        weights = torch.where(inside, 0.5 / inside.sum().double(), 0.5 / (~inside).sum().double())
        mean = weights @ rows
        centred = rows - mean
        scale = (weights @ centred.square()).sqrt()
        # A channel that never changes tells nothing.
        scale = torch.where(scale > LEAST, scale, torch.inf)
        centred = centred / scale
        normal = (centred * weights[:, None]).T @ centred
        ridge = RIDGE * normal.diagonal().mean().clamp(min=LEAST)
        solved = torch.linalg.solve(
            normal + ridge * torch.eye(len(normal), dtype=normal.dtype),
            (centred * weights[:, None]).T @ targets,
        )
        return Probe(mean, scale, solved)


def pointer_map(pointer: Tensor, values: Tensor) -> Tensor:
    """(h, w) cosine of an object pointer with every place of a map of as many channels.

    The pointer has no places of its own; where it resembles the decoder's image tokens it points.
    """
    return cosine_map(values, pointer)


def median(values: list[float]) -> float | None:
    """Median; None of nothing."""
    return float(np.median(values)) if values else None
