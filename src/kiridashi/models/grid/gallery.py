"""All masks of a picture from a grid of points, with what the decoder knows of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.grid.clicks import Clicks, embed_clicks
from kiridashi.models.grid.folded_decoder import FIRST_MASK_TOKEN, FoldedDecoder, select
from kiridashi.models.grid.points import coarse_to_fine, grid_points
from kiridashi.models.grid.selection import Candidate, StableMask, choose
from kiridashi.models.grid.settings import GridSettings
from kiridashi.models.grid.shared_picture import SharedPicture
from kiridashi.models.grid.zoom import Patch, Zoom
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.threads import threads_for
from kiridashi.models.thresholds import GridThresholds

LABEL = "object"
# What a batch keeps of its pictures' attention weights, in numbers: about 32 MiB.
BATCH_NUMBERS = 1 << 23
LARGEST_BATCH = 64
# Skipping can only begin when a batch is done, so it wants small ones.
SKIPPING_BATCH = 16


@dataclass(frozen=True, eq=False)
class Gallery:
    """N masks of one picture, best predicted IoU first.

    Attributes:
        size: (height, width) of the picture.
        masks: N masks.
        tokens: (N, C) mask tokens.
        predicted_iou: (N,).
        stability: (N,) score at the picture's size.
        points: (N, 2) x, y of the point each came from.
        decoded: number of points that were decoded.
    """

    size: tuple[int, int]
    masks: tuple[Mask, ...]
    tokens: Tensor
    predicted_iou: NDArray[np.float64]
    stability: NDArray[np.float64]
    points: NDArray[np.float64]
    decoded: int


def segment_everything(
    model: PromptableModel, features: Features, settings: GridSettings | None = None
) -> Segments:
    """Segment everything in a picture.

    The masks are those of SAM 2's automatic mask generator (Ravi et al., 2024; one crop, no least
    area) at the same settings, up to rounding.

    Args:
        model: with a mask decoder of the SAM 2 family.
        features: of the picture.
        settings: default: a 16 x 16 grid and the model's thresholds.

    Returns:
        Segments labelled "object", scored by predicted IoU, without a verdict.
    """
    settings = settings or GridSettings()
    found = gallery(model, features, settings)
    items = tuple(
        Segment(mask, float(score), LABEL)
        for mask, score in zip(found.masks, found.predicted_iou, strict=True)
    )
    side, limits = settings.points_per_side, settings.thresholds(model.card.grid)
    provenance = {
        "method": "grid",
        "model": model.card.name,
        "points": f"{side} x {side}",
        "decoded points": str(found.decoded),
        "predicted IoU above": f"{limits.predicted_iou:g}",
        "stability at least": f"{limits.stability:g}",
        "box IoU at most": f"{settings.box_iou:g}",
    }
    return Segments(features.size, items, provenance=MappingProxyType(provenance))


@torch.inference_mode()
def gallery(
    model: PromptableModel,
    features: Features,
    settings: GridSettings | None = None,
    wanted: NDArray[np.bool_] | None = None,
) -> Gallery:
    """The masks of `segment_everything` with their tokens and scores, for methods that choose among them.

    Args:
        model: with a mask decoder of the SAM 2 family.
        features: of the picture.
        settings: default: a 16 x 16 grid and the model's thresholds.
        wanted: (points_per_side, points_per_side) the points to decode, for who knows roughly where to look;
            None: all.

    Raises:
        UsageError: `wanted` is of another shape.
    """
    settings = settings or GridSettings()
    side = settings.points_per_side
    if wanted is not None and wanted.shape != (side, side):
        raise UsageError(f"wanted points have the shape of the grid, {side} x {side}, got {wanted.shape}")
    limits = settings.thresholds(model.card.grid)
    points = grid_points(settings.points_per_side, features.size)
    decoder = FoldedDecoder(model.net.mask_decoder)
    clicks = embed_clicks(model, points, features.size)
    picture = decoder.share(
        model.image_embedding(features) + clicks.dense,
        model.net.get_image_wide_positional_embeddings(),
        (features.levels[0], features.levels[1]),
    )
    candidates: list[Candidate] = []
    decoded = 0
    with threads_for(picture.grid[0] * picture.grid[1]):
        for batch, covered in _visit(points, settings, picture, wanted):
            new = _decode(decoder, picture, clicks, batch, features.size, settings, limits)
            candidates += new
            decoded += len(batch)
            if settings.skip_covered:
                _cover(covered, points, new)
    return _gather(
        choose(candidates, settings.box_iou), points, features.size, decoded, clicks.sparse.shape[-1]
    )


def _visit(
    points: NDArray[np.float64],
    settings: GridSettings,
    picture: SharedPicture,
    wanted: NDArray[np.bool_] | None,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Batches of points, and the array in which the caller marks what need not be visited."""
    covered = np.zeros(len(points), dtype=bool)
    limit = settings.batch or _batch_size(picture, settings)
    left = coarse_to_fine(settings.points_per_side) if settings.skip_covered else np.arange(len(points))
    if wanted is not None:
        left = left[wanted.ravel()[left]]
    while left.size:
        batch, left = left[:limit], left[limit:]
        yield batch, covered
        left = left[~covered[left]]


def _batch_size(picture: SharedPicture, settings: GridSettings) -> int:
    heads = picture.keys.weight.shape[0]
    rows = len(picture.layers) * heads * 8
    tokens = picture.grid[0] * picture.grid[1]
    most = SKIPPING_BATCH if settings.skip_covered else LARGEST_BATCH
    return min(max(BATCH_NUMBERS // (rows * tokens), 1), most)


def _decode(
    decoder: FoldedDecoder,
    picture: SharedPicture,
    clicks: Clicks,
    batch: NDArray[np.intp],
    size: tuple[int, int],
    settings: GridSettings,
    limits: GridThresholds,
) -> list[Candidate]:
    """The masks of some points that pass the predicted IoU; no other is upscaled."""
    changes = [clicks.changes[point] for point in batch]
    attended = decoder.attend(picture, clicks.sparse[batch], changes)
    # The first mask is the one for single-mask output: the automatic generator takes the other three.
    ious = decoder.predicted_iou(attended)[:, 1:]
    passes = ious > limits.predicted_iou
    prompts = passes.any(dim=1).nonzero()[:, 0].tolist()
    if not prompts:
        return []
    attended, ious, passes = select(attended, prompts), ious[prompts], passes[prompts]
    tokens = decoder.tokens(attended, FIRST_MASK_TOKEN + 1, FIRST_MASK_TOKEN + 1 + ious.shape[1])
    zoom = Zoom.between((4 * picture.grid[0], 4 * picture.grid[1]), size)
    found = []
    for row, prompt in enumerate(prompts):
        chosen = passes[row].nonzero()[:, 0]
        logits = decoder.logits(attended, row, (chosen + 1).tolist(), tokens[row, chosen]).numpy()
        for mask, map_ in zip(chosen.tolist(), logits, strict=True):
            patch = Patch.above(map_, -settings.stability_offset, zoom)
            if patch is not None:
                iou, point = float(ious[row, mask]), int(batch[prompt])
                token = tokens[row, mask]
                found.append(Candidate(patch, size, iou, token, point, limits.stability, settings))
    return found


def _cover(covered: NDArray[np.bool_], points: NDArray[np.float64], new: list[Candidate]) -> None:
    """Mark the points in the smallest accepted mask of each new point.

    A whole may hold parts of its own that its points have yet to find; the smallest mask seldom does.
    """
    smallest: dict[int, Mask] = {}
    for candidate in new:
        if candidate.stable is None:
            continue
        mask = candidate.stable.mask
        best = smallest.get(candidate.point)
        if best is None or mask.area < best.area:
            smallest[candidate.point] = mask
    columns, rows = points.astype(np.intp).T
    for mask in smallest.values():
        x0, y0, x1, y1 = mask.box
        near = np.flatnonzero((columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1))
        covered[near] |= mask.bitmap[rows[near] - y0, columns[near] - x0]


def _gather(
    kept: list[tuple[Candidate, StableMask]],
    points: NDArray[np.float64],
    size: tuple[int, int],
    decoded: int,
    width: int,
) -> Gallery:
    tokens = [candidate.token for candidate, _ in kept]
    return Gallery(
        size=size,
        masks=tuple(stable.mask for _, stable in kept),
        tokens=torch.stack(tokens) if tokens else torch.empty(0, width),
        predicted_iou=np.array([candidate.iou for candidate, _ in kept], dtype=np.float64),
        stability=np.array([stable.stability for _, stable in kept], dtype=np.float64),
        points=points[[candidate.point for candidate, _ in kept]],
        decoded=decoded,
    )
