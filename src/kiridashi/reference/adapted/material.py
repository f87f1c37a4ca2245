"""What the head learns from: each reference and its augmented copies, as the frozen trunk sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.augmentation import augment, mirror
from kiridashi.models.pooling import mask_share
from kiridashi.reference.adapted.network import FILTERS, Batch
from kiridashi.reference.adapted.options import HeadOptions
from kiridashi.reference.prior.evidence import GRID, FloatMap, View

# Side of the map of the head's answer, and of the pixels that it reads.
FINE = 2 * GRID
# Probabilities of a prior are kept this far from 0 and 1, and their logits are divided by PRIOR_SCALE.
PRIOR_EDGE, PRIOR_SCALE = 0.01, 3.0
LEAST_DEVIATION = 1e-3
MOST_DEVIATIONS = 8.0


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and deviation of each channel over the references, (C, 1, 1) each.

    Attributes:
        means: of the trunk's four maps and of the filters.
        deviations: likewise.
    """

    means: tuple[Tensor, ...]
    deviations: tuple[Tensor, ...]

    @classmethod
    def of(cls, views: Sequence[View]) -> "Standard":
        """Measured on some pictures."""
        means, deviations = [], []
        for level in zip(*(_maps(view) for view in views), strict=True):
            places = torch.cat([one.flatten(1) for one in level], dim=1)
            means.append(places.mean(1)[:, None, None])
            deviations.append(places.std(1).clamp(min=LEAST_DEVIATION)[:, None, None])
        return cls(tuple(means), tuple(deviations))

    def apply(self, view: View) -> list[Tensor]:
        """The standardised maps of a picture, float16."""
        return [
            ((one - mean) / deviation).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS).half()
            for one, mean, deviation in zip(_maps(view), self.means, self.deviations, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture as the head reads it, without a batch dimension.

    Attributes:
        trunk: standardised maps (C, h, w) at strides 4, 8, 16 and 32, float16.
        filters: (FILTERS, GRID, GRID) standardised, float16.
        prior: (1, GRID, GRID) scaled logits.
        fine: (3, FINE, FINE) RGB, standardised over the picture.
    """

    trunk: tuple[Tensor, ...]
    filters: Tensor
    prior: Tensor
    fine: Tensor

    def batch(self) -> Batch:
        """The whole picture as a batch of one."""
        trunk = [level[None].float() for level in self.trunk]
        return Batch.of(trunk, self.filters[None].float(), self.prior[None], self.fine[None])


@dataclass(frozen=True, eq=False)
class Lesson:
    """A picture with what is true of it.

    Attributes:
        seen: the picture.
        truth: (1, FINE, FINE) share of each cell that the object covers.
        counted: (1, FINE, FINE) 0 where nothing is known, else 1.
    """

    seen: Seen
    truth: Tensor
    counted: Tensor


def see(view: View, picture: Picture, prior: FloatMap, standard: Standard) -> Seen:
    """Gather what the head reads of a picture."""
    *trunk, filters = standard.apply(view)
    logits = torch.logit(torch.from_numpy(prior), eps=PRIOR_EDGE)[None] / PRIOR_SCALE
    return Seen(tuple(trunk), filters, logits, _fine(picture))


def lesson(seen: Seen, inside: Mask | None, outside: Mask | None) -> Lesson:
    """With the truth: the object's mask; or that it is nowhere, or not where `outside` says."""
    none = torch.zeros(1, FINE, FINE)
    truth = none if inside is None else mask_share(inside, FINE, FINE)[None]
    known = inside is not None or outside is None
    counted = torch.ones(1, FINE, FINE) if known or outside is None else mask_share(outside, FINE, FINE)[None]
    return Lesson(seen, truth, counted)


def copy_of(
    picture: Picture, mask: Mask, options: HeadOptions, rng: np.random.Generator
) -> tuple[Picture, Mask]:
    """An augmented copy, mirrored across and down half of the time each."""
    mirrored = mirror(picture, mask, rng, upside_down=True)
    return augment(*mirrored, options.augmentation, rng)


def _maps(view: View) -> list[Tensor]:
    filters = torch.from_numpy(view.local[:, :FILTERS]).T.reshape(FILTERS, GRID, GRID)
    return [*view.trunk, filters]


def _fine(picture: Picture) -> Tensor:
    shrinks = min(picture.size) > FINE
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(picture.pixels, (FINE, FINE), interpolation=how).astype(np.float32) / 255
    standard = (small - small.mean()) / (small.std() + 0.05)
    return torch.from_numpy(np.ascontiguousarray(standard.transpose(2, 0, 1)))
