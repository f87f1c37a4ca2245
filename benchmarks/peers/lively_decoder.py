"""A random mask decoder that makes plausible masks, where trained weights cannot be had.

With fresh random weights every mask is noise over the whole picture, and box suppression leaves one of
them: no test of a grid. Three strokes give blobs about the points instead, of three sizes, with edges
that depend on picture and point: bumps on a lattice are added to the finest neck map; the last layer of
each mask's hypernetwork is fitted (ridge regression on its random hidden units) to weigh the bumps about
the point; and the predicted IoU is spread. All else stays random, and every operation is still done.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.models.grid.clicks import embed_clicks
from kiridashi.models.grid.folded_decoder import FoldedDecoder
from kiridashi.models.promptable import Features, PromptableModel
from peers.stock_grid import decode_points

RADII = (0.08, 0.13, 0.22)
LOGIT = 12.0
BUMP = 4.0
TEXTURE = 0.15
IOU_SPREAD = 4.0
SAMPLE_POINTS = 384
BATCH = 16
RIDGE = 1e-3


def mark(features: Features) -> Features:
    """The same features with bumps in the finest level: one lattice node a channel, the last one constant."""
    fine = features.levels[0]
    code = _bumps(fine.shape[1], fine.shape[-2:]) + TEXTURE * fine / fine.std()
    return replace(features, levels=(code, *features.levels[1:]))


@torch.no_grad()
def enliven(model: PromptableModel, features: Features, seed: int = 0) -> None:
    """Change the decoder's weights in place, fitted to one picture's features."""
    decoder = model.net.mask_decoder
    decoder.upscale_conv2.weight *= TEXTURE
    decoder.iou_prediction_head.proj_out.weight *= IOU_SPREAD
    points = torch.rand(SAMPLE_POINTS, 2, generator=torch.Generator().manual_seed(seed))
    tokens = _mask_tokens(model, features, points * model.card.image_size)
    for mask, radius in enumerate(RADII, start=1):
        head = decoder.output_hypernetworks_mlps[mask]
        vectors = _vectors(points, radius, head.proj_out.out_features)
        weight, bias = _ridge(_hidden(head, tokens[:, mask]), vectors)
        head.proj_out.weight.copy_(weight)
        head.proj_out.bias.copy_(bias)
    # Regression shrinks what it cannot explain: bring the logits back to a trained model's size.
    logits, _, _ = decode_points(model, features, points[:16] * model.card.image_size)
    for mask, spread in enumerate(logits.std(dim=(0, 2, 3)), start=1):
        head = decoder.output_hypernetworks_mlps[mask]
        head.proj_out.weight *= LOGIT / spread
        head.proj_out.bias *= LOGIT / spread


def thresholds(
    model: PromptableModel, features: Features, passing: float = 0.25, stable: float = 0.6, seed: int = 1
) -> tuple[float, float]:
    """Predicted IoU that a share of masks passes, and stability (offset 1) that a share of those reaches."""
    points = torch.rand(64, 2, generator=torch.Generator().manual_seed(seed)) * model.card.image_size
    with torch.inference_mode():
        logits, iou, _ = decode_points(model, features, points)
    limit = float(iou.quantile(1 - passing))
    logits = logits[iou > limit]
    above, below = (logits > 1).sum(dim=(1, 2)), (logits > -1).sum(dim=(1, 2))
    return limit, float(np.quantile((above / below.clamp(min=1)).numpy(), 1 - stable))


def _mask_tokens(model: PromptableModel, features: Features, points: Tensor) -> Tensor:
    side = model.card.image_size
    clicks = embed_clicks(model, points.numpy(), (side, side))
    decoder = FoldedDecoder(model.net.mask_decoder)
    position = model.net.get_image_wide_positional_embeddings()
    levels = features.levels[0], features.levels[1]
    picture = decoder.share(model.image_embedding(features) + clicks.dense, position, levels)
    batches = [slice(start, start + BATCH) for start in range(0, len(points), BATCH)]
    attended = (decoder.attend(picture, clicks.sparse[part], clicks.changes[part]) for part in batches)
    return torch.cat([decoder.mask_tokens(part) for part in attended])


def _bumps(channels: int, size: torch.Size) -> Tensor:
    """(channels, h, w) Gaussian bumps."""
    rows = int((channels - 1) ** 0.5)
    columns = (channels - 1) // rows
    y = (torch.arange(size[0]) + 0.5)[:, None] / size[0] * rows
    x = (torch.arange(size[1]) + 0.5)[None, :] / size[1] * columns
    nodes = [(y - i - 0.5).square() + (x - j - 0.5).square() for i in range(rows) for j in range(columns)]
    bumps = torch.stack([torch.exp(-distance) for distance in nodes])
    constant = torch.ones(channels - len(bumps), *size)
    return BUMP * torch.cat([bumps, constant])


def _vectors(points: Tensor, radius: float, channels: int) -> Tensor:
    """(N, channels) weights of the bumps that come nearest to a hill about each point."""
    size = torch.Size((64, 64))
    basis = F.gelu(_bumps(channels, size)).flatten(1).T
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    place = torch.stack([x, y], dim=-1).flatten(0, 1)
    distance = (place[:, None] - points[None]).square().sum(dim=-1)
    hills = LOGIT * (2 * torch.exp(-distance / (1.44 * radius**2)) - 1)
    gram = basis.T @ basis
    gram += 1e-4 * gram.diagonal().mean() * torch.eye(channels)
    weights: Tensor = torch.linalg.solve(gram, basis.T @ hills)
    return weights.T


def _hidden(head: Any, tokens: Tensor) -> Tensor:
    hidden: Tensor = head.activation(head.proj_in(tokens))
    for layer in head.layers:
        hidden = head.activation(layer(hidden))
    return hidden


def _ridge(samples: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    centre, middle = samples.mean(dim=0), targets.mean(dim=0)
    centred = (samples - centre).double()
    gram = centred.T @ centred
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    weight = torch.linalg.solve(gram, centred.T @ (targets - middle).double()).T.float()
    return weight, middle - weight @ centre
