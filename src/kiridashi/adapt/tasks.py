"""The questions that a picture is asked while a part is tuned: boxes, clicks, and priors of a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.adapt.samples import Sample
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.models.pooling import best_covered, mask_share

FloatMap = NDArray[np.float32]
# A region smaller than this is no object that anyone would click on.
LEAST_PIXELS = 6
# Regions of a picture that are asked for, the largest first.
MOST_REGIONS = 3
# How far the sides of a box are off at most, as a share of its size.
BOX_SLACK = 0.1
# Side of a made-up prior.
PRIOR_SIDE = 128


@dataclass(frozen=True, eq=False)
class Task:
    """Prompts of one kind on one picture, with their answers.

    Attributes:
        kind: "box", "click" or "prior".
        prompts: N of them.
        truths: the mask of each.
        multimask: whether three masks are asked for: a click is ambiguous.
    """

    kind: str
    prompts: tuple[Prompt, ...]
    truths: tuple[Mask, ...]
    multimask: bool


def draw_tasks(sample: Sample, prior: FloatMap | None, rng: np.random.Generator) -> list[Task]:
    """A task of each kind for one picture.

    Args:
        sample: the picture and its mask.
        prior: what the references' own priors say of it; None: one is made from the mask, spoilt.
        rng: draws everything.
    """
    regions = regions_of(sample.mask)
    boxes = tuple(Prompt(box=_loose_box(region, rng)) for region in regions)
    clicks = tuple(Prompt(points=(_click(region, rng),)) for region in regions)
    dense = spoilt(sample.mask, rng) if prior is None else prior
    return [
        Task("box", boxes, tuple(regions), multimask=False),
        Task("click", clicks, tuple(regions), multimask=True),
        Task("prior", (Prompt(prior=dense),), (sample.mask,), multimask=False),
    ]


def plain_tasks(sample: Sample) -> list[Task]:
    """What is asked to measure: a tight box, and a click in the middle, of each region."""
    regions = regions_of(sample.mask)
    boxes = tuple(Prompt(box=_tight_box(region)) for region in regions)
    clicks = tuple(Prompt(points=(_deepest(region),)) for region in regions)
    return [
        Task("box", boxes, tuple(regions), multimask=False),
        Task("click", clicks, tuple(regions), multimask=True),
    ]


def regions_of(mask: Mask) -> list[Mask]:
    """The largest connected regions of a mask that is not empty; one at least."""
    parts = split_components(mask.to_array())
    return [part for part in parts if part.area >= LEAST_PIXELS][:MOST_REGIONS] or parts[:1]


def as_cells(masks: Sequence[Mask], side: int) -> Tensor:
    """(N, side, side) float 0 or 1; of a mask too thin for any cell its best-covered ones."""
    return torch.stack([best_covered(mask_share(mask, side, side)).float() for mask in masks])


def spoilt(mask: Mask, rng: np.random.Generator) -> FloatMap:
    """(PRIOR_SIDE, PRIOR_SIDE) a mask as a prior would give it: soft, shifted, torn and doubted in places."""
    share = mask_share(mask, PRIOR_SIDE, PRIOR_SIDE).numpy()
    shift = rng.integers(-2, 3, 2)
    moved = np.roll(share, tuple(int(n) for n in shift), (0, 1))
    soft = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.6, 3.0)))
    cloud = cv2.GaussianBlur(
        rng.normal(size=share.shape).astype(np.float32), (0, 0), float(rng.uniform(2, 8))
    )
    cloud /= float(cloud.std()) + 1e-6
    peak = float(soft.max()) + 1e-6
    steep = rng.uniform(3, 8)
    logits = steep * (soft / peak - rng.uniform(0.3, 0.6)) + rng.uniform(0.3, 1.5) * cloud
    prior: FloatMap = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return prior


def _tight_box(region: Mask) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = region.box
    return float(x0), float(y0), float(x1), float(y1)


def _loose_box(region: Mask, rng: np.random.Generator) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = region.box
    size = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0], dtype=np.float64)
    off = np.clip(rng.normal(0, BOX_SLACK / 2, 4), -BOX_SLACK, BOX_SLACK) * size
    height, width = region.size
    left, top, right, bottom = np.array([x0, y0, x1, y1]) + off
    return (
        float(np.clip(left, 0, width - 1)),
        float(np.clip(top, 0, height - 1)),
        float(np.clip(right, left + 1, width)),
        float(np.clip(bottom, top + 1, height)),
    )


def _click(region: Mask, rng: np.random.Generator) -> tuple[float, float, int]:
    if rng.random() < 0.5:
        return _deepest(region)
    rows, columns = np.nonzero(region.bitmap)
    place = int(rng.integers(len(rows)))
    x0, y0, _, _ = region.box
    return float(x0 + columns[place]) + 0.5, float(y0 + rows[place]) + 0.5, 1


def _deepest(region: Mask) -> tuple[float, float, int]:
    inside = np.pad(region.bitmap, 1).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    x0, y0, _, _ = region.box
    return float(x0 + column) + 0.5, float(y0 + row) + 0.5, 1
