"""From a coarse prior to an exact mask: the decoder and an edge-aware filter together."""

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
# Where the prior is less than this, the decoder has no say: it likes whole objects, also look-alikes.
LEAST_PRIOR = 0.2
# An object is the decoder's invention when the prior on it is less than this on average.
LEAST_SUPPORT = 0.3


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

    A model trained on priors alone (its card says `draws_prompts`) gets the whole prior at once, and the
    mean of its answer and of the filter's is taken where the prior says anything: the decoder knows where
    things end, the filter never leaves what the references say (docs/decisions/0002). Another model gets
    each region with its box.

    Args:
        model: with a trained mask decoder.
        picture: whose edges count.
        prior: (h, w) probability, coarser than the picture.

    Raises:
        UsageError: the model's mask decoder is not trained.
    """
    model.require("mask_decoder", "sharpening a prior")
    height, width = picture.size
    smooth = np.clip(cv2.resize(prior, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    how = f"mask decoder of {model.card.name}"
    if not model.card.draws_prompts:
        return Sharpened(_decode_regions(model, picture, smooth), how)
    cell = max(height / prior.shape[0], width / prior.shape[1])
    filtered = guided_filter(picture.pixels, smooth, max(1, round(FILTER_CELLS * cell)))
    decoded = model.decode(model.encode(picture), [Prompt(prior=smooth)], multimask=False)
    exact = decoded.probability(0, 0)
    heard = (filtered > LEAST_PRIOR) & ~_invented(exact, smooth)
    joined = np.where(heard, (exact + filtered) / 2, filtered)
    return Sharpened(joined, f"{how} and edge-aware filter")


def _invented(exact: FloatMap, prior: FloatMap) -> NDArray[np.bool_]:
    """(H, W) where the decoder sees objects that the prior hardly knows."""
    count, parts = cv2.connectedComponents((exact > 0.5).astype(np.uint8), connectivity=8)
    sizes = np.bincount(parts.ravel(), minlength=count)
    support = np.bincount(parts.ravel(), weights=prior.ravel(), minlength=count) / np.maximum(sizes, 1)
    support[0] = 1.0
    invented: NDArray[np.bool_] = support[parts] < LEAST_SUPPORT
    return invented


def _decode_regions(model: PromptableModel, picture: Picture, smooth: FloatMap) -> FloatMap:
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
