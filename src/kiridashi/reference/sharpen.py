"""From a coarse prior to an exact mask: the decoder where it is trained, else an edge-aware filter."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.components import split_components
from kiridashi.core.geometry.guided_filter import guided_filter
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel

FloatMap = NDArray[np.float32]

# The decoder's mask replaces a region of the prior only when the two agree at least this much.
AGREEMENT = 0.5
MOST_REGIONS = 32
# Radius of the edge-aware filter in cells of the prior.
FILTER_CELLS = 1.5


@dataclass(frozen=True, eq=False)
class Sharpened:
    """An exact probability map and how it was made.

    Attributes:
        probability: (H, W) float32 in [0, 1].
        how: for the report.
    """

    probability: FloatMap
    how: str


def sharpen(model: PromptableModel, picture: Picture, prior: FloatMap) -> Sharpened:
    """Bring a coarse prior to the picture's size and edges.

    Args:
        model: its decoder is used if it is trained.
        picture: whose edges count.
        prior: (h, w) probability, coarser than the picture.
    """
    height, width = picture.size
    smooth = np.clip(cv2.resize(prior, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    if "mask_decoder" in model.card.trained:
        return Sharpened(_decode(model, picture, smooth), f"mask decoder of {model.card.name}")
    cell = max(height / prior.shape[0], width / prior.shape[1])
    radius = max(1, round(FILTER_CELLS * cell))
    return Sharpened(
        guided_filter(picture.pixels, smooth, radius), "edge-aware filter (interim: no trained decoder)"
    )


def _decode(model: PromptableModel, picture: Picture, smooth: FloatMap) -> FloatMap:
    """Each region of the prior through the decoder; regions it disagrees with stay as they are."""
    regions = split_components(smooth > 0.5, min_area=4)[:MOST_REGIONS]
    if not regions:
        return smooth
    features = model.encode(picture)
    prompts = [Prompt(box=_as_box(region), prior=_only(smooth, region)) for region in regions]
    decoded = model.decode(features, prompts, multimask=True)
    exact = np.where(smooth > 0.5, 0.0, smooth).astype(np.float32)
    for row, region in enumerate(regions):
        masks = [decoded.mask(row, index) for index in range(decoded.logits.shape[1])]
        agreement = [mask.iou(region) for mask in masks]
        best = int(np.argmax(agreement))
        if agreement[best] >= AGREEMENT:
            exact = np.maximum(exact, decoded.probability(row, best))
        else:
            exact[region.slices] = np.where(region.bitmap, smooth[region.slices], exact[region.slices])
    return exact


def _as_box(region: Mask) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = region.box
    return float(x0), float(y0), float(x1), float(y1)


def _only(smooth: FloatMap, region: Mask) -> FloatMap:
    """The prior with all other regions silenced."""
    alone = np.where(smooth > 0.5, 0.0, smooth).astype(np.float32)
    alone[region.slices] = np.where(region.bitmap, smooth[region.slices], alone[region.slices])
    return alone
